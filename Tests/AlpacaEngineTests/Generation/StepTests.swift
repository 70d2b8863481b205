import Foundation
import Testing

@testable import AlpacaEngine

/// Sessions that read together: the ids of transformers, the bits of sessions that read alone, and nothing changed by a call that fails.
@Suite struct StepTests {
    typealias Inputs = [(session: Session, ids: [TokenID])]
    static let model = Result { try Model(path: MiniFamily.f16) }
    static let prompts = MiniFamily.generation.prompts

    private func session(_ model: Model? = nil, _ change: (inout Session.Options) -> Void = { _ in }) throws -> Session {
        var options = Session.Options()
        options.contextLength = 256
        change(&options)
        return try (model ?? StepTests.model.get()).makeSession(options)
    }

    private func bits(_ session: Session) throws -> [UInt32] {
        try session.withLogits { row in row.indices.map { row[$0].bitPattern } }
    }

    /// The bits of a session that reads `parts` alone, with other threads and another batch.
    private func alone(
        _ parts: [[TokenID]], _ model: Model? = nil, _ change: (inout Session.Options) -> Void = { _ in }
    ) throws -> [UInt32] {
        let session = try session(model) {
            change(&$0)
            ($0.threadCount, $0.batchSize) = (1, 16)
        }
        for part in parts { try session.append(part) }
        return try bits(session)
    }

