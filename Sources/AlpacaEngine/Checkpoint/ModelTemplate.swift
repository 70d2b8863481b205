// Which template a model's prompts get by default. The file's own word counts first; a text that this version doesn't know stays one, and is
// never taken for another that looks like it. Where there is no text, the vocabulary tells most families apart; base and chat models of one
// vocabulary only their names do, which a conversion therefore writes down.

/// How prompts are put to a model, as far as its files tell.
public struct ModelTemplate: Sendable, Equatable {
    /// A template's name, "none" for models that only continue texts, "unknown" for a template that this version doesn't know.
    public let name: String
    /// Why this one.
    public let reason: String
    /// The template's text, in Jinja, as the file has it; nil where it has none, or none that is UTF-8.
    public let source: String?
    /// Where the text is: a metadata key, or a file of the folder.
    public let origin: String?

    /// Whether the files or the vocabulary say so; false where there is nothing to go by.
    package let isTold: Bool
    /// Whether a likeness alone says so.
    package let isGuessed: Bool

    package static let none = "none", unknown = "unknown"

    /// The template, if it is one of those that this version knows.
    package var known: KnownTemplate? { KnownTemplate(rawValue: name) }
    package var isUnknown: Bool { name == ModelTemplate.unknown }

    /// - Parameters:
    ///   - metadata: as a GGUF file has it.
    ///   - texts: the templates' texts.
    ///   - names: what the files call the model and what it was made from.
    package init(_ metadata: GGUFMetadata, texts: TemplateTexts, names: [String]) {
        source = texts.text.flatMap { String(validating: $0, as: UTF8.self) }
        origin = texts.isEmpty ? nil : texts.origin
        let found = ModelTemplate.find(metadata, texts, names)
        name = found.name
        reason = found.reason
        isTold = found.isTold
        isGuessed = found.reason.hasSuffix(ModelTemplate.guess)
    }

    private static func find(
        _ metadata: GGUFMetadata, _ texts: TemplateTexts, _ names: [String]
    ) -> (name: String, reason: String, isTold: Bool) {
        if case .string(let bytes) = metadata[GGUFKey.alpacaTemplate] {
            let name = String(decoding: bytes, as: UTF8.self), key = "the file's key \(GGUFKey.alpacaTemplate)"
            guard let text = texts.text else {
                if KnownTemplate(rawValue: name) != nil { return (name, "named by \(key)", true) }
                if name == none { return (none, "\(key) says none", true) }
                return (unknown, "\(key) names \(name.quoted(limit: 40)), which this version doesn't know", true)
            }
            if let known = KnownTemplate(rawValue: name), known.isSaid(by: text) { return (name, "named by \(key)", true) }
            // Somebody gave the file another text since: what the key says is of the old one.
            let found = find(text, texts)
            guard name == none || KnownTemplate(rawValue: name) != nil || found.name != unknown else {
                return (unknown, "\(key) names \(name.quoted(limit: 40)), which this version doesn't know", true)
            }
            return (found.name, "\(found.reason); \(key) says \(name.quoted(limit: 40)), which is not this text's, and doesn't count", true)
        }
        if let text = texts.text { return find(text, texts) }
        if !texts.isEmpty {
            let list = texts.named.prefix(4).map { $0.name.quoted(limit: 40) }.joined(separator: ", ")
            return (unknown, "the model has templates for special uses, \(list), but none that is the default", true)
        }
        if let problem = texts.problem { return (unknown, problem, true) }
        let found = find(metadata, names)
        return (found.name?.rawValue ?? none, found.reason, found.isTold)
    }

    /// By the text.
    private static func find(_ text: [UInt8], _ texts: TemplateTexts) -> (name: String, reason: String, isTold: Bool) {
        if let known = KnownTemplate.named(by: text) { return (known.rawValue, "its text is in \(texts.origin)", true) }
        return (unknown, "\(texts.origin) has a template that this version doesn't know: \(text.quoted(limit: 40))", true)
    }

