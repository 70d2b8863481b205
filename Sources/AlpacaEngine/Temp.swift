
public typealias TokenID = Int32
public final class Tokenizer: Sendable {
    public let count: Int
    let pieces: GGUFStrings
    init(_ m: GGUFMetadata) throws(AlpacaError) { pieces = try m.strings(GGUFKey.tokens); count = pieces.count }
    public var bos: TokenID? { 1 }
    public var eos: TokenID? { 2 }
    public var eot: TokenID? { nil }
    public var addsBOS: Bool { true }
    public func encode(_ t: String, addBOS: Bool = false, parseSpecial: Bool = false, addsSpacePrefix: Bool = true) -> [TokenID] { [] }
    public func decode(_ ids: [TokenID]) -> String { "" }
    public func piece(_ id: TokenID) -> String? { id >= 0 && id < count ? pieces.text(Int(id)) : nil }
    public func id(ofPiece: String) -> TokenID? { nil }
    package func appendBytes(of id: TokenID, to: inout [UInt8]) { to += Array(piece(id)!.utf8) }
}
extension Model { var quantizationName: String { "" } }
