// Archives here are written by Python's zipfile and zlib.

import Foundation
import Testing

@testable import AlpacaEngine

@Suite struct ZipArchiveTests {
    /// Runs Python with the folder as its argument, then `body`.
    static func withPython(_ script: String, _ body: (String) throws -> Void) throws {
        try Fixtures.withFolder { folder in
            let python = Process()
            python.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            python.arguments = ["python3", "-c", "import os, random, sys, zipfile, zlib\nos.chdir(sys.argv[1])\n" + script, folder]
            try python.run()
            python.waitUntilExit()
            try #require(python.terminationStatus == 0)
            try body(folder)
        }
    }

    static func archive(_ path: String) throws -> ZipArchive { try ZipArchive(FileRegion(InputFile(path: path))) }

    /// Text, noise, zeros, nothing, short periods, and sizes around the pieces in which they are unpacked.
    static let members = """
        random.seed(1)
        words = [bytes(random.choices(range(97, 123), k=random.randint(1, 9))) for _ in range(3000)]
        cases = {
            "text": b" ".join(random.choices(words, k=400000)), "noise": random.randbytes(300000), "zeros": bytes(1000000), "none": b"",
            "one": b"x", "period-3": b"abc" * 200000, "mixed": b"".join(random.randbytes(100) + bytes(900) for _ in range(3000)),
            "piece": random.choices(words, k=1)[0] * 0 + bytes(random.choices(range(4), k=(1 << 20) + 32768)),
            "skewed": bytes(min(255, int(random.expovariate(0.2))) for _ in range(500000)),
        }
        """

    @Test func whatZlibPacksIsUnpacked() throws {
        let script =
            Self.members + """

                for level in (1, 6, 9):
                    with zipfile.ZipFile("a%d.zip" % level, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as z:
                        for name, data in cases.items(): z.writestr(name, data)
                with zipfile.ZipFile("a0.zip", "w") as z:
                    for name, data in cases.items(): z.writestr(name, data)
                for name, data in cases.items(): open(name, "wb").write(data)
                """
        try Self.withPython(script) { folder in
            for level in [0, 1, 6, 9] {
                let archive = try Self.archive("\(folder)/a\(level).zip")
                #expect(archive.entries.count == 9)
                for entry in archive.entries {
                    let expected = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(entry.name)")))
                    let region = try archive.region(of: entry)
                    #expect(region.name == "\(folder)/a\(level).zip/\(entry.name)")
                    #expect(try region.bytes(at: 0, count: region.count) == expected, "\(entry.name) of level \(level)")
                    #expect(try archive.bytes(of: entry, atMost: 1 << 24) == expected)
                    #expect((region.file === archive.region.file) == (level == 0))
                    // Unpacked once.
                    #expect(try archive.region(of: entry).file === region.file)
                }
            }
        }
    }

    /// Blocks with the fixed code, and stored ones, besides the usual.
    @Test func everyKindOfBlockIsUnpacked() throws {
        let script =
            Self.members + """

                with zipfile.ZipFile("a.zip", "w", zipfile.ZIP_DEFLATED) as z: pass
                for strategy in (zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_DEFAULT_STRATEGY):
                    for level in (0, 9):
                        for name, data in cases.items():
                            packer = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
                            half = len(data) // 2
                            packed = packer.compress(data[:half]) + packer.flush(zlib.Z_FULL_FLUSH) + packer.compress(data[half:]) + packer.flush()
                            open("%s.%d.%d.packed" % (name, strategy, level), "wb").write(packed)
                for name, data in cases.items(): open(name, "wb").write(data)
                """
        try Self.withPython(script) { folder in
            let files = try FolderFiles(path: folder)
            for name in files.names where name.hasSuffix(".packed") {
                let expected = try #require(try files.open(String(name.prefix { $0 != "." })))
                let packed = try #require(try files.open(name))
                var result: [UInt8] = []
                try Inflate.run(packed, size: expected.count) { result.append(contentsOf: $0) }
                #expect(result == (try expected.bytes(at: 0, count: expected.count)), "\(name)")
            }
        }
    }

