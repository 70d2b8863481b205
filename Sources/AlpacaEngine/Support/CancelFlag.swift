package import Synchronization

/// Tells a computation from outside to stop. To set it is one store: safe from any thread and in a signal handler.
@safe package final class CancelFlag: @unchecked Sendable {
    private let word: UnsafeMutablePointer<Atomic<Bool>>
    private let isOwn: Bool
    private let isClosed = Atomic<Bool>(false)

    package init() {
        unsafe word = .allocate(capacity: 1)
        unsafe word.initialize(to: Atomic(false))
        isOwn = true
    }

    /// - Parameter word: where the flag is; it outlives this object.
    package init(at word: UnsafeMutablePointer<Atomic<Bool>>) {
        unsafe self.word = word
        isOwn = false
    }

    deinit {
        guard isOwn else { return }
        unsafe word.deinitialize(count: 1)
        unsafe word.deallocate()
    }

    var isSet: Bool { unsafe word.pointee.load(ordering: .relaxed) }
    func set() { unsafe word.pointee.store(true, ordering: .sequentiallyConsistent) }

    func clear() {
        unsafe word.pointee.store(false, ordering: .sequentiallyConsistent)
        // In this order, and the reverse in `close`: one of the two sees the other.
        if isClosed.load(ordering: .sequentiallyConsistent) { set() }
    }

    /// Sets the flag for good: what begins later is stopped, too.
    func close() {
        isClosed.store(true, ordering: .sequentiallyConsistent)
        set()
    }
}
