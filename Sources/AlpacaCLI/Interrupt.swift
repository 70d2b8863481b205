// Ctrl-C, and the other signals that ask a program to end. All threads block them; one thread waits for them with sigwait and is an ordinary
// thread, so that what it does is not restricted to what a signal handler may do.
//
// Who ends by such a signal ends by the signal itself, so that a shell that runs the command in a loop ends the loop, too. A signal that is
// ignored when the command starts (nohup, background jobs of scripts) stays ignored.

import AlpacaEngine
import Glibc
import Synchronization

enum Interrupt {
    /// How what is under way is told to stop; nil when nothing is.
    private static let stop = Lock<(@Sendable () -> Void)?>(nil)
    /// The signal that came, 0 when none did.
    private static let signal = Atomic<Int32>(0)
    private static let isTalking = Atomic<Bool>(false)
    private static let ignoresClosedPipes = Atomic<Bool>(false)
    /// What is waited for. Written before there is a second thread.
    nonisolated(unsafe) fileprivate static var awaited = sigset_t()

    /// Whether a signal came since ``install()`` or the last ``clear()``.
    static var happened: Bool { signal.load(ordering: .acquiring) != 0 }
    static func clear() { stop.withLock { _ in signal.store(0, ordering: .releasing) } }

    /// Whether a signal ends waiting for a reader. In a conversation it ends the answer, not the program.
    static var endsOutput: Bool { happened && !isTalking.load(ordering: .relaxed) }

    static func install() {
        // A reader that goes away, and a file that may not grow, show by a failed write, not by a signal in the middle of it.
        ignoresClosedPipes.store(isIgnored(SIGPIPE), ordering: .relaxed)
        _ = Glibc.signal(SIGPIPE, SIG_IGN)
        _ = Glibc.signal(SIGXFSZ, SIG_IGN)
        sigemptyset(&awaited)
        let heard = [SIGINT, SIGTERM, SIGHUP].filter { !isIgnored($0) }
        guard !heard.isEmpty else { return }
        for signal in heard { sigaddset(&awaited, signal) }
        pthread_sigmask(SIG_BLOCK, &awaited, nil)
        var thread = pthread_t()
        // Without the thread the signals do what they do to other programs.
        if pthread_create(&thread, nil, waitForSignals, nil) != 0 { pthread_sigmask(SIG_UNBLOCK, &awaited, nil) }
    }

    private static func isIgnored(_ signal: Int32) -> Bool {
        var action = sigaction()
        return sigaction(signal, nil, &action) == 0
            && unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    /// A signal cancels `running` while `body` works; at other times it ends the program.
    static func cancelling<R, E: Error>(_ running: Session, _ body: () throws(E) -> R) throws(E) -> R {
        try stopping({ running.cancel() }, body)
    }

    /// The same for an answer in a conversation: Ctrl-C ends the answer, the others end the program.
    static func talking<R, E: Error>(_ running: Session, _ body: () throws(E) -> R) throws(E) -> R {
        isTalking.store(true, ordering: .relaxed)
        return try cancelling(running, body)
    }

    /// A signal is noticed by ``happened`` while `body` works, which looks at it often; a second one ends the program.
    ///
    /// - Parameter isUnderWay: whether there is something that has to be put in order; without, a signal ends the program at once.
    static func noticing<R, E: Error>(
        isUnderWay: @escaping @Sendable () -> Bool, _ body: () throws(E) -> R
    ) throws(E) -> R {
        try stopping({ if !isUnderWay() { endIfAsked() } }, body)
    }

    private static func stopping<R, E: Error>(_ stop: @escaping @Sendable () -> Void, _ body: () throws(E) -> R) throws(E) -> R {
        self.stop.withLock { $0 = stop }
        defer { self.stop.withLock { $0 = nil } }
        return try body()
    }

    /// Whether something was told to stop and has not yet.
    fileprivate static var isWaiting: Bool { happened && stop.withLock { $0 != nil } }

    /// Tells what was told to stop again. What began since ``clear()`` was not meant.
    fileprivate static func askAgain() { stop.withLock { if happened { $0?() } } }

    fileprivate static func handle(_ signal: Int32) {
        let isSecond = self.signal.exchange(signal, ordering: .acquiringAndReleasing) != 0
        let stop = stop.withLock { $0 }
        let endsProgram = signal != SIGINT && isTalking.load(ordering: .relaxed)
        guard let stop, !isSecond, !endsProgram else {
            if Console.errorIsTerminal { endLine() }
            end(by: signal)
        }
        stop()
    }

    // MARK: Ending

    /// Ends the program by the signal that came, if one did.
    static func endIfAsked() {
        let signal = signal.load(ordering: .acquiring)
        if signal != 0 { end(by: signal) }
    }

    /// Ends the program as those are ended whose reader has left: quietly, and shells see the status 141.
    static func endForReader() -> Never {
        if ignoresClosedPipes.load(ordering: .relaxed) { _exit(128 + SIGPIPE) }
        end(by: SIGPIPE)
    }

    private static func end(by signal: Int32) -> Never {
        _ = Glibc.signal(signal, SIG_DFL)
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, signal)
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
        raise(signal)
        _exit(128 + signal)
    }

    /// What the shell writes next begins a line, if the terminal takes one at once.
    private static func endLine() {
        var ready = pollfd(fd: 2, events: Int16(POLLOUT), revents: 0)
        if poll(&ready, 1, 0) == 1 { write(2, "\n", 1) }
    }
}

private func waitForSignals(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    while true {
        var signal: Int32 = 0
        if Interrupt.isWaiting {
            // A call that began just after it was told to stop did not hear it.
            var pause = timespec(tv_sec: 0, tv_nsec: 5_000_000)
            signal = sigtimedwait(&Interrupt.awaited, nil, &pause)
            if signal < 0 {
                Interrupt.askAgain()
                continue
            }
        } else if sigwait(&Interrupt.awaited, &signal) != 0 {
            continue
        }
        Interrupt.handle(signal)
    }
}
