import CAlpacaKernels
import Foundation
import Testing

/// Attention and the key-value cache. The promise under test: a token's output has the same bits on every path, in any batch, whatever
/// lies in the cache behind its position; and it is right.
@Suite struct AttentionKernelTests {
    static let shapes =
        [2, 16, 18, 64, 80, 128].flatMap { headDim in [1, 2, 4, 3].map { (headDim, $0) } } + [(128, 8), (64, 11), (256, 1)]
    /// Kinds of keys and of values that a head can be kept in.
    static func kinds(_ headDim: Int) -> [Int32] { [KERN_F16, KERN_F32].map { Int32($0) } + (headDim % 32 == 0 ? [Int32(KERN_Q8_0)] : []) }

    /// A cache of two KV heads in pages, each ending at a guard page, full of what an earlier conversation left: infinities and NaN. The
    /// layer at hand is the second of each page.
    final class Cache {
        let kv: kern_kv
        let pages: [GuardedBuffer<UInt8>]
        private let table: GuardedBuffer<UnsafeMutableRawPointer?>

        init(headDim: Int, capacity: Int, keyKind: Int32, valueKind: Int32) {
            let bytes = 2 * (kern_kv_block_bytes(keyKind, headDim) + kern_kv_block_bytes(valueKind, headDim))
            pages = (0..<capacity / 64).map { _ in GuardedBuffer(count: 2 * bytes, repeating: 0xFF) }
            for page in pages {
                for i in stride(from: 1, to: page.count, by: 6) { page.pointer[i] = 0x7C }
            }
            table = GuardedBuffer(pages.map { UnsafeMutableRawPointer($0.pointer) })
            kv = kern_kv(
                pages: table.pointer, layer: bytes, n_head_kv: 2, head_dim: headDim, key_kind: keyKind, value_kind: valueKind,
                fetch_level: 1)
        }

        func store(_ path: KernelPath, _ k: [Float], _ v: [Float], at position: Int) {
            let k = GuardedBuffer(k), v = GuardedBuffer(v)
            withUnsafePointer(to: kv) { path.vector.kv_store($0, position, k.pointer, v.pointer) }
            #expect(k.frontIsIntact && v.frontIsIntact)
        }

        /// Component `d` of the key or value that KV head `head` has at `position`, read as the header describes the layout.
        func number(_ part: Part, at position: Int, head: Int, _ d: Int) -> Double {
            let page = pages[position / 64].pointer
            let place = Place(part, kv, at: position, head: head, d)
            let at = page + place.number
            switch Int(part == .key ? kv.key_kind : kv.value_kind) {
            case KERN_F32: return Double(UnsafeRawPointer(at).loadUnaligned(as: Float.self))
            case KERN_F16: return Double(UnsafeRawPointer(at).loadUnaligned(as: Float16.self))
            default:
                return Double(Int8(bitPattern: at[0])) * Double(UnsafeRawPointer(page + place.scale).loadUnaligned(as: Float16.self))
            }
        }

        var bytes: [UInt8] { pages.flatMap(\.array) }
        var isIntact: Bool { pages.allSatisfy(\.frontIsIntact) }
    }

    enum Part { case key, value }

    /// Bytes from a page's beginning to a number of the cache, and to its scale if it has one: the layout of `kern_kv`, once more.
    struct Place {
        let number: Int, scale: Int

        init(_ part: Part, _ kv: kern_kv, at position: Int, head: Int, _ d: Int) {
            let headDim = kv.head_dim, lane = position % 64, kind = part == .key ? kv.key_kind : kv.value_kind
            let values = part == .key ? 0 : kv.n_head_kv * kern_kv_block_bytes(kv.key_kind, headDim)
            let block = kv.layer + values + head * kern_kv_block_bytes(kind, headDim)
            if kind == KERN_Q8_0 {
                let group = block + d / 32 * (64 * 2 + 32 * 64)
                number = part == .key ? group + 128 + d % 32 * 64 + lane : block + headDim / 32 * 64 * 2 + lane * headDim + d
                scale = part == .key ? group + lane * 2 : block + (d / 32 * 64 + lane) * 2
            } else {
                number = block + (part == .key ? d * 64 + lane : lane * headDim + d) * (kind == KERN_F32 ? 4 : 2)
                scale = number
            }
        }
    }

