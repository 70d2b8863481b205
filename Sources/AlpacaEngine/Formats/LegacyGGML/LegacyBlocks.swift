/// Puts the blocks of legacy files into today's layouts.
enum LegacyBlocks {
    /// - Parameters:
    ///   - source: `count` blocks of `type.bytesPerBlock` bytes, any alignment.
    ///   - target: room for `count` times `type.bytesPerBlockRead` bytes; may be `source` for the current layout only.
    /// - Returns: false when a scale is too large for F16: the values would be lost.
    @unsafe static func convert(
        _ source: UnsafeRawPointer, _ type: LegacyTensorType, count: Int, into target: UnsafeMutableRawPointer
    ) -> Bool {
        var isFinite = true
        // Bound, here and below: i < count, so that reading stays in the blocks of the source and writing in those of the target.
        switch type.layout {
        case .current:
            unsafe target.copyMemory(from: source, byteCount: count * type.bytesPerBlock)
        case .blocks32(let scales, let kept, let reordered):
            let front = 2 * scales + kept
            for i in 0..<count {
                let from = unsafe source + i * type.bytesPerBlock
                let to = unsafe target + i * type.bytesPerBlockRead
                for k in 0..<scales { unsafe isFinite = narrow(from + 4 * k, to: to + 2 * k) && isFinite }
                unsafe to.copyMemory(from: from, byteCount: kept)
                unsafe copyHalves(from + 4 * scales + kept, to: to + front, reordered: reordered)
            }
        case .q8_0:
            for i in 0..<count {
                let from = unsafe source + i * 36
                let to = unsafe target + i * 34
                unsafe isFinite = narrow(from, to: to) && isFinite
                unsafe (to + 2).copyMemory(from: from + 4, byteCount: 32)
            }
        case .q4_2:
            for i in 0..<count { unsafe isFinite = q4_2(source + i * 10, to: target + i * 32) && isFinite }
        case .q4_3:
            for i in 0..<count { unsafe isFinite = q4_3(source + i * 12, to: target + i * 32) && isFinite }
        }
        return isFinite
    }

    /// An F32 scale as F16. One that is no number in the file either is passed on as it is.
    @unsafe private static func narrow(_ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer) -> Bool {
        let wide = unsafe Float(bitPattern: UInt32(littleEndian: source.loadUnaligned(as: UInt32.self)))
        return unsafe store(wide, to: target)
    }

    @unsafe private static func store(_ wide: Float, to target: UnsafeMutableRawPointer) -> Bool {
        let bits = Float16(wide).bitPattern
        unsafe target.storeBytes(of: bits.littleEndian, as: UInt16.self)
        return !wide.isFinite || bits & 0x7c00 != 0x7c00
    }

    /// 16 bytes of two weights each.
    @unsafe private static func copyHalves(_ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, reordered: Bool) {
        guard reordered else {
            unsafe target.copyMemory(from: source, byteCount: 16)
            return
        }
        // Old byte i is (weight 2i, weight 2i + 1); byte j is to be (weight j, weight j + 16). So the bytes j = 2i take the low halves of
        // the old bytes i and i + 8, and the bytes j = 2i + 1 their high halves.
        let first = unsafe source.loadUnaligned(as: SIMD8<UInt8>.self)
        let second = unsafe (source + 8).loadUnaligned(as: SIMD8<UInt8>.self)
        var result = SIMD16<UInt8>()
        result.evenHalf = (first & 0x0f) | (second &<< 4)
        result.oddHalf = (first &>> 4) | (second & 0xf0)
        unsafe target.storeBytes(of: result, as: SIMD16<UInt8>.self)
    }

    /// weight = (half - 8) * d
    @unsafe private static func q4_2(_ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer) -> Bool {
        let d = unsafe Float(Float16(bitPattern: UInt16(littleEndian: source.loadUnaligned(as: UInt16.self))))
        var isFinite = true
        for i in 0..<8 {
            let byte = unsafe source.load(fromByteOffset: 2 + i, as: UInt8.self)
            unsafe isFinite = store(Float(Int(byte & 15) - 8) * d, to: target + 4 * i) && isFinite
            unsafe isFinite = store(Float(Int(byte >> 4) - 8) * d, to: target + 4 * i + 2) && isFinite
        }
        return isFinite
    }

    /// weight = half * d + m
    @unsafe private static func q4_3(_ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer) -> Bool {
        let d = unsafe Float(Float16(bitPattern: UInt16(littleEndian: source.loadUnaligned(as: UInt16.self))))
        let m = unsafe Float(Float16(bitPattern: UInt16(littleEndian: source.loadUnaligned(fromByteOffset: 2, as: UInt16.self))))
        var isFinite = true
        for i in 0..<8 {
            let byte = unsafe source.load(fromByteOffset: 4 + i, as: UInt8.self)
            unsafe isFinite = store(Float(byte & 15) * d + m, to: target + 4 * i) && isFinite
            unsafe isFinite = store(Float(byte >> 4) * d + m, to: target + 4 * i + 2) && isFinite
        }
        return isFinite
    }
}
