// The models of the family: what they are called, what they need, what is to be expected of them. `verify`, plans of conversions and
// docs/models.md go by this list.

/// A model that was published, in one form or several.
package struct PublishedModel: Sendable, Hashable {
    /// "Chinese-Alpaca-Plus-7B"
    package let name: String
    /// Names on the hub: of the whole model, of its adapter, of its GGUF files; nil where there is none.
    package let whole: String?
    package let adapter: String?
    package let gguf: String?
    /// The name of the model that the adapter belongs on; nil for models without one.
    package let base: String?
    /// The name of the model whose adapter comes before this one's.
    package let before: String?
    package let shape: PublishedShape
    /// Rows of the embeddings.
    package let vocabularySize: Int
    package let contextLength: Int
    /// How the context became longer than that of the base; "" where it did not.
    package let scaling: String
    /// "none" for models that only continue texts; the name of one of ours, or that of the model whose template the file has.
    package let template: String
    /// Of the weights, as their publishers say.
    package let licence: String
    /// How large the adapter is, as published: "1.1 GB".
    package let adapterSize: String?

    /// What the adapter needs, in order: the base, then the model whose adapter comes before.
    package var needs: [String] { [base, before].compactMap { $0 } }

    /// "LLaMA-7B and the adapter of Chinese-LLaMA-Plus-7B before it"; nil for models without an adapter.
    package var needsText: String? {
        base.map { base in before.map { "\(base) and the adapter of \($0) before it" } ?? base }
    }

    /// The models that others were made from, and those that anybody chats with.
    package var isOriginal: Bool { !name.hasPrefix("Chinese-") && !name.hasPrefix("Llama-3-Chinese") }

    // MARK: Finding one

    package static func named(_ name: String) -> PublishedModel? { byName[name] }

    /// The model that a path names: by its name on the hub, or by folders and files that are called as models are. A name says something
    /// only if each word of it is understood: `my-llama-7b` is another model.
    package static func at(_ path: String) -> PublishedModel? {
        if let hub = HubCache.modelName(of: path) { return byHub[hub.lowercased()] ?? byWords[Words.of(hub)] }
        let parts = path.split(separator: "/").filter { $0 != "." && $0 != ".." }.suffix(2)
        guard let last = parts.last else { return nil }
        if let model = byHub[parts.joined(separator: "/").lowercased()] ?? byWords[Words.of(last)] { return model }
        // llama/7B
        return parts.count == 2 ? byWords[Words.of(parts.joined(separator: "-"))] : nil
    }

    /// The model that a file with a published hash belongs to: "Chinese-Alpaca-7B merged" and "Chinese-Alpaca-7B adapter" are of one.
    static func of(_ file: PublishedFile) -> PublishedModel? { byWords[Words.of(file.model.prefix { $0 != "(" })] }

    /// The original model that has these sizes.
    package static func original(like model: ModelConfiguration) -> PublishedModel? {
        all.first { $0.isOriginal && $0.shape.matches(model) && $0.vocabularySize == model.vocabularySize }
    }

    /// A model's name as words, so that spellings of it are equal.
    enum Words {
        /// What says of the form only.
        private static let forms: Set = [
            "lora", "adapter", "merged", "hf", "hugging", "face", "pth", "gguf", "ggml", "bin", "f16", "fp16", "f32", "bf16", "model",
            "models",
            "im", "safetensors",
        ]
        private static let owners: Set = ["hfl", "ziqingyang", "meta", "mistralai"]

        static func of(_ text: some StringProtocol) -> Set<String> {
            var words: Set<String> = []
            for word in text.lowercased().split(whereSeparator: { !$0.isLetter && !$0.isNumber && $0 != "_" && $0 != "." }) {
                for part in parts(word) where !isType(part) {
                    for name in part.split(separator: "_") where !forms.contains(String(name)) && !owners.contains(String(name)) {
                        words.insert(name == "30b" ? "33b" : String(name))
                    }
                }
            }
            return words
        }

        /// A dot ends a name but in numbers: "1.3b".
        private static func parts(_ word: Substring) -> [String] {
            var result: [String] = [""]
            let list = Array(word)
            for (i, c) in list.enumerated() {
                if c == ".", i == 0 || i + 1 == list.count || !list[i - 1].isNumber || !list[i + 1].isNumber {
                    result.append("")
                } else {
                    result[result.count - 1].append(c)
                }
            }
            return result.filter { !$0.isEmpty }
        }

        /// "q4_k_m", "iq4_xs"
        private static func isType(_ word: String) -> Bool {
            let rest = ["iq", "tq", "q"].first { word.hasPrefix($0) }.map { word.dropFirst($0.count) }
            return rest?.first?.isNumber == true
        }
    }

    private static let byName = Dictionary(all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    private static let byWords = Dictionary(
        all.map { (Words.of($0.name), $0) }, uniquingKeysWith: { first, _ in first })
    private static let byHub: [String: PublishedModel] = {
        var result: [String: PublishedModel] = [:]
        for model in all {
            for name in [model.whole, model.adapter, model.gguf].compactMap({ $0 }) {
                result[name.lowercased()] = model
                // Where the first two lines were before.
                if name.hasPrefix("hfl/chinese-") { result["ziqingyang/" + name.dropFirst(4)] = model }
            }
        }
        return result
    }()
}

/// The sizes that models of one kind share.
package enum PublishedShape: String, Sendable, CaseIterable {
    case llama7 = "7B"
    case llama13 = "13B"
    case llama33 = "33B"
    case llama65 = "65B"
    case second1 = "2-1.3B"
    case second7 = "2-7B"
    case second13 = "2-13B"
    case third8 = "3-8B"
    case mixtral = "8x7B"

    /// Width, feed-forward width, layers, heads, key and value heads.
    package var sizes: (width: Int, feedForward: Int, layers: Int, heads: Int, keyValueHeads: Int) {
        switch self {
        case .llama7, .second7: (4096, 11008, 32, 32, 32)
        case .llama13, .second13: (5120, 13824, 40, 40, 40)
        case .llama33: (6656, 17920, 60, 52, 52)
        case .llama65: (8192, 22016, 80, 64, 64)
        case .second1: (4096, 11008, 4, 32, 32)
        case .third8, .mixtral: (4096, 14336, 32, 32, 8)
        }
    }

    package var normEpsilon: Double {
        switch self {
        case .llama7, .llama13, .llama33: 1e-6
        default: 1e-5
        }
    }

    package var ropeTheta: Double {
        switch self {
        case .third8: 500_000
        case .mixtral: 1_000_000
        default: 10_000
        }
    }

    /// Experts of a layer, and those that a token takes.
    package var experts: (count: Int, used: Int)? { self == .mixtral ? (8, 2) : nil }

    func matches(_ model: ModelConfiguration) -> Bool {
        let (width, feedForward, layers, heads, keyValueHeads) = sizes
        return model.embeddingLength == width && model.feedForwardLength == feedForward && model.layerCount == layers
            && model.headCount == heads && model.keyValueHeadCount == keyValueHeads && model.normEpsilon == Float(normEpsilon)
            && model.ropeTheta == ropeTheta
    }
}
