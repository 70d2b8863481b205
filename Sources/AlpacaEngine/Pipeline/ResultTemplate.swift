/// The template that the result of a conversion gets, and carries in its files from then on.
struct ResultTemplate: Sendable {
    /// The texts: those of the inputs as they were; for a template that only its name tells, the one that says the same.
    let texts: TemplateTexts
    /// What the key `alpaca.template` says: a template's name, or "none" where a vocabulary alone does not tell a base model from one that
    /// chats; nil where the text has to speak for itself, or nothing is known.
    let name: String?
    /// What becomes of a template otherwise than somebody may think, in sentences.
    let warnings: [String]

    init(_ inputs: ConversionInputs, _ tokenizer: ChosenTokenizer?) {
        let base = inputs.base
        var facts = base.metadata
        let before = ((try? facts.stringsIfPresent(GGUFKey.tokens)) ?? nil)?.count
        // A vocabulary that grew by many pieces is another model's, or one whose size or pieces are known: what the base said of its own
        // template is no longer true. A few tokens of somebody's own change nothing.
        let isSame = tokenizer.map { before == nil || $0.model.pieces.count == before } ?? true
        if let model = tokenizer?.model {
            facts[GGUFKey.tokens] = .array(.string(model.pieces))
            facts[GGUFKey.tokenTypes] = .array(.int32(model.kinds.map { Int32($0.rawValue) }))
            facts[GGUFKey.scores] = .array(.float32(model.scores))
        }
        let adapters = inputs.adapters.map(\.adapter)
        let own = adapters.last { !$0.templates.isEmpty || $0.templates.problem != nil }
        let wasNone = base.template.name == ModelTemplate.none
        // What it is by its vocabulary and its names alone.
        var bare = facts
        bare[GGUFKey.alpacaTemplate] = nil
        let names = ResultTemplate.names(adapters) + base.names
        let told = ModelTemplate(bare, texts: TemplateTexts(), names: names)
        let grown = (tokenizer?.model.pieces.count ?? 0) - (before ?? 0)
        let isOther = !isSame && (wasNone || abs(grown) > ResultTemplate.mostOwn || told.isTold && told.name != base.template.name)
        var texts = isOther ? TemplateTexts() : base.templates
        if let own { texts = own.templates }
        var warnings: [String] = []
        if own == nil, isOther, !base.templates.isEmpty {
            warnings.append(
                "\(base.path): its chat template (\(base.templates.origin)) is left out, since the vocabulary is another model's now: "
                    + "\(tokenizer?.model.pieces.count ?? 0) pieces, \(before ?? 0) before")
        }
        if own != nil || isOther || wasNone && !adapters.isEmpty { facts[GGUFKey.alpacaTemplate] = nil }
        let found = ModelTemplate(facts, texts: texts, names: names)
        if found.isGuessed, !base.template.isGuessed, let warning = found.warning { warnings.append(warning) }
        if found.isUnknown || found.name == ModelTemplate.ownText {
            // A name that a later version gave stays; one of ours that is not the text's goes.
            let later = (try? facts.stringIfPresent(GGUFKey.alpacaTemplate)) ?? nil
            name = later.flatMap { $0 == ModelTemplate.none || KnownTemplate(rawValue: $0) != nil ? nil : $0 }
        } else {
            name = found.isTold ? found.name : nil
        }
        if texts.isEmpty, let known = found.known { texts.text = Array(known.source.utf8) }
        self.texts = texts
        if let problem = texts.problem {
            warnings.append(
                "\(own?.path ?? base.path): \(problem); " + (texts.isEmpty ? "the output has no template" : "it is not in the output"))
        }
        self.warnings = warnings
    }

    /// Pieces that somebody adds for a purpose, not for another language.
    private static let mostOwn = 256

    /// An adapter of a user's own tells what it was trained on.
    private static func names(_ adapters: [LoRAAdapter]) -> [String] {
        adapters.reversed().flatMap { adapter in
            [PathName.of(adapter.path)] + [adapter.configuration.baseModel.map(PathName.last)].compactMap { $0 }
        }
    }
}
