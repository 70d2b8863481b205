import Glibc

/// Mathematical functions that the standard library lacks.
enum Numerics {
    static func power(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }
    static func exponential(_ x: Double) -> Double { exp(x) }
    static func logarithm(_ x: Double) -> Double { log(x) }

    /// e^x for eight numbers at once, x <= 0, to a unit of the last place; 0 for what is below 1e-307 of 1. By operations that are the same on
    /// every machine.
    static func exponential(_ x: SIMD8<Double>) -> SIMD8<Double> {
        let x = x.replacing(with: SIMD8(repeating: -708), where: .!(x .>= -708))
        // 2^n e^r, |r| <= ln(2) / 2: n by the trick of adding 1.5 * 2^52, e^r by its series.
        let shifted = x * 1.4426950408889634 + 6_755_399_441_055_744
        let n = shifted - 6_755_399_441_055_744
        let r = x - n * 0.6931471803691238 - n * 1.9082149292705877e-10
        var e = SIMD8<Double>(repeating: 1 / 6_227_020_800)
        e = e * r + 1 / 479_001_600
        e = e * r + 1 / 39_916_800
        e = e * r + 1 / 3_628_800
        e = e * r + 1 / 362_880
        e = e * r + 1 / 40320
        e = e * r + 1 / 5040
        e = e * r + 1 / 720
        e = e * r + 1 / 120
        e = e * r + 1 / 24
        e = e * r + 1 / 6
        e = e * r + 0.5
        e = e * r + 1
        e = e * r + 1
        // Bits as numbers and back.
        let bits = unsafe unsafeBitCast(e, to: SIMD8<Int64>.self) &+ (unsafe unsafeBitCast(shifted, to: SIMD8<Int64>.self) &<< 52)
        return unsafe unsafeBitCast(bits, to: SIMD8<Double>.self).replacing(with: 0, where: x .<= -708)
    }
}
