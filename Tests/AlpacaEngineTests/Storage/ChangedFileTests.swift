import Foundation
import Testing

@testable import AlpacaEngine

/// A model's file is cut short, written to or replaced while a session is at work: it ends with a status, or goes on with what it opened.
@Suite struct ChangedFileTests {
    /// A model in a file of its own, with a session that has read something.
    private static func withSession(mapped: Bool, _ body: (String, Session) throws -> Void) throws {
        try Fixtures.withFolder { folder in
            let path = folder + "/model.gguf"
            try FileManager.default.copyItem(atPath: MiniFamily.q8_0, toPath: path)
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
            var options = Model.Options()
            options.usesMemoryMap = mapped
            let session = try Model(path: path, options: options).makeSession()
            try session.append([1, 2, 3])
            try body(path, session)
        }
    }

    private static func generate(_ session: Session, _ onToken: @escaping (Int) throws -> Void = { _ in }) throws -> Int {
        var parameters = GenerationParameters()
        parameters.sampling = .greedy
        parameters.maxNewTokens = 8
        parameters.ignoresEndOfSequence = true
        var count = 0
        _ = try session.generate(tokens: [1, 2, 3, 4], parameters) { _ in
            count += 1
            do { try onToken(count) } catch { Issue.record(error) }
            return true
        }
        return count
    }

    /// A hole in the middle of the weights, and then all of them.
    @Test(arguments: [5_000_000, 0]) func `cut short between tokens`(size: Int) throws {
        try Self.withSession(mapped: true) { path, session in
            var tokens = 0
            let error = alpacaError {
                _ = try Self.generate(session) { count in
                    tokens = count
                    if count == 3 { #expect(truncate(path, off_t(size)) == 0) }
                }
            }
            let expected = "\(path): the file became shorter while it was in use: \(size) of 5855840 bytes are left"
            #expect(error == AlpacaError(.truncated, expected))
            #expect(tokens == 3)
            // From then on, at each call; what needs no weights goes on.
            #expect(alpacaError { try session.append([5]) } == AlpacaError(.truncated, expected))
            #expect(alpacaError { try session.evaluate([5]) { _, _ in } } == AlpacaError(.truncated, expected))
            let kept = try session.tokens()
            #expect(kept.count == session.position)
            #expect(session.model.tokenizer.decode([100]) != "")
            #expect(alpacaError { try session.model.makeSession().append([1]) } == AlpacaError(.truncated, expected))
        }
    }

    @Test func `written to between tokens`() throws {
        try Self.withSession(mapped: true) { path, session in
            let error = alpacaError {
                _ = try Self.generate(session) { count in
                    guard count == 2 else { return }
                    let file = try #require(FileHandle(forWritingAtPath: path))
                    try file.seek(toOffset: 4_000_000)
                    try file.write(contentsOf: Data([1, 2, 3]))
                    try file.close()
                }
            }
            #expect(error == AlpacaError(.io, "\(path): the file was written to while it was in use"))
        }
    }

    @Test func `replaced by a rename`() throws {
        try Self.withSession(mapped: true) { path, session in
            let expected = try Self.generate(session)
            let count = try Self.generate(session) { count in
                guard count == 3 else { return }
                try Data("another file".utf8).write(to: URL(fileURLWithPath: path + ".new"))
                #expect(rename(path + ".new", path) == 0)
            }
            #expect(count == expected)
            let again = try Self.generate(session)
            #expect(again == expected)
        }
    }

    @Test func `removed`() throws {
        try Self.withSession(mapped: true) { path, session in
            try FileManager.default.removeItem(atPath: path)
            let count = try Self.generate(session)
            #expect(count == 8)
        }
    }

    @Test(arguments: [5_000_000, 0]) func `cut short, but read into memory`(size: Int) throws {
        try Self.withSession(mapped: false) { path, session in
            let expected = try Self.generate(session)
            #expect(truncate(path, off_t(size)) == 0)
            let again = try Self.generate(session)
            #expect(again == expected)
        }
    }

    /// What is mapped by default is told apart by the file system (a network's: Tests/faults).
    @Test func `a local file is not remote`() throws {
        let file = try InputFile(path: MiniFamily.q8_0)
        #expect(!file.isRemote)
    }
}
