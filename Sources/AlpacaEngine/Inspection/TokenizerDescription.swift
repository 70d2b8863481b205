/// What is in a `tokenizer.model`, of sentencepiece or Meta's list of ranks, or in a `tokenizer.json`.
public struct TokenizerDescription: Sendable, Equatable {
    public let path: String
    public let byteCount: Int
    /// "SentencePiece tokenizer", "list of ranks (tiktoken)" or "tokenizer.json".
    public let format: String
    /// "bpe", "unigram", "word" or "char".
    public let algorithm: String
    /// Pieces.
    public let count: Int
    /// How many pieces there are of each kind.
    public let kinds: [(kind: TokenKind, count: Int)]
    /// Ids of the special tokens by their short names (unk, bos, eos, pad), with their pieces.
    public let specials: [(name: String, id: Int, piece: String)]
    /// "identity" leaves texts as they are.
    public let normalizer: String
    /// Whether a blank is put before a text, and whether runs of blanks become one.
    public let addsDummyPrefix: Bool
    public let removesExtraSpaces: Bool
    /// 64 lower-case hexadecimal digits.
    public let sha256: String
    /// The published file with this SHA-256, such as "Chinese-Alpaca, tokenizer.model".
    public let publishedFile: String?
    /// Why no text can be written in its tokens; nil when it can.
    public let problem: String?

    /// - Throws: when the file is damaged, or no tokenizer.
    init(_ region: FileRegion) throws(AlpacaError) {
        try self.init(region, SentencePieceModel(region))
    }

    init(_ region: FileRegion, _ model: SentencePieceModel) throws(AlpacaError) {
        path = region.name
        byteCount = region.count
        format = "SentencePiece tokenizer"
        algorithm = "\(model.kind)"
        count = model.pieces.count
        var counts: [TokenKind: Int] = [:]
        for kind in model.kinds { counts[kind, default: 0] += 1 }
        kinds = counts.map { (kind: $0.key, count: $0.value) }.sorted { $0.kind.rawValue < $1.kind.rawValue }
        let ids: [(String, TokenID?)] = [("unk", model.unknown), ("bos", model.bos), ("eos", model.eos), ("pad", model.pad)]
        specials = ids.compactMap { name, id in
            guard let id, id >= 0, Int(id) < model.pieces.count else { return nil }
            return (name, Int(id), model.pieces.text(Int(id)))
        }
        normalizer = model.normalizer
        addsDummyPrefix = model.addsDummyPrefix
        removesExtraSpaces = model.removesExtraSpaces
        var sha = SHA256()
        unsafe model.source.withUnsafeBytes { unsafe sha.update($0) }
        sha256 = sha.hexDigest()
        publishedFile = PublishedFile.byHash[sha256]?.title
        do throws(AlpacaError) {
            _ = try Tokenizer(model)
            problem = nil
        } catch {
            // Another kind of tokenizer, or else one that is damaged.
            guard error.code == .unsupported else { throw error.inFile(region.name) }
            problem = error.message
        }
    }

    /// A `tokenizer.json`, of which `root` is the content.
    init(_ region: FileRegion, _ root: JSONValue) throws(AlpacaError) {
        let json: TokenizerJSON
        do throws(AlpacaError) { json = try TokenizerJSON(root) } catch { throw error.inFile(region.name) }
        path = region.name
        byteCount = region.count
        format = "tokenizer.json"
        algorithm = "bpe"
        count = json.count
        let kinds: [(kind: TokenKind, count: Int)] = [
            (.normal, json.count - json.controlCount - json.userDefinedCount), (.control, json.controlCount),
            (.userDefined, json.userDefinedCount),
        ]
        self.kinds = kinds.filter { $0.count > 0 }
        specials = []
        normalizer = json.normalizer.isEmpty ? "identity" : json.normalizer
        removesExtraSpaces = false
        sha256 = try SHA256.hexDigest(of: region) { _ in true } ?? ""
        publishedFile = PublishedFile.byHash[sha256]?.title
        var tokenizer: Tokenizer?
        var refusal: String?
        do throws(AlpacaError) {
            if json.isByteLevel {
                tokenizer = Tokenizer(try ByteLevelTokenizer(ByteLevelTokenizer.Parts(tokenizerJSON: root)))
            } else {
                tokenizer = try Tokenizer(TokenizerJSON.sentencePieceModel(region))
            }
        } catch {
            guard error.code != .outOfMemory else { throw error }
            refusal = error.message
        }
        addsDummyPrefix = tokenizer?.addsSpacePrefix ?? false
        problem = refusal
    }

