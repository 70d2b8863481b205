import Glibc

/// Says no before memory is taken that the machine does not have: the system grants any amount and ends the process later.
enum MemoryBudget {
    /// - Parameter least: less than that is not asked for.
    static func require(_ bytes: Int, least: Int = 64 << 20, for what: @autoclosure () -> String) throws(AlpacaError) {
        guard bytes > least, let available = available() else { return }
        guard bytes <= available else {
            throw AlpacaError(
                .outOfMemory,
                "\(what()): needs \(bytes >> 20) MB of memory, \(available >> 20) MB are available; ask for a smaller n_ctx or n_batch")
        }
    }

    /// Bytes that can be had without swapping, nil when the system does not tell.
    static func available() -> Int? {
        var result: Int?
        if let line = SystemFile.line(of: "/proc/meminfo", startingWith: "MemAvailable:"),
            let kilobytes = line.split(separator: " ").first.flatMap({ Int($0) })
        {
            let (bytes, overflow) = kilobytes.multipliedReportingOverflow(by: 1024)
            result = overflow ? nil : bytes
        }
        if let left = ControlGroup.availableMemory() { result = min(result ?? left, left) }
        return result
    }
}
