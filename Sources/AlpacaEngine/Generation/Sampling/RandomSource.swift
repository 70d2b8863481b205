/// Random numbers that are the same on every machine for the same seed: xoshiro256** (Blackman and Vigna, "Scrambled linear pseudorandom
/// number generators", 2018), its state filled by SplitMix64.
struct RandomSource {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    init(seed: UInt64) {
        var x = seed
        func splitMix() -> UInt64 {
            x &+= 0x9E37_79B9_7F4A_7C15
            var z = x
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
        state = (splitMix(), splitMix(), splitMix(), splitMix())
    }

    /// The source of the draw at a position: with the same seed and position it gives the same numbers, whatever was drawn before. This is what
    /// a seed promises, in whatever way tokens are drawn.
    init(seed: UInt64, position: Int) { self.init(seed: seed ^ UInt64(position) &* 0xD1B5_4A32_D192_ED03) }

    /// A source that the system seeds.
    init() { self.init(seed: UInt64.random(in: .min ... .max)) }

    mutating func next() -> UInt64 {
        func rotate(_ x: UInt64, _ by: UInt64) -> UInt64 { (x << by) | (x >> (64 - by)) }
        let result = rotate(state.1 &* 5, 7) &* 9
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = rotate(state.3, 45)
        return result
    }

    /// Uniform in 0 ..< 1, 53 bits.
    mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }
}
