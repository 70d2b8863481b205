/// CRC-32 as zip files have it (the polynomial of IEEE 802.3, bits reflected), of bytes that come piece by piece.
package struct CRC32: Sendable {
    /// Before the final inversion, as the update wants it.
    private var state: UInt32 = .max

    package init() {}

    /// The checksum of everything so far.
    package var value: UInt32 { ~state }

    private static let polynomial: UInt32 = 0xedb8_8320

    /// 16 tables of 256: entry `256 * k + b` is what the byte `b` contributes when `k` more bytes follow it in the same step.
    private static let tables: [UInt32] = {
        var result = [UInt32](repeating: 0, count: 16 * 256)
        for byte in 0..<256 {
            var remainder = UInt32(byte)
            for _ in 0..<8 { remainder = remainder >> 1 ^ (remainder & 1 == 0 ? 0 : polynomial) }
            result[byte] = remainder
        }
        for entry in 256..<16 * 256 {
            let before = result[entry - 256]
            result[entry] = before >> 8 ^ result[Int(before & 0xff)]
        }
        return result
    }()

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        let crc = state
        // Bound: every index into the tables is 256 * k plus a byte, k < 16; every load ends at or before bytes.count.
        state = unsafe CRC32.tables.withUnsafeBufferPointer { table in
            guard let table = table.baseAddress else { return crc }
            var crc = crc
            var at = 0
            while bytes.count - at >= 16 {
                let low = unsafe (start + at).loadUnaligned(as: UInt64.self).littleEndian ^ UInt64(crc)
                let high = unsafe (start + at + 8).loadUnaligned(as: UInt64.self).littleEndian
                crc = unsafe step(low, table + 8 * 256) ^ step(high, table)
                at += 16
            }
            while at < bytes.count {
                let byte = unsafe (start + at).load(as: UInt8.self)
                crc = unsafe crc >> 8 ^ table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)]
                at += 1
            }
            return crc
        }
    }

    /// What eight bytes contribute; `table` is that of the last of them.
    @inline(__always) private func step(_ word: UInt64, _ table: UnsafePointer<UInt32>) -> UInt32 {
        // Bound: the caller passes a table with at least seven more behind it.
        unsafe table[7 * 256 + Int(word & 0xff)] ^ table[6 * 256 + Int(word >> 8 & 0xff)]
            ^ table[5 * 256 + Int(word >> 16 & 0xff)] ^ table[4 * 256 + Int(word >> 24 & 0xff)]
            ^ table[3 * 256 + Int(word >> 32 & 0xff)] ^ table[2 * 256 + Int(word >> 40 & 0xff)]
            ^ table[256 + Int(word >> 48 & 0xff)] ^ table[Int(word >> 56)]
    }

    /// The checksum of two pieces, one behind the other, from the checksums of each: pieces may be summed by several threads.
    package static func combine(_ a: UInt32, _ b: UInt32, lengthOfB: Int) -> UInt32 {
        // Checksums are remainders of polynomials: to append n bytes is to multiply by x^(8n), which goes by squaring x^8.
        var power = UInt32(1) << 23
        var shifted = a
        var length = UInt64(max(0, lengthOfB))
        while length > 0 {
            if length & 1 == 1 { shifted = multiply(shifted, power) }
            power = multiply(power, power)
            length >>= 1
        }
        return shifted ^ b
    }

    /// The product of two polynomials modulo the checksum's. Bit 31 stands for 1, bit 0 for x^31.
    private static func multiply(_ a: UInt32, _ b: UInt32) -> UInt32 {
        var result: UInt32 = 0
        var factor = b
        for bit in (UInt32(0)..<32).reversed() {
            if a >> bit & 1 == 1 { result ^= factor }
            factor = factor >> 1 ^ (factor & 1 == 0 ? 0 : polynomial)
        }
        return result
    }
}
