// The engine's threads. A job is a number of items and a C function; whoever is awake takes the next item. The caller works too, and a job
// is done when its items are, not when every worker has looked at it: a worker that the system does not schedule costs nothing but its help.
// No item's result depends on who computed it.

import Glibc
internal import CAlpacaKernels
import Synchronization

/// A persistent set of threads that share the items of one job at a time.
///
/// ``run(items:threads:context:body:)`` is called by one thread at a time; who owns the pool sees to it.
final class WorkerPool: Sendable {
    typealias Body = @convention(c) (UnsafeMutableRawPointer, _ item: Int, _ thread: Int) -> Void

    /// Threads that work on a job, the caller's included.
    let threadCount: Int
    private let shared: Shared
    private let workers: [pthread_t]
    /// What each worker begins with, kept here while it runs.
    private let starts: [WorkerStart]
    private let forks = ForkCount.now

    /// Starts `threadCount - 1` workers; fewer if the system refuses more.
    init(threadCount: Int) {
        let shared = Shared(threadCount: threadCount, mostAwake: min(threadCount, ProcessorCount.allowed()))
        var workers: [pthread_t] = []
        var starts: [WorkerStart] = []
        // The host's signals are not ours: workers are born with all of them blocked.
        var all = sigset_t()
        var before = sigset_t()
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_SETMASK, &all, &before)
        for index in 1..<max(1, min(threadCount, WorkerPool.mostThreads)) {
            let start = WorkerStart(shared: shared, thread: index)
            var thread = pthread_t()
            guard unsafe pthread_create(&thread, nil, workerMain, Unmanaged.passUnretained(start).toOpaque()) == 0 else { break }
            workers.append(thread)
            starts.append(start)
        }
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        self.shared = shared
        self.workers = workers
        self.starts = starts
        self.threadCount = workers.count + 1
    }

    static let mostThreads = 256

    deinit {
        // In a forked child the workers do not exist and must not be waited for.
        guard forks == ForkCount.now else { return }
        shared.stop()
        for worker in workers { pthread_join(worker, nil) }
    }

    /// Calls `body(context, item, thread)` once for each item 0 ..< items, on several threads, and returns when all are done. `thread` is
    /// 0 ..< threadCount and no two calls that run at the same time share it, so that it can choose scratch memory.
    ///
    /// Safety: `context` must stay valid during the call; `body` must not write what another item reads.
    /// - Parameter threads: how many of the pool's threads take part, the caller among them; nil for all.
    @unsafe func run(items: Int, threads: Int? = nil, context: UnsafeMutableRawPointer, body: Body) {
        let threads = min(threads ?? threadCount, threadCount)
        // After fork() the workers do not exist in the child, and what they held at that moment stays held: everything runs here.
        if items <= 1 || threads <= 1 || forks != ForkCount.now {
            for item in 0..<max(0, items) { unsafe body(context, item, 0) }
            return
        }
        unsafe shared.run(items: items, threads: threads, context: context, body: body)
    }
}

/// What callers and workers see of each other.
@safe private final class Shared: @unchecked Sendable {
    /// Number of the job (upper half) and its next free item (lower half). An item is taken by compare-and-exchange, which fails when the
    /// job has changed; so the fields below, read before, were those of the job that the item belongs to.
    let ticket = Atomic<UInt64>(0)
    let items = Atomic<Int>(0)
    private static let all: UInt64 = 0xFFFF_FFFF
    /// Number of the job (upper half) and workers that may still join it (lower half; ``all``: no matter how many).
    private let admission = Atomic<UInt64>(0)
    let body = Atomic<UInt>(0)
    let context = Atomic<UInt>(0)
    let done = Atomic<Int>(0)
    let stopping = Atomic<Bool>(false)

    /// Threads beyond the processors stay asleep: each would only keep one waiting that has an item in its hands.
    private let mostAwake: Int
    /// Workers that run or are being woken, and those that wait to be. Changed under the mutex.
    private let awake = Atomic<Int>(0)
    private var asleep = 0
    /// Of the sleepers, how many may wake. Under the mutex.
    private var wakes = 0
    private let callerSleeps = Atomic<Bool>(false)
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let wake, finished: UnsafeMutablePointer<pthread_cond_t>

