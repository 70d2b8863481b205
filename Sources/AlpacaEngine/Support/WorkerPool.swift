// The engine's threads. A job is a number of items and a C function. Each thread has a share of the items, one behind the other, and begins
// with its own; who is done takes from the ends of the others' shares. Who does the last item begins the next job, whichever thread that is.
// So nobody waits for a thread that does not run, unless that thread has an item in its hands. And a thread lets others run now and then
// while it has none: then the system rarely takes the processor from it in the middle of one.
// No item's result depends on who computed it.

import Glibc

/// A persistent set of threads that share the items of one job at a time.
///
/// The `run` functions are called by one thread at a time; who owns the pool sees to it.
final class WorkerPool: Sendable {
    typealias Body = @convention(c) (UnsafeMutableRawPointer, _ item: Int, _ thread: Int) -> Void
    /// Items of the next job; below 0 when there is none. Called by one thread at a time, after all items of the job before.
    typealias Next = @convention(c) (UnsafeMutableRawPointer, _ thread: Int) -> Int

    /// Threads that work on a job, the caller's included.
    let threadCount: Int
    /// Threads that there are. More than there are processors would only keep each other from running.
    private let present: Int
    private let board: JobBoard
    private let workers: [pthread_t]
    /// What each worker begins with, kept here while it runs.
    private let starts: [WorkerStart]
    private let forks = ForkCount.now

    /// Starts `threadCount - 1` workers; fewer if the system refuses more, or has not so many processors.
    init(threadCount: Int, processors: Int = ProcessorCount.allowed()) {
        let wanted = max(1, min(threadCount, WorkerPool.mostThreads))
        let board = JobBoard(threadCount: max(1, min(wanted, processors)))
        var workers: [pthread_t] = []
        var starts: [WorkerStart] = []
        // The host's signals are not ours: workers are born with all of them blocked.
        var all = sigset_t()
        var before = sigset_t()
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_SETMASK, &all, &before)
        for index in 1..<board.threadCount {
            let start = WorkerStart(board: board, thread: index)
            var thread = pthread_t()
            guard unsafe pthread_create(&thread, nil, workerMain, Unmanaged.passUnretained(start).toOpaque()) == 0 else { break }
            workers.append(thread)
            starts.append(start)
        }
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        self.board = board
        self.workers = workers
        self.starts = starts
        present = workers.count + 1
        self.threadCount = present < board.threadCount ? present : wanted
    }

    static let mostThreads = 256

    deinit {
        // In a forked child the workers do not exist and must not be waited for.
        guard forks == ForkCount.now else { return }
        board.stop()
        for worker in workers { pthread_join(worker, nil) }
    }

    /// How many threads take part in a job that `threads` may take part in: as many shares are its items divided into.
    func members(_ threads: Int) -> Int { max(1, min(threads, present)) }

    /// Calls `body(context, item, thread)` once for each item 0 ..< items, on several threads, and returns when all are done. `thread` is
    /// 0 ..< threadCount and no two calls that run at the same time share it, so that it can choose scratch memory. Thread t of
    /// n = ``members(_:)`` begins with the t-th n-th of the items.
    ///
    /// Safety: `context` must stay valid during the call; `body` must not write what another item reads.
    /// - Parameters:
    ///   - threads: how many of the pool's threads take part, the caller among them; nil for all.
    ///   - next: prepares the job that follows, with the same context and body; nil when one is all. It runs on any of the threads.
    @unsafe func run(items: Int, threads: Int? = nil, context: UnsafeMutableRawPointer, body: Body, next: Next? = nil) {
        let members = members(threads ?? threadCount)
        // After fork() the workers do not exist in the child, and what they held at that moment stays held: everything runs here.
        guard members > 1, forks == ForkCount.now else {
            var count = items
            repeat {
                for item in 0..<max(0, count) { unsafe body(context, item, 0) }
                count = unsafe next?(context, 0) ?? -1
            } while count >= 0
            return
        }
        unsafe board.run(items: items, members: members, context: context, body: body, next: next)
    }
}

/// What a new worker is told.
private final class WorkerStart: Sendable {
    let board: JobBoard
    let thread: Int
    init(board: JobBoard, thread: Int) {
        self.board = board
        self.thread = thread
    }
}

private func workerMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument = unsafe argument else { return nil }
    // The pool has it until it has joined this thread.
    let start = unsafe Unmanaged<WorkerStart>.fromOpaque(argument).takeUnretainedValue()
    FloatState.setDefault()
    start.board.serve(thread: start.thread)
    return nil
}
