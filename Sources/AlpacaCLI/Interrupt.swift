// Ctrl-C. All threads block SIGINT; one thread waits for it with sigwait and is an ordinary thread, so that what it does is not restricted
// to what a signal handler may do.

import Glibc
import AlpacaEngine
import Synchronization

enum Interrupt {
    /// How what is under way is told to stop; nil when nothing is.
    private static let stop = Mutex<(@Sendable () -> Void)?>(nil)
    private static let flag = Atomic<Bool>(false)

    /// Whether Ctrl-C was pressed since ``install()`` or the last ``clear()``.
    static var happened: Bool { flag.load(ordering: .acquiring) }
    static func clear() { flag.store(false, ordering: .releasing) }

    static func install() {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGINT)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        // A reader that goes away ends the program by a failed write, not by a signal in the middle of it.
        signal(SIGPIPE, SIG_IGN)
        var thread = pthread_t()
        pthread_create(&thread, nil, waitForInterrupts, nil)
    }

    /// Ctrl-C cancels `running` while `body` works; at other times it ends the program.
    static func cancelling<R>(_ running: Session, _ body: () throws -> R) rethrows -> R {
        try stopping({ running.cancel() }, body)
    }

    /// Ctrl-C is noticed by ``happened`` while `body` works, which looks at it often; a second one ends the program.
    static func noticing<R>(_ body: () throws -> R) rethrows -> R {
        try stopping({}, body)
    }

    private static func stopping<R>(_ stop: @escaping @Sendable () -> Void, _ body: () throws -> R) rethrows -> R {
        self.stop.withLock { $0 = stop }
        defer { self.stop.withLock { $0 = nil } }
        return try body()
    }

    fileprivate static func handle() {
        let isSecond = flag.exchange(true, ordering: .acquiringAndReleasing)
        let stop = stop.withLock { $0 }
        if let stop, !isSecond {
            stop()
        } else {
            Console.status("\n")
            _exit(130)
        }
    }
}

private func waitForInterrupts(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, SIGINT)
    while true {
        var signal: Int32 = 0
        if sigwait(&set, &signal) == 0 { Interrupt.handle() }
    }
}
