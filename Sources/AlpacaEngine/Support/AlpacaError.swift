/// What went wrong, for programs (``code``) and for people (``message``).
///
/// An error says where (``path``, ``context``), what was ``found``, what was ``expected``, and what to do where there is one thing to do.
/// Where is added on the way up, with ``inContext(_:)`` and ``inFile(_:)``. It becomes a text once, at the edge (the command, the C interface,
/// a report); nothing in between reads the text. Nothing is logged.
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
    /// The file or folder that the error is about, as messages call it. It is the innermost one that was named.
    public private(set) var path: String?
    /// Places inside it, the outermost first: a section, a tensor, a field.
    public private(set) var context: [String]
    /// What was found; a whole sentence where ``expected`` is nil.
    public let found: String
    public let expected: String?

    /// A sentence that says it all. It names no file: `path` does.
    public init(_ code: Code, path: String? = nil, _ sentence: String) {
        self.code = code
        self.path = path
        context = []
        found = sentence
        expected = nil
    }

    /// - Parameter place: where in the file: a field, a key, an argument.
    public init(_ code: Code, path: String? = nil, at place: String? = nil, found: String, expected: String) {
        self.code = code
        self.path = path
        context = place.map { [$0] } ?? []
        self.found = found
        self.expected = expected
    }

    private init(_ code: Code, like error: AlpacaError) {
        self.code = code
        path = error.path
        context = error.context
        found = error.found
        expected = error.expected
    }

    /// The same error, from inside `place` (a section of a file, a tensor).
    public func inContext(_ place: String) -> AlpacaError {
        var error = self
        error.context.insert(place, at: 0)
        return error
    }

    /// The same error, in that file, unless a file is named already: the one that is nearest to what went wrong tells most.
    public func inFile(_ path: String) -> AlpacaError {
        var error = self
        if error.path == nil { error.path = path }
        return error
    }

    /// The same error with another code, where a caller knows better what it means.
    public func withCode(_ code: Code) -> AlpacaError { AlpacaError(code, like: self) }

    /// `model.gguf: tensor "output.weight": found 3 dimensions, expected 1 or 2`
    public var message: String {
        var text = ""
        if let path { text += "\(path): " }
        for place in context { text += "\(place): " }
        return PathText.shown(text + (expected.map { "found \(found), expected \($0)" } ?? found))
    }

    public var description: String { message }

    /// Errors are equal that say the same, however it is put together.
    public static func == (a: AlpacaError, b: AlpacaError) -> Bool { a.code == b.code && a.message == b.message }
}