    /// Every golden prompt is read and answered together with all others; who has ended leaves.
    @Test(arguments: [(1, 512), (2, 16), (3, 7)]) func greedyIsTransformers(threads: Int, batch: Int) throws {
        var written = [[TokenID]](repeating: [], count: StepTests.prompts.count)
        var inputs: [(index: Int, session: Session, ids: [TokenID])] = []
        for (index, prompt) in StepTests.prompts.enumerated() {
            let session = try session {
                ($0.threadCount, $0.batchSize) = (threads, batch)
                ($0.keyType, $0.valueType) = (.f32, .f32)
            }
            inputs.append((index, session, prompt.prompt_ids))
        }
        while !inputs.isEmpty {
            try Session.step(inputs.map { ($0.session, $0.ids) })
            for i in inputs.indices.reversed() {
                let id = try inputs[i].session.sample(.greedy)
                written[inputs[i].index].append(id)
                inputs[i].ids = [id]
                if id == 2 || written[inputs[i].index].count == 64 { inputs.remove(at: i) }
            }
        }
        for (index, prompt) in StepTests.prompts.enumerated() { #expect(written[index] == prompt.greedy.ids, "\(prompt.name)") }
    }

    /// Prompts begin while others go on, in sessions whose caches and angles differ.
    @Test(arguments: [MiniFamily.f16, MiniFamily.q8_0], [(1, 512), (2, 64), (3, 5), (2, 1)])
    func bitsOfSessionsAlone(file: String, cut: (threads: Int, batch: Int)) throws {
        let model = try Model(path: file)
        let changes: [(inout Session.Options) -> Void] = [
            { _ in },
            { $0.keyType = .f32 },
            { ($0.keyType, $0.valueType) = (.q8_0, .q8_0) },
            { $0.ropeTheta = 5000 },
            { ($0.ropeScale, $0.valueType) = (4, .f32) },
        ]
        let sessions = try changes.map { change in
            try session(model) {
                change(&$0)
                ($0.threadCount, $0.batchSize) = cut
            }
        }
        let ids = StepTests.prompts.map(\.prompt_ids)
        /// What each session reads in each step; in the last one all go on.
        let steps: [[(Int, [TokenID])]] = [
            [(0, ids[0])],
            [(1, ids[1]), (0, [300])],
            [(0, [301]), (2, ids[2]), (3, ids[0]), (1, [302])],
            [(3, [303]), (2, [304, 305, 306]), (4, ids[0])],
            [(4, [300]), (3, [301]), (2, [302]), (1, [303]), (0, [304])],
        ]
        var read = [[[TokenID]]](repeating: [], count: changes.count)
        for step in steps {
            try Session.step(step.map { (sessions[$0.0], $0.1) })
            for (index, ids) in step {
                read[index].append(ids)
                #expect(try bits(sessions[index]) == alone(read[index], model, changes[index]), "session \(index)")
            }
        }
        for (index, session) in sessions.enumerated() { #expect(try session.tokens() == read[index].flatMap { $0 }) }
        // The same prompt turned by other angles is not the same.
        #expect(Set(try [0, 3, 4].map { try alone([ids[0]], model, changes[$0]) }).count == 3)
    }

    /// More sessions than logits are computed for at a time, and than a batch has room for.
    @Test(arguments: [512, 37, 3]) func manySessions(batch: Int) throws {
        let sessions = try (0..<70).map { _ in
            try session {
                ($0.threadCount, $0.batchSize, $0.contextLength) = (2, batch, 8)
            }
        }
        let inputs = sessions.enumerated().map { (session: $1, ids: [TokenID($0 % 5 + 300), TokenID($0 % 7 + 300)]) }
        try Session.step(inputs)
        try Session.step(inputs.reversed())
        var expected: [[TokenID]: [UInt32]] = [:]
        for (session, ids) in inputs {
            let wanted = try expected[ids] ?? alone([ids, ids])
            expected[ids] = wanted
            #expect(try bits(session) == wanted)
        }
        #expect(Set(expected.values).count == 35)
    }

    /// Any of the sessions stops the call, also one whose turn has not come; all are as before.
    @Test(arguments: 0..<3) func cancel(who: Int) throws {
        let sessions = try (0..<3).map { _ in
            try session {
                ($0.threadCount, $0.batchSize, $0.contextLength) = (2, 2, 4096)
            }
        }
        for session in sessions { try session.append([300, 301]) }
        let long = [TokenID](repeating: 302, count: 4000)
        let done = CancelFlag()
        let canceller = Thread {
            while !done.isSet {
                sessions[who].cancel()
                usleep(1000)
            }
        }
        canceller.start()
        let error = alpacaError { try Session.step([(sessions[0], long), (sessions[1], [303]), (sessions[2], long)]) }
        done.set()
        while !canceller.isFinished { usleep(1000) }
        #expect(error?.code == .cancelled)
        for session in sessions {
            #expect(try session.tokens() == [300, 301])
            #expect(session.position == 2)
            #expect(alpacaError { _ = try session.sample(.greedy) }?.code == .invalidArgument)
        }
        try Session.step(sessions.map { ($0, [304]) })
        let expected = try alone([[300, 301], [304]])
        for session in sessions { #expect(try bits(session) == expected) }
    }

    /// A session that another call holds: the others are free again.
    @Test func busy() throws {
        let sessions = try (0..<3).map { _ in try session() }
        for session in sessions { try session.append([300]) }
        let before = try bits(sessions[0])
        var error: AlpacaError?
        try sessions[1].generate("写一首诗") { _ in
            error = alpacaError { try Session.step(sessions.map { ($0, [301]) }) }
            return false
        }
        #expect(error?.code == .busy)
        #expect(error?.message == "inputs[1].session: the session is in use by another call; give each thread a session of its own")
        for session in [sessions[0], sessions[2]] {
            #expect(session.position == 1)
            #expect(try bits(session) == before)
        }
        try Session.step([(sessions[0], [301]), (sessions[2], [301])])
    }

    @Test func refusedCallsChangeNothing() throws {
        let sessions = try (0..<3).map { _ in try session { $0.contextLength = 8 } }
        for session in sessions { try session.append([300, 301]) }
        let before = try sessions.map(bits)
        func refused(_ inputs: Inputs, _ code: AlpacaError.Code, _ message: String) throws {
            let error = alpacaError { try Session.step(inputs) }
            #expect(error == AlpacaError(code, message))
            for (session, bits) in zip(sessions, before) {
                #expect(session.position == 2)
                #expect(try self.bits(session) == bits)
            }
        }
        let (a, b, c) = (sessions[0], sessions[1], sessions[2])
        let full = [TokenID](repeating: 302, count: 7)
        try refused([], .invalidArgument, "inputs: found none, expected at least one")
        try refused([(a, [302]), (b, [])], .invalidArgument, "inputs[1].ids: found none, expected at least one")
        try refused(
            [(a, [302]), (b, full), (c, [302])], .contextFull,
            "inputs[1].ids: 7 tokens do not fit: 2 of 8 positions (n_ctx) are in use")
        try refused(
            [(a, [302]), (b, [302]), (c, [302, 3941])], .invalidArgument,
            "inputs[2].ids: token id at index 1: found 3941, expected 0 ... 3940")
        try refused([(a, [-1])], .invalidArgument, "inputs[0].ids: token id at index 0: found -1, expected 0 ... 3940")
        try refused(
            [(a, [302]), (b, [302]), (c, [302]), (b, [303])], .invalidArgument,
            "inputs[3].session: found that of inputs[1], expected each session once")
        let other = try session(Model(path: MiniFamily.f16))
        try refused(
            [(a, [302]), (other, [302])], .invalidArgument, "inputs[1].session: found one of another model than that of inputs[0]")
        #expect(other.position == 0)
        // All of them are free.
        try Session.step(sessions.map { ($0, Array(full.dropLast())) })
        #expect(sessions.map(\.position) == [8, 8, 8])
    }
}
