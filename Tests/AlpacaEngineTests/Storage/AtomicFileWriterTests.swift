import AlpacaEngine
import Foundation
import Testing

/// Takes every file for one of ours.
struct AnyFiles: OwnFiles {
    func refusal(of file: InputFile) -> String? { nil }
    func refusal(ofFolder path: String, _ names: [String]) -> String? { nil }
    func canBeUnfinished(_ name: String?, _ beginning: [UInt8]) -> Bool { true }
}

@Suite(.serialized) struct AtomicFileWriterTests {
    static func names(_ folder: String) throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder).sorted() }
    static func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

    @Test func nothingShowsBeforeTheEnd() throws {
        try Fixtures.withFolder { folder in
            let path = folder + "/山 out.gguf"
            let file = try AtomicFileWriter(path: path, size: 6, overwrite: false, own: AnyFiles())
            try file.write(Array("abc".utf8))
            let names = try Self.names(folder)
            #expect(names.count == 1 && names[0].hasPrefix(".山 out.gguf.") && names[0].hasSuffix(".alpaca-tmp"))
            try file.write(Array("def".utf8))
            #expect(file.count == 6)
            try file.finish()
            #expect(try Self.names(folder) == ["山 out.gguf"])
            #expect(try Self.text(path) == "abcdef")
        }
    }

    @Test func withoutFinishNothingIsLeft() throws {
        try Fixtures.withFolder { folder in
            let path = folder + "/out"
            try "old".write(toFile: path, atomically: false, encoding: .utf8)
            do {
                let file = try AtomicFileWriter(path: path, overwrite: true, own: AnyFiles())
                try file.write([1, 2, 3])
            }
            #expect(try Self.names(folder) == ["out"])
            #expect(try Self.text(path) == "old")
        }
    }

    @Test func replacingKeepsTheModeAndTheReadersOfTheOldFile() throws {
        try Fixtures.withFolder { folder in
            let path = folder + "/out"
            try "old".write(toFile: path, atomically: false, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
            let reader = try InputFile(path: path)
            let file = try AtomicFileWriter(path: path, overwrite: true, own: AnyFiles())
            try file.write(Array("new one".utf8))
            try file.finish()
            #expect(try Self.text(path) == "new one")
            #expect(try reader.bytes(at: 0, count: 3) == Array("old".utf8))
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o640)
            #expect(try Self.names(folder) == ["out"])
        }
    }

    @Test func targetsThatMustNotBeReplaced() throws {
        try Fixtures.withFolder { folder in
            let path = folder + "/out"
            try "old".write(toFile: path, atomically: false, encoding: .utf8)
            let input = try InputFile(path: path)
            try FileManager.default.createSymbolicLink(atPath: folder + "/link", withDestinationPath: path)
            func error(_ path: String, overwrite: Bool = true, inputs: [InputFile] = []) -> AlpacaError? {
                alpacaError { _ = try AtomicFileWriter(path: path, overwrite: overwrite, inputs: inputs, own: AnyFiles()) }
            }
            #expect(
                error(path, overwrite: false)
                    == AlpacaError(
                        .invalidArgument,
                        "\(path): there is a file of that name already; choose another, or allow it to be overwritten"))
            #expect(
                error(folder + "/link", inputs: [input])
                    == AlpacaError(.invalidArgument, "\(folder)/link: the output is one of the inputs, \"\(path)\""))
            #expect(error(folder) == AlpacaError(.io, "\(folder): found a folder, expected a file or nothing"))
            #expect(
                error("/dev/zero")
                    == AlpacaError(.io, "/dev/zero: found not a regular file (a pipe, socket or device), expected a file or nothing"))
            #expect(error("\(folder)/no/out")?.code == .notFound)
            #expect(error("\(path)/out")?.code == .notFound)
            #expect(error("") == AlpacaError(.invalidArgument, "a path must not be empty or contain a zero byte"))
            #expect(error("a\0b") == AlpacaError(.invalidArgument, "a path must not be empty or contain a zero byte"))
            #expect(error("\(folder)/none/") == AlpacaError(.invalidArgument, "\(folder)/none/: expected a file's name"))
            #expect(try Self.names(folder) == ["link", "out"])
            #expect(try Self.text(path) == "old")
        }
    }

    @Test func aFileThatAppearsMeanwhileIsNotReplaced() throws {
        try Fixtures.withFolder { folder in
            let path = folder + "/out"
            let file = try AtomicFileWriter(path: path, overwrite: false, own: AnyFiles())
            try file.write([1])
            try "other".write(toFile: path, atomically: false, encoding: .utf8)
            var error: AlpacaError?
            do throws(AlpacaError) { try file.finish() } catch let caught { error = caught }
            #expect(error?.message == "\(path): there is a file of that name already; choose another, or allow it to be overwritten")
            #expect(try Self.text(path) == "other")
            #expect(try Self.names(folder) == ["out"])
        }
    }

    @Test func theNullDeviceStaysOne() throws {
        let file = try AtomicFileWriter(path: "/dev/null", size: 3, overwrite: true, own: AnyFiles())
        try file.write([1, 2, 3])
        try file.finish()
        let type = try FileManager.default.attributesOfItem(atPath: "/dev/null")[.type] as? FileAttributeType
        #expect(type == .typeCharacterSpecial)
    }

    @Test func leftoversOfKilledWritersGo() throws {
        try Fixtures.withFolder { folder in
            let others = [
                ".out.notes.alpaca-tmp", ".out.1.xyz.alpaca-tmp", ".out.1.2f.tmp", ".outs.1.2f.alpaca-tmp", ".out.1.2.3f.alpaca-tmp",
            ]
            for name in others + [".out.999.1f.alpaca-tmp", ".out.998.2f.alpaca-tmp"] {
                try "x".write(toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8)
            }
            // One that is being written, and folders: one that was being written, one that holds what is not ours.
            let locked = open("\(folder)/.out.998.2f.alpaca-tmp", O_RDONLY)
            #expect(flock(locked, LOCK_EX | LOCK_NB) == 0)
            defer { close(locked) }
            for (name, inside) in [(".out.997.3f.alpaca-tmp", "a.bin"), (".out.996.3f.alpaca-tmp", "a/b")] {
                let path = URL(fileURLWithPath: "\(folder)/\(name)/\(inside)")
                try FileManager.default.createDirectory(at: path.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data([1]).write(to: path)
            }
            do { _ = try AtomicFileWriter(path: folder + "/out", overwrite: false, own: AnyFiles()) }
            let left = try Self.names(folder)
            #expect(left == (others + [".out.996.3f.alpaca-tmp", ".out.998.2f.alpaca-tmp"]).sorted())
        }
    }

    /// While writers come and go, each cleaning up, none may take another's file for a leftover.
    @Test func writersSideBySide() throws {
        try Fixtures.withFolder { folder in
            let failures = Lock<[String]>([])
            DispatchQueue.concurrentPerform(iterations: 8) { thread in
                for round in 0..<60 {
                    let path = "\(folder)/out"
                    let error = alpacaError {
                        if thread % 2 == 0 {
                            let file = try AtomicFileWriter(path: path, overwrite: true, own: AnyFiles())
                            try file.write([UInt8](repeating: UInt8(thread), count: 1 + round))
                            try file.finish()
                        } else {
                            let writer = try AtomicFolderWriter(path: path + "s", overwrite: true, own: AnyFiles())
                            try writer.create("a.json").write([UInt8(thread)], at: 0)
                            try writer.finish()
                        }
                    }
                    if let error { failures.withLock { $0.append(error.message) } }
                }
            }
            #expect(failures.withLock { $0 } == [])
            do {
                let found = try Self.names(folder)
                #expect(found == ["out", "outs"])
            }
            do {
                let found = try Self.names(folder + "/outs")
                #expect(found == ["a.json"])
            }
        }
    }

    @Test func moreThanTheDiskHolds() throws {
        try Fixtures.withFolder { folder in
            let path = folder + "/out"
            let error = alpacaError { _ = try AtomicFileWriter(path: path, size: 1 << 60, overwrite: false, own: AnyFiles()) }
            #expect(error?.code == .io)
            let message = error?.message ?? ""
            #expect(message.hasPrefix("\(path): 1152921504606846976 bytes are needed, ") && message.hasSuffix(": No space left on device"))
            let left = try Self.names(folder)
            #expect(left == [])
        }
    }

    /// In a process of its own: the limit would hold for the files of all other tests too, and for the programs that they start.
    @Test func moreThanTheProcessMayWrite() async {
        await #expect(processExitsWith: .success) { try AtomicFileWriterTests.writeBeyondLimit() }
    }

    private static func writeBeyondLimit() throws {
        try Fixtures.withFolder { folder in
            let path = folder + "/out"
            var old = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &old)
            var low = rlimit(rlim_cur: 1 << 20, rlim_max: old.rlim_max)
            #expect(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &low) == 0)

            let known = alpacaError { _ = try AtomicFileWriter(path: path, size: 1 << 20 + 1, overwrite: false, own: AnyFiles()) }
            #expect(
                known
                    == AlpacaError(
                        .io, "\(path): cannot write 1048577 bytes (this process may write files of up to 1048576): File too large"))

            // Not announced: the signal SIGXFSZ, which would end this process, has to be held.
            var error: AlpacaError?
            do throws(AlpacaError) {
                let file = try AtomicFileWriter(path: path, overwrite: false, own: AnyFiles())
                try file.write([UInt8](repeating: 7, count: 1 << 20 + 1))
                try file.finish()
            } catch let caught { error = caught }
            #expect(error == AlpacaError(.io, "\(path): cannot write after 1048576 bytes: File too large"))
            let left = try Self.names(folder)
            #expect(left == [])
            var pending = sigset_t()
            sigpending(&pending)
            #expect(sigismember(&pending, SIGXFSZ) == 0)
        }
    }
}
