extension [UInt8] {
    /// Appends the bytes of `value`, the lowest first, as all formats here have them.
    mutating func append(littleEndian value: some FixedWidthInteger) {
        for byte in 0..<value.bitWidth / 8 { append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
    }
}
