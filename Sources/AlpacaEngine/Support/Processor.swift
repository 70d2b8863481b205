/// What the system tells about the processor.
enum Processor {
    /// "AMD EPYC 9R14", nil where the system does not tell.
    static var name: String? {
        guard let line = SystemFile.line(of: "/proc/cpuinfo", startingWith: "model name") else { return nil }
        return line.split(separator: ":").last.map { String($0.drop { $0 == " " || $0 == "\t" }) }
    }

    /// Bytes of all last-level caches together, nil where the system does not tell.
    static var lastLevelCacheByteCount: Int? {
        /// A cache is known by the processors that share it.
        var caches: [String: Int] = [:]
        for cpu in 0..<4096 {
            let folder = "/sys/devices/system/cpu/cpu\(cpu)/cache/index"
            guard let last = (0..<8).last(where: { SystemFile.line(of: "\(folder)\($0)/size") != nil }) else { break }
            let sharers = SystemFile.line(of: "\(folder)\(last)/shared_cpu_list") ?? "\(cpu)"
            guard let size = SystemFile.line(of: "\(folder)\(last)/size"), size.hasSuffix("K"), let kibibytes = Int(size.dropLast()),
                (1...1 << 30).contains(kibibytes)
            else { continue }
            caches[sharers] = kibibytes << 10
        }
        return caches.isEmpty ? nil : caches.values.reduce(0, +)
    }
}
