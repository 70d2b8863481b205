import Foundation
import Testing

@testable import AlpacaEngine

/// Keys and values in pages: what is held once, what goes back, what the budget allows, and that none of it changes a bit.
@Suite struct PagedCacheTests {
    static let ids: [TokenID] = (0..<300).map { TokenID(($0 * 7919 + 13) % 3900) }

    private func model(cacheBytes: Int = 0) throws -> Model {
        var options = ModelOptions()
        options.cacheByteCount = cacheBytes
        return try Model(path: MiniFamily.q8_0, options: options)
    }

    private func session(_ model: Model, context: Int = 512, grows: Bool = false) throws -> Session {
        var options = Session.Options()
        options.contextLength = context
        options.growsOnDemand = grows
        options.threadCount = 2
        return try model.makeSession(options)
    }

    private func bits(_ session: Session) throws -> [UInt32] {
        try session.withLogits { logits in logits.indices.map { logits[$0].bitPattern } }
    }

    /// The bits after these ids in a model of its own.
    private func alone(_ ids: [TokenID]) throws -> [UInt32] {
        let session = try session(model())
        try session.append(ids)
        return try bits(session)
    }

    private func pageBytes(_ model: Model) throws -> Int {
        let session = try session(model)
        try session.append([300])
        return model.runnable.cache.statistics.heldBytes
    }

    @Test(arguments: [false, true]) func commonBeginningIsHeldOnce(grows: Bool) throws {
        let model = try model(), page = try pageBytes(model)
        let first = try session(model, grows: grows), second = try session(model, grows: grows)
        try first.append(PagedCacheTests.ids)
        #expect(model.runnable.cache.statistics.heldBytes == 5 * page)
        #expect(model.runnable.cache.statistics.sharedBytes == 0)

        // The same, then something else after 200 tokens: three whole pages are the same.
        let other = PagedCacheTests.ids[..<200] + [7, 8, 9]
        try second.append(Array(other))
        #expect(model.runnable.cache.statistics.heldBytes == 6 * page)
        #expect(model.runnable.cache.statistics.sharedBytes == 3 * page)
        #expect(try bits(second) == alone(Array(other)))
        #expect(try second.tokens() == Array(other))

        // Each goes on by itself.
        try first.append([300])
        try second.append([301])
        #expect(try bits(first) == alone(PagedCacheTests.ids + [300]))
        #expect(try bits(second) == alone(other + [301]))
    }

