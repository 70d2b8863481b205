import Testing

@testable import AlpacaEngine

/// Folders made to look like systems, as in ProcessorCountTests: what the control groups leave.
@Suite struct MemoryBudgetTests {
    private func available(_ files: [String: String]) throws -> Int? {
        try Fixtures.withFolder(of: files) { ControlGroup.availableMemory(root: $0) }
    }

    @Test func `version 2, groups within groups`() throws {
        var files = [
            "proc/self/mountinfo": "31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
            "proc/self/cgroup": "0::/user.slice/app.service\n",
            "sys/fs/cgroup/user.slice/app.service/memory.max": "max\n", "sys/fs/cgroup/user.slice/app.service/memory.current": "500\n",
        ]
        #expect(try available(files) == nil, "no limit anywhere")
        files["sys/fs/cgroup/user.slice/memory.max"] = "10000\n"
        files["sys/fs/cgroup/user.slice/memory.current"] = "9000\n"
        #expect(try available(files) == 1000)
        files["sys/fs/cgroup/user.slice/memory.stat"] = "anon 2000\nfile 7000\ninactive_file 4000\nactive_file 2500\n"
        #expect(try available(files) == 7500, "what is kept of files can be let go of")
        files["sys/fs/cgroup/user.slice/app.service/memory.max"] = "700\n"
        #expect(try available(files) == 200, "the narrower group")
        files["sys/fs/cgroup/user.slice/app.service/memory.current"] = "800\n"
        #expect(try available(files) == 0)
        files["sys/fs/cgroup/user.slice/app.service/memory.stat"] = "inactive_file 99999999\nactive_file -5\n"
        #expect(try available(files) == 700, "never more than the limit")
    }

    @Test func `version 1 in a container`() throws {
        var files = [
            "proc/self/mountinfo": "36 31 0:33 /docker/4f1c /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory\n",
            "proc/self/cgroup": "7:memory:/docker/4f1c\n4:cpu,cpuacct:/docker/4f1c\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "4000\n", "sys/fs/cgroup/memory/memory.usage_in_bytes": "3000\n",
            "sys/fs/cgroup/memory/memory.stat": "active_file 1\ntotal_active_file 600\ntotal_inactive_file 400\n",
        ]
        #expect(try available(files) == 2000)
        files["sys/fs/cgroup/memory/memory.limit_in_bytes"] = "9223372036854771712\n"
        #expect(try available(files) == 9_223_372_036_854_771_712 - 2000, "as good as none")
        #expect(try available(["proc/self/cgroup": "7:memory:/\n"]) == nil)
    }
}