    /// Threads that the pool was asked for.
    private let threadCount: Int

    init(threadCount: Int, mostAwake: Int) {
        self.threadCount = threadCount
        self.mostAwake = mostAwake
        unsafe mutex = .allocate(capacity: 1)
        unsafe wake = .allocate(capacity: 1)
        unsafe finished = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(wake, nil)
        unsafe pthread_cond_init(finished, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(finished)
        unsafe pthread_cond_destroy(wake)
        unsafe pthread_mutex_destroy(mutex)
        unsafe finished.deallocate()
        unsafe wake.deallocate()
        unsafe mutex.deallocate()
    }

    @unsafe func run(items count: Int, threads: Int, context pointer: UnsafeMutableRawPointer, body function: WorkerPool.Body) {
        let job = (ticket.load(ordering: .relaxed) >> 32) &+ 1
        // First close the old job: no worker may pair its number with the new fields.
        ticket.store((job << 32) | 0xFFFF_FFFF, ordering: .sequentiallyConsistent)
        done.store(0, ordering: .relaxed)
        // Releasing and acquiring: who has read one of these takes no item of a ticket from before it was closed.
        items.store(count, ordering: .releasing)
        admission.store(((job &+ 1) << 32) | (threads < threadCount ? UInt64(threads - 1) : Shared.all), ordering: .releasing)
        unsafe body.store(UInt(bitPattern: unsafeBitCast(function, to: Int.self)), ordering: .releasing)
        context.store(UInt(bitPattern: pointer), ordering: .releasing)
        ticket.store((job &+ 1) << 32, ordering: .sequentiallyConsistent)
        // The caller is one of them.
        let wanted = min(count, threads, mostAwake) - 1
        if awake.load(ordering: .sequentiallyConsistent) < wanted { wakeWorkers(upTo: wanted) }
        work(job: (job &+ 1) & 0xFFFF_FFFF, thread: 0)
        waitUntilDone(count)
    }

    /// Whether a worker may join `job`: the first ones that come may, as many as the caller asked for.
    private func admits(to job: UInt64) -> Bool {
        var seen = admission.load(ordering: .acquiring)
        if seen & 0xFFFF_FFFF == Shared.all { return true }
        while seen >> 32 == job, seen & 0xFFFF_FFFF > 0 {
            let (exchanged, now) = admission.weakCompareExchange(expected: seen, desired: seen - 1, ordering: .acquiringAndReleasing)
            if exchanged { return true }
            seen = now
        }
        return false
    }

    /// Takes and computes items of `job` until there are none.
    func work(job: UInt64, thread: Int) {
        while true {
            let seen = ticket.load(ordering: .acquiring)
            let count = items.load(ordering: .acquiring)
            let function = body.load(ordering: .acquiring)
            let pointer = context.load(ordering: .acquiring)
            guard seen >> 32 == job, let item = Int(exactly: seen & 0xFFFF_FFFF), item < count else { return }
            guard ticket.compareExchange(expected: seen, desired: seen + 1, ordering: .acquiringAndReleasing).exchanged else { continue }
            guard function != 0, let argument = unsafe UnsafeMutableRawPointer(bitPattern: pointer) else { return }
            // The bits are those of the C function that run(items:context:body:) was given.
            let call = unsafe unsafeBitCast(function, to: WorkerPool.Body.self)
            unsafe call(argument, item, thread)
            let before = done.add(1, ordering: .sequentiallyConsistent).oldValue
            if before + 1 == count, callerSleeps.load(ordering: .sequentiallyConsistent) { wakeCaller() }
        }
    }

    /// The caller waits for items that are in the hands of workers.
    private func waitUntilDone(_ count: Int) {
        var spins = 0
        var begin: UInt64 = 0
        while done.load(ordering: .acquiring) < count {
            spins += 1
            if spins < WorkerWait.spins {
                kern_pause()
                continue
            }
            let now = Clock.now()
            if begin == 0 { begin = now }
            if now &- begin < WorkerWait.yielding {
                // An item may be in the hands of a thread that is not running.
                sched_yield()
            } else {
                // The system gives an idle processor to a thread that waits for another one; to a thread that only yields it does not.
                sleep(untilDone: count)
            }
        }
    }

    /// A worker's life: spin for a moment (the next job of a forward pass comes within microseconds), then sleep.
    func serve(thread: Int) {
        unsafe pthread_mutex_lock(mutex)
        awake.add(1, ordering: .sequentiallyConsistent)
        unsafe pthread_mutex_unlock(mutex)
        // Job 0 is none: a job that was posted before this thread came is not passed over.
        var last: UInt64 = 0
        while true {
            var spins = 0
            while true {
                let now = ticket.load(ordering: .sequentiallyConsistent) >> 32
                if now != last || stopping.load(ordering: .acquiring) {
                    last = now
                    break
                }
                spins += 1
                if spins < WorkerWait.spins {
                    kern_pause()
                } else {
                    sleep(while: last)
                    spins = 0
                }
            }
            if stopping.load(ordering: .acquiring) { return }
            if admits(to: last) { work(job: last, thread: thread) }
        }
    }

    private func sleep(while job: UInt64) {
        unsafe pthread_mutex_lock(mutex)
        awake.subtract(1, ordering: .sequentiallyConsistent)
        // Either the job that was posted meanwhile is seen here, or the caller sees that one less is awake.
        if ticket.load(ordering: .sequentiallyConsistent) >> 32 == job {
            asleep += 1
            while wakes == 0, !stopping.load(ordering: .acquiring) { unsafe pthread_cond_wait(wake, mutex) }
            // Who lets it wake has counted it as awake.
            if wakes > 0 { wakes -= 1 }
        } else {
            awake.add(1, ordering: .sequentiallyConsistent)
        }
        unsafe pthread_mutex_unlock(mutex)
    }

    private func wakeWorkers(upTo wanted: Int) {
        unsafe pthread_mutex_lock(mutex)
        let count = min(asleep, wanted - awake.load(ordering: .relaxed))
        if count > 0 {
            asleep -= count
            wakes += count
            awake.add(count, ordering: .sequentiallyConsistent)
            for _ in 0..<count { unsafe pthread_cond_signal(wake) }
        }
        unsafe pthread_mutex_unlock(mutex)
    }

    private func sleep(untilDone count: Int) {
        unsafe pthread_mutex_lock(mutex)
        callerSleeps.store(true, ordering: .sequentiallyConsistent)
        // Either the last item's thread sees that the caller sleeps, or the caller sees that the item is done.
        while done.load(ordering: .sequentiallyConsistent) < count { unsafe pthread_cond_wait(finished, mutex) }
        callerSleeps.store(false, ordering: .relaxed)
        unsafe pthread_mutex_unlock(mutex)
    }

    private func wakeCaller() {
        unsafe pthread_mutex_lock(mutex)
        unsafe pthread_cond_signal(finished)
        unsafe pthread_mutex_unlock(mutex)
    }

    func stop() {
        unsafe pthread_mutex_lock(mutex)
        stopping.store(true, ordering: .sequentiallyConsistent)
        unsafe pthread_cond_broadcast(wake)
        unsafe pthread_mutex_unlock(mutex)
    }
}

/// How often this process is a child of a process that had the library.
enum ForkCount {
    private static let count = Atomic<Int>(0)
    private static let isCounting: Bool = pthread_atfork(nil, nil, { ForkCount.count.add(1, ordering: .relaxed) }) == 0

    static var now: Int { isCounting ? count.load(ordering: .relaxed) : Int(getpid()) }
}

/// What a new worker is told.
private final class WorkerStart: Sendable {
    let shared: Shared
    let thread: Int
    init(shared: Shared, thread: Int) {
        self.shared = shared
        self.thread = thread
    }
}

private func workerMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument = unsafe argument else { return nil }
    // The pool has it until it has joined this thread.
    let start = unsafe Unmanaged<WorkerStart>.fromOpaque(argument).takeUnretainedValue()
    FloatState.setDefault()
    start.shared.serve(thread: start.thread)
    return nil
}

private enum WorkerWait {
    /// Looks at what is waited for before more is done about it: some tens of microseconds, longer than the gaps inside a forward pass.
    static let spins = 2000
    /// Nanoseconds for which the caller then lets others run, before it sleeps.
    static let yielding: UInt64 = 200_000
}
