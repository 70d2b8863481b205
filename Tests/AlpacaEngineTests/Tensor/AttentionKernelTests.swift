import CAlpacaKernels
import Foundation
import Testing

/// Attention and the key-value cache. The promise under test: a token's output has the same bits on every path, in any batch, whatever
/// lies in the cache behind its position; and it is right.
@Suite struct AttentionKernelTests {
    static let shapes =
        [2, 16, 18, 64, 80, 128].flatMap { headDim in [1, 2, 4, 3].map { (headDim, $0) } } + [(128, 8), (64, 11), (256, 1)]
    static let kinds = [Int32(KERN_F16), Int32(KERN_F32)]

    /// A cache of two KV heads, keys and values ending at a guard page, full of what an earlier conversation left: infinities and NaN.
    final class Cache {
        let kv: kern_kv
        let keys: GuardedBuffer<UInt8>, values: GuardedBuffer<UInt8>

        init(headDim: Int, capacity: Int, keyKind: Int32, valueKind: Int32) {
            let elements = 2 * capacity * headDim
            keys = GuardedBuffer(count: elements * (keyKind == 0 ? 4 : 2), repeating: 0xFF)
            values = GuardedBuffer(count: elements * (valueKind == 0 ? 4 : 2), repeating: 0xFF)
            for i in stride(from: 1, to: keys.count, by: 6) { keys.pointer[i] = 0x7C }
            kv = kern_kv(
                keys: keys.pointer, values: values.pointer, capacity: capacity, n_head_kv: 2, head_dim: headDim, key_kind: keyKind,
                value_kind: valueKind)
        }

        func store(_ path: KernelPath, _ k: [Float], _ v: [Float], at position: Int) {
            let k = GuardedBuffer(k), v = GuardedBuffer(v)
            withUnsafePointer(to: kv) { path.vector.kv_store($0, position, k.pointer, v.pointer) }
            #expect(k.frontIsIntact && v.frontIsIntact)
        }

        var isIntact: Bool { keys.frontIsIntact && values.frontIsIntact }
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
        func attend(_ path: KernelPath, _ cache: Cache, tokens: Range<Int>, batch: Int) -> [UInt32] {
            let out = GuardedBuffer<Float>(count: tokens.count * stride, repeating: .nan)
            let queries = GuardedBuffer(Array(q[tokens.lowerBound * stride..<tokens.upperBound * stride]))
            let bytes = path.vector.attention_scratch_bytes(group, headDim)
            #expect(bytes % 64 == 0)
            let scratch = GuardedBuffer<UInt8>(count: bytes, repeating: 0xFF)
            withUnsafePointer(to: cache.kv) { kv in
                for first in Swift.stride(from: 0, to: tokens.count, by: batch) {
                    for head in 0..<2 {
                        path.vector.attention(
                            kv, head, group, tokens.lowerBound + first, min(batch, tokens.count - first), queries.pointer + first * stride,
                            stride, out.pointer + first * stride, stride, scale, scratch.pointer)
                    }
                }
            }
            #expect(out.frontIsIntact && scratch.frontIsIntact && queries.frontIsIntact && cache.isIntact)
            return out.array.bits
        }

        /// Softmax of all scores at once, in double precision, of keys and values as the cache holds them.
        func exact(_ token: Int, head: Int, kind: Int32) -> [Double] {
            let rounded = { (x: Float) in kind == 0 ? Double(x) : Double(Float16(x)) }
            let query = (token * 2 * group + head) * headDim, from = head / group * headDim
            var weights = [Double](repeating: 0, count: token + 1), most = -Double.infinity, total = 0.0
            for t in 0...token {
                for d in 0..<headDim { weights[t] += Double(q[query + d]) * rounded(k[t][from + d]) }
                weights[t] *= Double(scale)
                most = max(most, weights[t])
            }
            var out = [Double](repeating: 0, count: headDim)
            for t in 0...token {
                let weight = exp(weights[t] - most)
                total += weight
                for d in 0..<headDim { out[d] += weight * rounded(v[t][from + d]) }
            }
            for d in 0..<headDim { out[d] /= total }
            return out
        }
    }

