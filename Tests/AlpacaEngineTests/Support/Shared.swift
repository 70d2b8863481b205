import Foundation

/// Files that may be read but not be part of the repository: published tokenizers and the like. The folder is named by ALPACA_SHARED and is
/// `../shared` beside the checkout otherwise.
enum Shared {
    static let folder = URL(
        fileURLWithPath: ProcessInfo.processInfo.environment["ALPACA_SHARED"]
            ?? MiniFamily.repository.deletingLastPathComponent().appendingPathComponent("shared").path)

    /// The file's path; nil, and a line that says so, when it is not there.
    static func path(_ relative: String) -> String? {
        let path = folder.appendingPathComponent("fixtures").appendingPathComponent(relative).path
        if FileManager.default.fileExists(atPath: path) { return path }
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
