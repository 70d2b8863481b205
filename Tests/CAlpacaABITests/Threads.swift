import Glibc

/// A thread of the system, as a host might make it.
final class HostThread {
    private let body: () -> Void
    private var thread = pthread_t()

    /// What checked and unoptimized code takes of stacks is many times more (scripts/sanitize.sh).
    private static let stackFactor = getenv("ALPACA_STACK_FACTOR").flatMap { Int(String(cString: $0)) } ?? 1

    /// - Parameter stackSize: bytes of its stack.
    init(stackSize: Int = 128 << 10, _ body: @escaping () -> Void) {
        self.body = body
        let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
        pthread_attr_init(attributes)
        defer {
            pthread_attr_destroy(attributes)
            attributes.deallocate()
        }
        guard pthread_attr_setstacksize(attributes, stackSize * HostThread.stackFactor) == 0 else { fatalError("stack size \(stackSize)") }
        let entry: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { context in
            if let context { Unmanaged<HostThread>.fromOpaque(context).takeRetainedValue().body() }
            return nil
        }
        guard pthread_create(&thread, attributes, entry, Unmanaged.passRetained(self).toOpaque()) == 0 else {
            fatalError("pthread_create")
        }
    }

    func join() { pthread_join(thread, nil) }
}

/// What `body` gives on a thread of its own.
func onThread<R>(stackSize: Int = 128 << 10, _ body: @escaping () -> R) -> R? {
    var result: R?
    HostThread(stackSize: stackSize) { result = body() }.join()
    return result
}
