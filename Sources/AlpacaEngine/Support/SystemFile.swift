#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Small files in which the system tells about itself, such as /proc/meminfo.
enum SystemFile {
    /// The first line of a small system file that starts with `prefix`, without it.
    static func line(of path: String, startingWith prefix: String = "") -> String? {
        guard let file = unsafe fopen(path, "re") else { return nil }
        defer { unsafe _ = fclose(file) }
        var buffer = [CChar](repeating: 0, count: 4096)
        // Bound: fgets writes at most 4096 bytes with the closing zero.
        while unsafe fgets(&buffer, 4096, file) != nil {
            let text = String(decoding: buffer.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text.hasPrefix(prefix) { return String(text.dropFirst(prefix.count)) }
        }
        return nil
    }
}
