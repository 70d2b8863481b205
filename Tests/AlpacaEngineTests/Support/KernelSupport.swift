// What the tests of the C kernels share: which CPU paths there are, memory that notices being overrun, repeatable random numbers.

import CAlpacaKernels
import Glibc
import Testing

/// A kernel table that this CPU can run.
struct KernelPath: CustomTestStringConvertible, Sendable {
    let name: String
    nonisolated(unsafe) let table: UnsafePointer<kern_table>

    var vector: kern_vector_table { table.pointee.vector }
    var testDescription: String { name }

    init?(_ name: String) {
        guard let table = kern_named(name) else { return nil }
        self.name = name
        self.table = table
    }

    static let generic = KernelPath("generic")!
    /// Every path but the plain one, which is their reference. Says once which ones this machine can't test.
    static let fast: [KernelPath] = {
        let names = ["avx2", "avxvnni", "avx512", "avx512vbmi", "neon", "i8mm"]
        let missing = names.filter { KernelPath($0) == nil }
        if !missing.isEmpty { print("SKIPPED kernel paths that this CPU cannot run: \(missing.joined(separator: ", "))") }
        return names.compactMap { KernelPath($0) }
    }()
    static let all = [generic] + fast
}

/// The rows of types.def.
func kernelTypes() -> [kern_type] {
    var count = 0
    let rows = kern_types(&count)
    return Array(UnsafeBufferPointer(start: rows, count: count))
}

/// Elements whose last byte is the last one of a readable page: one byte further is a fault. In front lies a canary.
final class GuardedBuffer<Element: BitwiseCopyable> {
    let pointer: UnsafeMutablePointer<Element>  // use it only while the buffer lives
    let count: Int
    private let mapping: UnsafeMutableRawPointer
    private let mappedBytes: Int
    private let frontBytes: Int
    private static var canary: UInt8 { 0xA5 }

    init(count: Int, repeating value: Element) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE))), bytes = count * MemoryLayout<Element>.stride
        let usable = (bytes + page) / page * page  // at least one byte in front
        mappedBytes = usable + page
        mapping = mmap(nil, mappedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
        mprotect(mapping + usable, page, PROT_NONE)
        frontBytes = usable - bytes
        memset(mapping, Int32(Self.canary), frontBytes)
        pointer = (mapping + frontBytes).bindMemory(to: Element.self, capacity: count)
        pointer.initialize(repeating: value, count: count)
        self.count = count
    }

    convenience init(_ elements: [Element]) {
        self.init(count: elements.count, repeating: elements[0])
        pointer.update(from: elements, count: count)
    }

    deinit { munmap(mapping, mappedBytes) }

    var array: [Element] { Array(UnsafeBufferPointer(start: pointer, count: count)) }
    /// All bytes in front are equal to the first, and that is the canary. (In C, for debug builds.)
    var frontIsIntact: Bool {
        mapping.load(as: UInt8.self) == Self.canary && memcmp(mapping, mapping + 1, frontBytes - 1) == 0
    }
}

/// Repeatable random numbers (SplitMix64).
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Uniform in -bound ... bound.
    mutating func floats(_ count: Int, within bound: Float = 1) -> [Float] {
        var floats = [Float](repeating: 0, count: count), i = 0
        while i < count {
            floats[i] = Float(Int32(truncatingIfNeeded: next())) * 0x1p-31 * bound
            i += 1
        }
        return floats
    }
}

extension Array where Element == Float {
    /// For comparisons that tell zeros and NaNs apart.
    var bits: [UInt32] {
        var bits = [UInt32](repeating: 0, count: count)
        memcpy(&bits, self, 4 * count)
        return bits
    }
}

/// Where two arrays begin to differ, nil if they don't. A failed `==` of thousands of numbers would print them all.
func firstDifference<T: Equatable>(_ got: some Collection<T>, _ expected: some Collection<T>) -> String? {
    let (a, b) = (Array(got), Array(expected))
    if a == b { return nil }
    guard a.count == b.count else { return "\(a.count) elements, expected \(b.count)" }
    return a.indices.first { a[$0] != b[$0] }.map { "element \($0) is \(a[$0]), expected \(b[$0])" }
}
