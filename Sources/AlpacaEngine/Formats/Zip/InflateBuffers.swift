/// Bits of packed data, lowest first, read from the file in pieces.
struct InflateInput: ~Copyable {
    private let source: FileRegion
    /// Bytes of the source that are in the buffer or were.
    private var loaded = 0
    private let buffer: AlignedBuffer
    private var position = 0
    private var end = 0
    private var bits: UInt64 = 0
    /// Bits that are there.
    private(set) var count = 0
    /// Zero bytes put behind the end, so that a code may be looked up there.
    private var invented = 0

    private static let bufferSize = 1 << 18

    init(_ source: FileRegion) throws(AlpacaError) {
        self.source = source
        buffer = try AlignedBuffer(count: InflateInput.bufferSize, for: source.name)
    }

    /// Makes at least 56 bits be there.
    @inline(__always) mutating func refill() throws(AlpacaError) {
        guard end - position >= 8 else { return try refillSlowly() }
        // Bound: eight bytes are in the buffer from the position on.
        let word = unsafe (buffer.base + position).loadUnaligned(as: UInt64.self).littleEndian
        // What this puts above the counted bits are the bits that come there anyway.
        bits |= word << UInt64(truncatingIfNeeded: count)
        let bytes = (63 - count) >> 3
        position += bytes
        count += bytes << 3
    }

    private mutating func refillSlowly() throws(AlpacaError) {
        while count <= 56 {
            if position == end, loaded < source.count {
                let piece = min(InflateInput.bufferSize, source.count - loaded)
                // Bound: a piece is at most the buffer's size.
                try unsafe source.read(at: loaded, into: UnsafeMutableRawBufferPointer(start: buffer.base, count: piece))
                loaded += piece
                position = 0
                end = piece
            }
            if position < end {
                // Bound: position < end <= the buffer's size.
                bits |= UInt64(unsafe (buffer.base + position).load(as: UInt8.self)) << UInt64(truncatingIfNeeded: count)
                position += 1
            } else {
                invented += 1
                guard invented <= 8 else { throw AlpacaError(.truncated, "the packed data end too early") }
            }
            count += 8
        }
    }

    /// The next bits, without taking them; zeros where there are fewer.
    @inline(__always) var next: UInt64 { bits }

    @inline(__always) mutating func drop(_ number: Int) {
        bits >>= UInt64(truncatingIfNeeded: number)
        count -= number
    }

    /// The next `number` bits, which have to be there (see ``refill()``).
    @inline(__always) mutating func take(_ number: Int) -> Int {
        let result = Int(truncatingIfNeeded: bits & ((1 << UInt64(truncatingIfNeeded: number)) &- 1))
        drop(number)
        return result
    }

    mutating func dropToByte() { drop(count & 7) }

    /// Throws unless the data ended with the last byte.
    func checkEnd() throws(AlpacaError) {
        let unused = count / 8 - invented + (end - position) + (source.count - loaded)
        guard unused >= 0 else { throw AlpacaError(.truncated, "the packed data end too early") }
        guard unused == 0 else { throw AlpacaError(.badFormat, "behind the packed data are \(unused) bytes more") }
    }
}

/// What was unpacked: the last 32 KB, to which copies refer, and what was not given away yet.
struct InflateOutput: ~Copyable {
    private let buffer: AlignedBuffer
    private var position = 0
    /// Where begins what was not given away yet.
    private var fresh = 0
    /// Bytes that may still come.
    private var left: Int

    /// A byte, a copy's length, and the seven bytes by which it may write too much.
    static let mostCopied = 258 + 8
    private static let window = 1 << 15
    private static let size = window + 1 << 20

    init(size: Int) throws(AlpacaError) {
        left = size
        buffer = try AlignedBuffer(count: InflateOutput.size + InflateOutput.mostCopied, for: "unpacking")
    }

    /// Bytes that fit before ``flush(_:)`` is due.
    @inline(__always) var room: Int { InflateOutput.size + InflateOutput.mostCopied - position }
    /// How far back a copy may reach.
    @inline(__always) var history: Int { position }

    @inline(__always) mutating func append(_ byte: UInt8) {
        // Bound: the caller made sure of room for a copy, which with one byte before it stays in the buffer.
        unsafe (buffer.base + position).storeBytes(of: byte, as: UInt8.self)
        position += 1
    }

    /// Appends `length` bytes (at most 258) that begin `distance` (at most the history) back; they may overlap what is written.
    @inline(__always) mutating func copy(_ length: Int, from distance: Int) {
        // Bound: position - distance >= 0, and position + length + 8 is within the buffer.
        let target = unsafe buffer.base + position
        let source = unsafe UnsafeRawPointer(target - distance)
        if distance >= 8 {
            var at = 0
            while at < length {
                unsafe (target + at).storeBytes(of: (source + at).loadUnaligned(as: UInt64.self), as: UInt64.self)
                at += 8
            }
        } else {
            for at in 0..<length { unsafe (target + at).storeBytes(of: (source + at).load(as: UInt8.self), as: UInt8.self) }
        }
        position += length
    }

    @unsafe mutating func flush(_ write: (UnsafeRawBufferPointer) throws(AlpacaError) -> Void) throws(AlpacaError) {
        let count = position - fresh
        guard count <= left else { throw AlpacaError(.badFormat, "the packed data unpack to more than the archive says") }
        left -= count
        // Bound: fresh + count = position, within the buffer.
        try unsafe write(UnsafeRawBufferPointer(start: buffer.base + fresh, count: count))
        let kept = min(position, InflateOutput.window)
        unsafe buffer.base.copyMemory(from: buffer.base + (position - kept), byteCount: kept)
        position = kept
        fresh = kept
    }

    @unsafe mutating func finish(_ write: (UnsafeRawBufferPointer) throws(AlpacaError) -> Void) throws(AlpacaError) {
        try unsafe flush(write)
        guard left == 0 else { throw AlpacaError(.badFormat, "the packed data unpack to \(left) bytes less than the archive says") }
    }
}
