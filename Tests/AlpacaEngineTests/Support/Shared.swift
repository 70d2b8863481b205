import Foundation
import Testing

/// Files that may be read but not be part of the repository, such as published tokenizers. Tests that need them are enabled where they are.
enum Shared {
    static func path(_ relative: String) -> String { Fixtures.sharedPath("fixtures/\(relative)") }

    /// The tokenizers of LLaMA and Chinese-LLaMA-2, and the Chinese pieces of the first Chinese-LLaMA.
    static let hasPublishedTokenizers = ["llama", "chinese_sp", "chinese_alpaca2"].allSatisfy {
        Fixtures.isShared("fixtures/tokenizers/\($0).model")
    }
    static let noPublishedTokenizers: Comment = "the published tokenizers are not in ALPACA_SHARED"

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
