/// What went wrong, for programs (`code`) and for people (`message`).
///
/// A message says where (file, field or argument), what was found, what was expected, and what to do where there is one thing to do.
/// Context is added on the way up with ``inContext(_:)``; nothing is logged.
public struct AlpacaError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The numbers are those of `alpaca_status` in `alpaca.h` and never change.
    public enum Code: Int32, Sendable, CaseIterable {
        case invalidArgument = 1
        case notFound = 2
        case io = 3
        case badFormat = 4
        case unsupported = 5
        case truncated = 6
        case shapeMismatch = 7
        case missing = 8
        case unsafe = 9
        case outOfMemory = 10
        case contextFull = 11
        case bufferTooSmall = 12
        case busy = 13
        case cancelled = 14
        case verificationFailed = 15
        case internalError = 16
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The same error with `context` (a file's name, a section of it) in front of the message.
    public func inContext(_ context: String) -> AlpacaError {
        AlpacaError(code, "\(context): \(message)")
    }

    /// The same error with the file's path in front, unless it begins with it already.
    public func inFile(_ path: String) -> AlpacaError {
        message.hasPrefix("\(path): ") ? self : inContext(path)
    }

    public var description: String { message }
}
