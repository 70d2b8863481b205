import Foundation
import Testing

@testable import AlpacaEngine

/// Against llama-imatrix on the same file and text (Tests/Goldens/family/imatrix).
@Suite struct ImportanceMeasureTests {
    static let model = Fixtures.golden("family/gguf/llama3-tied.gguf").path
    static let golden = Fixtures.golden("family/imatrix/llama3-tied").path

    /// The first 6000 bytes, as the golden was made.
    static func text(_ count: Int = 6000) throws -> String {
        let bytes = try Data(contentsOf: MiniFamily.goldens.appendingPathComponent("heldout_poems.txt")).prefix(count)
        return String(decoding: bytes, as: UTF8.self)
    }

    static func session(
        _ path: String = model, context: Int = 128, batch: Int = 512, threads: Int = 2, cache: CacheType = .f16
    ) throws -> Session {
        var options = Session.Options()
        (options.contextLength, options.batchSize, options.threadCount) = (context, batch, threads)
        (options.keyType, options.valueType) = (cache, cache)
        return try Model(path: path).makeSession(options)
    }

    static func options(_ output: String, _ change: (inout ImportanceOptions) -> Void = { _ in }) -> ImportanceOptions {
        var options = ImportanceOptions(output: output)
        options.chunkSize = 128
        options.dataset = "t.txt"
        change(&options)
        return options
    }

    /// The greatest relative difference of two matrices' numbers.
    static func distance(_ a: [String: [Float]], _ b: [String: [Float]]) throws -> Float {
        var worst: Float = 0
        #expect(Set(a.keys) == Set(b.keys))
        for (name, values) in a {
            let other = try #require(b[name])
            try #require(other.count == values.count)
            for (x, y) in zip(values, other) { worst = max(worst, abs(x - y) / max(abs(x), abs(y))) }
        }
        return worst
    }

    @Test func `it is llama-imatrix's, in both forms`() throws {
        try Fixtures.withFolder { folder in
            let session = try Self.session()
            for format in ImportanceFormat.allCases {
                let path = folder + "/imatrix." + format.rawValue
                let report = try session.measureImportance(of: try Self.text(), Self.options(path) { $0.format = format })
                #expect(report.chunkCount == 37 && report.tokenCount == 37 * 128 && report.matrixCount == 21)
                #expect(report.datasets == ["t.txt"] && report.warnings.isEmpty)
                let found = try ImportanceMatrix(path: path), golden = try ImportanceMatrix(path: Self.golden + "." + format.rawValue)
                // llama.cpp rounds inside of attention, to F16, which shows from there on: in the golden, not here.
                let (first, rest) = (["attn_q", "attn_k", "attn_v"].map { "blk.0.\($0).weight" }, found.columns.keys)
                func part(_ matrix: ImportanceMatrix, _ isFirst: Bool) -> [String: [Float]] {
                    matrix.columns.filter { first.contains($0.key) == isFirst }
                }
                #expect(rest.count == 21)
                #expect(try Self.distance(part(found, true), part(golden, true)) < 1e-4)
                #expect(try Self.distance(part(found, false), part(golden, false)) < 4e-3)
                #expect(found.datasets == golden.datasets && found.chunkCount == golden.chunkCount && found.chunkSize == golden.chunkSize)
                for (name, entry) in found.entries { #expect(entry.counts == golden.entries[name]?.counts) }
                // The same names in the same order.
                if format == .dat {
                    #expect(
                        try Data(contentsOf: URL(fileURLWithPath: path)).count
                            == Data(contentsOf: URL(fileURLWithPath: Self.golden + ".dat")).count)
                }
            }
        }
    }

