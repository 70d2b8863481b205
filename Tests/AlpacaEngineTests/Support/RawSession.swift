@testable import AlpacaEngine

/// A session below the tokenizer: ids in, logits out. For models whose tokenizers are not known, and for what sessions don't offer.
final class RawSession {
    let model: RunnableModel
    let sequence: TokenSequence
    let flag = CancelFlag()
    private let ticket: Ticket

    /// - Parameter factors: divisors of the rotary frequencies, in place of the model's.
    init(
        _ model: RunnableModel, capacity: Int = 512, batch: Int = 64, threads: Int = 2, cache: CacheType = .f32, factors: [Float]? = nil
    ) throws {
        self.model = model
        let theta = model.configuration.ropeTheta, scaling = model.configuration.ropeScaling
        if let factors {
            let pages = PagedCache(model.configuration, ropeFactors: factors, budget: nil)
            let pool = try pages.pool(.init(keyType: cache, valueType: cache, ropeTheta: theta, ropeScaling: scaling))
            sequence = try TokenSequence(
                pages, pool, capacity: capacity, vocabularySize: model.configuration.vocabularySize, grows: false)
        } else {
            sequence = try model.makeSequence(capacity: capacity, keys: cache, values: cache, ropeTheta: theta, ropeScaling: scaling)
        }
        let threads = try model.executor.join(batchSize: batch, threadCount: threads)
        ticket = Ticket([sequence], flags: [flag], batchSize: batch, threadCount: threads)
    }

    deinit { model.executor.leave(ticket) }

    /// Opens a file or folder without its tokenizer.
    static func model(path: String) throws -> RunnableModel {
        let source = try ModelSource(path: path)
        return try RunnableModel(try source.runnableConfiguration(), SourceWeightStore(source, ModelOptions()))
    }

    func append(_ ids: [TokenID]) throws {
        try model.executor.settle(ticket)
        let found = try sequence.prepare(for: ids[...])
        try ids.dropFirst(found).withUnsafeBufferPointer { ids in
            ticket.ask(ids)
            try model.executor.run(ticket)
        }
    }

    /// Those of the last position.
    var logits: [Float] { (0..<model.configuration.vocabularySize).map { sequence.lastLogits[$0] } }
}