    /// Two that read the same at the same time hold it once as well.
    @Test func readTogetherIsHeldOnce() throws {
        let model = try model(), page = try pageBytes(model)
        let sessions = try (0..<3).map { _ in try session(model) }
        try Session.step(sessions.map { ($0, PagedCacheTests.ids) })
        #expect(model.runnable.cache.statistics.heldBytes == (4 + 3) * page)
        #expect(model.runnable.cache.statistics.sharedBytes == 2 * 4 * page)
        let expected = try alone(PagedCacheTests.ids)
        for session in sessions { #expect(try bits(session) == expected) }
    }

    /// A session that goes back into a page which another holds writes to a copy.
    @Test(arguments: [0, 1, 63, 64, 100, 128]) func whoGoesBackDisturbsNobody(length: Int) throws {
        let model = try model()
        let first = try session(model), second = try session(model)
        for session in [first, second] { try session.append(PagedCacheTests.ids) }
        try second.truncate(to: length)
        let more = (0..<200).map { TokenID(3000 - $0) }
        try second.append(more)
        #expect(try bits(second) == alone(PagedCacheTests.ids[..<length] + more))
        try first.append([5])
        #expect(try bits(first) == alone(PagedCacheTests.ids + [5]))
        // And forward again, over what it had before.
        try second.truncate(to: length)
        try second.append(Array(PagedCacheTests.ids[length...]))
        #expect(try bits(second) == alone(PagedCacheTests.ids))
    }

    /// Other types of caches and other angles have pages of their own.
    @Test func whatIsComputedOtherwiseIsNotShared() throws {
        let model = try model()
        let plain = try session(model)
        try plain.append(PagedCacheTests.ids)
        let changes: [(inout Session.Options) -> Void] = [
            { $0.keyType = .f32 }, { $0.valueType = .q8_0 }, { $0.ropeTheta = 5000 }, { $0.ropeScale = 2 },
        ]
        for change in changes {
            var options = Session.Options()
            options.contextLength = 512
            change(&options)
            let session = try model.makeSession(options)
            try session.append(PagedCacheTests.ids)
            #expect(model.runnable.cache.statistics.sharedBytes == 0)
            #expect(try bits(session) != bits(plain))
        }
    }

    /// Resident bytes of the memory that the session's pages lie in.
    private func resident(_ session: Session) throws -> Int {
        let pages = session.sequence.view.pages
        let addresses = (0..<(session.position + 63) / 64).compactMap { pages[$0].map { UInt(bitPattern: $0) } }
        var sum = 0, isInside = false
        let smaps = try #require(FileHandle(forReadingAtPath: "/proc/self/smaps")).readDataToEndOfFile()
        for line in String(decoding: smaps, as: UTF8.self).split(separator: "\n") {
            if let range = line.firstMatch(of: #/^([0-9a-f]+)-([0-9a-f]+) /#), let low = UInt(range.1, radix: 16),
                let high = UInt(range.2, radix: 16)
            {
                isInside = addresses.contains { (low..<high).contains($0) }
            } else if isInside, let rss = line.firstMatch(of: #/^Rss: +(\d+) kB/#) {
                sum += (Int(rss.1) ?? 0) * 1024
            }
        }
        return sum
    }

    @Test func memoryGoesBack() throws {
        let model = try model(), page = try pageBytes(model)
        let session = try session(model, context: 65_536)
        try session.append(Array(PagedCacheTests.ids[..<100]))
        #expect(model.runnable.cache.statistics.heldBytes == 2 * page)
        // A mapping may hold memory of neighbours, too: a context of 65536 would be a thousand pages.
        #expect(try resident(session) < 64 * page)
        try session.append((0..<6000).map { TokenID($0 % 3900) })
        let full = try resident(session)
        #expect(full >= 90 * page)
        try session.truncate(to: 100)
        #expect(model.runnable.cache.statistics.heldBytes == 2 * page)
        #expect(try resident(session) <= full - 90 * page)
    }

    @Test func freedSessionsLeaveNothing() throws {
        let model = try model()
        for _ in 0..<3 {
            let sessions = try (0..<4).map { _ in try session(model) }
            for session in sessions { try session.append(PagedCacheTests.ids) }
        }
        #expect(model.runnable.cache.statistics == PagedCache.Statistics())
    }

    // MARK: The budget

    @Test func budgetOfOnePage() throws {
        let page = try pageBytes(model())
        let model = try model(cacheBytes: page)
        let only = try session(model, context: 64)
        let message =
            "key and value cache of 64 positions: needs \(page) bytes of the \(page) that the model's sessions share (cache_bytes), \(page) are taken"
        #expect(alpacaError { _ = try session(model, context: 64) } == AlpacaError(.outOfMemory, message))
        try only.append(Array(PagedCacheTests.ids[..<64]))
        #expect(try bits(only) == alone(Array(PagedCacheTests.ids[..<64])))
        #expect(alpacaError { _ = try session(try self.model(cacheBytes: page), context: 65) }?.code == .outOfMemory)
        #expect(alpacaError { _ = try session(try self.model(cacheBytes: 1), context: 1) }?.code == .outOfMemory)
        #expect(alpacaError { _ = try self.model(cacheBytes: -1) }?.code == .invalidArgument)
        try session(try self.model(cacheBytes: .max), context: 512).append([300])
    }

    /// A growing session meets the end of the budget in the middle; it keeps what it had, and the others theirs.
    @Test func growingSessions() throws {
        let page = try pageBytes(model())
        let model = try model(cacheBytes: 3 * page)
        let reserved = try session(model, context: 64)
        let growing = try session(model, context: 4096, grows: true), other = try session(model, context: 4096, grows: true)
        try growing.append(Array(PagedCacheTests.ids[..<128]))
        let before = try bits(growing)
        let error = alpacaError { try growing.append([1]) }
        #expect(error?.code == .outOfMemory)
        #expect(try growing.position == 128 && bits(growing) == before)
        #expect(alpacaError { try other.append([1]) }?.code == .outOfMemory)
        #expect(alpacaError { try Session.step([(reserved, [1]), (other, [1])]) }?.code == .outOfMemory)
        #expect(reserved.position == 0 && other.position == 0)
        // What was promised is there, and what is given back can be had.
        try reserved.append([TokenID](repeating: 2, count: 64))
        try growing.truncate(to: 64)
        try other.append([1])
        #expect(try bits(other) == alone([1]))
        #expect(alpacaError { try growing.append([1]) }?.code == .outOfMemory)
        // A page that both hold counts once.
        try other.truncate(to: 0)
        try other.append(Array(PagedCacheTests.ids[..<64]) + [1])
        #expect(try bits(other) == alone(PagedCacheTests.ids[..<64] + [1]))
        #expect(model.runnable.cache.statistics.committedBytes == 3 * page)
    }

    /// What was promised is there, whatever growing sessions take over and take.
    @Test func promisesHold() throws {
        let model = try model()
        let promised = try session(model, context: 512)
        try promised.append(Array(PagedCacheTests.ids[..<64]))
        let growing = try session(model, context: 4096, grows: true)
        try growing.append(Array(PagedCacheTests.ids[..<64]) + (0..<2000).map { TokenID(($0 * 13) % 3900) })
        let rest = (0..<448).map { TokenID(($0 * 17) % 3900) }
        try promised.append(rest)
        #expect(try bits(promised) == alone(PagedCacheTests.ids[..<64] + rest))
    }

    @Test func aThousandSessions() throws {
        let model = try model()
        let sessions = try (0..<1000).map { _ in try session(model, context: 64) }
        for session in sessions { try session.append([300, 301]) }
        let expected = try alone([300, 301])
        for session in [sessions[0], sessions[499], sessions[999]] { #expect(try bits(session) == expected) }
    }
}
