import Glibc
import Synchronization

/// How often this process is a child of a process that had the library.
enum ForkCount {
    private static let count = Atomic<Int>(0)
    private static let isCounting: Bool = pthread_atfork(nil, nil, { ForkCount.count.add(1, ordering: .relaxed) }) == 0

    static var now: Int { isCounting ? count.load(ordering: .relaxed) : Int(getpid()) }
}
