// From C's arguments to Swift's values and back. Each pointer of the caller is used for exactly the bytes that the header says it has.

import AlpacaEngine
import CAlpaca
import Glibc

enum Arguments {
    /// A zero-terminated name or other text.
    static func text(_ pointer: UnsafePointer<CChar>?, _ name: String) throws(AlpacaError) -> String {
        guard let pointer = unsafe pointer else { throw AlpacaError(.invalidArgument, at: name, found: "NULL", expected: "text") }
        try LargeMemory.ask(unsafe Int(clamping: strlen(pointer)), for: name)
        guard let text = unsafe String(validatingCString: pointer) else {
            // Bound: the text ends at its zero byte.
            throw unsafe notUTF8(UnsafeRawBufferPointer(start: pointer, count: strlen(pointer)), name)
        }
        return text
    }

    private static func notUTF8(_ bytes: some Sequence<UInt8>, _ name: String) -> AlpacaError {
        let place = UTF8Text.firstInvalid(bytes).map { " at byte \($0)" } ?? ""
        return AlpacaError(.invalidArgument, "\(name): found bytes that are not UTF-8\(place)")
    }

    /// A zero-terminated path, in any bytes.
    static func path(_ pointer: UnsafePointer<CChar>?, _ name: String) throws(AlpacaError) -> String {
        guard let pointer = unsafe pointer else { throw AlpacaError(.invalidArgument, at: name, found: "NULL", expected: "text") }
        try LargeMemory.ask(unsafe Int(clamping: strlen(pointer)), of: 4, for: name)
        return unsafe String(cPath: pointer)
    }

    /// A path that may be left out by NULL.
    static func optionalPath(_ pointer: UnsafePointer<CChar>?, _ name: String) throws(AlpacaError) -> String? {
        unsafe pointer == nil ? nil : try unsafe path(pointer, name)
    }

    /// A text that may be left out by NULL.
    static func optionalText(_ pointer: UnsafePointer<CChar>?, _ name: String) throws(AlpacaError) -> String? {
        unsafe pointer == nil ? nil : try unsafe text(pointer, name)
    }

    /// A number of threads: 0 leaves it to the library.
    static func threadCount(_ value: Int32) throws(AlpacaError) -> Int {
        guard (0...256).contains(value) else { throw AlpacaError(.invalidArgument, "n_threads: found \(value), expected 0 to 256") }
        return Int(value)
    }

    /// How keys or values are kept.
    static func cacheType(_ value: Int32, _ name: String) throws(AlpacaError) -> CacheType {
        guard let type = CacheType(rawValue: value) else {
            throw AlpacaError(.invalidArgument, at: name, found: "\(value)", expected: "an alpaca_cache_type, 0, 1 or 8")
        }
        return type
    }

    static func ropeScaling(_ value: Int32) throws(AlpacaError) -> Session.Options.RopeScaling {
        switch UInt32(bitPattern: value) {
        case ALPACA_ROPE_SCALING_MODEL.rawValue: return .model
        case ALPACA_ROPE_SCALING_NONE.rawValue: return .none
        case ALPACA_ROPE_SCALING_LINEAR.rawValue: return .linear
        case ALPACA_ROPE_SCALING_YARN.rawValue: return .yarn
        case ALPACA_ROPE_SCALING_NTK.rawValue: return .ntk
        case ALPACA_ROPE_SCALING_DYNAMIC.rawValue: return .dynamic
        default: throw AlpacaError(.invalidArgument, at: "rope_scaling", found: "\(value)", expected: "an alpaca_rope_scaling, 0 to 5")
        }
    }

    /// The elements of a caller's array, `most` at most: a count that no caller can mean is found before anything is read.
    static func list<T: BitwiseCopyable>(
        _ pointer: UnsafePointer<T>?, _ count: Int, _ name: String, most: Int = 1 << 16
    ) throws(AlpacaError) -> [T] {
        guard count >= 0, count <= most else {
            throw AlpacaError(.invalidArgument, at: name, found: "\(UInt(bitPattern: count)) elements", expected: "at most \(most)")
        }
        guard count > 0 else { return [] }
        guard let pointer = unsafe pointer else {
            throw AlpacaError(.invalidArgument, at: name, found: "NULL", expected: "\(count) elements")
        }
        try LargeMemory.ask(count, of: MemoryLayout<T>.stride, for: name)
        // The caller vouches for `count` elements.
        return unsafe Array(UnsafeBufferPointer(start: pointer, count: count))
    }