    /// Random queries, keys and values of `count` tokens.
    struct Tokens {
        let headDim: Int, group: Int, count: Int
        let q: [Float], k: [[Float]], v: [[Float]]
        var stride: Int { 2 * group * headDim }
        var scale: Float { 1 / Float(headDim).squareRoot() }

        init(headDim: Int, group: Int, count: Int, seed: UInt64) {
            var random = SplitMix(seed)
            (self.headDim, self.group, self.count) = (headDim, group, count)
            q = random.floats(count * 2 * group * headDim, within: 3)
            k = (0..<count).map { _ in random.floats(2 * headDim, within: 2) }
            v = (0..<count).map { _ in random.floats(2 * headDim) }
        }

        func cache(_ path: KernelPath, keyKind: Int32, valueKind: Int32) -> Cache {
            let cache = Cache(headDim: headDim, capacity: (count + 63) / 64 * 64, keyKind: keyKind, valueKind: valueKind)
            for t in 0..<count { cache.store(path, k[t], v[t], at: t) }
            #expect(cache.isIntact)
            return cache
        }

        /// The outputs of `tokens`, all heads, computed in calls of at most `batch` tokens.
        func attend(_ path: KernelPath, _ cache: Cache, tokens: Range<Int>, batch: Int, window: Int = 0) -> [UInt32] {
            let out = GuardedBuffer<Float>(count: tokens.count * stride, repeating: .nan)
            let queries = GuardedBuffer(Array(q[tokens.lowerBound * stride..<tokens.upperBound * stride]))
            let bytes = path.vector.attention_scratch_bytes(group, headDim)
            #expect(bytes % 64 == 0)
            let scratch = GuardedBuffer<UInt8>(count: bytes, repeating: 0xFF)
            withUnsafePointer(to: cache.kv) { kv in
                for first in Swift.stride(from: 0, to: tokens.count, by: batch) {
                    for head in 0..<2 {
                        path.vector.attention(
                            kv, head, group, tokens.lowerBound + first, min(batch, tokens.count - first), window,
                            queries.pointer + first * stride, stride, out.pointer + first * stride, stride, scale, scratch.pointer)
                    }
                }
            }
            #expect(out.frontIsIntact && scratch.frontIsIntact && queries.frontIsIntact && cache.isIntact)
            return out.array.bits
        }

        /// Softmax of all scores at once, in double precision, of the numbers in the cache that a token sees.
        func exact(_ token: Int, head: Int, _ cache: Cache, window: Int = 0) -> [Double] {
            let query = (token * 2 * group + head) * headDim, kvHead = head / group
            let seen = (window == 0 ? 0 : max(0, token + 1 - window))...token
            var weights = [Double](repeating: 0, count: token + 1), most = -Double.infinity, total = 0.0
            for t in seen {
                for d in 0..<headDim { weights[t] += Double(q[query + d]) * cache.number(.key, at: t, head: kvHead, d) }
                weights[t] *= Double(scale)
                most = max(most, weights[t])
            }
            var out = [Double](repeating: 0, count: headDim)
            for t in seen {
                let weight = exp(weights[t] - most)
                total += weight
                for d in 0..<headDim { out[d] += weight * cache.number(.value, at: t, head: kvHead, d) }
            }
            for d in 0..<headDim { out[d] /= total }
            return out
        }
    }

    @Test(arguments: shapes) func sameBitsOnEveryPathAndInEveryBatch(headDim: Int, group: Int) {
        let sequence = Tokens(headDim: headDim, group: group, count: 150, seed: UInt64(headDim * 100 + group))
        for keyKind in Self.kinds(headDim) {
            for valueKind in Self.kinds(headDim) {
                let cache = sequence.cache(.generic, keyKind: keyKind, valueKind: valueKind)
                let expected = sequence.attend(.generic, cache, tokens: 0..<150, batch: 150)
                for path in KernelPath.all {
                    if path.name != "generic" {
                        let same = sequence.cache(path, keyKind: keyKind, valueKind: valueKind)
                        #expect(firstDifference(same.bytes, cache.bytes) == nil, "\(path.name): kv_store")
                    }
                    for batch in [1, 7, 32, 64, 150] where path.name != "generic" || batch == 7 {
                        let got = sequence.attend(path, cache, tokens: 0..<150, batch: batch)
                        #expect(firstDifference(got, expected) == nil, "\(path.name), batches of \(batch), kinds \(keyKind) \(valueKind)")
                    }
                    let tail = sequence.attend(path, cache, tokens: 61..<131, batch: 70)
                    let part = expected[61 * sequence.stride..<131 * sequence.stride]
                    #expect(firstDifference(tail, part) == nil, "\(path.name): from position 61")
                }
            }
        }
    }

