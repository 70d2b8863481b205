internal import CAlpacaKernels

/// CRC-32 as zip files have it (the polynomial of IEEE 802.3, bits reflected), of bytes that come piece by piece. A kernel does the work,
/// by carry-less multiplication where the CPU has it.
package struct CRC32: Sendable {
    /// The checksum of everything so far.
    package private(set) var value: UInt32 = 0

    package init() {}

    /// What the kernel uses: "pclmul" or "crc32" for the CPU's instruction, or "generic".
    package static var implementation: String { unsafe String(cString: kern_crc32_name()) }

    private static let polynomial: UInt32 = 0xedb8_8320

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        // Bound: the kernel reads bytes.count bytes from the start.
        value = unsafe kern_crc32(value, start.assumingMemoryBound(to: UInt8.self), bytes.count)
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
