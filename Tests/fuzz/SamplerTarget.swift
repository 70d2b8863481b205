@testable import AlpacaEngine

/// 32 bytes of parameters, then logits, which repeat until there are enough.
enum SamplerTarget {
    /// The larger one has more tokens than a heap is taken for.
    private static let sizes = [16, Candidates.heapMost + 50]
    nonisolated(unsafe) private static let samplers = sizes.map { try! Sampler(vocabularySize: $0) }

    static func run(_ bytes: [UInt8]) throws {
        guard bytes.count >= 48 else { return }
        func float(_ at: Int) -> Float {
            Float(bitPattern: UInt32(bytes[at]) << 24 | UInt32(bytes[at + 1]) << 16 | UInt32(bytes[at + 2]) << 8 | UInt32(bytes[at + 3]))
        }
        let isLarge = bytes[26] & 1 != 0
        let size = isLarge ? sizes[1] : sizes[0]
        let sampler = isLarge ? samplers[1] : samplers[0]
        var parameters = SamplingParameters()
        parameters.temperature = float(0)
        parameters.topP = float(4)
        parameters.minP = float(8)
        parameters.repetitionPenalty = float(12)
        parameters.presencePenalty = float(16)
        parameters.frequencyPenalty = float(20)
        parameters.topK = Int(bytes[24]) * (isLarge ? 2 : 1)
        parameters.repeatLastN = Int(Int8(bitPattern: bytes[25]))
        parameters.seed = UInt64(bytes[26])
        let biased = TokenID(Int8(bitPattern: bytes[27]))
        parameters.logitBias = [biased: float(28)]
        guard (try? parameters.validate(vocabularySize: size)) != nil else { return }
        let given = (bytes.count - 32) / 4
        let words = (0..<given).map { float(32 + $0 * 4) }
        // Repeated ones differ a little, as logits do.
        let logits = (0..<size).map { i in words[i % given] - Float(i / given) * 0.125 }
        var random = RandomSource(seed: UInt64(bytes[26]))
        let recent = bytes.suffix(8).map { TokenID($0) % TokenID(size) }
        let id = sampler.sample(logits.span, recent: recent.span, parameters, &random)
        precondition(id >= 0 && id < size, "an id that is none")
        check(id, logits, recent, parameters)

        let (own, top) = sampler.candidates(logits.span, chosen: id, count: Int(bytes[25] & 7))
        precondition(!own.isNaN && own <= 1e-3 && top.allSatisfy { !$0.logprob.isNaN && $0.logprob <= 1e-3 }, "a probability above 1")
        precondition(zip(top, top.dropFirst()).allSatisfy { $0.logprob >= $1.logprob }, "candidates out of order")
    }

    /// Where no penalty has a say: without temperature, or with one token kept, the likeliest is taken, and never one that is forbidden.
    private static func check(_ id: TokenID, _ logits: [Float], _ recent: [TokenID], _ parameters: SamplingParameters) {
        guard parameters.repeatLastN == 0 || recent.isEmpty else { return }
        // What is no number counts as minus infinity.
        func number(_ value: Float) -> Float { value.isNaN ? -.infinity : value }
        let biased = logits.indices.map { number(number(logits[$0]) + (parameters.logitBias[TokenID($0)] ?? 0)) }
        guard let most = biased.max(), most > -.infinity else { return }
        precondition(biased[Int(id)] > -.infinity, "a forbidden token is chosen")
        if parameters.temperature == 0 || parameters.topK == 1 { precondition(biased[Int(id)] == most, "not the likeliest") }
    }
}