    @Test(arguments: shapes) func isSoftmaxOfAllScores(headDim: Int, group: Int) {
        let sequence = Tokens(headDim: headDim, group: group, count: 150, seed: UInt64(headDim * 200 + group))
        for kind in Self.kinds(headDim) {
            let cache = sequence.cache(.generic, keyKind: kind, valueKind: kind)
            for token in [0, 1, 15, 16, 62, 63, 64, 65, 127, 128, 149] {
                let out = sequence.attend(.generic, cache, tokens: token..<token + 1, batch: 1)
                for head in 0..<2 * group {
                    let exact = sequence.exact(token, head: head, cache)
                    let worst = (0..<headDim).map { abs(exact[$0] - Double(Float(bitPattern: out[head * headDim + $0]))) }.max()!
                    #expect(worst <= 2e-6, "token \(token), head \(head), kind \(kind)")  // values are within 1
                }
            }
        }
    }

    /// After truncation other tokens' keys and values lie behind the position; they must not leave a trace, be they numbers or not.
    @Test(arguments: KernelPath.all) func whatLiesBehindDoesNotMatter(path: KernelPath) {
        let sequence = Tokens(headDim: 64, group: 2, count: 200, seed: 7)
        for kind in Self.kinds(64) { checkTruncated(path, sequence, kind) }
    }

    func checkTruncated(_ path: KernelPath, _ sequence: Tokens, _ kind: Int32) {
        let full = sequence.cache(path, keyKind: kind, valueKind: kind)
        for last in [0, 5, 63, 64, 100, 190] {
            let short = Cache(headDim: 64, capacity: 256, keyKind: kind, valueKind: kind)  // NaN behind the last position
            for t in 0...last { short.store(path, sequence.k[t], sequence.v[t], at: t) }
            let first = max(0, last - 20)
            for batch in [1, 21] {
                let expected = sequence.attend(path, full, tokens: first..<last + 1, batch: batch)
                let got = sequence.attend(path, short, tokens: first..<last + 1, batch: batch)
                #expect(firstDifference(got, expected) == nil)
                #expect(expected.allSatisfy { Float(bitPattern: $0).isFinite })
            }
        }
    }

    /// Scores of very different size from block to block: the running maximum grows, shrinks, and weights vanish.
    @Test(arguments: KernelPath.all) func extremeScores(path: KernelPath) {
        for factor in [Float(1e-30), 200, 1e18] {
            let sequence = Tokens(headDim: 16, group: 1, count: 192, seed: 8)
            let cache = Cache(headDim: 16, capacity: 192, keyKind: 0, valueKind: 0)
            for t in 0..<192 { cache.store(path, sequence.k[t].map { $0 * factor * Float(1 + t / 64 % 2) }, sequence.v[t], at: t) }
            let out = sequence.attend(path, cache, tokens: 0..<192, batch: 192).map { Float(bitPattern: $0) }
            #expect(out.allSatisfy { abs($0) <= 1.000001 })
            #expect(firstDifference(sequence.attend(path, cache, tokens: 0..<192, batch: 5), out.bits) == nil)
        }
    }

    @Test(arguments: KernelPath.all) func notANumberStaysOneAndStaysAtHome(path: KernelPath) {
        for kind in Self.kinds(64) { checkNotANumber(path, kind) }
    }

