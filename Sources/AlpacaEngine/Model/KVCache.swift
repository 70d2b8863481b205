internal import CAlpacaKernels

/// How keys and values are kept.
public enum CacheType: Int32, Sendable, CaseIterable {
    case f32 = 0
    case f16 = 1
    /// 8 bits a component, and a scale for each 32 of a position: a little more than half of F16. Heads of whole blocks of 32.
    case q8_0 = 8

    static let positionsPerBlock = Int(KERN_KEY_BLOCK)

    /// Bytes of a block of positions of one head.
    func bytesPerBlock(headDimension: Int) -> Int { kern_kv_block_bytes(rawValue, headDimension) }
}

/// The keys and values of one sequence, all layers, in one piece of memory that the system provides as it is touched, and the angles by
/// which its keys are turned.
///
/// Layout of a layer: `alpaca_kernels.h`, `kern_kv`. Positions from ``count`` on hold nothing of meaning.
@safe final class KVCache {
    let contextLength: Int
    /// Positions that are filled.
    private(set) var count = 0
    let byteCount: Int

    private let rotary: RotaryEmbedding
    private let buffer: AlignedBuffer
    private let layout: kern_kv
    private let keyBytes: Int
    private let layerBytes: Int

    /// - Parameter contextLength: positions to hold, 1 or more.
    init(
        _ configuration: ModelConfiguration, contextLength: Int, keys: CacheType, values: CacheType, rotary: RotaryEmbedding
    ) throws(AlpacaError) {
        let what = "key and value cache of \(contextLength) positions"
        let capacity = try CheckedMath.align(contextLength, to: Int(KERN_KEY_BLOCK), of: what)
        let head = configuration.headDimension
        for type in [keys, values] where type == .q8_0 && head % Int(KERN_KV_SCALED) != 0 {
            throw AlpacaError(
                .unsupported, "\(what): heads of \(head) components are not a multiple of \(KERN_KV_SCALED): choose F16 or F32, not Q8_0")
        }
        let blocks = try CheckedMath.product(capacity / Int(KERN_KEY_BLOCK), configuration.keyValueHeadCount, of: what)
        keyBytes = try CheckedMath.product(blocks, keys.bytesPerBlock(headDimension: head), of: what)
        layerBytes = try CheckedMath.sum(
            keyBytes, try CheckedMath.product(blocks, values.bytesPerBlock(headDimension: head), of: what), of: what)
        byteCount = try CheckedMath.product(layerBytes, configuration.layerCount, of: what)
        try MemoryBudget.require(byteCount, for: what)
        buffer = try AlignedBuffer(count: byteCount, for: what)
        self.contextLength = contextLength
        self.rotary = rotary
        unsafe layout = kern_kv(
            keys: nil, values: nil, capacity: capacity, n_head_kv: configuration.keyValueHeadCount,
            head_dim: configuration.headDimension, key_kind: keys.rawValue, value_kind: values.rawValue)
    }

    /// What a forward pass needs of the cache; valid while the cache lives.
    var view: View {
        unsafe View(base: buffer.base, keyBytes: keyBytes, layerBytes: layerBytes, layout: layout, frequencies: rotary.pointer)
    }

    @safe struct View: BitwiseCopyable {
        let base: UnsafeMutableRawPointer
        let keyBytes, layerBytes: Int
        let layout: kern_kv
        let frequencies: UnsafePointer<Double>

        /// Keys and values of layer `index`, 0 ..< layerCount.
        func layer(_ index: Int) -> kern_kv {
            var kv = unsafe layout
            // Bound: index < layerCount, so both parts lie inside the cache's layerCount * layerBytes bytes.
            unsafe kv.keys = base + index * layerBytes
            unsafe kv.values = base + index * layerBytes + keyBytes
            return unsafe kv
        }
    }

    func advance(by tokens: Int) { count = min(contextLength, count + tokens) }
    func truncate(to length: Int) { count = min(count, max(0, length)) }
}
