/// How a model is opened.
public struct ModelOptions: Sendable {
    /// When true, weights are used where they lie in the file, shared with other processes and loaded when touched. When false the whole file
    /// is read into memory of its own: slower, but safe from a file that another process cuts short. Nil maps files except those on network
    /// and FUSE file systems, where the system can lose pages.
    public var usesMemoryMap: Bool?
    /// Keeps the weights from being swapped out (`mlock`); fails when the system's limit is too low.
    public var locksMemory = false
    /// Asks the system to load the whole file ahead of its use.
    public var prefetches = false
    /// Bytes of memory that the key and value caches of all of the model's sessions may take together (`cache_bytes`); 0 for what the machine
    /// has. What a session was promised when it was made counts as taken; see ``Session/Options/growsOnDemand``.
    public var cacheByteCount = 0
    /// Called while the file is read; returning false stops with ``AlpacaError/Code/cancelled``.
    public var progress: (@Sendable (Progress) -> Bool)?

    public init() {}
}
