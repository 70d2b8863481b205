internal import CAlpacaKernels

/// How keys and values are kept.
public enum CacheType: Int32, Sendable, CaseIterable {
    case f32 = 0
    case f16 = 1
    /// 8 bits a component, and a scale for each 32 of a position: a little more than half of F16. Heads of whole blocks of 32.
    case q8_0 = 8

    /// Positions of a page, see `kern_kv`.
    static let positionsPerPage = Int(KERN_KEY_BLOCK)

    /// Bytes of a page's positions of one head.
    func bytesPerBlock(headDimension: Int) -> Int { kern_kv_block_bytes(rawValue, headDimension) }
}
