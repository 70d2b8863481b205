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
        let pool = WorkerPool(threadCount: threads, processors: threads)
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
        let pool = WorkerPool(threadCount: 4, processors: 4)
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
        for _ in 0..<200 { _ = WorkerPool(threadCount: 3, processors: 3) }
    }

    /// A number of jobs, each with another number of items, that add up in a list.
    private final class Chain {
        static let length = 2000
        var job = 0
        let done: UnsafeMutableBufferPointer<Int>
        /// Of the jobs, those whose items were not all done when the next one began.
        var early = 0
        /// The threads that began a job; each writes its own.
        let begun: UnsafeMutableBufferPointer<Int>

        init(threads: Int) {
            done = .allocate(capacity: Self.items(0) + 64)
            done.initialize(repeating: 0)
            begun = .allocate(capacity: threads)
            begun.initialize(repeating: 0)
        }

        deinit {
            done.deallocate()
            begun.deallocate()
        }

        /// Few, many, one, none.
        static func items(_ job: Int) -> Int { [64, 1, 5, 0, 33, 2, 17][job % 7] }

        func next(_ thread: Int) -> Int {
            begun[thread] += 1
            for item in 0..<Self.items(job) where done[item] != 1 { early += 1 }
            done.update(repeating: 0)
            job += 1
            return job < Self.length ? Self.items(job) : -1
        }
    }

    /// Whoever does the last item of a job begins the next; all of it is there, and the caller returns when all jobs are done.
    @Test(arguments: [1, 2, 5]) func `jobs follow each other`(threads: Int) {
        let pool = WorkerPool(threadCount: threads, processors: threads)
        let chain = Chain(threads: threads)
        pool.run(
            items: Chain.items(0), context: Unmanaged.passUnretained(chain).toOpaque(),
            body: { context, item, _ in
                let chain = Unmanaged<Chain>.fromOpaque(context).takeUnretainedValue()
                // Long enough that others come to take some.
                if item % 16 == 3 { usleep(10) }
                chain.done[item] += 1
            },
            next: { context, thread in Unmanaged<Chain>.fromOpaque(context).takeUnretainedValue().next(thread) })
        #expect(chain.job == Chain.length)
        #expect(chain.early == 0)
        #expect(chain.begun.reduce(0, +) == Chain.length)
    }

    /// A thread that is kept from its share holds up nobody: the others take it.
    @Test func `items of a share whose thread is busy are done by others`() {
        let pool = WorkerPool(threadCount: 3, processors: 3)
        let threads = UnsafeMutableBufferPointer<Int>.allocate(capacity: 300)
        defer { threads.deallocate() }
        threads.initialize(repeating: -1)
        guard let base = threads.baseAddress else { return }
        pool.run(items: 300, context: base) { context, item, thread in
            // The first of the caller's own.
            if item == 0 { usleep(200_000) } else { usleep(50) }
            context.assumingMemoryBound(to: Int.self)[item] = thread
        }
        #expect(threads[0] == 0)
        #expect(threads.allSatisfy { (0..<3).contains($0) })
        // 99 items of 50 us, and 0.2 s for others to do them.
        #expect(threads[1..<100].filter { $0 != 0 }.count > 80)
    }

    /// More items than a share can tell apart are taken several at a time.
    @Test func `millions of items`() {
        let pool = WorkerPool(threadCount: 3, processors: 3)
        let count = 2_500_001
        let runs = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: count)
        defer { runs.deallocate() }
        runs.initialize(repeating: 0)
        guard let base = runs.baseAddress else { return }
        pool.run(items: count, context: base) { context, item, _ in context.assumingMemoryBound(to: UInt8.self)[item] += 1 }
        #expect(runs.allSatisfy { $0 == 1 })
    }

    /// Sessions of one model may ask for different numbers of threads.
    @Test func `fewer threads than there are`() {
        let pool = WorkerPool(threadCount: 4, processors: 4)
        for round in 0..<400 {
            let members = 1 + round % 4
            let job = Job(items: 50, threads: 4)
            pool.run(items: 50, threads: members, context: Unmanaged.passUnretained(job).toOpaque(), body: Self.body)
            #expect(job.runs.allSatisfy { $0 == 1 })
            #expect(job.clashes.load(ordering: .relaxed) == 0)
        }
    }

    /// Threads beyond the processors are told to callers, and none is started.
    @Test func `as many threads as processors`() {
        let pool = WorkerPool(threadCount: 8, processors: 2)
        #expect(pool.threadCount == 8)
        #expect(pool.members(8) == 2 && pool.members(1) == 1)
    }
}