    /// The bytes of a text of `length` bytes or up to its zero.
    static func bytes(_ pointer: UnsafePointer<CChar>?, _ length: Int, _ name: String) throws(AlpacaError) -> [UInt8] {
        let isTerminated = length == -1  // SIZE_MAX
        guard let pointer = unsafe pointer else {
            guard length == 0 else { throw AlpacaError(.invalidArgument, at: name, found: "NULL", expected: "text") }
            return []
        }
        let count = isTerminated ? unsafe Int(exactly: strlen(pointer)) ?? -1 : length
        guard count >= 0, count <= 1 << 30 else {
            throw AlpacaError(
                .invalidArgument, at: name, found: "a length of \(UInt(bitPattern: count)) bytes", expected: "at most \(1 << 30)")
        }
        try LargeMemory.ask(count, for: name)
        // The caller vouches for `count` bytes.
        return unsafe [UInt8](UnsafeRawBufferPointer(start: pointer, count: count))
    }

    /// A text that must be UTF-8.
    static func text(_ pointer: UnsafePointer<CChar>?, _ length: Int, _ name: String) throws(AlpacaError) -> String {
        let raw = try unsafe bytes(pointer, length, name)
        try LargeMemory.ask(raw.count, for: name)
        guard let text = String(validating: raw, as: UTF8.self) else { throw notUTF8(raw, name) }
        return text
    }

    /// Token ids, checked by who uses them.
    static func ids(_ pointer: UnsafePointer<Int32>?, _ count: Int, _ name: String) throws(AlpacaError) -> [TokenID] {
        guard count >= 0, count <= 1 << 28 else {
            throw AlpacaError(.invalidArgument, at: name, found: "\(UInt(bitPattern: count)) ids", expected: "at most \(1 << 28)")
        }
        guard count > 0 else { return [] }
        guard let pointer = unsafe pointer else { throw AlpacaError(.invalidArgument, at: name, found: "NULL", expected: "\(count) ids") }
        try LargeMemory.ask(count, of: MemoryLayout<Int32>.size, for: name)
        return unsafe Array(UnsafeBufferPointer(start: pointer, count: count))
    }

    /// The place for a result.
    static func out<T>(_ pointer: UnsafeMutablePointer<T>?, _ name: String) throws(AlpacaError) -> UnsafeMutablePointer<T> {
        guard let pointer = unsafe pointer else {
            throw AlpacaError(.invalidArgument, at: name, found: "NULL", expected: "a place for the result")
        }
        return unsafe pointer
    }

    /// A flag: 0 or 1.
    static func flag(_ value: Int32, _ name: String) throws(AlpacaError) -> Bool {
        guard value == 0 || value == 1 else { throw AlpacaError(.invalidArgument, at: name, found: "\(value)", expected: "0 or 1") }
        return value == 1
    }

    /// A field that later versions may give a meaning: what a newer client asks for by it is not to be overlooked.
    static func reserved(_ value: some BinaryInteger, _ name: String) throws(AlpacaError) {
        guard value == 0 else {
            throw AlpacaError(.unsupported, "\(name): found \(value), expected 0; this library (\(Version.string)) gives it no meaning")
        }
    }

    /// Copies a text and a closing zero to the caller's buffer.
    static func copy(
        _ text: some Collection<UInt8>, to buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ needed: UnsafeMutablePointer<Int>?
    ) throws(AlpacaError) {
        let count = text.count + 1
        if let needed = unsafe needed { unsafe needed.pointee = count }
        guard capacity < 0 || capacity >= count else {
            throw AlpacaError(.bufferTooSmall, "buffer: found \(capacity) bytes, \(count) are needed")
        }
        guard let buffer = unsafe buffer else {
            throw AlpacaError(.invalidArgument, "buffer: found NULL, expected \(UInt(bitPattern: capacity)) bytes")
        }
        var at = 0
        for byte in text {
            // Bound: at < count - 1 < capacity.
            unsafe buffer[at] = CChar(bitPattern: byte)
            at += 1
        }
        unsafe buffer[at] = 0
    }

    /// Copies ids to the caller's buffer.
    static func copy(_ ids: [TokenID], to buffer: UnsafeMutablePointer<Int32>?, _ capacity: Int, _ count: UnsafeMutablePointer<Int>?)
        throws(AlpacaError)
    {
        let count = try unsafe out(count, "n")
        unsafe count.pointee = ids.count
        guard capacity < 0 || capacity >= ids.count else {
            throw AlpacaError(.bufferTooSmall, "ids: found room for \(capacity) ids, \(ids.count) are needed")
        }
        guard !ids.isEmpty else { return }
        guard let buffer = unsafe buffer else { throw AlpacaError(.invalidArgument, "ids: found NULL, expected room for \(ids.count) ids") }
        // Bound: i < ids.count <= capacity.
        for i in ids.indices { unsafe buffer[i] = ids[i] }
    }
}