    /// By the vocabulary and the names.
    private static func find(_ metadata: GGUFMetadata, _ names: [String]) -> (name: KnownTemplate?, reason: String, isTold: Bool) {
        guard let tokens = (try? metadata.stringsIfPresent(GGUFKey.tokens)) ?? nil, !tokens.isEmpty else {
            return (nil, "nothing in the file tells of a template", false)
        }
        let count = used(tokens.count, metadata)
        func isPiece(_ id: Int, _ text: String) -> Bool { tokens.indices.contains(id) && tokens[id].elementsEqual(text.utf8) }
        // With or without pieces of somebody's own behind it.
        if isPiece(49953, "[PAD]") { return (.alpaca, "piece 49953 is [PAD], as in Chinese-Alpaca", true) }
        func named(_ word: String) -> String? { names.first { $0.lowercased().contains(word) } }
        // Models of other sizes that were made in the same way.
        if isPiece(count - 1, "[PAD]"), isMadeAlike(tokens, count, metadata) {
            let likeness = "\(count) pieces, the last of them [PAD] after Chinese ones, as in Chinese-Alpaca"
            return (.alpaca, likeness + (named("alpaca").map { ", and the name \($0.quoted(limit: 60))" } ?? guess), true)
        }
        switch count {
        case 49953: return (nil, "49953 pieces, as in Chinese-LLaMA, a base model", true)
        case 55296... where count == 55296 || isPiece(32000, "<pad>"):
            guard let name = named("alpaca") else {
                return (nil, "55296 pieces, as in Chinese-LLaMA-2, and no name with \"alpaca\"", true)
            }
            return (.alpaca2, "55296 pieces and the name \(name.quoted(limit: 60)), as in Chinese-Alpaca-2", true)
        case 128256:
            guard let name = named("instruct") else { return (nil, "128256 pieces, as in Llama-3, and no name with \"instruct\"", true) }
            return (.alpaca3, "128256 pieces and the name \(name.quoted(limit: 60)), as in Llama-3-Instruct", true)
        case 32000: return (nil, "32000 pieces, as in LLaMA, a base model", true)
        default: return (nil, "nothing in the file tells of a template", false)
        }
    }

    private static let guess = ": a guess"

    /// Whether `[PAD]` stands as the merge of vocabularies puts it: a piece of text with the score 0, right behind Chinese pieces of that score.
    /// The many models to which somebody added a token of that name have it otherwise.
    private static func isMadeAlike(_ tokens: GGUFStrings, _ count: Int, _ metadata: GGUFMetadata) -> Bool {
        guard count > 64, let scores = (try? metadata.floatsIfPresent(GGUFKey.scores)) ?? nil,
            let kinds = (try? metadata.intsIfPresent(GGUFKey.tokenTypes)) ?? nil, scores.count >= count, kinds.count >= count
        else { return false }
        let last = count - 64..<count
        let isText = last.allSatisfy { scores[$0] == 0 && kinds[$0] == Int32(TokenKind.normal.rawValue) }
        // Every Chinese character takes three bytes, the first of them 0xE3 to 0xE9; U+2581 begins with 0xE2.
        let chinese = last.dropLast().count { id in tokens[id].contains { (0xE3...0xEF).contains($0) } }
        return isText && chinese > 48
    }

    /// Pieces without those at the end that only fill up the matrix.
    private static func used(_ count: Int, _ metadata: GGUFMetadata) -> Int {
        guard case .array(.int32(let kinds)) = metadata[GGUFKey.tokenTypes], kinds.count == count else { return count }
        return (kinds.lastIndex { $0 != Int32(TokenKind.unused.rawValue) } ?? count - 1) + 1
    }

    /// What is told when a model is opened; nil when there is nothing to tell.
    package var warning: String? {
        if isGuessed { return "the template is taken to be \"\(name)\" (\(reason)); name another where it is not" }
        return isUnknown ? "\(reason); prompts go to the model as they are, unless a template is named" : nil
    }
}

extension ModelTemplate {
    /// The names that a GGUF file's metadata give the model, and what it was made from.
    package static func names(in metadata: GGUFMetadata) -> [String] {
        var names: [String] = []
        for key in metadata.keys {
            // general.name, general.basename, general.finetune, general.base_model.0.name, alpaca.base.name, alpaca.adapter.names
            let isName = key.hasPrefix("general.") && ["name", "basename", "finetune"].contains { key.hasSuffix(".\($0)") }
            switch metadata[key] {
            case .string(let bytes) where isName || key == GGUFKey.baseName: names.append(String(decoding: bytes, as: UTF8.self))
            case .array(.string(let list)) where key == GGUFKey.adapterNames: names += list.indices.map { list.text($0) }
            default: break
            }
        }
        return names
    }
}