    @Test(arguments: shapes) func sameBitsOnEveryPathAndInEveryBatch(headDim: Int, group: Int) {
        let sequence = Tokens(headDim: headDim, group: group, count: 150, seed: UInt64(headDim * 100 + group))
        for keyKind in Self.kinds {
            for valueKind in Self.kinds {
                let cache = sequence.cache(.generic, keyKind: keyKind, valueKind: valueKind)
                let expected = sequence.attend(.generic, cache, tokens: 0..<150, batch: 150)
                for path in KernelPath.all {
                    if path.name != "generic" {
                        let same = sequence.cache(path, keyKind: keyKind, valueKind: valueKind)
                        #expect(same.keys.array == cache.keys.array && same.values.array == cache.values.array, "\(path.name): kv_store")
                    }
                    for batch in [1, 7, 32, 64, 150] where path.name != "generic" || batch == 7 {
                        let got = sequence.attend(path, cache, tokens: 0..<150, batch: batch)
                        #expect(got == expected, "\(path.name), batches of \(batch), kinds \(keyKind) \(valueKind)")
                    }
                    let tail = sequence.attend(path, cache, tokens: 61..<131, batch: 70)
                    #expect(tail[...] == expected[61 * sequence.stride..<131 * sequence.stride], "\(path.name): from position 61")
                }
            }
        }
    }

    @Test(arguments: shapes) func isSoftmaxOfAllScores(headDim: Int, group: Int) {
        let sequence = Tokens(headDim: headDim, group: group, count: 150, seed: UInt64(headDim * 200 + group))
        for kind in Self.kinds {
            let cache = sequence.cache(.generic, keyKind: kind, valueKind: kind)
            for token in [0, 1, 15, 16, 62, 63, 64, 65, 127, 128, 149] {
                let out = sequence.attend(.generic, cache, tokens: token..<token + 1, batch: 1)
                for head in 0..<2 * group {
                    let exact = sequence.exact(token, head: head, kind: kind)
                    let worst = (0..<headDim).map { abs(exact[$0] - Double(Float(bitPattern: out[head * headDim + $0]))) }.max()!
                    #expect(worst <= 2e-6, "token \(token), head \(head), kind \(kind)")  // values are within 1
                }
            }
        }
    }

    /// After truncation other tokens' keys and values lie behind the position; they must not leave a trace, be they numbers or not.
    @Test(arguments: KernelPath.all) func whatLiesBehindDoesNotMatter(path: KernelPath) {
        let sequence = Tokens(headDim: 64, group: 2, count: 200, seed: 7)
        let full = sequence.cache(path, keyKind: 1, valueKind: 1)
        for last in [0, 5, 63, 64, 100, 190] {
            let short = Cache(headDim: 64, capacity: 256, keyKind: 1, valueKind: 1)  // NaN behind the last position
            for t in 0...last { short.store(path, sequence.k[t], sequence.v[t], at: t) }
            let first = max(0, last - 20)
            for batch in [1, 21] {
                let expected = sequence.attend(path, full, tokens: first..<last + 1, batch: batch)
                #expect(sequence.attend(path, short, tokens: first..<last + 1, batch: batch) == expected)
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
            #expect(sequence.attend(path, cache, tokens: 0..<192, batch: 5) == out.bits)
        }
    }

    @Test(arguments: KernelPath.all) func notANumberStaysOneAndStaysAtHome(path: KernelPath) {
        let sequence = Tokens(headDim: 64, group: 1, count: 100, seed: 9)
        let cache = sequence.cache(path, keyKind: 1, valueKind: 1)
        let before = sequence.attend(path, cache, tokens: 0..<100, batch: 100)
        var k = sequence.k[70]
        k[3] = .nan  // KV head 0
        cache.store(path, k, sequence.v[70], at: 70)
        let after = sequence.attend(path, cache, tokens: 0..<100, batch: 100)
        for token in 0..<100 {
            let head0 = token * 128..<token * 128 + 64, head1 = token * 128 + 64..<token * 128 + 128
            #expect(after[head1] == before[head1])
            if token < 70 {
                #expect(after[head0] == before[head0])
            } else {
                #expect(after[head0].allSatisfy { Float(bitPattern: $0).isNaN })
            }
        }
    }

    @Test(arguments: KernelPath.all) func storesWhereTheHeaderSays(path: KernelPath) {
        let headDim = 18, capacity = 128
        var random = SplitMix(10)
        let k = random.floats(2 * headDim), v = random.floats(2 * headDim)
        for position in [0, 17, 63, 64, 127] {
            let cache = Cache(headDim: headDim, capacity: capacity, keyKind: 1, valueKind: 1)
            var keys = cache.keys.array, values = cache.values.array
            let put = { (bytes: inout [UInt8], element: Int, x: Float) in
                let bits = Float16(x).bitPattern
                bytes[2 * element] = UInt8(truncatingIfNeeded: bits)
                bytes[2 * element + 1] = UInt8(bits >> 8)
            }
            for head in 0..<2 {
                for d in 0..<headDim {
                    put(&keys, ((head * capacity / 64 + position / 64) * headDim + d) * 64 + position % 64, k[head * headDim + d])
                    put(&values, (head * capacity + position) * headDim + d, v[head * headDim + d])
                }
            }
            cache.store(path, k, v, at: position)
            #expect(cache.keys.array == keys && cache.values.array == values && cache.isIntact)
        }
    }
}
