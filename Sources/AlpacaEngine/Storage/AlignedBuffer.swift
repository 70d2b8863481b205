import Glibc

/// Zeroed memory that is aligned to 64 bytes, owned by one value, given back when that goes.
///
/// Safety: `base` is valid for `count` bytes while the buffer lives. Elements are reached through ``pointer(as:)``, by kernels and loops whose
/// bounds were checked when the buffer's size was chosen.
@safe struct AlignedBuffer: ~Copyable, @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    let count: Int

    /// - Parameter what: names the purpose in the error's message.
    init(count: Int, for what: @autoclosure () -> String) throws(AlpacaError) {
        let size = max(count, 1)
        guard count >= 0 else { throw AlpacaError(.outOfMemory, "\(what()): \(count) bytes asked for") }
        guard let pointer = unsafe LargeMemory.map(size) else {
            throw AlpacaError(.outOfMemory, "\(what()): no memory for \(count) bytes")
        }
        unsafe base = pointer
        self.count = size
    }

    deinit { unsafe _ = munmap(base, count) }

    /// `elements` values of `type`, zeroed.
    init<T: BitwiseCopyable>(_ elements: Int, of type: T.Type, for what: @autoclosure () -> String) throws(AlpacaError) {
        let (bytes, overflow) = elements.multipliedReportingOverflow(by: MemoryLayout<T>.stride)
        guard elements >= 0, !overflow else {
            throw AlpacaError(.outOfMemory, "\(what()): no memory for \(elements) values")
        }
        try self.init(count: bytes, for: what())
    }

    /// Valid for `count / stride` elements while the buffer lives.
    @unsafe func pointer<T: BitwiseCopyable>(as type: T.Type = T.self) -> UnsafeMutablePointer<T> {
        unsafe base.assumingMemoryBound(to: T.self)
    }
}
