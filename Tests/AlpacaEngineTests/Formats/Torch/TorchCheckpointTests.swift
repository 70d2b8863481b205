// Against what PyTorch itself reads: Tests/Goldens/torch/make_torch.py wrote the files and the hashes.

import Foundation
import Testing

@testable import AlpacaEngine

@Suite struct TorchCheckpointTests {
    struct Golden: Decodable, Sendable {
        let name: String
        let dtype: String
        let shape: [Int]
        let sha256: String

        var isWeight: Bool { ["float32", "float16", "bfloat16"].contains(dtype) }
    }

    static let goldens: [String: [Golden]] = {
        let data = try! Data(contentsOf: Fixtures.golden("torch/tensors.json"))
        return try! JSONDecoder().decode([String: [Golden]].self, from: data)
    }()

    static func open(_ path: String) throws -> TorchCheckpoint { try TorchCheckpoint(FileRegion(InputFile(path: path))) }
    static let views = Fixtures.golden("torch/views.pt").path

    static func hash(_ source: TorchCheckpoint, _ index: Int) throws -> String {
        try source.withTensor(index) { span in
            var sha = SHA256()
            unsafe span.withUnsafeBytes { unsafe sha.update($0) }
            return sha.hexDigest()
        }
    }

    static func check(_ source: TorchCheckpoint, against goldens: [Golden]) throws {
        let weights = goldens.filter(\.isWeight)
        #expect(source.tensors.map(\.name) == weights.map(\.name))
        #expect(source.others == goldens.filter { !$0.isWeight }.map { ForeignTensor(name: $0.name, dtype: $0.dtype, shape: $0.shape) })
        for (i, golden) in weights.enumerated() where i < source.tensors.count {
            #expect(source.tensors[i].shape == golden.shape, "\(golden.name)")
            #expect(["F32": "float32", "F16": "float16", "BF16": "bfloat16"][source.tensors[i].type.description] == golden.dtype)
            #expect(try hash(source, i) == golden.sha256, "\(golden.name)")
            #expect(source.index(of: golden.name) == i)
            if let place = source.place(of: i) {
                var sha = SHA256()
                sha.update(try place.bytes(at: 0, count: place.count))
                #expect(sha.hexDigest() == golden.sha256, "the place of \(golden.name)")
            }
        }
    }

