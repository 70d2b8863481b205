// Which of the published adapters one is, as far as its hash, its name and its shapes tell.

/// What is known of an adapter's descent.
struct AdapterIdentity: Sendable, Equatable {
    enum Family: Sendable { case llama, alpaca }
    /// Chinese-LLaMA or Chinese-Alpaca; nil where nothing says so.
    var family: Family?
    /// Plus or Pro.
    var isPlus = false
    /// 1, or 2 and 3 for the models made from Llama 2 and 3.
    var generation = 1
    /// Known by its hash; a name can be anything.
    var isCertain = false
    /// Known by hash or name: "Plus" would be there.
    var isNamed = false

    /// Rows of the embeddings: of Chinese-LLaMA, of Chinese-Alpaca, which has `[PAD]` besides, of both in their second generation.
    static let llamaRows = 49953, alpacaRows = 49954, secondRows = 55296
    /// The vocabulary of LLaMA and Llama 2.
    static let originalRows = 32000

    init(_ adapter: LoRAAdapter, name: String, sha256: String?) {
        if let sha256, let file = PublishedFile.byHash[sha256.lowercased()] {
            readWords(of: file.model)
            isCertain = true
            isNamed = true
            return
        }
        let folders = name.split(separator: "/")
        // In the cache of the hub: models--owner--name/snapshots/revision.
        let isSnapshot = folders.dropLast().last == "snapshots"
        if let folder = isSnapshot ? folders.dropLast(2).last : folders.last { readWords(of: folder) }
        isNamed = family != nil
        switch adapter.vocabularySize {
        case AdapterIdentity.llamaRows: family = .llama
        case AdapterIdentity.alpacaRows: family = .alpaca
        case AdapterIdentity.secondRows: generation = 2
        default: break
        }
    }

    private mutating func readWords(of text: some StringProtocol) {
        let words = text.lowercased().split { !$0.isLetter && !$0.isNumber }
        if words.contains(where: { $0.hasPrefix("alpaca") }) {
            family = .alpaca
        } else if words.contains(where: { $0.hasPrefix("llama") }) {
            family = .llama
        } else {
            return
        }
        isPlus = words.contains { $0 == "plus" || $0 == "pro" }
        for number in 2...3 where words.contains(where: { $0 == "\(number)" || $0 == "llama\(number)" || $0 == "alpaca\(number)" }) {
            generation = number
        }
    }

    /// A model's size by its width, as it is called.
    static func size(width: Int) -> String {
        let names = [4096: "7B", 5120: "13B", 6656: "33B", 8192: "65B"]
        return names[width].map { "\($0) (width \(width))" } ?? "models of width \(width)"
    }

    /// Whose vocabulary has that many entries.
    static func vocabulary(_ count: Int) -> String? {
        switch count {
        case originalRows: "the original LLaMA"
        case llamaRows: "Chinese-LLaMA"
        case alpacaRows: "Chinese-Alpaca"
        case secondRows: "Chinese-LLaMA-2 and Chinese-Alpaca-2"
        default: nil
        }
    }
}
