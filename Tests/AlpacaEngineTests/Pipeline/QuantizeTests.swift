import CAlpacaKernels
import Foundation
import Testing

@testable import AlpacaEngine

/// What llama-quantize made of the mini model: Tests/Goldens/gguf/quantized_tensors.json.
struct QuantizationGolden: Decodable {
    struct Tensor: Decodable { let type: String, shape: [Int], bytes: Int, sha256: String, rmse: Double }
    struct Variant: Decodable { let tensors: [String: Tensor] }
    let variants: [String: Variant]

    static let all: QuantizationGolden = {
        try! JSONDecoder().decode(
            QuantizationGolden.self, from: Data(contentsOf: Fixtures.golden("gguf/quantized_tensors.json")))
    }()
}

@Suite struct QuantizeTests {
    /// GGUF to GGUF.
    static func options(_ path: String, _ output: String, _ type: String? = nil, pure: Bool = false) -> ConversionOptions {
        var options = ConversionOptions(base: path, output: output)
        options.quantization = type
        options.isPure = pure
        return options
    }

    /// Types that have many right answers: ours have smaller errors than ggml's.
    static let searched = Set(
        kernelTypes().filter { $0.encode == Int32(KERN_ENCODE_SEARCHED) }.compactMap { TensorType(rawValue: UInt32($0.number)) })

    @Test(arguments: QuantizationGolden.all.variants.keys.sorted())
    func `whole files are those of llama-quantize, or better`(variant: String) throws {
        let golden = try #require(QuantizationGolden.all.variants[variant]).tensors
        let source = try GGUFReader(InputFile(path: MiniFamily.f16))
        let parts = variant.split(separator: "-").map { String($0) }
        let mix = try QuantizationMix(named: parts[0])
        try Fixtures.withFolder { folder in
            let path = folder + "/out.gguf"
            let report = try Converter.convert(Self.options(MiniFamily.f16, path, parts[0], pure: parts.count > 1))
            #expect(report.warnings == [])
            let result = try GGUFReader(InputFile(path: path))
            #expect(result.file.size == report.byteCount && report.plan.byteCount == report.byteCount)
            #expect(result.tensors.map(\.name) == source.tensors.map(\.name))
            #expect(golden.count == result.tensors.count)
            #expect(try result.metadata.uint(GGUFKey.fileType) == Int(mix.fileType.rawValue))
            #expect(result.metadata["alpaca.base.name"] == .string("chinese-alpaca-mini-f16.gguf"))
            for key in source.metadata.keys where ![GGUFKey.fileType, GGUFKey.quantizationVersion].contains(key) {
                #expect(result.metadata[key] == source.metadata[key], "\(key)")
            }
            let hashes = try Self.hashes(result, in: folder)
            for (i, info) in result.tensors.enumerated() {
                let expected = try #require(golden[info.name])
                #expect(info.type.description == expected.type, "\(info.name)")
                // The golden tells innermost first.
                #expect(info.shape == expected.shape.reversed())
                #expect(info.byteCount == expected.bytes)
                if !Self.searched.contains(info.type) {
                    #expect(hashes[i] == expected.sha256, "\(info.name) \(info.type)")
                } else {
                    let rmse = try Self.rmse(source, result, i)
                    #expect(rmse <= expected.rmse, "\(info.name) \(info.type)")
                    #expect(rmse > expected.rmse / 2, "\(info.name): less than the type can have")
                }
            }
        }
    }

    /// Of each tensor's bytes.
    static func hashes(_ reader: GGUFReader, in folder: String) throws -> [String] {
        var paths: [String] = []
        for i in reader.tensors.indices {
            let bytes = try reader.withTensor(i) { (bytes: RawSpan) throws(AlpacaError) in bytes.withUnsafeBytes { Data($0) } }
            paths.append("\(folder)/\(i)")
            try bytes.write(to: URL(fileURLWithPath: paths[i]))
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/sha256sum")
        process.arguments = paths
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let lines = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self).split(separator: "\n")
        process.waitUntilExit()
        return lines.map { String($0.prefix(64)) }
    }

