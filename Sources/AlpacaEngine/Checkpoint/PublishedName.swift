// Which published file a path names. Users keep these files in folders such as `chinese-alpaca-plus-lora-13b`, `llama/7B` or
// `models--ziqingyang--chinese-alpaca-lora-7b/snapshots/..`. A folder says something only if every word of it is understood: `open_llama_7b`
// is another model, and a wrong expectation would call a good file damaged.

/// What the words of a model's name say.
struct PublishedName: Equatable {
    var isChinese = false
    var family = ""
    var variant = ""
    var size = ""
    var generation = ""

    /// The published files that a file at `path` may be, going by its name and the folders around it; empty when they say nothing.
    static func expected(at path: String) -> [PublishedFile] {
        var components = path.split(separator: "/").map { String($0) }
        guard let file = components.popLast(), let name = PublishedName(folders: components.suffix(deepest).reversed()) else { return [] }
        return PublishedFile.all.filter { $0.file == file && name.matches(PublishedName(words: $0.model)) }
    }

    private static let deepest = 5

    /// Of folders, the nearest first: the first that names a family counts, and a size (`7B`) may stand nearer to the file.
    private init?(folders: some Sequence<String>) {
        var size = ""
        for folder in folders {
            let name = PublishedName(words: folder)
            if let name, !name.family.isEmpty {
                self = name
                if !size.isEmpty { self.size = size }
                return
            }
            if name == nil, folder.lowercased().contains("llama") || folder.lowercased().contains("alpaca") { return nil }
            if size.isEmpty, let name { size = name.size }
        }
        return nil
    }

    /// nil if a word is not understood.
    private init?(words text: String) {
        for word in text.lowercased().split(whereSeparator: { !$0.isLetter && !$0.isNumber }) {
            switch word {
            case "chinese": isChinese = true
            case "llama": if family.isEmpty { family = "llama" }
            case "alpaca": family = "alpaca"
            case "plus", "pro": variant = String(word)
            case "7b", "13b", "33b", "65b": size = String(word)
            case "30b": size = "33b"
            case "2", "3": generation = String(word)
            case "lora", "adapter", "merged", "hugging", "face", "hf", "pth", "models", "ziqingyang", "hfl": break
            default: return nil
            }
        }
    }

    /// A published name without a size stands for all sizes and variants.
    private func matches(_ published: PublishedName?) -> Bool {
        guard let published else { return false }
        guard isChinese == published.isChinese, family == published.family, generation == published.generation else { return false }
        return published.size.isEmpty || (size == published.size && variant == published.variant)
    }
}
