/// The angles of one sequence under dynamic NTK: their base follows the length that the text has at the end of each call, for all positions of
/// that call. Keys that were read before keep the angles that they were read with, as with transformers' cache.
///
/// Positions that were read while the text fitted into the original context have the ordinary angles; only those are shared with other
/// sequences.
final class DynamicAngles {
    private let scaling: ModelConfiguration.RopeScaling
    private let settings: ModelConfiguration.DynamicNTK
    private let theta: Double
    private let dimension: Int
    let rotary: RotaryEmbedding
    /// The length that the angles of the call are for; the original context's where that is longer.
    private(set) var length: Int
    /// The length that they are made for.
    private var madeLength: Int
    /// Positions from the first on that have the ordinary angles.
    private var plain = 0

    /// nil where angles don't depend on the length.
    init?(_ kind: PagePool.Kind, dimension: Int, ropeFactors: [Float]) throws(AlpacaError) {
        guard case .dynamic(let settings) = kind.ropeScaling else { return nil }
        self.settings = settings
        scaling = kind.ropeScaling
        theta = kind.ropeTheta
        self.dimension = dimension
        rotary = try RotaryEmbedding(theta: kind.ropeTheta, dimension: dimension, scaling: .none, factors: ropeFactors)
        length = settings.originalContextLength
        madeLength = settings.originalContextLength
    }

    /// The length that angles of a call have to be made for.
    ///
    /// - Parameter end: positions that are filled when the call is over.
    func length(through end: Int) -> Int {
        let original = settings.originalContextLength
        guard settings.factor != nil else { return max(end, original) }
        // As transformers does it: the base never shrinks but back to the original one, for a call that ends before the original context does.
        return end > length ? end : end < original ? original : length
    }

    /// Whether whole pages may be taken over from others, and given to them, in a call for that length after `count` positions.
    func sharesPages(_ length: Int, after count: Int) -> Bool { length == settings.originalContextLength && plain >= count }

    /// Whether the positions up to `end` have the ordinary angles.
    func isPlain(through end: Int) -> Bool { end <= plain }

    /// A call begins that fills the positions up to `end`.
    func begin(through end: Int) { length = length(through: end) }

    /// A call is taken back.
    func restore(_ length: Int) { self.length = length }

    /// Makes the angles for the call. No step may be reading them.
    func make() {
        guard madeLength != length else { return }
        madeLength = length
        rotary.setBase(theta * scaling.baseFactor(length: length, dimension: dimension))
    }

    /// Positions were filled, from `start` to `end`.
    func filled(from start: Int, to end: Int) {
        if length == settings.originalContextLength, plain >= start { plain = end }
    }

    /// Positions from `position` on were forgotten. A text that begins anew has the ordinary angles.
    func forgot(from position: Int) {
        plain = min(plain, position)
        if position == 0 { length = settings.originalContextLength }
    }
}
