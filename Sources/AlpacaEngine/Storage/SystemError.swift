import Glibc

/// The operating system's words for an `errno`.
enum SystemError {
    static func text(_ number: Int32) -> String {
        // The result belongs to this thread (glibc 2.32 and later) until its next call; it is copied at once.
        guard let words = unsafe strerror(number) else { return "error \(number)" }
        return unsafe String(cString: words)
    }
}
