import Foundation
import Testing

@testable import AlpacaEngine

/// One executor under many callers: whoever finds it idle takes along what waits. None of it may change a bit.
@Suite struct ExecutorTests {
    private func session(_ model: Model, threads: Int = 2, batch: Int = 64) throws -> Session {
        var options = Session.Options()
        options.contextLength = 1024
        options.threadCount = threads
        options.batchSize = batch
        return try model.makeSession(options)
    }

    private func prompt(_ k: Int) -> [TokenID] { (0..<30 + 50 * k).map { TokenID(($0 * 31 + k * 7) % 3900) } }

    /// `count` tokens, greedily.
    private func write(_ session: Session, after prompt: [TokenID], _ count: Int) throws -> [TokenID] {
        try session.append(prompt)
        for _ in 0..<count { try session.append([session.sample(.greedy)]) }
        return Array(try session.tokens().dropFirst(prompt.count))
    }

    /// Runs `body` on threads of its own, all at once.
    private func together<R: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) throws -> R) throws -> [R] {
        let results = Lock([Int: Result<R, any Error>]())
        let threads = (0..<count).map { k in
            Thread {
                let result = Result { try body(k) }
                results.withLock { $0[k] = result }
            }
        }
        for thread in threads { thread.start() }
        for thread in threads { while !thread.isFinished { usleep(1000) } }
        return try (0..<count).map { k in try #require(results.withLock { $0[k] }).get() }
    }

    @Test(arguments: [(512, 2), (16, 1), (3, 3)]) func callersTogetherWriteWhatTheyWriteAlone(batch: Int, threads: Int) throws {
        let alone = try (0..<6).map { k in try write(session(Model(path: MiniFamily.q8_0)), after: prompt(k), 40) }
        let model = try Model(path: MiniFamily.q8_0)
        for _ in 0..<3 {
            let found = try together(6) { k in try write(session(model, threads: threads, batch: batch), after: prompt(k), 40) }
            #expect(found == alone)
        }
    }

    /// Texts by `generate`, with seeds and stop texts, beside sessions of several together.
    @Test func generateBesideSteps() throws {
        let model = try Model(path: MiniFamily.q8_0)
        @Sendable func text(_ k: Int, _ model: Model) throws -> [TokenID] {
            var parameters = GenerationParameters()
            parameters.sampling.seed = UInt64(k)
            parameters.sampling.temperature = 0.8
            parameters.maxNewTokens = 60
            var ids: [TokenID] = []
            try session(model).generate(tokens: prompt(k), parameters) { event in
                ids.append(event.id)
                return true
            }
            return ids
        }
        let alone = try (0..<4).map { try text($0, Model(path: MiniFamily.q8_0)) }
        let found = try together(6) { k -> [TokenID] in
            guard k < 4 else {
                let sessions = try (0..<3).map { _ in try session(model) }
                for i in 0..<40 { try Session.step(sessions.map { ($0, [TokenID(300 + i + k)]) }) }
                return []
            }
            return try text(k, model)
        }
        #expect(Array(found.prefix(4)) == alone)
    }

    /// A call that is cancelled while others write: it ends, they go on as if nothing had been.
    @Test func cancelledCallsDisturbNobody() throws {
        let alone = try (0..<4).map { k in try write(session(Model(path: MiniFamily.q8_0)), after: prompt(k), 60) }
        let model = try Model(path: MiniFamily.q8_0)
        let isOver = CancelFlag()
        let found = try together(6) { k -> [TokenID] in
            if k < 4 {
                let ids = try write(session(model), after: prompt(k), 60)
                if k == 3 { isOver.set() }
                return ids
            }
            // These read again and again, and are cancelled at some moment each time.
            let session = try session(model)
            while !isOver.isSet {
                let canceller = Thread {
                    usleep(UInt32.random(in: 0...3000))
                    session.cancel()
                }
                canceller.start()
                do {
                    if k == 4 {
                        try session.append(prompt(k))
                    } else {
                        // Another beginning each time, of more pages than the others have.
                        let other = [TokenID.random(in: 300...3000)] + prompt(k)
                        try session.generate(tokens: other) { _ in true }
                    }
                } catch let error as AlpacaError where error.code == .cancelled {
                }
                while !canceller.isFinished { usleep(100) }
                try session.truncate(to: Int.random(in: 0...session.position))
            }
            // What it holds is right all the same.
            try session.truncate(to: 0)
            return try write(session, after: prompt(k), 5)
        }
        #expect(Array(found.prefix(4)) == alone)
        for k in 4..<6 { #expect(try found[k] == write(session(Model(path: MiniFamily.q8_0)), after: prompt(k), 5)) }
    }

    /// A cancelled call of several sessions leaves them as they were, beside one that writes.
    @Test func cancelledSteps() throws {
        let alone = try write(session(Model(path: MiniFamily.q8_0)), after: prompt(0), 80)
        let model = try Model(path: MiniFamily.q8_0)
        let isOver = CancelFlag()
        let found = try together(2) { k -> [TokenID] in
            guard k > 0 else {
                defer { isOver.set() }
                return try write(session(model), after: prompt(0), 80)
            }
            let sessions = try (0..<6).map { _ in try session(model, batch: 4) }
            for (i, session) in sessions.enumerated() { try session.append([TokenID(300 + i)]) }
            while !isOver.isSet {
                let canceller = Thread {
                    usleep(UInt32.random(in: 0...3000))
                    sessions[Int.random(in: 0..<6)].cancel()
                }
                canceller.start()
                do {
                    try Session.step(sessions.map { ($0, prompt(1)) })
                    for session in sessions { try session.truncate(to: 1) }
                } catch let error as AlpacaError where error.code == .cancelled {
                }
                while !canceller.isFinished { usleep(100) }
                for (i, session) in sessions.enumerated() { #expect(try session.tokens() == [TokenID(300 + i)]) }
            }
            return alone
        }
        #expect(found == [alone, alone])
    }

    /// Sessions come and go while others write; a larger one makes room for itself between their steps.
    @Test func sessionsComeAndGo() throws {
        let alone = try write(session(Model(path: MiniFamily.q8_0)), after: prompt(1), 100)
        let model = try Model(path: MiniFamily.q8_0)
        let found = try together(4) { k -> [TokenID] in
            guard k > 0 else { return try write(session(model, threads: 1, batch: 16), after: prompt(1), 100) }
            for i in 1...15 { try session(model, threads: 1 + i % 4, batch: 16 * i).append(prompt(k)) }
            return alone
        }
        #expect(found == [[TokenID]](repeating: alone, count: 4))
    }

    /// The last session takes the backend along, while the next one comes: there is one for each all the same.
    @Test func allSessionsComeAndGo() throws {
        let model = try Model(path: MiniFamily.q8_0)
        let ids = prompt(1)
        let alone = try { () throws -> [TokenID] in try write(session(Model(path: MiniFamily.q8_0)), after: ids, 1) }()
        let found = try together(4) { k -> [TokenID] in
            var last: [TokenID] = []
            for i in 0..<60 { last = try write(session(model, threads: 1 + (i + k) % 3, batch: 8 * (1 + (i * k) % 7)), after: ids, 1) }
            return last
        }
        #expect(found == [[TokenID]](repeating: alone, count: 4))
    }

    /// Perplexity takes turns with those that write.
    @Test func perplexityBesideWriters() throws {
        let text = try String(contentsOf: MiniFamily.goldens.appendingPathComponent("heldout_poems.txt"), encoding: .utf8)
        @Sendable func measure(_ model: Model) throws -> Double {
            try session(model).perplexity(of: String(text.prefix(2000)), windowLength: 128).value
        }
        let alone = try measure(Model(path: MiniFamily.q8_0))
        let model = try Model(path: MiniFamily.q8_0)
        let written = try write(session(Model(path: MiniFamily.q8_0)), after: prompt(0), 60)
        let found = try together(3) { k -> (Double, [TokenID]) in
            k == 0 ? (try measure(model), []) : (0, try write(session(model), after: prompt(0), 60))
        }
        #expect(found[0].0 == alone && found[1].1 == written && found[2].1 == written)
    }
}
