import Foundation

@testable import AlpacaEngine

/// docs/models.md: the published models as PublishedModel has them, with sizes computed as plans compute them.
enum ModelsPage {
    static let path = Fixtures.repository.appendingPathComponent("docs/models.md")
    static let types = ["F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0", "IQ4_NL", "IQ4_XS", "Q3_K_M", "Q2_K"]
    /// What a session is made for here.
    static let positions = 2048

    static func text() throws -> String {
        var parts = [head]
        for line in Line.allCases {
            parts.append("## \(line.title)\n\n\(line.introduction)\n\n\(table(line))")
            parts.append(
                "The commands, with the names on the hub (`hf download NAME` fetches what they name) or paths:\n\n```text\n"
                    + models(line).flatMap(commands).joined(separator: "\n") + "\n```")
            parts.append(try sizes(line))
            parts += line.published.map { [$0] } ?? []
        }
        return (parts + [originals(), neighbours]).joined(separator: "\n\n") + "\n"
    }

    // MARK: Parts

    enum Line: CaseIterable {
        case first, second, third, mixtral

        var title: String {
            switch self {
            case .first: "Chinese-LLaMA and Chinese-Alpaca"
            case .second: "Chinese-LLaMA-2 and Chinese-Alpaca-2"
            case .third: "Llama-3-Chinese"
            case .mixtral: "Chinese-Mixtral"
            }
        }

        func has(_ model: PublishedModel) -> Bool {
            switch model.shape {
            case .llama7, .llama13, .llama33, .llama65: self == .first
            case .second1, .second7, .second13: self == .second
            case .third8: self == .third
            case .mixtral: self == .mixtral
            }
        }
    }

    static func models(_ line: Line) -> [PublishedModel] { PublishedModel.all.filter { !$0.isOriginal && line.has($0) } }

    private static func code(_ text: String?) -> String { text.map { "`\($0)`" } ?? "–" }

    private static func table(_ line: Line) -> String {
        var rows = [
            "| model | whole | adapter | GGUF | the adapter needs | tokens | context | template | licence |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for model in models(line) {
            let adapter = model.adapter.map { "`\($0)`, \(model.adapterSize ?? "")" } ?? "–"
            let context = "\(model.contextLength)" + (model.scaling.isEmpty ? "" : " (\(model.scaling))")
            let cells = [
                model.name, code(model.whole), adapter, code(model.gguf), model.needsText ?? "–", "\(model.vocabularySize)", context,
                model.template, model.licence,
            ]
            rows.append("| " + cells.joined(separator: " | ") + " |")
        }
        return rows.joined(separator: "\n")
    }

    /// How a file of the model is made: from the whole model, and from its adapter.
    static func commands(_ model: PublishedModel) -> [String] {
        let output = model.name.lowercased() + "-q4_k_m.gguf"
        var lines: [String] = []
        if let whole = model.whole { lines.append("alpaca convert \(whole) --type q4_k_m -o \(output)") }
        if let adapter = model.adapter, let base = model.base.flatMap({ PublishedModel.named($0) }) {
            let before = model.before.flatMap { PublishedModel.named($0)?.adapter }
            let adapters = [before, adapter].compactMap { $0 }.map { " --adapter \($0)" }.joined()
            lines.append("alpaca convert \(base.whole ?? base.name)\(adapters) --type q4_k_m -o \(output)")
        }
        return lines
    }

    // MARK: Sizes

    static func configuration(_ model: PublishedModel) throws -> ModelConfiguration {
        let (width, feedForward, layers, heads, keyValueHeads) = model.shape.sizes
        let experts = model.shape.experts.map { ModelConfiguration.Experts(count: $0, usedCount: $1, feedForwardLength: feedForward) }
        return try ModelConfiguration(
            experts == nil ? Llama.self : Mixtral.self, vocabularySize: model.vocabularySize, contextLength: model.contextLength,
            embeddingLength: width, layerCount: layers, headCount: heads, keyValueHeadCount: keyValueHeads, headDimension: width / heads,
            feedForwardLength: feedForward, normEpsilon: model.shape.normEpsilon, ropeTheta: model.shape.ropeTheta,
            ropeDimension: width / heads, experts: experts)
    }

    /// Bytes of the tensors in a GGUF file.
    static func byteCount(_ configuration: ModelConfiguration, _ type: String) throws -> Int {
        let tensors = try Architectures.make(configuration).tensors.filter(\.isRequired).flatMap(\.parts).map { spec in
            try TensorInfo(name: spec.names.gguf, type: spec.shape.count > 1 ? .f16 : .f32, shape: spec.shape)
        }
        let choices = try QuantizationMix(named: type).choices(for: TensorStack.stacks(tensors).map(\.info))
        return try GGUFLayout.make(GGUFMetadata(), choices.map(\.info)).byteCount
    }

    /// Bytes of keys and values of one position, in F16.
    static func positionByteCount(_ configuration: ModelConfiguration) -> Int {
        let block = 2 * CacheType.f16.bytesPerBlock(headDimension: configuration.headDimension)
        return block / CacheType.positionsPerPage * configuration.keyValueHeadCount * configuration.layerCount
    }

    private static func sizes(_ line: Line) throws -> String {
        // One of each size stands for all.
        var columns: [(title: String, configuration: ModelConfiguration)] = []
        for model in models(line) {
            let title = model.shape.rawValue.split(separator: "-").last.map(String.init) ?? ""
            guard !columns.contains(where: { $0.title == title }) else { continue }
            columns.append((title, try configuration(model)))
        }
        var rows = ["| type | " + columns.map { "\($0.title) file | memory" }.joined(separator: " | ") + " |"]
        rows.append("|---|" + String(repeating: "---:|---:|", count: columns.count))
        for type in types {
            let cells = try columns.flatMap { _, configuration in
                let bytes = try byteCount(configuration, type)
                return [ByteCount.text(bytes), ByteCount.text(bytes + positions * positionByteCount(configuration))]
            }
            rows.append("| \(type) | " + cells.joined(separator: " | ") + " |")
        }
        let more = columns.map { "\(ByteCount.text(1024 * positionByteCount($0.configuration))) (\($0.title))" }.joined(separator: ", ")
        return """
            Sizes: the tensors of the file, and in memory the same with keys and values of \(positions) positions in F16. Each 1024 positions more
            take \(more); with `--kv-cache q8_0` about half.

            \(rows.joined(separator: "\n"))
            """
    }

    private static func originals() -> String {
        var rows = ["| model | on the hub | tokens | context | licence |", "|---|---|---|---|---|"]
        for model in PublishedModel.all where model.isOriginal {
            rows.append("| \(model.name) | \(code(model.whole)) | \(model.vocabularySize) | \(model.contextLength) | \(model.licence) |")
        }
        return """
            ## The models they were made from

            LLaMA was never on the hub under its makers' name: what `alpaca verify` calls LLaMA-7B, -13B and -33B is meant, in Meta's form or in
            Hugging Face's. (33B is called 30B in folders.)

            \(rows.joined(separator: "\n"))
            """
    }
}