    /// Meta's list of ranks, which `parts` are made of.
    init(_ region: FileRegion, _ parts: ByteLevelTokenizer.Parts) throws(AlpacaError) {
        path = region.name
        byteCount = region.count
        format = "list of ranks (tiktoken)"
        algorithm = "bpe"
        count = parts.pieces.count
        let normal = parts.kinds.count { $0 == .normal }
        kinds = [(.normal, normal), (.control, count - normal)]
        let ids: [(String, TokenID?)] = [("bos", parts.specials.bos), ("eos", parts.specials.eos), ("pad", parts.specials.pad)]
        specials = ids.compactMap { name, id in id.map { (name, Int($0), parts.pieces.text(Int($0))) } }
        normalizer = "identity"
        addsDummyPrefix = false
        removesExtraSpaces = false
        sha256 = try SHA256.hexDigest(of: region) { _ in true } ?? ""
        publishedFile = PublishedFile.byHash[sha256]?.title
        do throws(AlpacaError) {
            _ = try ByteLevelTokenizer(parts)
            problem = nil
        } catch {
            throw error.inFile(region.name)
        }
    }

    public static func == (a: TokenizerDescription, b: TokenizerDescription) -> Bool { a.path == b.path && a.sha256 == b.sha256 }

    /// "3941 pieces (bpe)" and which published file it is.
    var summary: String {
        let published = publishedFile.map { "; published: \($0)" } ?? ""
        return "\(count) pieces (\(algorithm))\(published)"
    }

    var facts: [(String, String)] {
        var lines = [("format", "\(format) (\(algorithm)), \(FactTable.size(byteCount))")]
        lines.append(("published", publishedFile ?? "not in the list of published files"))
        lines.append(("pieces", "\(count): " + kinds.map { "\($0.count) \($0.kind.title)" }.joined(separator: ", ")))
        if let family = AdapterIdentity.vocabulary(count) { lines.append(("", "as many as \(family)")) }
        lines += FactTable.lines("special", specials.map { "\($0.name) \($0.id) \($0.piece.quoted())" })
        let blanks = removesExtraSpaces ? "runs of blanks become one" : "blanks stay"
        lines.append(("normalizer", "\(normalizer.quoted()), \(blanks), \(addsDummyPrefix ? "a" : "no") blank is put before a text"))
        lines.append(("SHA-256", sha256))
        if let problem { lines.append(("problem", problem)) }
        return lines
    }

    func write(to json: inout JSONWriter) {
        json.beginObject()
        json.member("path", PathText.shown(path))
        json.member("kind", "tokenizer")
        json.member("format", format)
        json.member("size_bytes", byteCount)
        writeMembers(to: &json)
        json.end()
    }

    func writeMembers(to json: inout JSONWriter) {
        json.member("algorithm", algorithm)
        json.member("n_vocab", count)
        json.beginObject("pieces")
        for entry in kinds { json.member(entry.kind.title, entry.count) }
        json.end()
        for special in specials { json.member("\(special.name)_id", special.id) }
        json.member("normalizer", normalizer)
        json.member("add_dummy_prefix", addsDummyPrefix)
        json.member("remove_extra_spaces", removesExtraSpaces)
        json.member("sha256", sha256)
        json.member("published", publishedFile)
        json.member("problem", problem)
    }
}

extension TokenKind {
    fileprivate var title: String {
        switch self {
        case .normal: "normal"
        case .unknown: "unknown"
        case .control: "control"
        case .userDefined: "user_defined"
        case .unused: "unused"
        case .byte: "byte"
        }
    }
}
