internal import CAlpacaSystem

import Glibc

/// How many threads are worth having.
enum ProcessorCount {
    /// The physical cores that this process may use: its affinity mask, two hardware threads of a core counted once, and no more than the
    /// processor time that its control groups are given. At least 1.
    ///
    /// - Parameter root: the folder that stands for "/".
    static func usable(root: String = "") -> Int {
        let list = SystemFile.line(of: root + "/proc/self/status", startingWith: "Cpus_allowed_list:")
        guard let allowed = list.map({ numbers(in: $0) }) ?? (root.isEmpty ? affinity() : nil) else { return 1 }
        var cores: Set<String> = []
        for cpu in allowed {
            let siblings = root + "/sys/devices/system/cpu/cpu\(cpu)/topology/thread_siblings_list"
            cores.insert(SystemFile.line(of: siblings) ?? "cpu \(cpu)")
        }
        return max(1, min(cores.count, ControlGroup.processorQuota(root: root) ?? cores.count))
    }

    /// The processors that this process may run on: its affinity mask. At least 1.
    static func allowed() -> Int {
        let list = SystemFile.line(of: "/proc/self/status", startingWith: "Cpus_allowed_list:")
        return max(1, (list.map { numbers(in: $0) } ?? affinity())?.count ?? sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    }

    /// The numbers of the processors that this process may run on, where there is no /proc; nil where the system doesn't tell.
    static func affinity() -> [Int]? {
        // Words, as the system asks: 8192 processors.
        var words = [UInt64](repeating: 0, count: 128)
        let isKnown = unsafe words.withUnsafeMutableBytes { bytes in
            // Bound: the array's own bytes.
            unsafe system_affinity(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), Int64(bytes.count)) == 0
        }
        return isKnown ? (0..<64 * words.count).filter { words[$0 / 64] >> UInt64($0 % 64) & 1 == 1 } : nil
    }

    /// The numbers of a list such as "0-3,8".
    static func numbers(in list: String) -> [Int] {
        var result: [Int] = []
        for part in list.split(whereSeparator: { $0 == "," || $0 == "\t" || $0 == " " }) {
            let ends = part.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last, first >= 0, first <= last, last < 1 << 16 else { continue }
            result += first...last
        }
        return result
    }
}
