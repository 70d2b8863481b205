// Long work in items: reading, computing and writing files. Any thread takes the next item; the caller works too, and it alone tells of
// progress, because callbacks run on the thread that made the call. The first error ends the job; so does a caller who says stop.

import Glibc
import Synchronization

/// A number of independent items, spread over threads. An item that takes long asks ``Worker/goesOn()`` now and then.
final class ParallelJob: Sendable {
    /// A thread at work, as an item sees it.
    struct Worker {
        /// 0 ..< threadCount; no two items that run at the same time share it. 0 is the caller.
        let thread: Int
        fileprivate let job: ParallelJob
        fileprivate let caller: Caller?

        /// False when the job has failed or was cancelled: what this item makes is no longer wanted.
        func goesOn() -> Bool {
            caller?.tellIfDue()
            return !job.stopped.load(ordering: .acquiring)
        }
    }

    /// Nanoseconds between two calls of `tick`: who wants to cancel is heard as often.
    static let interval: UInt64 = 20_000_000

    private let items: Int
    private let body: @Sendable (Int, Worker) throws(AlpacaError) -> Void
    private let next = Atomic<Int>(0)
    private let finished = Atomic<Int>(0)
    private let stopped = Atomic<Bool>(false)
    private let failure = Lock<AlpacaError?>(nil)

    private init(items: Int, body: @escaping @Sendable (Int, Worker) throws(AlpacaError) -> Void) {
        self.items = items
        self.body = body
    }

    /// Runs all items and returns when none is at work any more.
    ///
    /// - Parameters:
    ///   - threadCount: threads, the caller's included.
    ///   - tick: called on this thread some fifty times a second and once at the end; false cancels.
    ///   - cancelled: the error then.
    static func run(
        items: Int, threadCount: Int, cancelled: @autoclosure () -> AlpacaError, tick: () -> Bool,
        body: @escaping @Sendable (Int, Worker) throws(AlpacaError) -> Void
    ) throws(AlpacaError) {
        let job = ParallelJob(items: items, body: body)
        let pool = WorkerPool(threadCount: max(1, min(threadCount, items)))
        let error = cancelled()
        withoutActuallyEscaping(tick) { tick in
            let caller = Caller(job: job, tick: tick, cancelled: error)
            withExtendedLifetime(caller) {
                // Safety: the context outlives the call; items share only the job, which is Sendable.
                unsafe pool.run(items: pool.threadCount, context: Unmanaged.passUnretained(caller).toOpaque()) { pointer, _, thread in
                    let caller = unsafe Unmanaged<Caller>.fromOpaque(pointer).takeUnretainedValue()
                    caller.job.work(Worker(thread: thread, job: caller.job, caller: thread == 0 ? caller : nil))
                    if thread == 0 { caller.wait() }
                }
            }
        }
        if let failure = job.failure.withLock({ $0 }) { throw failure }
    }

    private func work(_ worker: Worker) {
        while true {
            let item = next.add(1, ordering: .relaxed).oldValue
            guard item < items else { return }
            if worker.goesOn() {
                do throws(AlpacaError) { try body(item, worker) } catch { stop(error) }
            }
            finished.add(1, ordering: .releasing)
        }
    }

    private func stop(_ error: AlpacaError) {
        failure.withLock { if $0 == nil { $0 = error } }
        stopped.store(true, ordering: .releasing)
    }

    /// The calling thread.
    fileprivate final class Caller {
        let job: ParallelJob
        private let tick: () -> Bool
        private let cancelled: AlpacaError
        private var hasStopped = false
        private var due: UInt64 = 0

        init(job: ParallelJob, tick: @escaping () -> Bool, cancelled: AlpacaError) {
            self.job = job
            self.tick = tick
            self.cancelled = cancelled
        }

        func tellIfDue() {
            let now = Clock.now()
            guard now >= due else { return }
            due = now &+ ParallelJob.interval
            tell()
        }

        /// A worker may come late or never; what is not done when the caller has run out of items is in the hands of one that runs.
        func wait() {
            while job.finished.load(ordering: .acquiring) < job.items {
                usleep(1000)
                tellIfDue()
            }
            tell()
        }

        private func tell() {
            guard !hasStopped, !tick() else { return }
            hasStopped = true
            job.stop(cancelled)
        }
    }
}
