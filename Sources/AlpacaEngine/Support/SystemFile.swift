import Glibc

/// Small files in which the system tells about itself, such as /proc/meminfo.
enum SystemFile {
    /// The first line of a small system file that starts with `prefix`, without it.
    static func line(of path: String, startingWith prefix: String = "") -> String? {
        var found: String?
        read(path) { line in
            guard line.hasPrefix(prefix) else { return true }
            found = String(line.dropFirst(prefix.count))
            return false
        }
        return found
    }

    /// All lines of a small system file; none when it is not there.
    static func lines(of path: String) -> [String] {
        var lines: [String] = []
        read(path) { line in
            lines.append(line)
            return true
        }
        return lines
    }

    /// Calls `body` with one line after the other until it says false.
    private static func read(_ path: String, _ body: (String) -> Bool) {
        guard let file = unsafe fopen(path, "re") else { return }
        defer { unsafe _ = fclose(file) }
        var buffer = [CChar](repeating: 0, count: 4096)
        // Bound: fgets writes at most 4096 bytes with the closing zero.
        while unsafe fgets(&buffer, 4096, file) != nil {
            guard body(String(decoding: buffer.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)) else { return }
        }
    }
}
