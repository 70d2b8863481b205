internal import CAlpacaKernels

/// SHA-256 (FIPS 180-4) of bytes that come piece by piece. The blocks go to a kernel that uses the CPU's SHA instructions where it has them.
package struct SHA256 {
    private var state = Array(SHA256.initial)
    /// Bytes that don't fill a block yet; `pendingCount` of the 64 count.
    private var pending = [UInt8](repeating: 0, count: blockSize)
    private var pendingCount = 0
    private var length: UInt64 = 0
    private let portable: Bool

    private static let blockSize = 64
    private static let initial: [UInt32] = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]

    package init() { self.init(portable: false) }

    /// With `portable`, the plain C path whatever the CPU has: for tests.
    package init(portable: Bool) { self.portable = portable }

    /// What the kernel uses: "sha" for the CPU's instructions, or "generic".
    package static var implementation: String { unsafe String(cString: kern_sha256_name()) }

    package mutating func update(_ bytes: some Sequence<UInt8>) {
        let array = Array(bytes)
        unsafe array.withUnsafeBytes { buffer in unsafe update(buffer) }
    }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard var next = bytes.baseAddress, bytes.count > 0 else { return }
        var left = bytes.count
        length &+= UInt64(left)
        if pendingCount > 0 {
            let taken = min(left, SHA256.blockSize - pendingCount)
            // Bound: taken <= left bytes are in the buffer.
            for offset in 0..<taken { pending[pendingCount + offset] = unsafe next.load(fromByteOffset: offset, as: UInt8.self) }
            pendingCount += taken
            unsafe next += taken
            left -= taken
            if pendingCount == SHA256.blockSize {
                compressPending()
                pendingCount = 0
            }
        }
        let blocks = left / SHA256.blockSize
        if blocks > 0 {
            // Bound: whole blocks of what is left in the buffer.
            unsafe compress(next.assumingMemoryBound(to: UInt8.self), blocks: blocks)
            unsafe next += blocks * SHA256.blockSize
            left -= blocks * SHA256.blockSize
        }
        // Bound: left is less than a block, and pending is empty unless the input ended above.
        for offset in 0..<left { pending[offset] = unsafe next.load(fromByteOffset: offset, as: UInt8.self) }
        if left > 0 { pendingCount = left }
    }

    /// The 32 bytes of the digest of everything so far.
    package func digest() -> [UInt8] {
        var last = self
        let bits = length &* 8
        let padding = (pendingCount < 56 ? 56 : 120) - pendingCount
        var tail = [UInt8](repeating: 0, count: padding)
        tail[0] = 0x80
        for shift in stride(from: 56, through: 0, by: -8) { tail.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift))) }
        last.update(tail)
        return last.state.flatMap { word in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) } }
    }

    /// The digest as 64 lower-case hexadecimal digits.
    package func hexDigest() -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: digest().flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    private mutating func compressPending() {
        let block = pending
        // Bound: pending is one block.
        unsafe block.withUnsafeBufferPointer { buffer in
            if let base = buffer.baseAddress { unsafe compress(base, blocks: 1) }
        }
    }

    private mutating func compress(_ data: UnsafePointer<UInt8>, blocks: Int) {
        // Bound: the state is eight words; the caller has counted the blocks.
        unsafe state.withUnsafeMutableBufferPointer { words in
            if portable {
                unsafe kern_sha256_generic(words.baseAddress, data, blocks)
            } else {
                unsafe kern_sha256(words.baseAddress, data, blocks)
            }
        }
    }
}
