#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// How many threads are worth having.
enum ProcessorCount {
    /// The physical cores that this process may use: its affinity mask, two hardware threads of a core counted once, and no more than the
    /// processor time that its control group is given. At least 1.
    static func usable() -> Int {
        #if os(Linux)
            guard let allowed = SystemFile.line(of: "/proc/self/status", startingWith: "Cpus_allowed_list:") else { return 1 }
            let cpus = numbers(in: allowed)
            var cores: Set<String> = []
            for cpu in cpus {
                let siblings = "/sys/devices/system/cpu/cpu\(cpu)/topology/thread_siblings_list"
                cores.insert(SystemFile.line(of: siblings) ?? "cpu \(cpu)")
            }
            return max(1, min(cores.count, quota() ?? cores.count))
        #else
            return max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        #endif
    }

    /// Whole processors of the control group's quota (cgroup v2, then v1), nil when there is none.
    private static func quota() -> Int? {
        if let line = SystemFile.line(of: "/sys/fs/cgroup/cpu.max") {
            let words = line.split(separator: " ")
            guard words.count == 2, let quota = Int(words[0]), let period = Int(words[1]), quota > 0, period > 0 else { return nil }
            return max(1, (quota - 1) / period + 1)
        }
        guard let quota = SystemFile.line(of: "/sys/fs/cgroup/cpu/cpu.cfs_quota_us").flatMap({ Int($0) }), quota > 0,
            let period = SystemFile.line(of: "/sys/fs/cgroup/cpu/cpu.cfs_period_us").flatMap({ Int($0) }), period > 0
        else { return nil }
        return max(1, (quota - 1) / period + 1)
    }

    /// The numbers of a list such as "0-3,8".
    private static func numbers(in list: String) -> [Int] {
        var result: [Int] = []
        for part in list.split(whereSeparator: { $0 == "," || $0 == "\t" || $0 == " " }) {
            let ends = part.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last, first >= 0, first <= last, last < 1 << 16 else { continue }
            result += first...last
        }
        return result
    }
}
