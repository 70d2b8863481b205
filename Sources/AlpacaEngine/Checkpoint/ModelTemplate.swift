// Which template a model's prompts get by default. The file's own word counts first: its template's text is what is rendered, and is never taken
// for another that looks like it. Where there is no text, the vocabulary tells most families apart; base and chat models of one
// vocabulary only their names do, which a conversion therefore writes down.

/// How prompts are put to a model, as far as its files tell.
public struct ModelTemplate: Sendable, Equatable {
    /// A template's name, "jinja" for a text of the file's own, "none" for models that only continue texts, "unknown" for a text that is no
    /// template, and for a name that this version doesn't know.
    public let name: String
    /// Why this one.
    public let reason: String
    /// The template's text, in Jinja, as the file has it; nil where it has none, or none that is UTF-8.
    public let source: String?
    /// Where the text is: a metadata key, or a file of the folder.
    public let origin: String?
    /// Further templates of the files, for special uses, by name; texts that are not UTF-8 are left out.
    public let named: [(name: String, source: String)]

    /// The text, ready to be rendered; nil where a name or the vocabulary tells the template, and where there is none.
    package let jinja: JinjaTemplate?
    /// Whether the files or the vocabulary say so; false where there is nothing to go by.
    package let isTold: Bool
    /// Whether a likeness alone says so.
    package let isGuessed: Bool

    package static let none = "none", unknown = "unknown", ownText = "jinja"

    /// The template, if it is one of those that this version knows.
    package var known: KnownTemplate? { KnownTemplate(rawValue: name) }
    package var isUnknown: Bool { name == ModelTemplate.unknown }

    public static func == (a: ModelTemplate, b: ModelTemplate) -> Bool {
        a.name == b.name && a.reason == b.reason && a.source == b.source && a.origin == b.origin
            && a.named.elementsEqual(b.named) { $0 == $1 }
    }

    /// - Parameters:
    ///   - metadata: as a GGUF file has it.
    ///   - texts: the templates' texts.
    ///   - names: what the files call the model and what it was made from.
    package init(_ metadata: GGUFMetadata, texts: TemplateTexts, names: [String]) {
        source = texts.text.flatMap { String(validating: $0, as: UTF8.self) }
        origin = texts.isEmpty ? nil : texts.origin
        named = texts.named.compactMap { entry in String(validating: entry.text, as: UTF8.self).map { (entry.name, $0) } }
        let found = ModelTemplate.find(metadata, texts, names)
        name = found.name
        reason = found.reason
        isTold = found.isTold
        jinja = found.jinja
        isGuessed = found.reason.hasSuffix(ModelTemplate.guess)
    }

    /// What is found, and why.
    private struct Finding {
        var name: String
        var reason: String
        var isTold = true
        var jinja: JinjaTemplate?
    }

    private static func find(_ metadata: GGUFMetadata, _ texts: TemplateTexts, _ names: [String]) -> Finding {
        if case .string(let bytes) = metadata[GGUFKey.alpacaTemplate] {
            let name = String(decoding: bytes, as: UTF8.self), key = "the file's key \(GGUFKey.alpacaTemplate)"
            guard let text = texts.text else {
                if KnownTemplate(rawValue: name) != nil { return Finding(name: name, reason: "named by \(key)") }
                if name == none { return Finding(name: none, reason: "\(key) says none") }
                return Finding(name: unknown, reason: "\(key) names \(name.quoted(limit: 40)), which this version doesn't know")
            }
            if let known = KnownTemplate(rawValue: name), known.isSaid(by: text) { return Finding(name: name, reason: "named by \(key)") }
            // Somebody gave the file another text since: what the key says is of the old one. Or a later version gave it a name.
            var found = find(text, texts)
            let isOurs = name == none || KnownTemplate(rawValue: name) != nil
            found.reason += "; \(key) says \(name.quoted(limit: 40)), which "
            found.reason += isOurs ? "is not this text's, and doesn't count" : "this version doesn't know"
            return found
        }
        if let text = texts.text { return find(text, texts) }
        if !texts.isEmpty {
            let list = texts.named.prefix(4).map { $0.name.quoted(limit: 40) }.joined(separator: ", ")
            return Finding(name: unknown, reason: "the model has templates for special uses, \(list), but none that is the default")
        }
        if let problem = texts.problem { return Finding(name: unknown, reason: problem) }
        let found = find(metadata, names)
        return Finding(name: found.name?.rawValue ?? none, reason: found.reason, isTold: found.isTold)
    }

    /// By the text.
    private static func find(_ text: [UInt8], _ texts: TemplateTexts) -> Finding {
        do throws(AlpacaError) {
            guard let source = String(validating: text, as: UTF8.self) else {
                let place = UTF8Text.firstInvalid(text).map { " at byte \($0)" } ?? ""
                throw AlpacaError(.badFormat, "not UTF-8\(place)")
            }
            let template = try JinjaTemplate(source: source)
            let name = KnownTemplate.named(by: text)?.rawValue ?? ownText
            return Finding(name: name, reason: "its text is in \(texts.origin)", jinja: template)
        } catch {
            return Finding(name: unknown, reason: "\(texts.origin) has a template that can't be read: \(error.message)")
        }
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
