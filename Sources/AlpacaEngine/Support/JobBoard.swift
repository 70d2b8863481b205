import Glibc
internal import CAlpacaKernels
import Synchronization

/// What the threads of a ``WorkerPool`` see of each other: the job at hand, what is left of each thread's share, who sleeps.
///
/// A job's fields may only change when all its items are done, and they are done when ``done`` says so. A thread that has read a share with
/// items in it, then the fields, and then takes an item by compare-and-exchange, has read those of the item's job: else the share would have
/// changed. Items that a thread has done count when it says so, at the latest before it looks for work that isn't there; until then
/// the job goes on.
@safe final class JobBoard: @unchecked Sendable {
    /// Threads that may take part, the caller's included.
    let threadCount: Int

    /// Number of the last job that was posted.
    private let posted = Atomic<UInt64>(0)
    /// Whether the caller's jobs are all done.
    private let isOver = Atomic<Bool>(true)
    private let isStopping = Atomic<Bool>(false)

    // The job.
    private let members = Atomic<Int>(0)
    private let body = Atomic<UInt>(0), context = Atomic<UInt>(0), next = Atomic<UInt>(0)
    private let items = Atomic<Int>(0)
    /// Items that are taken together, and how many such parts there are.
    private let part = Atomic<Int>(1), parts = Atomic<Int>(0)
    /// Parts that are done.
    private let done = Atomic<Int>(0)
    private let shares: UnsafeMutablePointer<Share>

    // Sleep. The flags are guarded by the mutex; their number is read without.
    private let sleepers = Atomic<Int>(0)
    private var isAsleep: [Bool]
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let wakes: UnsafeMutablePointer<pthread_cond_t>

    init(threadCount: Int) {
        self.threadCount = threadCount
        isAsleep = [Bool](repeating: false, count: threadCount)
        unsafe shares = .allocate(capacity: threadCount)
        unsafe mutex = .allocate(capacity: 1)
        unsafe wakes = .allocate(capacity: threadCount)
        unsafe pthread_mutex_init(mutex, nil)
        for i in 0..<threadCount {
            // Bound: i < threadCount, as many as were allocated.
            unsafe (shares + i).initialize(to: Share())
            unsafe pthread_cond_init(wakes + i, nil)
        }
    }

    deinit {
        for i in 0..<threadCount { unsafe pthread_cond_destroy(wakes + i) }
        unsafe pthread_mutex_destroy(mutex)
        unsafe shares.deinitialize(count: threadCount)
        unsafe shares.deallocate()
        unsafe wakes.deallocate()
        unsafe mutex.deallocate()
    }

    // MARK: The caller

    /// - Parameter members: threads that take part, 2 ... threadCount.
    @unsafe func run(
        items: Int, members: Int, context: UnsafeMutableRawPointer, body: WorkerPool.Body, next: WorkerPool.Next?
    ) {
        isOver.store(false, ordering: .relaxed)
        // All of the last job is done and nobody takes items: the fields are free.
        self.members.store(members, ordering: .releasing)
        self.context.store(UInt(bitPattern: context), ordering: .releasing)
        unsafe self.body.store(UInt(bitPattern: unsafeBitCast(body, to: Int.self)), ordering: .releasing)
        unsafe self.next.store(UInt(bitPattern: unsafeBitCast(next, to: Int.self)), ordering: .releasing)
        begin(items, on: 0)
        var patience = Patience()
        while true {
            let seen = posted.load(ordering: .sequentiallyConsistent)
            work(0, &patience)
            if isOver.load(ordering: .acquiring) { return }
            wait(0, whileLast: seen, &patience)
        }
    }

    // MARK: Workers

    /// A worker's life: work, wait for a moment (the next job of a forward pass comes within microseconds), then sleep.
    func serve(thread: Int) {
        // Job 0 is none: a job that was posted before this thread came is not passed over.
        var seen: UInt64 = 0
        var patience = Patience()
        while !isStopping.load(ordering: .acquiring) {
            let now = posted.load(ordering: .sequentiallyConsistent)
            if now != seen, thread < members.load(ordering: .acquiring) { work(thread, &patience) }
            seen = now
            wait(thread, whileLast: seen, &patience)
        }
    }

    func stop() {
        unsafe pthread_mutex_lock(mutex)
        isStopping.store(true, ordering: .sequentiallyConsistent)
        for i in 0..<threadCount { wake(i) }
        unsafe pthread_mutex_unlock(mutex)
    }

