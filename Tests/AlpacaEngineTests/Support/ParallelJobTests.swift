import Foundation
import Synchronization
import Testing

@testable import AlpacaEngine

@Suite struct ParallelJobTests {
    private static let cancelled = AlpacaError(.cancelled, "stopped")

    @Test(arguments: [1, 2, 5]) func `every item runs once, and the caller is told`(threads: Int) throws {
        let counts = Lock([Int](repeating: 0, count: 100))
        var ticks = 0
        try ParallelJob.run(items: 100, threadCount: threads, cancelled: Self.cancelled) {
            ticks += 1
            return true
        } body: { (item, worker) throws(AlpacaError) in
            counts.withLock { $0[item] += 1 }
            // Long enough for the caller to be asked.
            usleep(2000)
            #expect(worker.thread < threads)
        }
        #expect(counts.withLock { $0.allSatisfy { $0 == 1 } } && ticks > 0)
    }

    @Test func `the first error ends it`() throws {
        let ran = Atomic<Int>(0)
        let error = alpacaError {
            try ParallelJob.run(items: 1000, threadCount: 2, cancelled: Self.cancelled) {
                true
            } body: { (item, _) throws(AlpacaError) in
                ran.add(1, ordering: .relaxed)
                usleep(1000)
                if item == 3 { throw AlpacaError(.io, "item 3") }
            }
        }
        #expect(error == AlpacaError(.io, "item 3") && ran.load(ordering: .relaxed) < 1000)
    }

    @Test func `the caller can stop it, also within an item`() throws {
        let began = Date()
        let error = alpacaError {
            var ticks = 0
            try ParallelJob.run(items: 2, threadCount: 2, cancelled: Self.cancelled) {
                ticks += 1
                return ticks < 2
            } body: { (_, worker) throws(AlpacaError) in
                while worker.goesOn() { usleep(1000) }
            }
        }
        #expect(error == Self.cancelled && Date().timeIntervalSince(began) < 20)
    }

    @Test func `nothing to do`() throws {
        try ParallelJob.run(items: 0, threadCount: 4, cancelled: Self.cancelled) {
            true
        } body: { (_, _) throws(AlpacaError) in
        }
    }
}
