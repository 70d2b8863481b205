/// Writes Protocol Buffers' wire format, a field after the other.
struct ProtobufWriter {
    private(set) var message: [UInt8] = []

    mutating func varint(_ field: Int, _ value: UInt64) {
        tag(field, 0)
        append(value)
    }

    mutating func fixed32(_ field: Int, _ bits: UInt32) {
        tag(field, 5)
        for shift in [0, 8, 16, 24] { message.append(UInt8(truncatingIfNeeded: bits >> UInt32(shift))) }
    }

    mutating func bytes(_ field: Int, _ bytes: some Collection<UInt8>) {
        tag(field, 2)
        append(UInt64(bytes.count))
        message += bytes
    }

    private mutating func tag(_ field: Int, _ wire: UInt64) { append(UInt64(field) << 3 | wire) }

    private mutating func append(_ value: UInt64) {
        var rest = value
        while rest > 0x7f {
            message.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        message.append(UInt8(rest))
    }
}
