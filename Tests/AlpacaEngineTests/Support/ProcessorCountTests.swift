import Testing

@testable import AlpacaEngine

/// Folders made to look like systems: the texts are those of Linux 6 (cgroup v2), of Docker with v1 and with v2, and of a hybrid.
@Suite struct ProcessorCountTests {
    private static let unified = "31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
    private static let old = "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n"

    private func count(_ files: [String: String], allowed: String = "0-7") throws -> Int {
        var files = files
        files["proc/self/status"] = "Name:\tx\nCpus_allowed_list:\t\(allowed)\n"
        return try Fixtures.withFolder(of: files) { ProcessorCount.usable(root: $0) }
    }

    @Test func affinity() throws {
        #expect(try count([:]) == 8)
        #expect(try count([:], allowed: "1-2,5") == 3)
        #expect(try count([:], allowed: "") == 1)
        // Two threads a core.
        var siblings: [String: String] = [:]
        for cpu in 0..<4 { siblings["sys/devices/system/cpu/cpu\(cpu)/topology/thread_siblings_list"] = "\(cpu % 2),\(cpu % 2 + 2)\n" }
        #expect(try count(siblings, allowed: "0-3") == 2)
        #expect(try count(siblings, allowed: "1,3") == 1)
    }

    /// What is asked for where there is no /proc is what it says.
    @Test func `affinity from the system`() throws {
        let list = try #require(SystemFile.line(of: "/proc/self/status", startingWith: "Cpus_allowed_list:"))
        #expect(ProcessorCount.affinity() == ProcessorCount.numbers(in: list))
    }

    @Test func `the process's group of version 2 and those above it`() throws {
        var files = ["proc/self/mountinfo": Self.unified, "proc/self/cgroup": "0::/user.slice/app.service\n"]
        #expect(try count(files) == 8, "no quota anywhere")
        files["sys/fs/cgroup/user.slice/app.service/cpu.max"] = "max 100000\n"
        #expect(try count(files) == 8)
        files["sys/fs/cgroup/user.slice/app.service/cpu.max"] = "350000 100000\n"
        #expect(try count(files) == 4)
        files["sys/fs/cgroup/user.slice/cpu.max"] = "200000 100000\n"
        #expect(try count(files) == 2, "the group above is narrower")
        files["sys/fs/cgroup/other/cpu.max"] = "100000 100000\n"
        #expect(try count(files) == 2, "another group's")
        files["sys/fs/cgroup/user.slice/app.service/cpu.max"] = "5000 100000\n"
        #expect(try count(files) == 1, "a part of one processor")
    }

    @Test func `version 2 in a container`() throws {
        // With a name space of its own the container's group is the root.
        let files = [
            "proc/self/mountinfo": Self.unified, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "300000 100000\n",
        ]
        #expect(try count(files) == 3)
        #expect(try count(files, allowed: "0-1") == 2)
        // Of a process that was moved out of the name space.
        #expect(try count(files.merging(["proc/self/cgroup": "0::/../x\n"]) { $1 }) == 3)
    }

    @Test func `version 1`() throws {
        var files = [
            "proc/self/mountinfo": Self.old, "proc/self/cgroup": "7:memory:/m\n4:cpu,cpuacct:/system.slice/a\n1:name=systemd:/x\n",
            "sys/fs/cgroup/cpu,cpuacct/system.slice/a/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/system.slice/a/cpu.cfs_period_us": "100000\n",
        ]
        #expect(try count(files) == 8)
        files["sys/fs/cgroup/cpu,cpuacct/system.slice/a/cpu.cfs_quota_us"] = "50000\n"
        #expect(try count(files) == 1)
        files["sys/fs/cgroup/cpu,cpuacct/system.slice/a/cpu.cfs_quota_us"] = "500000\n"
        #expect(try count(files) == 5)
    }

    @Test func `version 1 in a container`() throws {
        // Without a name space of its own the process sees its path from the host's root, and the mount begins at that path.
        let files = [
            "proc/self/mountinfo": "33 31 0:30 /docker/4f1c /sys/fs/cgroup/cpu ro,nosuid - cgroup cgroup rw,cpu\n",
            "proc/self/cgroup": "4:cpu:/docker/4f1c\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "150000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "50000\n",
        ]
        #expect(try count(files) == 3)
    }

    @Test func `both versions at once`() throws {
        let files = [
            "proc/self/mountinfo": Self.old + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
            "proc/self/cgroup": "4:cpu,cpuacct:/\n0::/\n", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "400000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        ]
        #expect(try count(files) == 4)
    }

    @Test(
        arguments: [
            "", "x", "0:", "9:cpu", "0::/a:b\n", "33 31 0:30 /", "a b c d e f - cgroup2", "-", "33 31 0:30 / /m rw - cgroup2 c rw\n",
        ])
    func `lines that say nothing`(text: String) throws {
        #expect(try count(["proc/self/mountinfo": text + "\n" + Self.unified, "proc/self/cgroup": text]) == 8)
    }
}