    // MARK: Jobs

    /// Posts a job, or ends the run when there is none; those that are too small for that are done here. By the only thread that is at work.
    private func begin(_ count: Int, on thread: Int) {
        guard let argument = unsafe UnsafeMutableRawPointer(bitPattern: context.load(ordering: .relaxed)) else { return end() }
        // The bits are those of the functions that run(items:members:context:body:next:) was given.
        let call = unsafe unsafeBitCast(body.load(ordering: .relaxed), to: WorkerPool.Body?.self)
        let follow = unsafe unsafeBitCast(next.load(ordering: .relaxed), to: WorkerPool.Next?.self)
        var count = count
        while count <= 1 {
            if count < 0 { return end() }
            if count == 1 { unsafe call?(argument, 0, thread) }
            count = unsafe follow?(argument, thread) ?? -1
        }
        let each = (count + Share.most - 1) / Share.most
        let total = (count + each - 1) / each
        let shareCount = members.load(ordering: .relaxed)
        let number = posted.load(ordering: .relaxed) &+ 1
        items.store(count, ordering: .releasing)
        part.store(each, ordering: .releasing)
        parts.store(total, ordering: .releasing)
        done.store(0, ordering: .releasing)
        for i in 0..<shareCount {
            // Bound: members <= threadCount. Fewer parts than threads: one each for the first.
            let range = total < shareCount ? min(i, total)..<min(i + 1, total) : total * i / shareCount..<total * (i + 1) / shareCount
            unsafe shares[i].rest.store(Share.bits(number, range), ordering: .sequentiallyConsistent)
        }
        posted.store(number, ordering: .sequentiallyConsistent)
        wakeSleepers(min(shareCount, total))
    }

    private func end() {
        isOver.store(true, ordering: .sequentiallyConsistent)
        wakeSleepers(1)
    }

    /// Takes and does items until there are none. Who does a job's last begins the next.
    private func work(_ thread: Int, _ patience: inout Patience) {
        var mine = 0
        while true {
            if mine > 0, patience.isDue() {
                // Others may need the processor, and better now than in the middle of an item.
                if count(&mine) { begin(follow(thread), on: thread) }
                patience.letOthersRun()
            }
            if take(thread) {
                mine += 1
            } else {
                guard mine > 0, count(&mine) else { return }
                begin(follow(thread), on: thread)
            }
        }
    }

    /// Says that `mine` parts are done: whether the job is.
    private func count(_ mine: inout Int) -> Bool {
        defer { mine = 0 }
        // Read first: once these parts count, another thread may end the job and post the next one.
        let total = parts.load(ordering: .acquiring)
        return done.add(mine, ordering: .acquiringAndReleasing).oldValue + mine == total
    }

    /// Items of the job that follows. By the thread that finished the one before.
    private func follow(_ thread: Int) -> Int {
        let function = unsafe unsafeBitCast(next.load(ordering: .acquiring), to: WorkerPool.Next?.self)
        guard let argument = unsafe UnsafeMutableRawPointer(bitPattern: context.load(ordering: .acquiring)) else { return -1 }
        return unsafe function?(argument, thread) ?? -1
    }

    /// Does some items: the first of the thread's own share, else the last of another's. False when there is none.
    private func take(_ thread: Int) -> Bool {
        let count = members.load(ordering: .acquiring)
        guard thread < count else { return false }
        for offset in 0..<count {
            let owner = thread + offset < count ? thread + offset : thread + offset - count
            while true {
                // Bound: owner < members <= threadCount.
                let seen = unsafe shares[owner].rest.load(ordering: .acquiring)
                let rest = Share.range(seen)
                guard !rest.isEmpty else { break }
                let each = part.load(ordering: .acquiring), total = items.load(ordering: .acquiring)
                let function = body.load(ordering: .acquiring), pointer = context.load(ordering: .acquiring)
                guard thread < members.load(ordering: .acquiring) else { return false }
                let isOwn = offset == 0
                let left = isOwn ? rest.dropFirst() : rest.dropLast()
                guard
                    unsafe shares[owner].rest.compareExchange(
                        expected: seen, desired: Share.bits(seen >> 40, left), ordering: .acquiringAndReleasing
                    ).exchanged
                else { continue }
                let index = isOwn ? rest.lowerBound : rest.upperBound - 1
                let call = unsafe unsafeBitCast(function, to: WorkerPool.Body?.self)
                guard let argument = unsafe UnsafeMutableRawPointer(bitPattern: pointer) else { return true }
                for item in index * each..<min(total, (index + 1) * each) { unsafe call?(argument, item, thread) }
                return true
            }
        }
        return false
    }

