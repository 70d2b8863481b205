import Foundation

/// Files that may be read but not be part of the repository, such as published tokenizers.
enum Shared {
    /// The path of a file under the folder's `fixtures`; nil, and a line that says so, when it is not there.
    static func path(_ relative: String) -> String? {
        if Fixtures.isShared("fixtures/\(relative)") { return Fixtures.sharedPath("fixtures/\(relative)") }
        print("SKIPPED: \(relative) is not in the folder that ALPACA_SHARED names (or ../shared)")
        return nil
    }

    static func sha256(_ path: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/sha256sum")
        process.arguments = [path]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data.prefix(64), as: UTF8.self)
    }
}