/// Structs that grow. `T` begins with `struct_size`.
enum GrowingStruct {
    /// The largest struct that a newer client can hand over.
    private static let most = 1 << 16

    /// Whether `size` can be the size of any version's struct. They hold a `size_t`, so they end where one could begin: no size that passes
    /// cuts a pointer or a number in two.
    private static func isStructSize(_ size: Int) -> Bool {
        size >= MemoryLayout<Int>.size && size <= most && size % MemoryLayout<Int>.alignment == 0
    }

    /// What the caller's struct says, over the defaults where it is older and shorter.
    ///
    /// - Throws: `invalidArgument` for a size that is no struct's, `unsupported` when a newer client asks for what this library lacks.
    static func read<T: BitwiseCopyable>(_ pointer: UnsafePointer<T>?, _ defaults: T, _ name: String) throws(AlpacaError) -> T {
        guard let pointer = unsafe pointer else { return defaults }
        let raw = unsafe UnsafeRawPointer(pointer)
        let size = try unsafe checkedSize(pointer, name)
        let ours = MemoryLayout<T>.size
        if size > ours {
            for i in ours..<size where unsafe raw.load(fromByteOffset: i, as: UInt8.self) != 0 {
                throw AlpacaError(
                    .unsupported,
                    "\(name): byte \(i) is set, this library (\(Version.string)) knows \(ours) bytes of the struct; use a newer one")
            }
        }
        var result = defaults
        unsafe withUnsafeMutableBytes(of: &result) { target in
            // Bound: at most the smaller of the two structs; both begin with struct_size.
            unsafe target.baseAddress?.copyMemory(from: raw, byteCount: min(size, ours))
        }
        return result
    }

    /// Fills in the caller's struct as far as it reaches, `struct_size` excepted, which is then set to `size`.
    static func initialize<T: BitwiseCopyable>(_ pointer: UnsafeMutablePointer<T>?, _ size: Int, _ defaults: T, _ name: String)
        throws(AlpacaError)
    {
        let pointer = try unsafe Arguments.out(pointer, name)
        let ours = MemoryLayout<T>.size
        guard isStructSize(size) else {
            throw AlpacaError(.invalidArgument, "size: found \(UInt(bitPattern: size)), expected \(ours) (sizeof the struct)")
        }
        let raw = UnsafeMutableRawPointer(pointer)
        unsafe fill(raw, size, defaults)
        unsafe raw.storeBytes(of: size, as: Int.self)
    }

    /// Writes a result as far as the caller's struct reaches; `struct_size` then tells what was filled.
    static func write<T: BitwiseCopyable>(_ value: T, to pointer: UnsafeMutablePointer<T>, _ name: String) throws(AlpacaError) {
        let raw = UnsafeMutableRawPointer(pointer)
        let size = try unsafe checkedSize(UnsafePointer(pointer), name)
        unsafe fill(raw, size, value)
        unsafe raw.storeBytes(of: min(size, MemoryLayout<T>.size), as: Int.self)
    }

    /// The struct's size; checked before work begins, so that it is not done in vain.
    static func checkedSize<T: BitwiseCopyable>(_ pointer: UnsafePointer<T>, _ name: String) throws(AlpacaError) -> Int {
        let size = unsafe UnsafeRawPointer(pointer).loadUnaligned(as: Int.self)
        guard isStructSize(size) else {
            throw AlpacaError(
                .invalidArgument,
                "\(name).struct_size: found \(UInt(bitPattern: size)), expected \(MemoryLayout<T>.size) (sizeof the struct)")
        }
        return size
    }

    @unsafe private static func fill<T: BitwiseCopyable>(_ raw: UnsafeMutableRawPointer, _ size: Int, _ value: T) {
        let ours = MemoryLayout<T>.size
        unsafe withUnsafeBytes(of: value) { source in
            guard let base = source.baseAddress else { return }
            // Bound: at most the smaller of the two; what a newer client's struct has beyond ours becomes zero.
            unsafe raw.copyMemory(from: base, byteCount: min(size, ours))
        }
        if size > ours { unsafe memset(raw + ours, 0, size - ours) }
    }
}
