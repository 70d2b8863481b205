/// A sentencepiece `tokenizer.model`: the protobuf message `ModelProto` of sentencepiece_model.proto.
///
/// Layout: field 1, repeated, a piece {1: text, 2: score as F32, 3: type, 1 (normal) when left out}; field 2, the trainer's settings
/// {3: model type, 40...43: ids of unk, bos, eos, pad}; field 3, the normalizer's {1: name, 2: rules, 3: dummy prefix, 4: removes extra
/// blanks, 5: escapes blanks}. All other fields are passed over, and kept by whoever writes the file again.
package struct SentencePieceModel: Sendable {
    package enum Kind: Int, Sendable {
        case unigram = 1
        case bpe = 2
        case word = 3
        case char = 4
    }

    package var pieces = GGUFStrings()
    package var scores: [Float] = []
    package var kinds: [TokenKind] = []
    /// Unigram where nothing is said of it, by sentencepiece's own rules.
    package var kind = Kind.unigram
    /// Whether the settings that it was trained with are there, which say what kind of model it is.
    package private(set) var hasTrainerSettings = false
    package var unknown: TokenID? = 0
    package var bos: TokenID? = 1
    package var eos: TokenID? = 2
    package var pad: TokenID?
    package var normalizer = ""
    package var hasNormalizerRules = false
    /// Whether what is in no piece is spelled in bytes.
    package var fallsBackToBytes = false
    package var addsDummyPrefix = true
    package var removesExtraSpaces = true
    package var escapesSpaces = true
    /// Whether the unknown piece is a special token like others, as in a tokenizer.json: its name is found in a text, and decoding leaves it out.
    package var namesUnknown = false
    /// The message as it was read, and where its last piece ends.
    package let source: [UInt8]
    package private(set) var piecesEnd = 0

    /// The files that it was read from, and what was added to it: no output takes their place.
    package var origins: [FileIdentity] = []

    /// The largest file that is taken for a tokenizer; published ones have at most 5 MB.
    package static let mostBytes = 64 << 20

    package init(_ file: InputFile) throws(AlpacaError) { try self.init(FileRegion(file)) }

    package init(_ region: FileRegion) throws(AlpacaError) {
        guard region.count <= SentencePieceModel.mostBytes else {
            try SentencePieceModel.refuseOthers(region)
            throw AlpacaError(
                .badFormat, path: region.name, "found \(region.count) bytes, a tokenizer.model has at most \(SentencePieceModel.mostBytes)")
        }
        do throws(AlpacaError) {
            try self.init(try region.bytes(at: 0, count: region.count))
            origins = [FileIdentity(region.file)].compactMap { $0 }
        } catch {
            try SentencePieceModel.refuseOthers(region)
            throw error.inFile(region.name)
        }
    }

    /// Throws what the file is, if it is something else that is known.
    private static func refuseOthers(_ region: FileRegion) throws(AlpacaError) {
        try CheckpointKind.refuseOthers(region)
        guard let kind = try? CheckpointKind(region), kind != .sentencePiece else { return }
        throw AlpacaError(.badFormat, path: region.name, "this is \(kind), expected a sentencepiece tokenizer.model")
    }

    package init(_ bytes: [UInt8]) throws(AlpacaError) {
        source = bytes
        guard !bytes.isEmpty else { throw AlpacaError(.badFormat, "the file is empty, expected a sentencepiece model") }
        // No list of pieces looks like one.
        guard bytes.count < 8 || !CheckpointKind.isText(Array(bytes.prefix(1024))) else {
            throw AlpacaError(
                .badFormat, found: "a text file, which begins with \(bytes.quoted(limit: 60))", expected: "a sentencepiece tokenizer.model")
        }
        // The pieces' texts are a part of the bytes; beside them a place, a score and a kind for each, and a piece takes 4 bytes or more. All
        // of it grows by doubling.
        try LargeMemory.ask(bytes.count, of: 8, for: "list of pieces")
        var reader = ProtobufReader(bytes)
        while !reader.isAtEnd {
            let (field, value) = try reader.next()
            guard case .bytes(let range) = value else { continue }
            switch field {
            case 1:
                do {
                    try readPiece(ProtobufReader(bytes, in: range))
                } catch {
                    throw error.inContext("piece \(pieces.count)")
                }
                piecesEnd = reader.position
            case 2:
                hasTrainerSettings = true
                try readTrainer(ProtobufReader(bytes, in: range))
            case 3: try readNormalizer(ProtobufReader(bytes, in: range))
            default: break
            }
        }
        guard !pieces.isEmpty else {
            throw AlpacaError(.badFormat, "no pieces were found: this is not a sentencepiece model")
        }
    }

    /// Throws when a piece's score is no number, whatever kind of model it is.
    package func checkScores() throws(AlpacaError) {
        for i in scores.indices where !scores[i].isFinite && (kinds[i] == .normal || kinds[i] == .userDefined) {
            throw SentencePieceModel.noScore(pieces, i, scores[i])
        }
    }

    static func noScore(_ pieces: GGUFStrings, _ id: Int, _ score: Float) -> AlpacaError {
        AlpacaError(
            .badFormat, "vocabulary: the score of piece \(id), \(pieces.text(id).quoted(limit: 40)), is \(score), no number")
    }

    private mutating func readPiece(_ message: ProtobufReader) throws(AlpacaError) {
        var reader = message
        var text: Range<Int>?
        var score: Float = 0
        var kind = TokenKind.normal
        while !reader.isAtEnd {
            switch try reader.next() {
            case (1, .bytes(let range)): text = range
            case (2, .fixed32(let bits)): score = Float(bitPattern: bits)
            case (3, .varint(let number)):
                guard let known = UInt8(exactly: number).flatMap(TokenKind.init(rawValue:)) else {
                    throw AlpacaError(.badFormat, "found type \(number), expected 1 to 6")
                }
                kind = known
            case (1, _), (2, _), (3, _): throw AlpacaError(.badFormat, "a field has the wrong wire type")
            default: break
            }
        }
        guard let text else { throw AlpacaError(.missing, "the piece has no text") }
        pieces.append(reader.bytes[text])
        scores.append(score)
        kinds.append(kind)
    }

    private mutating func readTrainer(_ message: ProtobufReader) throws(AlpacaError) {
        var reader = message
        func id(_ number: UInt64) -> TokenID? {
            // Negative numbers ("none") are written as 64 bits.
            TokenID(exactly: Int64(bitPattern: number)).flatMap { $0 < 0 ? nil : $0 }
        }
        while !reader.isAtEnd {
            switch try reader.next() {
            case (3, .varint(let number)):
                guard let known = Int(exactly: number).flatMap(Kind.init(rawValue:)) else {
                    throw AlpacaError(.unsupported, "trainer settings: found model type \(number), expected 1 to 4")
                }
                kind = known
            case (35, .varint(let number)): fallsBackToBytes = number != 0
            case (40, .varint(let number)): unknown = id(number)
            case (41, .varint(let number)): bos = id(number)
            case (42, .varint(let number)): eos = id(number)
            case (43, .varint(let number)): pad = id(number)
            default: break
            }
        }
    }

    private mutating func readNormalizer(_ message: ProtobufReader) throws(AlpacaError) {
        var reader = message
        while !reader.isAtEnd {
            switch try reader.next() {
            case (1, .bytes(let range)): normalizer = String(decoding: reader.bytes[range], as: UTF8.self)
            case (2, .bytes(let range)): hasNormalizerRules = !range.isEmpty
            case (3, .varint(let number)): addsDummyPrefix = number != 0
            case (4, .varint(let number)): removesExtraSpaces = number != 0
            case (5, .varint(let number)): escapesSpaces = number != 0
            default: break
            }
        }
    }
}