    static func floats(_ reader: GGUFReader, _ index: Int) throws -> [Float] {
        let info = reader.tensors[index]
        var floats = [Float](repeating: 0, count: info.elementCount)
        try reader.withTensor(index) { (bytes: RawSpan) throws(AlpacaError) in
            let data = bytes.withUnsafeBytes { Array($0) }
            let failure: AlpacaError? = floats.withUnsafeMutableBufferPointer { target in
                data.withUnsafeBytes { bytes in
                    do throws(AlpacaError) { try Kernels.decode(info, bytes, into: target.baseAddress!) } catch { return error }
                    return nil
                }
            }
            if let failure { throw failure }
        }
        return floats
    }

    static func rmse(_ a: GGUFReader, _ b: GGUFReader, _ index: Int) throws -> Double {
        let a = try floats(a, index), b = try floats(b, index)
        return (zip(a, b).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) } / Double(a.count)).squareRoot()
    }

    @Test func `any number of threads gives the same file`() throws {
        try Fixtures.withFolder { folder in
            var files: [Data] = []
            for threads in [1, 3] {
                var options = Self.options(MiniFamily.f16, folder + "/out.gguf", "q4_k_m")
                options.threadCount = threads
                options.overwrites = true
                _ = try Converter.convert(options)
                files.append(try Data(contentsOf: URL(fileURLWithPath: folder + "/out.gguf")))
            }
            #expect(files[0] == files[1])
        }
    }

    @Test func `a quantized file generates and can be quantized again`() throws {
        try Fixtures.withFolder { folder in
            let path = folder + "/out.gguf"
            _ = try Converter.convert(Self.options(MiniFamily.q8_0, path, "Q5_K_S"))
            let session = try Model(path: path).makeSession()
            var count = 0
            _ = try session.generate(tokens: MiniFamily.generation.prompts[0].prompt_ids) { _ in
                count += 1
                return count < 8
            }
            #expect(count > 0)
        }
    }

    @Test func `progress only grows, and cancelling leaves nothing behind`() throws {
        let source = try GGUFReader(InputFile(path: MiniFamily.f16))
        let total = UInt64(source.tensors.reduce(0) { $0 + $1.byteCount })
        try Fixtures.withFolder { folder in
            var seen: [UInt64] = []
            let path = folder + "/out.gguf"
            _ = try Converter.convert(Self.options(MiniFamily.f16, path, "Q8_0")) {
                if $0.stage == "convert" { seen.append($0.done) }
                return $0.stage != "convert" || $0.total == total
            }
            #expect(seen == seen.sorted() && seen.first == 0 && seen.last == total)
            try FileManager.default.removeItem(atPath: path)
            for stop in [0, 1] {
                var calls = 0
                let error = alpacaError {
                    _ = try Converter.convert(Self.options(MiniFamily.f16, path, "Q8_0")) { _ in
                        calls += 1
                        return calls <= stop
                    }
                }
                #expect(error == AlpacaError(.cancelled, "\(path): conversion was cancelled"))
                #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
            }
        }
    }

    @Test func `the output can't be the input, and importance has to fit`() throws {
        try Fixtures.withFolder { folder in
            let path = folder + "/in.gguf"
            try FileManager.default.copyItem(atPath: MiniFamily.f16, toPath: path)
            var options = Self.options(path, path, "Q4_0")
            options.overwrites = true
            #expect(
                alpacaError { _ = try Converter.convert(options) }
                    == AlpacaError(.invalidArgument, "\(path): the output is one of the inputs, \"\(path)\""))
            options.output = folder + "/out.gguf"
            options.importanceMatrix = folder + "/imatrix.gguf"
            _ = try ImportanceMatrixTests.write(
                folder + "/imatrix.gguf", sums: [1, 2], count: 1, name: "blk.0.attn_q.weight.in_sum2", counts: "blk.0.attn_q.weight.counts")
            #expect(
                alpacaError { _ = try Converter.convert(options) }
                    == AlpacaError(
                        .shapeMismatch,
                        "importance of tensor \"blk.0.attn_q.weight\": found 2 numbers, expected 256, all finite, 0 or more "
                            + "(was it made for another model?)"))
        }
    }
}
