/// The template that the result of a conversion gets, and carries in its files from then on.
struct ResultTemplate: Sendable {
    /// The texts: those of the inputs as they were; for a template that only its name tells, the one that says the same.
    let texts: TemplateTexts
    /// What the key `alpaca.template` says: a template's name, or "none" where a vocabulary alone does not tell a base model from one that
    /// chats; nil where the text has to speak for itself, or nothing is known.
    let name: String?

    init(_ inputs: ConversionInputs, _ tokenizer: ChosenTokenizer?) {
        let base = inputs.base
        var facts = base.metadata
        let before = ((try? facts.stringsIfPresent(GGUFKey.tokens)) ?? nil)?.count
        // A vocabulary that grew is another model's: what the base said of its own template is no longer true.
        let isSame = tokenizer.map { before == nil || $0.model.pieces.count == before } ?? true
        if let model = tokenizer?.model {
            facts[GGUFKey.tokens] = .array(.string(model.pieces))
            facts[GGUFKey.tokenTypes] = .array(.int32(model.kinds.map { Int32($0.rawValue) }))
        }
        var texts = isSame ? base.templates : TemplateTexts()
        let adapters = inputs.adapters.map(\.adapter)
        let own = adapters.last { !$0.templates.isEmpty }
        if let own { texts = own.templates }
        let wasNone = base.template.name == ModelTemplate.none
        if own != nil || !isSame || wasNone && !adapters.isEmpty { facts[GGUFKey.alpacaTemplate] = nil }
        // An adapter of a user's own tells what it was trained on.
        let names = adapters.reversed().flatMap { adapter in
            [PathName.of(adapter.path)] + [adapter.configuration.baseModel.map(PathName.last)].compactMap { $0 }
        }
        let found = ModelTemplate(facts, texts: texts, names: names + base.names)
        if found.isUnknown {
            // A name that a later version gave stays.
            name = ((try? facts.stringIfPresent(GGUFKey.alpacaTemplate)) ?? nil)
        } else {
            name = found.isTold ? found.name : nil
        }
        if texts.isEmpty, let known = found.known { texts.text = Array(known.source.utf8) }
        self.texts = texts
    }
}