    @Test(arguments: ["views.pt", "views-old.pt", "views-packed.pt"]) func viewsAreReadAsTorchReadsThem(name: String) throws {
        let source = try Self.open(Fixtures.golden("torch/\(name)").path)
        if name == "views-packed.pt" {
            #expect(source.tensors.indices.allSatisfy { source.place(of: $0) == nil })
        } else if name == "views.pt" {
            // In the old format data lie at any byte, mostly not aligned.
            let placed = Set(source.tensors.indices.filter { source.place(of: $0) != nil }.map { source.tensors[$0].name })
            #expect(placed.isSuperset(of: ["plain", "rows", "half", "brain", "scalar"]))
            #expect(placed.isDisjoint(with: ["transposed", "columns", "every-third-column", "half-permuted", "vector", "repeated"]))
        }
        try Self.check(source, against: try #require(Self.goldens[name]))
    }

    @Test(.enabled(if: MiniFamily.isShared, MiniFamily.missing), arguments: goldens.keys.filter { $0.contains("/") }.sorted())
    func theMiniFamilyIsReadAsTorchReadsIt(path: String) throws {
        let source = try Self.open(MiniFamily.shared(path))
        try Self.check(source, against: try #require(Self.goldens[path]))
        #expect(source.tensors.indices.allSatisfy { source.place(of: $0) != nil })
        #expect(source.others.isEmpty)
    }

    @Test func everyRangeOfRowsIsThatPartOfTheWhole() throws {
        for name in ["views.pt", "views-packed.pt"] {
            let source = try Self.open(Fixtures.golden("torch/\(name)").path)
            for (i, info) in source.tensors.enumerated() where info.rowByteCount > 0 {
                let whole = try source.withTensor(i) { span in unsafe span.withUnsafeBytes { unsafe Array($0) } }
                for first in 0..<info.rows {
                    for last in first + 1...info.rows where last - first < 3 || last == info.rows {
                        var part = [UInt8](repeating: 0, count: (last - first) * info.rowByteCount)
                        try part.withUnsafeMutableBytes { try source.read(i, rows: first..<last, into: $0, scratch: ScratchArena()) }
                        #expect(part[...] == whole[first * info.rowByteCount..<last * info.rowByteCount], "\(info.name) \(first)..<\(last)")
                    }
                }
            }
        }
    }

    /// The pickle of views.pt.
    static func pickle() throws -> [UInt8] {
        let archive = try ZipArchive(FileRegion(InputFile(path: views)))
        return try archive.bytes(of: try #require(archive.entry("views/data.pkl")), atMost: 1 << 20)
    }

    @Test func aPickleThatIsCutShortIsRefused() throws {
        let pickle = try Self.pickle()
        for count in 0..<pickle.count {
            var machine = PickleMachine(Array(pickle[..<count]))
            #expect(throws: AlpacaError.self, "\(count) of \(pickle.count) bytes") { _ = try machine.run() }
        }
        var machine = PickleMachine(pickle)
        _ = try machine.run()
        #expect(machine.position == pickle.count)
    }

    /// Any byte may be any other: an error or a value, never a crash.
    @Test func anyByteOfAPickleMayBeAnother() throws {
        var pickle = try Self.pickle()
        for at in pickle.indices {
            let before = pickle[at]
            for value in [0, 1, 0x28, 0x2e, 0x52, 0x7f, 0x80, 0xff, before ^ 1, before ^ 0x80] {
                pickle[at] = value
                var machine = PickleMachine(pickle)
                let error = alpacaError { _ = try TorchContent.named(machine.run(), machine) }
                #expect(error?.code != .internalError)
            }
            pickle[at] = before
        }
    }

    @Test(arguments: ["views.pt", "views-old.pt", "views-packed.pt"]) func aFileThatIsCutShortIsRefused(name: String) throws {
        let bytes = [UInt8](try Data(contentsOf: Fixtures.golden("torch/\(name)")))
        try Fixtures.withFolder { folder in
            let path = folder + "/m.pt"
            for count in bytes.indices where count % 31 == 0 || count > bytes.count - 100 {
                try Data(bytes[..<count]).write(to: URL(fileURLWithPath: path))
                let error = alpacaError { _ = try Self.open(path) }
                #expect(error != nil && error?.code != .internalError && error?.code != .io, "\(count) of \(bytes.count) bytes")
            }
        }
    }

    @Test(arguments: ["views.pt", "views-old.pt", "views-packed.pt"]) func aByteOfTheFileMayBeAnother(name: String) throws {
        var bytes = [UInt8](try Data(contentsOf: Fixtures.golden("torch/\(name)")))
        try Fixtures.withFolder { folder in
            let path = folder + "/m.pt"
            for at in bytes.indices where at % 11 == 0 {
                let before = bytes[at]
                for value in [0xff, before ^ 1] where value != before {
                    bytes[at] = value
                    try Data(bytes).write(to: URL(fileURLWithPath: path))
                    let error = alpacaError {
                        let source = try Self.open(path)
                        for i in source.tensors.indices { try source.withTensor(i) { _ in } }
                    }
                    #expect(error?.code != .internalError && error?.code != .io, "byte \(at) = \(value): \(String(describing: error))")
                }
                bytes[at] = before
            }
        }
    }

    static let refused: [(pickle: String, message: String)] = [
        (
            "cos\nsystem\n(X\u{2}\u{0}\u{0}\u{0}lstR.",
            "the file wants to use \"os.system\", which files of tensors do not need: this can be an attack. If you trust it, load it in "
                + "PyTorch and save only the tensors (`torch.save(model.state_dict(), ...)`)"
        ),
        ("K\u{1}K\u{2}b.", "an operation needs values that are not there"),
        ("(ios\nsystem\n.", "the pickle makes an object of a class (operation 0x69), which is not done here"),
        ("h\u{7}.", "value 7 is used, but was not remembered"),
        ("K\u{1}", "a number of 1 bytes is begun, but 0 bytes are left (is the file complete?)"),
    ]

    @Test(arguments: refused.indices) func picklesWithMoreThanTensorsAreRefused(index: Int) {
        let (pickle, message) = Self.refused[index]
        var machine = PickleMachine(Array(pickle.utf8))
        let error = alpacaError { _ = try machine.run() }
        #expect(error?.message.hasSuffix(": \(message)") == true, "\(String(describing: error))")
    }
}
