internal import CAlpacaKernels

/// The angles of rotary position embedding (RoPE, arXiv:2104.09864): pair i of a head turns by `position * frequency[i]`.
@safe final class RotaryEmbedding: @unchecked Sendable {
    /// Pairs that turn.
    let count: Int
    /// What cosine and sine are multiplied with.
    let scale: Float
    private let frequencies: AlignedBuffer
    private let dimension: Int
    private let factors: [Float]

    /// frequency[i] = theta^(-2i / dimension), scaled, and divided by the file's factor for pair i.
    ///
    /// - Parameters:
    ///   - dimension: components of a head that turn; even.
    ///   - factors: `rope_freqs.weight`, one divisor a pair, or empty.
    init(theta: Double, dimension: Int, scaling: ModelConfiguration.RopeScaling, factors: [Float]) throws(AlpacaError) {
        count = dimension / 2
        self.dimension = dimension
        self.factors = factors
        let (values, scale) = scaling.frequencies(theta: theta, dimension: dimension)
        self.scale = Float(scale)
        frequencies = try AlignedBuffer(count, of: Double.self, for: "rotary frequencies")
        for i in 0..<count {
            let factor = i < factors.count ? Double(factors[i]) : 1
            // Bound: i < count, as the buffer was made.
            unsafe frequencies.pointer(as: Double.self)[i] = values[i] / factor
        }
    }

    /// Turns by another base from now on, unscaled. Nobody may be reading ``pointer`` meanwhile. Allocates nothing.
    func setBase(_ theta: Double) {
        for i in 0..<count {
            let factor = i < factors.count ? Double(factors[i]) : 1
            // Bound: i < count, as the buffer was made.
            unsafe frequencies.pointer(as: Double.self)[i] = Numerics.power(theta, -2 * Double(i) / Double(dimension)) / factor
        }
    }

    /// `count` values; valid while this object lives.
    var pointer: UnsafePointer<Double> { unsafe UnsafePointer(frequencies.pointer()) }
}
