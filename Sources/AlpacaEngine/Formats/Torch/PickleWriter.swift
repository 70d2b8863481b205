/// Writes pickles of protocol 2 as Python's own pickler does: the same opcodes, the same numbers in its memo.
///
/// The memo numbers each object that is written, in order; an object that comes again is named by its number. Which objects are one and the
/// same is told by the caller: the `shared` methods are for those, and for globals, that Python has once.
struct PickleWriter {
    private(set) var bytes: [UInt8] = [0x80, 2]
    private var memo: [Shared: Int] = [:]
    private var memoCount = 0

    private enum Shared: Hashable {
        case string(String)
        case global(String, String)
    }

    private enum Opcode: UInt8 {
        case mark = 0x28, emptyTuple = 0x29, stop = 0x2e, int = 0x4a, smallInt = 0x4b, mediumInt = 0x4d, persistent = 0x51, reduce = 0x52
        case string = 0x58, global = 0x63, get = 0x68, longGet = 0x6a, put = 0x71, longPut = 0x72, setItem = 0x73, tuple = 0x74
        case setItems = 0x75, emptyDict = 0x7d, tuple1 = 0x85, tuple2 = 0x86, tuple3 = 0x87, False = 0x89, long = 0x8a
    }

    private mutating func append(_ opcode: Opcode) { bytes.append(opcode.rawValue) }

    /// Gives the object written last its number in the memo.
    private mutating func memoize() {
        numbered(.put, .longPut, memoCount)
        memoCount += 1
    }

    private mutating func numbered(_ short: Opcode, _ long: Opcode, _ number: Int) {
        if let byte = UInt8(exactly: number) {
            append(short)
            bytes.append(byte)
        } else {
            append(long)
            bytes.append(littleEndian: UInt32(clamping: number))
        }
    }

    /// Names `object` by its number if it was written before, else writes and numbers it.
    private mutating func share(_ object: Shared, _ write: (inout PickleWriter) -> Void) {
        if let number = memo[object] {
            numbered(.get, .longGet, number)
        } else {
            write(&self)
            memo[object] = memoCount
            memoize()
        }
    }

    // MARK: Values

    private mutating func text(_ text: String) {
        append(.string)
        bytes.append(littleEndian: UInt32(clamping: text.utf8.count))
        bytes += Array(text.utf8)
    }

    /// A string that Python made for this place alone.
    mutating func string(_ string: String) {
        text(string)
        memoize()
    }

    mutating func sharedString(_ string: String) {
        share(.string(string)) { $0.text(string) }
    }

    mutating func global(_ module: String, _ name: String) {
        share(.global(module, name)) {
            $0.append(.global)
            $0.bytes += Array("\(module)\n\(name)\n".utf8)
        }
    }

    mutating func integer(_ value: Int) {
        if let byte = UInt8(exactly: value) {
            append(.smallInt)
            bytes.append(byte)
        } else if let short = UInt16(exactly: value) {
            append(.mediumInt)
            bytes.append(littleEndian: short)
        } else if let int = Int32(exactly: value) {
            append(.int)
            bytes.append(littleEndian: int)
        } else {
            // As few bytes as hold the value and its sign.
            let count = (value.bitWidth - (value < 0 ? ~value : value).leadingZeroBitCount) / 8 + 1
            append(.long)
            bytes.append(UInt8(clamping: count))
            for byte in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
        }
    }

    mutating func `false`() { append(.False) }

    // MARK: Containers

    mutating func mark() { append(.mark) }

    /// A tuple of all that follows the last ``mark()``; more than three elements.
    mutating func tuple() {
        append(.tuple)
        memoize()
    }

    mutating func tuple(_ integers: [Int]) {
        if integers.count > 3 { mark() }
        for value in integers { integer(value) }
        switch integers.count {
        case 0:
            // The one object without a number: there is only one such tuple.
            append(.emptyTuple)
            return
        case 1: append(.tuple1)
        case 2: append(.tuple2)
        case 3: append(.tuple3)
        default: append(.tuple)
        }
        memoize()
    }

    /// What the reader looks up by the tuple written last.
    mutating func persistent() { append(.persistent) }

    /// The result of calling the object before last with the tuple written last.
    mutating func reduce() {
        append(.reduce)
        memoize()
    }

    /// A dictionary; `member` writes the key and the value of a number. Python sets a thousand at a time.
    mutating func dictionary(count: Int, member: (inout PickleWriter, Int) -> Void) {
        append(.emptyDict)
        memoize()
        guard count > 1 else {
            if count == 1 {
                member(&self, 0)
                append(.setItem)
            }
            return
        }
        for start in stride(from: 0, through: count, by: 1000) {
            mark()
            for number in start..<min(start + 1000, count) { member(&self, number) }
            append(.setItems)
        }
    }

    mutating func stop() { append(.stop) }
}
