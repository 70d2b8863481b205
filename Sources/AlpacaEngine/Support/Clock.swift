import Glibc

enum Clock {
    /// Nanoseconds of a clock that only goes forward.
    static func now() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(truncatingIfNeeded: time.tv_sec) &* 1_000_000_000 &+ UInt64(truncatingIfNeeded: time.tv_nsec)
    }

    /// Seconds since a moment of that clock, more than 0.
    static func seconds(since start: UInt64) -> Double { Double(max(1, now() &- start)) / 1e9 }
}
