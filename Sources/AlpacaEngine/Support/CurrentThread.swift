import Glibc

enum CurrentThread {
    /// A number that no other running thread has; never 0.
    static var id: UInt { UInt(bitPattern: Int(truncatingIfNeeded: pthread_self())) }
}