    /// Experts have numbers of their own, by the tokens that were sent to them.
    @Test func `a mixture of experts is llama-imatrix's`() throws {
        try Fixtures.withFolder { folder in
            let session = try Self.session(FamilyFixtures.model("mixtral"))
            for format in ImportanceFormat.allCases {
                let path = folder + "/imatrix." + format.rawValue
                let report = try session.measureImportance(of: try Self.text(), Self.options(path) { $0.format = format })
                #expect(report.chunkCount == 46 && report.warnings.isEmpty)
                let found = try ImportanceMatrix(path: path)
                let golden = try ImportanceMatrix(path: Fixtures.golden("family/imatrix/mixtral." + format.rawValue).path)
                #expect(found.entries.keys.sorted() == golden.entries.keys.sorted())
                for (name, entry) in found.entries {
                    let expected = try #require(golden.entries[name])
                    // Where two experts are as good as each other, rounding decides to which a token goes: some columns of some experts
                    // then differ by what one token brings.
                    for (a, b) in zip(entry.counts, expected.counts) { #expect(abs(a - b) <= 0.01 * b, "\(name)") }
                    let distance = zip(entry.means, expected.means).map { pow(Double($0 - $1), 2) }.reduce(0, +)
                    let size = expected.means.map { pow(Double($0), 2) }.reduce(0, +)
                    #expect((distance / size).squareRoot() < 1e-2, "\(name): \((distance / size).squareRoot())")
                    if name == "blk.0.attn_q.weight" { #expect((distance / size).squareRoot() < 1e-4) }
                }
            }
        }
    }

    @Test(arguments: [model, FamilyFixtures.model("mixtral")])
    func `the same bytes for any number of threads and batch`(model: String) throws {
        try Fixtures.withFolder { folder in
            var files: [Data] = []
            for (batch, threads) in [(512, 1), (512, 3), (37, 2), (1, 2)] {
                let path = folder + "/\(batch)-\(threads).gguf"
                let session = try Self.session(model, batch: batch, threads: threads)
                _ = try session.measureImportance(
                    of: try Self.text(1500),
                    Self.options(path) { ($0.includesOutput, $0.measuresPerplexity) = (true, batch > 100) })
                files.append(try Data(contentsOf: URL(fileURLWithPath: path)))
            }
            for file in files { #expect(file == files[0]) }
        }
    }

    /// Folders have the router in the type of all matrices, GGUF files in F32: what is measured is the same.
    @Test func `experts of a folder are measured as those of a GGUF file`() throws {
        try Fixtures.withFolder { folder in
            let base = FamilyFixtures.model("mixtral"), model = folder + "/mixtral.gguf", text = try Self.text(1500)
            _ = try Converter.convert(ConversionOptions(base: base, output: model))
            var files: [Data] = []
            for (number, path) in [base, model].enumerated() {
                let output = folder + "/\(number).gguf"
                _ = try Self.session(path).measureImportance(of: text, Self.options(output))
                files.append(try Data(contentsOf: URL(fileURLWithPath: output)))
            }
            #expect(files[0] == files[1])
            // A model that alpaca wrote is no importance matrix, and stays.
            let session = try Self.session()
            let error = alpacaError { _ = try session.measureImportance(of: text, Self.options(model) { $0.overwrites = true }) }
            #expect(error?.message.contains("it is a model, not an importance matrix") == true)
        }
    }

    @Test func `the perplexity is that of the text`() throws {
        try Fixtures.withFolder { folder in
            let session = try Self.session(MiniFamily.q8_0, context: 256)
            let text = try Self.text(5000)
            let plain = try session.perplexity(of: text)
            let found = try session.measureImportance(of: text, Self.options(folder + "/a") { $0.chunkSize = 256 })
            #expect(found.perplexity == plain)
            #expect(found.summary.hasPrefix("\(folder)/a: "))
            #expect(found.json().contains("\"n_scored\": \(plain.scoredCount)"))
            let none = try session.measureImportance(
                of: text, Self.options(folder + "/b") { ($0.chunkSize, $0.measuresPerplexity) = (256, false) })
            #expect(none.perplexity == nil)
            let files = try ["/a", "/b"].map { try Data(contentsOf: URL(fileURLWithPath: folder + $0)) }
            #expect(files[0] == files[1])
        }
    }

    /// A model's own forward pass, written down once more, gives the sums of the first layer: the norm of the embeddings.
    @Test func `the first layer's numbers are the squares of its inputs`() throws {
        try Fixtures.withFolder { folder in
            let session = try Self.session(MiniFamily.f16, context: 64, cache: .f32)
            let path = folder + "/i.gguf"
            _ = try session.measureImportance(of: try Self.text(1500), Self.options(path) { ($0.chunkSize, $0.chunkCount) = (64, 2) })
            let matrix = try ImportanceMatrix(path: path)
            let tokenizer = session.model.tokenizer
            var ids = tokenizer.encode(try Self.text(1500), addBOS: tokenizer.addsBOS)
            ids = Array(ids[..<128])
            if tokenizer.addsBOS, let bos = tokenizer.bos { (ids[0], ids[64]) = (bos, bos) }
            let reader = try GGUFReader(InputFile(path: MiniFamily.f16))
            func floats(_ name: String) throws -> [Float] {
                let index = try #require(reader.index(of: name))
                let info = reader.tensors[index]
                return try reader.withTensor(index) { bytes in
                    (0..<info.elementCount).map { i in
                        info.type == .f32
                            ? bytes.unsafeLoadUnaligned(fromByteOffset: 4 * i, as: Float.self)
                            : Float(bytes.unsafeLoadUnaligned(fromByteOffset: 2 * i, as: Float16.self))
                    }
                }
            }
            let table = try floats("token_embd.weight"), weight = try floats("blk.0.attn_norm.weight")
            let width = weight.count
            var sums = [Double](repeating: 0, count: width)
            for id in ids {
                let row = table[Int(id) * width..<(Int(id) + 1) * width].map { Double($0) }
                let scale =
                    1 / (row.reduce(0) { $0 + $1 * $1 } / Double(width) + Double(session.model.configuration.normEpsilon)).squareRoot()
                for i in 0..<width { sums[i] += pow(row[i] * scale * Double(weight[i]), 2) }
            }
            for name in ["attn_q", "attn_k", "attn_v"] {
                let entry = try #require(matrix.entries["blk.0.\(name).weight"])
                #expect(entry.counts == [128])
                for (found, expected) in zip(entry.sums, sums) { #expect(abs(found - expected) <= 1e-5 * expected) }
            }
        }
    }

    @Test func `inputs are added, of either form`() throws {
        try Fixtures.withFolder { folder in
            let session = try Self.session()
            let text = try Self.text(3000)
            func measure(_ name: String, _ change: @escaping (inout ImportanceOptions) -> Void) throws -> ImportanceMatrix {
                _ = try session.measureImportance(of: text, Self.options(folder + name, change))
                return try ImportanceMatrix(path: folder + name)
            }
            let whole = try measure("/whole.gguf") { $0.chunkCount = 8 }
            for format in ImportanceFormat.allCases {
                let first = "/first." + format.rawValue
                _ = try measure(first) { ($0.chunkCount, $0.format) = (5, format) }
                let rest = try measure("/rest-\(format).gguf") { ($0.firstChunk, $0.chunkCount, $0.inputs) = (5, 3, [folder + first]) }
                #expect(rest.chunkCount == 8 && rest.chunkSize == 128 && rest.datasets == ["t.txt"])
                #expect(try Self.distance(rest.columns, whole.columns) < 1e-6)
                for (name, entry) in rest.entries { #expect(entry.counts == whole.entries[name]?.counts) }
            }
            _ = try measure("/second.gguf") { ($0.firstChunk, $0.chunkCount) = (5, 3) }
            let both = Self.options(folder + "/both.dat") {
                ($0.inputs, $0.format) = ([folder + "/first.dat", folder + "/second.gguf"], .dat)
            }
            let report = try ImportanceFiles.combine(both)
            #expect(report.chunkCount == 8 && report.matrixCount == 21)
            #expect(try Self.distance(ImportanceMatrix(path: both.output).columns, whole.columns) < 1e-6)
        }
    }

    /// A tied output has the name of the embeddings.
    @Test func `the output is measured where that is wanted`() throws {
        try Fixtures.withFolder { folder in
            for (path, name) in [(Self.model, "token_embd.weight"), (MiniFamily.q8_0, "output.weight")] {
                let session = try Self.session(path)
                let output = folder + "/\(name)"
                let report = try session.measureImportance(of: try Self.text(1500), Self.options(output) { $0.includesOutput = true })
                let entry = try #require(ImportanceMatrix(path: output).entries[name])
                #expect(entry.counts == [Double(report.tokenCount)])
                #expect(entry.sums.allSatisfy { $0 > 0 })
            }
        }
    }

    @Test func `what makes no sense is refused`() throws {
        try Fixtures.withFolder { folder in
            let session = try Self.session()
            let path = folder + "/i.gguf"
            func message(_ text: String, _ change: @escaping (inout ImportanceOptions) -> Void = { _ in }) -> String {
                alpacaError { _ = try session.measureImportance(of: text, Self.options(path, change)) }?.message ?? "no error"
            }
            let text = try Self.text(1500)
            #expect(message("短").hasSuffix("tokens, expected at least the 128 of a chunk (n_ctx)"))
            #expect(message(text) { $0.firstChunk = 1000 }.hasSuffix("of a chunk (n_ctx) and 1000 before it (first_chunk)"))
            #expect(message(text) { $0.chunkSize = 129 } == "n_ctx: found 129, expected 4 to 128, the session's")
            #expect(message(text) { $0.chunkSize = 3 }.hasPrefix("n_ctx: found 3, expected 4 to "))
            #expect(message(text) { $0.chunkCount = 0 }.hasPrefix("n_chunks: found 0"))
            #expect(message(text) { $0.inputs = [MiniFamily.q8_0] }.contains("expected a file that llama-imatrix wrote"))
            // That of another model.
            let other = folder + "/other.gguf"
            _ = try ImportanceMatrixTests.write(other, sums: [1, 2], count: 1)
            #expect(message(text) { $0.inputs = [other] }.hasSuffix("found 2 numbers, expected 64 (was it made for another model?)"))
            _ = try ImportanceMatrixTests.write(other, sums: [1, 2], count: 1, name: "x.in_sum2", counts: "x.counts")
            #expect(message(text) { $0.inputs = [other] }.contains("found \"x\", which the model does not have"))
            #expect(!FileManager.default.fileExists(atPath: path))
            // What stands there is replaced where that is allowed, and only if it is one.
            #expect(message(text) == "no error")
            #expect(message(text).contains("there is a file of that name already"))
            #expect(message(text) { $0.overwrites = true } == "no error")
            try Data("GGUF".utf8).write(to: URL(fileURLWithPath: path))
            #expect(message(text) { $0.overwrites = true } != "no error")
        }
    }

    @Test func `it is one call, and is stopped by its progress or from outside`() throws {
        try Fixtures.withFolder { folder in
            let session = try Self.session()
            let path = folder + "/i.gguf"
            let text = try Self.text()
            var reports = 0
            var error = alpacaError {
                _ = try session.measureImportance(of: text, Self.options(path)) { progress in
                    reports += 1
                    #expect(progress.stage == "imatrix" && progress.total == 37 * 128)
                    #expect(alpacaError { try session.append([5]) }?.code == .busy)
                    return reports < 4
                }
            }
            #expect(error?.code == .cancelled && reports == 4)
            error = alpacaError {
                _ = try session.measureImportance(of: text, Self.options(path)) { _ in
                    session.cancel()
                    return true
                }
            }
            #expect(error?.code == .cancelled)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
        }
    }

    @Test func `the file is written on the way where that is wanted`() throws {
        try Fixtures.withFolder { folder in
            let session = try Self.session()
            let path = folder + "/i.gguf"
            let error = alpacaError {
                _ = try session.measureImportance(of: try! Self.text(), Self.options(path) { $0.saveInterval = 2 }) { $0.done < 5 * 128 }
            }
            #expect(error?.code == .cancelled)
            #expect(try ImportanceMatrix(path: path).chunkCount == 4)
        }
    }

    /// What is measured is of use: types with a search heed it.
    @Test(arguments: ["q4_k_m", "q3_k_m", "q2_k", "iq4_nl", "iq4_xs"]) func `conversion heeds it`(type: String) throws {
        try Fixtures.withFolder { folder in
            let session = try Self.session(MiniFamily.f16, context: 256)
            let text = try Self.text()
            for format in ImportanceFormat.allCases {
                let path = folder + "/i." + format.rawValue
                _ = try session.measureImportance(of: text, Self.options(path) { ($0.chunkSize, $0.format) = (256, format) })
                var options = ConversionOptions(base: MiniFamily.f16, output: folder + "/\(format).gguf")
                options.quantization = type
                options.importanceMatrix = path
                let report = try Converter.convert(options)
                #expect(!report.warnings.contains { $0.contains("importance") }, "\(report.warnings)")
            }
            var options = ConversionOptions(base: MiniFamily.f16, output: folder + "/without.gguf")
            options.quantization = type
            _ = try Converter.convert(options)
            let files = try ["without", "gguf", "dat"].map { try Data(contentsOf: URL(fileURLWithPath: folder + "/\($0).gguf")) }
            #expect(files[0] != files[1])
            // The forms differ in the last bits of their numbers.
            #expect(files[1].count == files[2].count)
        }
    }
}
