import Foundation
import Synchronization
import Testing

@testable import AlpacaEngine

@Suite struct WorkerPoolTests {
    /// What the items of a job see.
    private final class Job {
        /// How often each item ran; items write apart from each other.
        let runs: UnsafeMutableBufferPointer<Int>
        /// 1 while a thread of that number is in an item.
        let inside: [Flag]
        let clashes = Atomic<Int>(0)

        final class Flag: Sendable { let count = Atomic<Int>(0) }

        init(items: Int, threads: Int) {
            runs = .allocate(capacity: items)
            runs.initialize(repeating: 0)
            inside = (0..<threads).map { _ in Flag() }
        }

        deinit { runs.deallocate() }
    }

    private static let body: WorkerPool.Body = { context, item, thread in
        let job = Unmanaged<Job>.fromOpaque(context).takeUnretainedValue()
        if job.inside[thread].count.add(1, ordering: .relaxed).oldValue != 0 { job.clashes.add(1, ordering: .relaxed) }
        job.runs[item] += 1
        // Some items take longer than others.
        if item % 7 == 3 { usleep(20) }
        job.inside[thread].count.subtract(1, ordering: .relaxed)
    }

    /// Fewer, as many and more threads than processors; jobs that follow at once, and jobs that come when all sleep.
    @Test(arguments: [1, 2, 3, 9]) func `every item runs once`(threads: Int) {
        let pool = WorkerPool(threadCount: threads)
        #expect(pool.threadCount == threads)
        for round in 0..<200 {
            let items = round % 37
            let job = Job(items: items, threads: threads)
            pool.run(items: items, context: Unmanaged.passUnretained(job).toOpaque(), body: Self.body)
            #expect(job.runs.allSatisfy { $0 == 1 })
            #expect(job.clashes.load(ordering: .relaxed) == 0)
            if round % 20 == 0 { usleep(2000) }
        }
    }

    /// What one job's items wrote is there for the next one's, on all threads.
    @Test func `jobs see what jobs before them wrote`() {
        let pool = WorkerPool(threadCount: 4)
        let count = 63
        // Values, then sums.
        let numbers = UnsafeMutableBufferPointer<Int>.allocate(capacity: 2 * count)
        defer { numbers.deallocate() }
        numbers.initialize(repeating: 1)
        guard let base = numbers.baseAddress else { return }
        for _ in 0..<100 {
            // Each sum is of all values; then each value is that.
            pool.run(items: count, context: base) { context, item, _ in
                let values = context.assumingMemoryBound(to: Int.self)
                values[63 + item] = (0..<63).reduce(0) { $0 + values[$1] } & 0xFFFF
            }
            pool.run(items: count, context: base) { context, item, _ in
                let values = context.assumingMemoryBound(to: Int.self)
                values[item] = values[63 + item]
            }
        }
        var expected = 1
        for _ in 0..<100 { expected = expected * count & 0xFFFF }
        #expect(numbers.allSatisfy { $0 == expected })
    }

    @Test func `pools come and go`() {
        for _ in 0..<200 { _ = WorkerPool(threadCount: 3) }
    }
}
