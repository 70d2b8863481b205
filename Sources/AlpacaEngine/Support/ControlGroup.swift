// What Linux allows this process by its control groups (cgroups(7)). A process is in one group of each hierarchy, named in
// /proc/self/cgroup by its path from the hierarchy's root; /proc/self/mountinfo says where hierarchies are mounted, and which group is at
// the mount's top (in a container that is often not the root). A group is bound by the limits of all groups above it, too.

enum ControlGroup {
    /// Whole processors, rounded up, of the narrowest quota on processor time; nil when there is none.
    ///
    /// - Parameter root: the folder that stands for "/".
    static func processorQuota(root: String = "") -> Int? {
        var least: Int?
        for group in groups(of: "cpu", root: root) {
            guard let (quota, period) = group.isUnified ? unifiedQuota(group.path) : oldQuota(group.path), quota > 0, period > 0 else {
                continue
            }
            let processors = (quota - 1) / period + 1
            least = min(least ?? processors, processors)
        }
        return least
    }

    /// Bytes that can still be had, of the group with the least left; nil when there is no limit. What is kept of files counts as free: the
    /// system lets go of it when memory is asked for.
    ///
    /// - Parameter root: the folder that stands for "/".
    static func availableMemory(root: String = "") -> Int? {
        var least: Int?
        for group in groups(of: "memory", root: root) {
            let (limitName, usedName, prefix) =
                group.isUnified ? ("memory.max", "memory.current", "") : ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
            // No number is no limit: "max". Version 1 has a number near 2^63.
            guard let limit = SystemFile.line(of: "\(group.path)/\(limitName)").flatMap({ Int($0) }),
                let used = SystemFile.line(of: "\(group.path)/\(usedName)").flatMap({ Int($0) }), limit >= 0, used >= 0
            else { continue }
            let files = ["active_file ", "inactive_file "].map { kind in
                let bytes = SystemFile.line(of: "\(group.path)/memory.stat", startingWith: prefix + kind).flatMap { Int($0) } ?? 0
                return min(max(bytes, 0), used)
            }
            let left = max(0, limit - max(0, used - files[0] - files[1]))
            least = min(least ?? left, left)
        }
        return least
    }

    /// Version 2: "max 100000" or "150000 100000", quota and period in microseconds.
    private static func unifiedQuota(_ group: String) -> (Int, Int)? {
        let words = SystemFile.line(of: group + "/cpu.max")?.split(separator: " ").map { Int($0) } ?? []
        guard words.count == 2, let quota = words[0], let period = words[1] else { return nil }
        return (quota, period)
    }

    /// Version 1: -1 is no quota.
    private static func oldQuota(_ group: String) -> (Int, Int)? {
        guard let quota = SystemFile.line(of: group + "/cpu.cfs_quota_us").flatMap({ Int($0) }),
            let period = SystemFile.line(of: group + "/cpu.cfs_period_us").flatMap({ Int($0) })
        else { return nil }
        return (quota, period)
    }

    /// The folders of the groups that bind this process, the narrowest first, of the unified hierarchy (version 2) and of the one that
    /// has `controller` (version 1).
    private static func groups(of controller: String, root: String) -> [(path: String, isUnified: Bool)] {
        var result: [(path: String, isUnified: Bool)] = []
        let mounts = SystemFile.lines(of: root + "/proc/self/mountinfo").compactMap { Mount($0) }
        for line in SystemFile.lines(of: root + "/proc/self/cgroup") {
            // "4:cpu,cpuacct:/a/b", for version 2 "0::/a/b".
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let controllers = parts[1].split(separator: ",")
            let isUnified = parts[0] == "0" && controllers.isEmpty
            guard isUnified || controllers.contains(Substring(controller)),
                let mount = mounts.first(where: { isUnified ? $0.type == "cgroup2" : $0.isOld(with: controller) })
            else { continue }
            var names = mount.names(below: parts[2])
            while true {
                result.append((([root + mount.place] + names).joined(separator: "/"), isUnified))
                if names.popLast() == nil { break }
            }
        }
        return result
    }

    /// A line of /proc/self/mountinfo (proc(5)): "33 31 0:30 /top /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu".
    private struct Mount {
        /// What of the file system is at the mount's place.
        let top: [Substring]
        let place: String
        let type: String
        let options: [String]

        init?(_ line: String) {
            let words = line.split(separator: " ")
            guard let dash = words.firstIndex(of: "-"), dash >= 6, words.count >= dash + 4 else { return nil }
            top = words[3].split(separator: "/")
            place = String(words[4])
            type = String(words[dash + 1])
            options = words[dash + 3].split(separator: ",").map(String.init)
        }

        /// Whether it is a hierarchy of version 1 that has `controller`.
        func isOld(with controller: String) -> Bool { type == "cgroup" && options.contains(controller) }

        /// The names that lead from the mount's place to the group `path`; none when it can't be seen from there.
        func names(below path: Substring) -> [String] {
            let names = path.split(separator: "/")
            guard names.starts(with: top), !names.contains("..") else { return [] }
            return names.dropFirst(top.count).map(String.init)
        }
    }
}
