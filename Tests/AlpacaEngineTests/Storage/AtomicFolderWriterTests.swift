import Foundation
import Testing

@testable import AlpacaEngine

@Suite struct AtomicFolderWriterTests {
    static func names(_ folder: String) throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder).sorted() }
    static func put(_ text: String, _ path: String) throws { try text.write(toFile: path, atomically: false, encoding: .utf8) }

    static func write(_ path: String, overwrite: Bool, _ files: [String: String], finish: Bool = true) throws(AlpacaError) {
        let folder = try AtomicFolderWriter(path: path, overwrite: overwrite, own: AnyFiles())
        for (name, text) in files { try folder.create(name).write(Array(text.utf8), at: 0) }
        if finish { try folder.finish() }
    }

    @Test func `a folder appears whole, in place of none or of an empty one`() throws {
        try Fixtures.withFolder { work in
            let writer = try AtomicFolderWriter(path: work + "/山/", overwrite: false, own: AnyFiles())
            try writer.create("a.bin").write([1, 2], at: 1)
            let during = try Self.names(work)
            #expect(during.count == 1 && during[0].hasPrefix(".山.") && during[0].hasSuffix(".alpaca-tmp"))
            try writer.finish()
            #expect(try Self.names(work) == ["山"])
            #expect(try Data(contentsOf: URL(fileURLWithPath: work + "/山/a.bin")) == Data([0, 1, 2]))
            try FileManager.default.createDirectory(atPath: work + "/empty", withIntermediateDirectories: false)
            try Self.write(work + "/empty", overwrite: false, ["b.json": "{}"])
            #expect(try Self.names(work + "/empty") == ["b.json"])
        }
    }

    @Test func `without finish nothing is left, and the old folder stays`() throws {
        try Fixtures.withFolder { work in
            try Self.write(work + "/out", overwrite: false, ["a.bin": "old"])
            try Self.write(work + "/out", overwrite: true, ["a.bin": "new"], finish: false)
            #expect(try Self.names(work) == ["out"])
            #expect(try String(contentsOfFile: work + "/out/a.bin", encoding: .utf8) == "old")
            try Self.write(work + "/out", overwrite: true, ["b.safetensors": "new"])
            #expect(try Self.names(work) == ["out"] && Self.names(work + "/out") == ["b.safetensors"])
        }
    }

    @Test func `what must not be replaced`() throws {
        try Fixtures.withFolder { work in
            let out = work + "/out"
            try Self.write(out, overwrite: false, ["a.bin": "old"])
            func error(_ path: String, overwrite: Bool = true, inputs: [InputFile] = []) -> AlpacaError? {
                alpacaError { _ = try AtomicFolderWriter(path: path, overwrite: overwrite, inputs: inputs, own: AnyFiles()) }
            }
            #expect(
                error(out, overwrite: false)
                    == AlpacaError(.invalidArgument, "\(out): there is a folder of that name already, which is not empty"))
            #expect(
                error(out, inputs: [try InputFile(path: out + "/a.bin")])
                    == AlpacaError(.invalidArgument, "\(out): the output's folder holds one of the inputs, \"\(out)/a.bin\""))
            // Outputs hold no folders and no links, also if they would be ours.
            try FileManager.default.createDirectory(atPath: out + "/more.bin", withIntermediateDirectories: false)
            try FileManager.default.createSymbolicLink(atPath: out + "/link.bin", withDestinationPath: out + "/a.bin")
            #expect(
                error(out)
                    == AlpacaError(
                        .invalidArgument,
                        "\(out): the folder is not replaced, for it holds \"link.bin\", \"more.bin\", which no output wrote; choose another, "
                            + "or remove it first"))
            try Self.put("x", work + "/file")
            #expect(
                error(work + "/file")
                    == AlpacaError(.io, "\(work)/file: found a file, expected a folder or nothing: this format is a folder"))
            #expect(error(work + "/none/out")?.code == .notFound)
            #expect(error("")?.code == .invalidArgument)
            #expect(try Self.names(work) == ["file", "out"])
        }
    }

    /// The folder would go that a shell stands in.
    @Test func `the current folder is not replaced`() throws {
        let here = FileManager.default.currentDirectoryPath
        for path in [".", "./", "./.", "././/.", here, here + "/", here + "/."] {
            let error = alpacaError { _ = try AtomicFolderWriter(path: path, overwrite: true, own: AnyFiles()) }
            #expect(error?.code == .invalidArgument && error?.message.contains("the output is the current folder") == true, "\(path)")
        }
        try Fixtures.withFolder { work in
            try FileManager.default.createDirectory(atPath: work + "/empty", withIntermediateDirectories: false)
            try Self.write(work + "/empty/./", overwrite: false, ["a.bin": "x"])
            #expect(try Self.names(work) == ["empty"] && Self.names(work + "/empty") == ["a.bin"])
            var options = ConversionOptions(base: MiniFamily.shared("mini-llama"), output: ".")
            options.format = .huggingFace
            #expect(try Converter.plan(options).warnings.contains { $0.contains("the output is the current folder") })
            #expect(alpacaError { _ = try Converter.convert(options) }?.code == .invalidArgument)
        }
    }

    @Test func `a link stays one, and its folder is replaced`() throws {
        try Fixtures.withFolder { work in
            try Self.write(work + "/out", overwrite: false, ["a.bin": "old"])
            try FileManager.default.createSymbolicLink(atPath: work + "/link", withDestinationPath: work + "/out")
            try Self.write(work + "/link", overwrite: true, ["b.bin": "new"])
            #expect(try Self.names(work) == ["link", "out"] && Self.names(work + "/out") == ["b.bin"])
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: work + "/link") == work + "/out")
            try FileManager.default.createSymbolicLink(atPath: work + "/none", withDestinationPath: work + "/nothing")
            let error = alpacaError { try Self.write(work + "/none", overwrite: true, [:]) }
            #expect(error == AlpacaError(.notFound, "\(work)/none: cannot write (a link to nothing): No such file or directory"))
        }
    }

    /// Somebody puts a file into the old folder after it was looked at: it is not among those that go.
    @Test func `what is put into the folder that goes stays`() throws {
        /// Adds a file at the moment at which the folder is looked at for the last time.
        struct Busy: OwnFiles {
            let looks = Lock(0)
            func refusal(of file: InputFile) -> String? { nil }
            func refusal(ofFolder path: String, _ names: [String]) -> String? {
                let count = looks.withLock { looks in
                    looks += 1
                    return looks
                }
                if count == 2 {
                    try? AtomicFolderWriterTests.put("mine", path + "/notes.md")
                    // Another file under the name of one that was looked at.
                    try? FileManager.default.removeItem(atPath: path + "/a.bin")
                    try? AtomicFolderWriterTests.put("mine too", path + "/a.bin.new")
                    try? FileManager.default.moveItem(atPath: path + "/a.bin.new", toPath: path + "/b.bin")
                }
                return count > 2 && names.contains("notes.md") ? "notes.md" : nil
            }
            func canBeUnfinished(_ name: String?, _ beginning: [UInt8]) -> Bool { true }
        }
        try Fixtures.withFolder { work in
            try Self.write(work + "/out", overwrite: false, ["a.bin": "old"])
            let writer = try AtomicFolderWriter(path: work + "/out", overwrite: true, own: Busy())
            try writer.create("c.bin").write([1], at: 0)
            let old = "\(work)/out.old-\(getpid())"
            #expect(
                try writer.finish() == [
                    "\(work)/out: \"b.bin\" was put into the old folder while it was being replaced; it lies in \"\(old)\" now"
                ])
            #expect(try Self.names(work + "/out") == ["c.bin"] && Self.names(old) == ["b.bin", "notes.md"])
        }
    }

    /// Somebody puts a file there while we write.
    @Test func `what appears meanwhile is not lost`() throws {
        try Fixtures.withFolder { work in
            let writer = try AtomicFolderWriter(path: work + "/out", overwrite: false, own: AnyFiles())
            _ = try writer.create("a.bin")
            try FileManager.default.createDirectory(atPath: work + "/out", withIntermediateDirectories: false)
            try Self.put("mine", work + "/out/notes.md")
            #expect(alpacaError { try writer.finish() }?.code == .invalidArgument)
            #expect(try Self.names(work) == ["out"] && Self.names(work + "/out") == ["notes.md"])
        }
    }
}