    // MARK: Waiting

    private func isWanted(_ thread: Int, after job: UInt64) -> Bool {
        if posted.load(ordering: .sequentiallyConsistent) != job, thread < members.load(ordering: .sequentiallyConsistent) { return true }
        return thread == 0 ? isOver.load(ordering: .sequentiallyConsistent) : isStopping.load(ordering: .sequentiallyConsistent)
    }

    /// Until there is another job than `job` that the thread takes part in, or no more.
    private func wait(_ thread: Int, whileLast job: UInt64, _ patience: inout Patience) {
        var wait = Wait()
        while !isWanted(thread, after: job) {
            // An item may be in the hands of a thread that isn't running: others are let run, and in the end the system is told. It
            // gives an idle processor to a thread that waits for one, but not one that only yields.
            if wait.isLong() { sleep(thread, after: job) }
        }
        if wait.hasYielded { patience.begin() }
    }

    private func sleep(_ thread: Int, after job: UInt64) {
        unsafe pthread_mutex_lock(mutex)
        isAsleep[thread] = true
        sleepers.add(1, ordering: .sequentiallyConsistent)
        // Either the job that was posted meanwhile is seen here, or whoever posts it sees the sleeper.
        if isWanted(thread, after: job) { wake(thread) }
        while isAsleep[thread] { unsafe pthread_cond_wait(wakes + thread, mutex) }
        unsafe pthread_mutex_unlock(mutex)
    }

    /// Under the mutex.
    private func wake(_ thread: Int) {
        guard isAsleep[thread] else { return }
        isAsleep[thread] = false
        sleepers.subtract(1, ordering: .sequentiallyConsistent)
        // Bound: thread < threadCount.
        unsafe pthread_cond_signal(wakes + thread)
    }

    /// Wakes those of the first `count` threads that sleep.
    private func wakeSleepers(_ count: Int) {
        guard sleepers.load(ordering: .sequentiallyConsistent) > 0 else { return }
        unsafe pthread_mutex_lock(mutex)
        for i in 0..<min(count, threadCount) { wake(i) }
        unsafe pthread_mutex_unlock(mutex)
    }
}

/// What is left of a thread's share of a job, in a cache line of its own, and the next one, which processors fetch along with it.
private struct Share: ~Copyable {
    /// The job's number (24 bits), the first part that is left (20), and the end (20). A thread would have to pause for exactly 2^24 jobs,
    /// an hour at the least, to take one job's share for another's.
    let rest = Atomic<UInt64>(0)
    private let room: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0)
    private let more: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0, 0)

    static let most = (1 << 20) - 1

    static func range(_ bits: UInt64) -> Range<Int> {
        let first = Int(bits >> 20 & 0xFFFFF), end = Int(bits & 0xFFFFF)
        return first..<max(first, end)
    }

    static func bits(_ job: UInt64, _ range: Range<Int>) -> UInt64 {
        job << 40 | UInt64(range.lowerBound) << 20 | UInt64(range.upperBound)
    }
}

/// When a thread last let others run.
private struct Patience {
    private var since = Clock.now()
    /// Nanoseconds that it then works. The system's turns take 3 ms or more where it counts them in ticks of 4 ms or 1 ms: this ends ours
    /// before it does, and is no shorter because the system may count a turn that is given up as taken.
    private static let turn: UInt64 = 2_000_000

    mutating func begin() { since = Clock.now() }

    func isDue() -> Bool { Clock.now() &- since >= Patience.turn }

    mutating func letOthersRun() {
        sched_yield()
        begin()
    }
}

/// How a thread waits: at first it looks again and again, then it lets others run between two looks.
private struct Wait {
    private var looks = 0
    private var start: UInt64 = 0

    /// Looks before others are let run: some tens of microseconds, longer than the gaps inside a forward pass.
    private static let spins = 2000
    /// Nanoseconds after which it is better to sleep.
    private static let most: UInt64 = 200_000

    var hasYielded: Bool { start > 0 }

    /// Waits a little. Whether it has been long.
    mutating func isLong() -> Bool {
        looks += 1
        if looks < Wait.spins {
            kern_pause()
            return false
        }
        let now = Clock.now()
        if start == 0 { start = now }
        if now &- start >= Wait.most { return true }
        sched_yield()
        return false
    }
}
