/// How far a long operation has come.
public struct Progress: Sendable {
    /// What is being done: "load", "merge", "quantize", "hash", ...
    public var stage: String
    /// The item at work, such as a tensor's or a file's name; may be empty.
    public var item: String
    /// Bytes done and bytes in all. `total` is 0 when it is not known.
    public var done: UInt64
    public var total: UInt64

    public init(stage: String, item: String = "", done: UInt64, total: UInt64) {
        self.stage = stage
        self.item = item
        self.done = done
        self.total = total
    }
}

/// Called on the thread that called the operation. Returning false stops it with ``AlpacaError/Code/cancelled``.
public typealias ProgressHandler = (Progress) -> Bool