    @Test func damagedDataAreAnErrorAndNeverACrash() throws {
        let script = """
            random.seed(2)
            data = b"".join(bytes([random.randrange(40)]) * random.randrange(1, 12) for _ in range(900))
            open("data", "wb").write(data)
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            open("packed", "wb").write(packer.compress(data) + packer.flush())
            """
        try Self.withPython(script) { folder in
            let data = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder + "/data")))
            let packed = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder + "/packed")))
            func run(_ bytes: [UInt8], _ size: Int) throws -> [UInt8] {
                try Data(bytes).write(to: URL(fileURLWithPath: folder + "/now"))
                var result: [UInt8] = []
                try Inflate.run(FileRegion(InputFile(path: folder + "/now")), size: size) { result.append(contentsOf: $0) }
                return result
            }
            #expect(try run(packed, data.count) == data)
            for count in 0..<packed.count {
                #expect(throws: AlpacaError.self, "\(count) bytes") { _ = try run(Array(packed[..<count]), data.count) }
            }
            #expect(alpacaError { _ = try run(packed + [0], data.count) }?.message == "behind the packed data are 1 bytes more")
            let more = alpacaError { _ = try run(packed, data.count - 1) }
            #expect(more?.message == "the packed data unpack to more than the archive says")
            let less = alpacaError { _ = try run(packed, data.count + 1) }
            #expect(less?.message == "the packed data unpack to 1 bytes less than the archive says")
            for at in packed.indices {
                for flip in [1, 0x10, 0xff] as [UInt8] {
                    var changed = packed
                    changed[at] ^= flip
                    if let result = try? run(changed, data.count) { #expect(result.count == data.count) }
                }
            }
        }
    }

    @Test func theFilesOfAnAdapterThatWasDownloadedAsZip() throws {
        let script = """
            for name, prefix in (("flat", ""), ("folder", "adapter/"), ("deep", "a/b/")):
                with zipfile.ZipFile(name + ".zip", "w", zipfile.ZIP_DEFLATED) as z:
                    if prefix: z.writestr(prefix, b"")
                    z.writestr(prefix + "adapter_config.json", b"{}")
                    z.writestr(zipfile.ZipInfo(prefix + "adapter_model.bin"), b"weights")
                    z.writestr("__MACOSX/._adapter_config.json", b"x")
                    z.writestr(prefix + "more/notes.txt", b"y")
                    z.comment = b"a comment"
            """
        try Self.withPython(script) { folder in
            for name in ["flat", "folder", "deep"] {
                let path = "\(folder)/\(name).zip"
                let files = try ZipFiles(FileRegion(InputFile(path: path)))
                #expect(files.path == path)
                #expect(files.names == ["adapter_config.json", "adapter_model.bin", "more/notes.txt"])
                let config = try #require(try files.open("adapter_config.json"))
                #expect(try config.bytes(at: 0, count: config.count) == Array("{}".utf8))
                let model = try #require(try files.open("adapter_model.bin"))
                #expect(model.file.path == path)
                #expect(try model.bytes(at: 0, count: model.count) == Array("weights".utf8))
                #expect(try files.open("nothing") == nil)
            }
        }
    }

    /// PyTorch's file in an archive, stored and packed.
    @Test func aCheckpointInAnArchive() throws {
        let views = Fixtures.golden("torch/views.pt").path
        let script = """
            with zipfile.ZipFile("a.zip", "w") as z:
                z.write(\(views.debugDescription), "stored.pt")
                z.write(\(views.debugDescription), "packed.pt", zipfile.ZIP_DEFLATED)
            """
        try Self.withPython(script) { folder in
            let files = try ZipFiles(FileRegion(InputFile(path: folder + "/a.zip")))
            for name in files.names {
                let source = try TorchCheckpoint(try #require(try files.open(name)))
                try TorchCheckpointTests.check(source, against: try #require(TorchCheckpointTests.goldens["views.pt"]))
            }
        }
    }
}
