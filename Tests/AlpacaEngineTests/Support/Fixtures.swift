// Where tests find their files. Goldens and small models lie in the repository; larger or foreign ones in a folder beside it, named by
// ALPACA_SHARED (default: ../shared). A test that needs that folder is disabled, and says so, where it is not there.

import AlpacaEngine
import Foundation

enum Fixtures {
    static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static func golden(_ path: String) -> URL { repository.appendingPathComponent("Tests/Goldens/\(path)") }

    static let shared: URL = {
        if let path = ProcessInfo.processInfo.environment["ALPACA_SHARED"] { return URL(fileURLWithPath: path) }
        return repository.deletingLastPathComponent().appendingPathComponent("shared")
    }()

    static func isShared(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: shared.appendingPathComponent(path).path)
    }

    static func sharedPath(_ path: String) -> String { shared.appendingPathComponent(path).path }

    /// Calls `body` with the path of a file that holds `bytes` and goes away afterwards.
    static func withFile<R>(_ bytes: some Sequence<UInt8>, named name: String = "test", _ body: (String) throws -> R) throws -> R {
        try withFolder { folder in
            let path = folder + "/" + name
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            return try body(path)
        }
    }

    /// Calls `body` with the path of an empty folder that goes away afterwards.
    static func withFolder<R>(_ body: (String) throws -> R) throws -> R {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("alpaca-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try body(folder.path)
    }

    /// The same with a folder that holds `files`, texts by their paths.
    static func withFolder<R>(of files: [String: String], _ body: (String) throws -> R) throws -> R {
        try withFolder { folder in
            for (path, text) in files {
                let url = URL(fileURLWithPath: folder + "/" + path)
                try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(text.utf8).write(to: url)
            }
            return try body(folder)
        }
    }
}

/// The error that `body` throws, nil if it throws none.
func alpacaError(_ body: () throws -> Void) -> AlpacaError? {
    do {
        try body()
        return nil
    } catch {
        return error as? AlpacaError ?? AlpacaError(.internalError, "another kind of error: \(error)")
    }
}
