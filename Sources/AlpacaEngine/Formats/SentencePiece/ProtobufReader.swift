/// Reads Protocol Buffers' wire format (protobuf.dev, "Encoding") from bytes in memory, one field after the other. Groups, which nest, are
/// refused; nothing else nests unless the caller opens it.
struct ProtobufReader {
    enum Value: Equatable {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        /// The place of a length-delimited value in the reader's bytes.
        case bytes(Range<Int>)
    }

    let bytes: [UInt8]
    private(set) var position: Int
    let end: Int

    /// - Parameter range: lies inside `bytes`.
    init(_ bytes: [UInt8], in range: Range<Int>? = nil) {
        self.bytes = bytes
        let range = (range ?? 0..<bytes.count).clamped(to: 0..<bytes.count)
        position = range.lowerBound
        end = range.upperBound
    }

    var isAtEnd: Bool { position >= end }

    /// The next field's number and value.
    mutating func next() throws(AlpacaError) -> (field: Int, value: Value) {
        let at = position
        let tag = try varint("tag")
        guard let field = Int(exactly: tag >> 3), field > 0, field < 1 << 29 else {
            throw AlpacaError(.badFormat, "byte \(at): found field number \(tag >> 3), expected 1 to \(1 << 29 - 1)")
        }
        switch tag & 7 {
        case 0: return (field, .varint(try varint("field \(field)")))
        case 1: return (field, .fixed64(UInt64(littleEndianBytes: bytes[try take(8, field)])))
        case 2:
            let length = try varint("length of field \(field)")
            guard let count = Int(exactly: length) else {
                throw AlpacaError(.truncated, "byte \(at): field \(field) has \(length) bytes, \(end - position) are left")
            }
            return (field, .bytes(try take(count, field)))
        case 5: return (field, .fixed32(UInt32(truncatingIfNeeded: UInt64(littleEndianBytes: bytes[try take(4, field)]))))
        default:
            throw AlpacaError(.badFormat, "byte \(at): field \(field) has wire type \(tag & 7), expected 0, 1, 2 or 5")
        }
    }

    private mutating func take(_ count: Int, _ field: Int) throws(AlpacaError) -> Range<Int> {
        guard count >= 0, count <= end - position else {
            throw AlpacaError(
                .truncated, "byte \(position): field \(field) has \(count) bytes, \(end - position) are left (is the file complete?)")
        }
        defer { position += count }
        return position..<position + count
    }

    private mutating func varint(_ what: @autoclosure () -> String) throws(AlpacaError) -> UInt64 {
        let at = position
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while position < end {
            let byte = bytes[position]
            position += 1
            guard shift < 63 || byte <= 1 else { break }
            result |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return result }
            shift += 7
            if shift > 63 { break }
        }
        guard position < end || shift > 63 else {
            throw AlpacaError(.truncated, "byte \(at): \(what()) is cut off (is the file complete?)")
        }
        throw AlpacaError(.badFormat, "byte \(at): \(what()) is a number of more than 64 bits")
    }
}

extension UInt64 {
    /// At most eight bytes, the lowest first.
    fileprivate init(littleEndianBytes bytes: ArraySlice<UInt8>) {
        self = 0
        for byte in bytes.prefix(8).reversed() { self = self << 8 | UInt64(byte) }
    }
}
