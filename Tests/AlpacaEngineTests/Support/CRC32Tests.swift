import AlpacaEngine
import CAlpacaKernels
import Testing

@Suite struct CRC32Tests {
    static func crc(_ bytes: some Sequence<UInt8>) -> UInt32 {
        var crc = CRC32()
        Array(bytes).withUnsafeBytes { crc.update($0) }
        return crc.value
    }

    /// The check value of the catalog of CRCs, and values of Python's zlib.crc32.
    @Test func `known values`() {
        #expect(Self.crc([]) == 0)
        #expect(Self.crc("123456789".utf8) == 0xcbf4_3926)
        #expect(Self.crc("The quick brown fox jumps over the lazy dog".utf8) == 0x414f_a339)
        #expect(Self.crc([UInt8](repeating: 0, count: 1000)) == 0x060b_1780)
        #expect(Self.crc((0..<256).map { UInt8($0) }) == 0x2905_8c73)
    }

    @Test func `any split and any combination give the same`() {
        let bytes = (0..<200).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ $0 >> 3) }
        let whole = Self.crc(bytes)
        for cut in 0...bytes.count {
            var parts = CRC32()
            bytes.withUnsafeBytes { parts.update(UnsafeRawBufferPointer(rebasing: $0[..<cut])) }
            bytes.withUnsafeBytes { parts.update(UnsafeRawBufferPointer(rebasing: $0[cut...])) }
            #expect(parts.value == whole, "cut at \(cut)")
            let combined = CRC32.combine(Self.crc(bytes[..<cut]), Self.crc(bytes[cut...]), lengthOfB: bytes.count - cut)
            #expect(combined == whole, "cut at \(cut)")
        }
    }

    @Test func `the instruction and the tables give the same`() {
        var random = SplitMix(21)
        for length in Array(0...300) + [383, 384, 385, 511, 1000, 4096, 70001] {
            let bytes = GuardedBuffer<UInt8>(count: max(1, length), repeating: 0)
            for i in 0..<length { bytes.pointer[i] = UInt8(truncatingIfNeeded: random.next()) }
            let before = UInt32(truncatingIfNeeded: random.next()), start = bytes.pointer + bytes.count - length
            #expect(kern_crc32(before, start, length) == kern_crc32_generic(before, start, length), "\(length) bytes")
        }
    }
}
