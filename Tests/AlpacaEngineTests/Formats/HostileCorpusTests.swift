// The corpus of broken and malicious files (Tests/hostile) is made anew for each run; its manifest says what
// each case may be answered with. Models are opened to be run, adapters are merged into their base, tokenizers and containers are read whole.

import AlpacaEngine
import Foundation
import Testing

@Suite(.serialized) struct HostileCorpusTests {
    static let generator = Fixtures.repository.appendingPathComponent("Tests/hostile/make_hostile.py").path

    struct Case {
        let path: String
        let kind: String
        let wrong: String
        let expect: String
        /// For adapters: the folder that they belong to, and what is expected together with it.
        let base: String?
        let expectWithBase: String?
        let codes: [AlpacaError.Code]
        let says: [String]

        init(_ value: JSONValue) throws {
            path = try value.string("path")
            kind = try value.string("kind")
            wrong = try value.string("wrong")
            expect = try value.string("expect")
            base = try value.stringIfPresent("base")
            expectWithBase = try value.stringIfPresent("expect_with_base")
            codes = try Self.strings(value, "class").compactMap { HostileCorpusTests.codes[$0] }
            says = try Self.strings(value, "says")
        }

        /// One string, a list of them, or none.
        private static func strings(_ value: JSONValue, _ key: String) throws -> [String] {
            guard let member = try value.memberIfPresent(key) else { return [] }
            return member.isArray ? try member.elements.map { try $0.string() } : [try member.string()]
        }
    }

    static let codes: [String: AlpacaError.Code] = [
        "INVALID_ARGUMENT": .invalidArgument, "NOT_FOUND": .notFound, "IO": .io, "BAD_FORMAT": .badFormat, "UNSUPPORTED": .unsupported,
        "TRUNCATED": .truncated, "SHAPE_MISMATCH": .shapeMismatch, "MISSING": .missing, "UNSAFE": .unsafe, "OUT_OF_MEMORY": .outOfMemory,
    ]

    static func withCorpus(_ body: (String, [Case]) throws -> Void) throws {
        try Fixtures.withFolder { folder in
            let python = Process()
            python.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            python.arguments = ["python3", generator, folder]
            python.standardOutput = FileHandle.nullDevice
            try python.run()
            python.waitUntilExit()
            try #require(python.terminationStatus == 0, "the generator of the corpus failed")
            let manifest = try JSONDocument(InputFile(path: folder + "/manifest.json")).root
            try body(folder, manifest.array().map { try Case($0) })
        }
    }

    @Test func filesAreJudgedAsTheManifestSays() throws {
        try Self.withCorpus { folder, cases in
            var count = 0
            for hostile in cases where ["gguf", "ggml", "other", "hf_folder", "meta_folder"].contains(hostile.kind) {
                count += 1
                let error = alpacaError { _ = try Model(path: folder + "/" + hostile.path) }
                Self.judge(hostile, error)
            }
            #expect(count > 900)
        }
    }

    @Test func safetensorsFilesAreJudgedAsTheManifestSays() throws {
        try Self.withCorpus { folder, cases in
            var count = 0
            for hostile in cases where hostile.kind == "safetensors" {
                count += 1
                let path = folder + "/" + hostile.path
                Self.judge(hostile, alpacaError { _ = try CheckpointReader.open(path) })
                // Its own checks, without those of the first bytes.
                Self.judge(hostile, alpacaError { _ = try SafetensorsReader(FileRegion(InputFile(path: path))) })
            }
            #expect(count > 130)
        }
    }

    @Test func torchFilesAreJudgedAsTheManifestSays() throws {
        try Self.withCorpus { folder, cases in
            var count = 0
            for hostile in cases where hostile.kind == "torch" {
                count += 1
                Self.judge(
                    hostile,
                    alpacaError {
                        // What looks well has to be readable too.
                        let source = try CheckpointReader.open(folder + "/" + hostile.path)
                        for i in source.tensors.indices { try source.withTensor(i) { _ in } }
                    })
            }
            #expect(count > 400)
        }
    }

    @Test func adaptersOnTheirBaseAreJudgedAsTheManifestSays() throws {
        try Self.withCorpus { folder, cases in
            var count = 0
            for hostile in cases {
                guard let base = hostile.base else { continue }
                count += 1
                var options = ConversionOptions(base: folder + "/" + base, output: "/dev/null")
                options.adapters = [.init(path: folder + "/" + hostile.path)]
                Self.judge(hostile, alpacaError { _ = try Converter.convert(options) }, expect: hostile.expectWithBase)
            }
            #expect(count > 90)
        }
    }

    @Test func tokenizersAreJudgedAsTheManifestSays() throws {
        try Self.withCorpus { folder, cases in
            var count = 0
            for hostile in cases where hostile.kind == "tokenizer" {
                count += 1
                Self.judge(
                    hostile,
                    alpacaError {
                        let tokenizer = try Tokenizer(file: folder + "/" + hostile.path)
                        _ = tokenizer.decode(tokenizer.encode("hi, 你好"))
                    })
            }
            #expect(count > 100)
        }
    }

    @Test func tokenizersInJSONAreJudgedAsTheManifestSays() throws {
        try Self.withCorpus { folder, cases in
            var count = 0
            for hostile in cases where hostile.kind == "tokenizer_json" {
                count += 1
                Self.judge(
                    hostile,
                    alpacaError {
                        _ = try Inspection(path: folder + "/" + hostile.path)
                        _ = try Tokenizer(file: folder + "/" + hostile.path)
                    })
            }
            #expect(count > 100)
        }
    }

    /// - Parameter expect: in place of what the manifest expects of the file alone.
    static func judge(_ hostile: Case, _ error: AlpacaError?, expect: String? = nil) {
        let what: Comment = "\(hostile.path.suffix(80)): \(hostile.wrong)"
        let expect = expect ?? hostile.expect
        guard let error else {
            #expect(expect != "error", what)
            return
        }
        #expect(expect != "ok", "\(what): \(error)")
        #expect(hostile.codes.isEmpty || hostile.codes.contains(error.code), "\(what): \(error.code), \(error)")
        #expect(hostile.says.isEmpty || hostile.says.contains { error.message.localizedCaseInsensitiveContains($0) }, "\(what): \(error)")
        #expect(!error.message.contains { $0.isNewline || $0 == "\0" || $0 == "\u{1b}" }, what)
    }
}
