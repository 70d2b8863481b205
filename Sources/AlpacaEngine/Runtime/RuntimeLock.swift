import Glibc

/// The one lock of all executors and caches of the process: for their bookkeeping, which takes microseconds, never for work.
///
/// One for all, so that a fork can hold it: in the child the books are then whole, whatever the other threads of the parent were doing.
enum RuntimeLock {
    private nonisolated(unsafe) static let mutex: UnsafeMutablePointer<pthread_mutex_t> = {
        let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        return unsafe mutex
    }()

    private static let holdsForks: Bool =
        pthread_atfork({ RuntimeLock.take() }, { RuntimeLock.give() }, { RuntimeLock.give() }) == 0

    private static func take() { unsafe pthread_mutex_lock(mutex) }
    private static func give() { unsafe pthread_mutex_unlock(mutex) }

    static func lock() {
        _ = holdsForks
        take()
    }

    static func unlock() { give() }

    static func withLock<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        lock()
        defer { unlock() }
        return try body()
    }

    /// Gives the lock up until `condition` is signalled, or until `deadline`.
    ///
    /// - Parameter deadline: by ``Clock``.
    @unsafe static func wait(_ condition: UnsafeMutablePointer<pthread_cond_t>, until deadline: UInt64) {
        var time = timespec(tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
        unsafe _ = pthread_cond_timedwait(condition, mutex, &time)
    }
}

/// A condition under the ``RuntimeLock``, with deadlines by ``Clock``.
@safe final class RuntimeCondition: @unchecked Sendable {
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    init() {
        unsafe condition = .allocate(capacity: 1)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe condition.deallocate()
    }

    /// The caller holds the lock.
    func wait(until deadline: UInt64) { unsafe RuntimeLock.wait(condition, until: deadline) }
    func signal() { unsafe pthread_cond_signal(condition) }
}