    func checkNotANumber(_ path: KernelPath, _ kind: Int32) {
        let sequence = Tokens(headDim: 64, group: 1, count: 100, seed: 9)
        let cache = sequence.cache(path, keyKind: kind, valueKind: kind)
        let before = sequence.attend(path, cache, tokens: 0..<100, batch: 100)
        var k = sequence.k[70]
        k[3] = .nan  // KV head 0
        cache.store(path, k, sequence.v[70], at: 70)
        let after = sequence.attend(path, cache, tokens: 0..<100, batch: 100)
        for token in 0..<100 {
            let head0 = token * 128..<token * 128 + 64, head1 = token * 128 + 64..<token * 128 + 128
            #expect(firstDifference(after[head1], before[head1]) == nil)
            if token < 70 {
                #expect(firstDifference(after[head0], before[head0]) == nil)
            } else {
                #expect(after[head0].allSatisfy { Float(bitPattern: $0).isNaN })
            }
        }
    }

    /// Mistral's sliding window: right, and the same bits on every path and in every batch.
    @Test(arguments: [(64, 2, 32), (64, 1, 64), (18, 3, 65), (128, 4, 100), (16, 1, 1), (80, 2, 150)])
    func windowHidesWhatIsOlder(headDim: Int, group: Int, window: Int) {
        let sequence = Tokens(headDim: headDim, group: group, count: 200, seed: UInt64(headDim * 300 + window))
        for kind in Self.kinds(headDim) {
            let cache = sequence.cache(.generic, keyKind: kind, valueKind: kind)
            let expected = sequence.attend(.generic, cache, tokens: 0..<200, batch: 200, window: window)
            for token in [0, 1, 31, 32, 63, 64, 65, 127, 149, 199] {
                for head in 0..<2 * group {
                    let exact = sequence.exact(token, head: head, cache, window: window)
                    let at = token * sequence.stride + head * headDim
                    let worst = (0..<headDim).map { abs(exact[$0] - Double(Float(bitPattern: expected[at + $0]))) }.max() ?? .infinity
                    #expect(worst <= 2e-6, "token \(token), head \(head), kind \(kind)")
                }
            }
            for path in KernelPath.all {
                for batch in [1, 7, 64, 200] {
                    let got = sequence.attend(path, cache, tokens: 0..<200, batch: batch, window: window)
                    #expect(firstDifference(got, expected) == nil, "\(path.name), batches of \(batch), kind \(kind)")
                }
            }
        }
    }

    @Test(arguments: KernelPath.all, [KERN_F16, KERN_F32, KERN_Q8_0]) func storesWhereTheHeaderSays(path: KernelPath, kind: Int) {
        let headDim = kind == KERN_Q8_0 ? 96 : 18, capacity = 128
        var random = SplitMix(10)
        var k = random.floats(2 * headDim), v = random.floats(2 * headDim, within: 1e-4)
        k[7] = 3.5
        for d in 32..<min(64, v.count) { v[d] = 0 }
        for position in [0, 17, 63, 64, 127] {
            let cache = Cache(headDim: headDim, capacity: capacity, keyKind: Int32(kind), valueKind: Int32(kind))
            let pages = cache.pages.map { GuardedBuffer($0.array) }
            let page = pages[position / 64].pointer
            for (part, numbers) in [(Part.key, k), (.value, v)] {
                for i in numbers.indices {
                    let place = Place(part, cache.kv, at: position, head: i / headDim, i % headDim)
                    let at = UnsafeMutableRawPointer(page + place.number)
                    switch kind {
                    case KERN_F32: at.storeBytes(of: numbers[i], as: Float.self)
                    case KERN_F16: at.storeBytes(of: Float16(numbers[i]), as: Float16.self)
                    default:
                        let most = numbers[i / 32 * 32..<i / 32 * 32 + 32].reduce(0) { max($0, abs($1)) }
                        let scale = Float16(most / 127), inverse = scale == 0 ? 0 : 1 / Float(scale)
                        let quant = max(-127, min(127, (numbers[i] * inverse).rounded(.toNearestOrEven)))
                        at.storeBytes(of: Int8(quant), as: Int8.self)
                        UnsafeMutableRawPointer(page + place.scale).storeBytes(of: scale, as: Float16.self)
                    }
                }
            }
            cache.store(path, k, v, at: position)
            #expect(firstDifference(cache.bytes, pages.flatMap(\.array)) == nil && cache.isIntact)
        }
    }
}
