import AlpacaEngine
import Glibc
import Synchronization

/// Standard output and error: whole writes, no buffer, colours only where a person looks.
///
/// What can't be written to standard output is an error of the command. What can't be written to standard error is remembered, and the
/// command's status tells in the end (``lostOnError``): the work itself goes on.
enum Console {
    static let outputIsTerminal = isatty(1) == 1
    static let inputIsTerminal = isatty(0) == 1
    static let errorIsTerminal = isatty(2) == 1
    private static let colours = getenv("NO_COLOR") == nil

    /// Nobody reads standard output any more: `head` has seen enough.
    struct ReaderLeft: Error {}
    /// Ctrl-C was pressed while nobody took what was to be written.
    struct Interrupted: Error {}

    /// The first reason for which something could not be written to standard error; 0 when all of it was.
    static var lostOnError: Int32 { lost.load(ordering: .relaxed) }
    private static let lost = Atomic<Int32>(0)

    /// Keeps the numbers 0, 1 and 2 taken where the command was started without: no file that is opened later gets one of them, and with it
    /// what was meant for a terminal. Reading and writing there fails as before.
    static func takeStandardDescriptors() {
        for descriptor in Int32(0)...2 where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest free number: this one.
            _ = open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY)
        }
    }

    // MARK: Writing

    static func print(_ text: String, terminator: String = "\n") throws {
        var text = text + terminator
        try text.withUTF8 { try check(send(UnsafeRawBufferPointer($0), to: 1)) }
    }

    /// Writes bytes as they are.
    static func write(bytes: Span<UInt8>) throws {
        try bytes.withUnsafeBytes { try check(send($0, to: 1)) }
    }

    private static func check(_ reason: Int32) throws {
        switch reason {
        case 0: return
        case EPIPE: throw ReaderLeft()
        case ECANCELED: throw Interrupted()
        default: throw AlpacaError(.io, path: "standard output", "cannot write: \(String(cString: strerror(reason)))")
        }
    }

    /// A line on standard error.
    static func error(_ text: String) { status(text + "\n") }

    /// What this version can't tell apart from a mistake, on standard error.
    static func warn(_ sentence: String) { error("warning: " + PathText.shown(sentence)) }

    /// A part of a line on standard error.
    static func status(_ text: String) {
        var text = text
        let reason = text.withUTF8 { send(UnsafeRawBufferPointer($0), to: 2) }
        // Who closed standard error wants none.
        guard reason != 0, reason != ECANCELED, reason != EBADF else { return }
        _ = lost.compareExchange(expected: 0, desired: reason, ordering: .relaxed)
    }

    /// Bytes that a pipe with room takes at once (PIPE_BUF): who writes more waits where Ctrl-C is not heard.
    private static let mostAtOnce = 4096

    /// Writes all of `bytes`, however slowly they are read and in whatever mode the descriptor is.
    ///
    /// - Returns: 0; the error's number; ECANCELED when Ctrl-C ends the waiting.
    private static func send(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32 {
        var done = 0
        var most = mostAtOnce
        while done < bytes.count, let base = bytes.baseAddress {
            var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            let found = poll(&ready, 1, 20)
            if found < 0, errno != EINTR { return errno }
            if found <= 0 {
                if Interrupt.endsOutput { return ECANCELED }
                continue
            }
            let count = Glibc.write(descriptor, base + done, min(most, bytes.count - done))
            if count > 0 {
                done += count
            } else if count == 0 || errno == EAGAIN {
                // There is room, but for less than that.
                if Interrupt.endsOutput { return ECANCELED }
                if most > 1 { most /= 2 } else { usleep(1000) }
            } else if errno != EINTR {
                return errno
            }
        }
        return 0
    }

    static func dim(_ text: String, on terminal: Bool) -> String { terminal && colours ? "\u{1B}[2m\(text)\u{1B}[0m" : text }
    static func bold(_ text: String, on terminal: Bool) -> String { terminal && colours ? "\u{1B}[1m\(text)\u{1B}[0m" : text }
}
