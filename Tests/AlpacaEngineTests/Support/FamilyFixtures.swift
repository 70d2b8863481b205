import Foundation
import Testing

@testable import AlpacaEngine

/// Small models of other families than Llama, made by transformers, and what llama.cpp's converters made of them.
enum FamilyFixtures {
    private static let folder = Fixtures.repository.appendingPathComponent("Tests/Goldens/family").path

    static func model(_ name: String) -> String { "\(folder)/models/\(name)" }
    static func gguf(_ name: String) -> String { "\(folder)/gguf/\(name).gguf" }

    static func json(_ path: String) throws -> JSONValue { try JSONDocument(FileRegion(InputFile(path: path))).root }

    /// All tensors by their names.
    static func tensors(_ source: some TensorSource) throws -> [String: (info: TensorInfo, bytes: [UInt8])] {
        var result: [String: (info: TensorInfo, bytes: [UInt8])] = [:]
        for info in source.tensors { result[info.name] = try ModelSourceTests.bytes(source, info.name) }
        return result
    }

    /// Throws nothing, but finds every difference.
    static func expectEqual(_ a: some TensorSource, _ b: some TensorSource) throws {
        let a = try tensors(a), b = try tensors(b)
        #expect(Set(a.keys) == Set(b.keys))
        for (name, found) in a {
            #expect(found.info == b[name]?.info && found.bytes == b[name]?.bytes, "\(name)")
        }
    }

    /// Converts without a tokenizer: byte-level ones are not known.
    static func convert(_ base: String, to output: String, _ format: OutputFormat, adapter: String? = nil) throws {
        var options = ConversionOptions(base: base, output: output)
        options.format = format
        options.omitsTokenizer = true
        options.adapters = adapter.map { [ConversionOptions.Adapter(path: $0)] } ?? []
        let warnings = try Converter.convert(options).warnings
        // Adapters made for tests have settings that don't fit their tensors.
        #expect(warnings.isEmpty || adapter != nil, "\(warnings)")
    }

    /// A copy of a model's folder with another config.json.
    static func withModel<R>(_ name: String, changing change: (String) -> String, _ body: (String) throws -> R) throws -> R {
        try Fixtures.withFolder { work in
            try FileManager.default.copyItem(atPath: model(name), toPath: work + "/model")
            let path = work + "/model/config.json"
            let text = try String(contentsOfFile: path, encoding: .utf8)
            let changed = change(text)
            #expect(changed != text)
            try FileManager.default.removeItem(atPath: path)
            try Data(changed.utf8).write(to: URL(fileURLWithPath: path))
            return try body(work + "/model")
        }
    }
}
