import Glibc
import Synchronization

/// The one place that grants memory in large pieces. Swift's own allocator ends the process when memory runs out; this one says no.
///
/// Buffers are mapped here (``AlignedBuffer``). Arrays are Swift's: what grows with a file or a caller's text asks here before it grows, in
/// pieces of more than ``least`` bytes. Each yes leaves ``headroom`` for the small allocations that come after it.
package enum LargeMemory {
    /// Smaller pieces are not asked for: the headroom has them.
    static let least = 1 << 16
    /// What has to be left once a piece is taken.
    static let headroom = 1 << 20

    /// Zeroed memory of `count` bytes (1 or more), to be given back with `munmap`; nil when there is none.
    @unsafe static func map(_ count: Int) -> UnsafeMutableRawPointer? {
        guard Faults.permit() else { return nil }
        guard let pointer = unsafe reserve(count) else { return nil }
        guard let spare = unsafe reserve(headroom) else {
            unsafe _ = munmap(pointer, count)
            return nil
        }
        unsafe _ = munmap(spare, headroom)
        return unsafe pointer
    }

    /// Throws `outOfMemory` unless `count` bytes can be had, which are about to be taken in one piece or in several.
    package static func ask(_ count: Int, for what: @autoclosure () -> String) throws(AlpacaError) {
        guard count > Faults.least else { return }
        let (all, overflow) = count.addingReportingOverflow(headroom)
        guard !overflow, Faults.permit(), let pointer = unsafe reserve(all) else {
            throw AlpacaError(.outOfMemory, "\(what()): no memory for \(count) bytes")
        }
        unsafe _ = munmap(pointer, all)
    }

    /// The same for `count` items, each of `size` bytes.
    package static func ask(_ count: Int, of size: Int, for what: @autoclosure () -> String) throws(AlpacaError) {
        let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
        try ask(overflow ? Int.max : bytes, for: what())
    }

    private static func reserve(_ count: Int) -> UnsafeMutableRawPointer? {
        let pointer = unsafe mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        return unsafe pointer == MAP_FAILED ? nil : pointer
    }

    /// Lets requests fail. For tests, which have a process of their own for it; else nothing is ever set.
    package enum Faults {
        private static let isOn = Atomic(false)
        private static let threshold = Atomic(LargeMemory.least)
        private static let requests = Atomic(0)
        private static let due = Atomic(0)
        private static let persists = Atomic(false)

        /// Counts requests from 1 on; number `first` fails, and with `persisting` all later ones. 0: none does.
        ///
        /// - Parameter least: smaller pieces are not asked for, so that tests with small files have something to ask for.
        package static func set(failing first: Int, persisting: Bool, least: Int) {
            requests.store(0, ordering: .sequentiallyConsistent)
            due.store(first, ordering: .sequentiallyConsistent)
            persists.store(persisting, ordering: .sequentiallyConsistent)
            threshold.store(least, ordering: .sequentiallyConsistent)
            isOn.store(true, ordering: .sequentiallyConsistent)
        }

        package static func clear() {
            isOn.store(false, ordering: .sequentiallyConsistent)
            threshold.store(LargeMemory.least, ordering: .sequentiallyConsistent)
        }

        /// Requests since ``set(failing:persisting:least:)``.
        package static var count: Int { requests.load(ordering: .sequentiallyConsistent) }

        fileprivate static var least: Int { threshold.load(ordering: .relaxed) }

        fileprivate static func permit() -> Bool {
            guard isOn.load(ordering: .relaxed) else { return true }
            let number = requests.add(1, ordering: .sequentiallyConsistent).newValue
            let due = due.load(ordering: .sequentiallyConsistent)
            return due == 0 || number < due || (number > due && !persists.load(ordering: .sequentiallyConsistent))
        }
    }
}

extension Array {
    /// Makes room for `more` elements whose number comes from a file or a caller, as `append` would, but where there is no memory it throws.
    @inline(__always) package mutating func makeRoom(for more: Int, of what: @autoclosure () -> String) throws(AlpacaError) {
        if more > capacity - count { try grow(by: more, of: what()) }
    }

    private mutating func grow(by more: Int, of what: @autoclosure () -> String) throws(AlpacaError) {
        let (needed, overflow) = count.addingReportingOverflow(more)
        guard !overflow else { throw AlpacaError(.outOfMemory, "\(what()): no memory for \(more) elements more") }
        // Twice as much, so that growing one by one takes linear time. Bound: the array has 2 * count bytes or more already.
        let room = Swift.max(needed, 2 * count)
        try LargeMemory.ask(room, of: MemoryLayout<Element>.stride, for: what())
        reserveCapacity(room)
    }
}
