// What files say of tokens: GGUF and sentencepiece share the numbers, so both readers and the tokenizer above them use these types.

/// A token's number in its vocabulary, from 0.
public typealias TokenID = Int32

/// Tokens of a vocabulary, at most: those of real ones stay far below.
package enum VocabularyLimit {
    package static let count = 1 << 22
}

/// What kind of token a piece is. The numbers are those of sentencepiece and of GGUF.
public enum TokenKind: UInt8, Sendable {
    case normal = 1
    case unknown = 2
    /// Begins or ends a text and the like; never found in text, decodes to nothing.
    case control = 3
    case userDefined = 4
    case unused = 5
    /// One byte, "<0x0A>".
    case byte = 6
}
