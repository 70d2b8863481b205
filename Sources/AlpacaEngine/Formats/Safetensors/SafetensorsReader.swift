// safetensors: https://github.com/huggingface/safetensors#format
//
//   length:u64  header: JSON of that length, blanks behind it  data
//   header: {"__metadata__": {"key": "text", ...}, "name": {"dtype": "F16", "shape": [rows, columns], "data_offsets": [begin, end]}, ...}
//   data: row-major, little-endian; offsets count from the header's end; the ranges cover the data without gap and overlap

/// A safetensors file, or a member stored as it is in an archive: the list of its tensors. Only the header is read.
///
/// After `init` the tensors are known to tile the data exactly, and each to take the bytes of its type and shape. Immutable; share it.
package final class SafetensorsReader: TensorSource {
    package let region: FileRegion
    /// Those in F16, BF16 and F32, in the order of their data.
    package let tensors: [TensorInfo]
    /// Those in any other element type, in the order of their data.
    package let others: [ForeignTensor]
    /// The texts of `__metadata__`.
    package let metadata: [String: String]

    private let offsets: [Int]
    private let indexByName: [String: Int]

    /// What messages call the place of what is wrong.
    private static let part = "safetensors header"

    enum Limits {
        /// The library's own.
        static let headerBytes = 100_000_000
        /// PyTorch's.
        static let dimensions = 64
        /// The header's object, a tensor's, a list of numbers in it; more is told apart by what was expected there.
        static let depth = 8
        static let metadataKey = "__metadata__"
    }

    package init(_ region: FileRegion) throws(AlpacaError) {
        self.region = region
        do {
            let length = try Self.headerLength(region)
            let header = try Self.parse(region, length)
            var metadata: [String: String] = [:]
            var entries: [Entry] = []
            try LargeMemory.ask(header.count, of: TensorInfo.mostMemory, for: "list of tensors")
            for member in try header.object() {
                if member.key == Limits.metadataKey {
                    for text in try member.object() { metadata[text.key] = try text.string() }
                } else {
                    entries.append(try Entry(member))
                }
            }
            // In the order of their places; tensors without elements before what begins where they lie.
            entries.sort { ($0.begin, $0.end) < ($1.begin, $1.end) }
            try Self.checkTiling(entries, dataSize: region.count - 8 - length)
            self.metadata = metadata
            var tensors: [TensorInfo] = []
            var others: [ForeignTensor] = []
            var offsets: [Int] = []
            var index: [String: Int] = [:]
            for entry in entries {
                guard let type = entry.type.type else {
                    others.append(ForeignTensor(name: entry.name, dtype: entry.type.name, shape: entry.shape))
                    continue
                }
                index[entry.name] = tensors.count
                tensors.append(try TensorInfo(name: entry.name, type: type, shape: entry.shape))
                // Bound: the range lies inside the data, as was checked above.
                offsets.append(8 + length + entry.begin)
            }
            self.tensors = tensors
            self.others = others
            self.offsets = offsets
            indexByName = index
        } catch {
            // What the operating system and the parser of JSON say names the file already.
            throw error.path == nil ? error.inContext(Self.part).inFile(region.name) : error
        }
    }

    package var inputs: [InputFile] { [region.file] }

    package func index(of name: String) -> Int? { indexByName[name] }

    /// Nil too for data at a place of the file that is no multiple of the element's size: the format allows it (old files have headers of
    /// odd length), and such data can't be used where they are mapped.
    package func place(of index: Int) -> FileRegion? {
        guard tensors.indices.contains(index),
            let place = try? region.region(at: offsets[index], count: tensors[index].byteCount),
            place.start % tensors[index].type.bytesPerBlock == 0
        else { return nil }
        return place
    }

    @unsafe package func read(
        _ index: Int, rows: Range<Int>, into target: UnsafeMutableRawBufferPointer, scratch: ScratchArena
    ) throws(AlpacaError) {
        try unsafe checkRead(index, rows, target)
        try unsafe region.read(
            at: offsets[index] + rows.lowerBound * tensors[index].rowByteCount, into: target, of: "tensor \(tensors[index].name.quoted())")
    }

    // MARK: Checks

    private static func headerLength(_ region: FileRegion) throws(AlpacaError) -> Int {
        guard region.count > 8 else {
            throw AlpacaError(.truncated, "the file has only \(region.count) bytes (is the download complete?)")
        }
        let length = try region.bytes(at: 0, count: 8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(Limits.headerBytes) else {
            throw AlpacaError(.badFormat, "found a length of \(length) bytes, expected at most \(Limits.headerBytes)")
        }
        // Bound: at most 100 MB.
        let count = Int(length)
        guard count >= 2 else { throw AlpacaError(.badFormat, "found a length of \(count) bytes, expected 2 or more") }
        guard count <= region.count - 8 else {
            throw AlpacaError(
                .truncated, "it has \(count) bytes, but only \(region.count - 8) are left in the file (is the download complete?)")
        }
        guard try region.bytes(at: 8, count: 1) == [UInt8(ascii: "{")] else {
            throw AlpacaError(.badFormat, "found \(try region.bytes(at: 8, count: 1).quoted()) as its first character, expected \"{\"")
        }
        return count
    }

    private static func parse(_ region: FileRegion, _ length: Int) throws(AlpacaError) -> JSONValue {
        let bytes = try region.bytes(at: 8, count: length)
        do {
            return try JSONDocument(bytes, name: region.name, part: part, limits: .init(bytes: Limits.headerBytes, depth: Limits.depth))
                .root
        } catch {
            // All of the header is there: a text that ends too early was written so.
            throw error.code == .truncated ? error.withCode(.badFormat) : error
        }
    }

    private static func checkTiling(_ entries: [Entry], dataSize: Int) throws(AlpacaError) {
        var end = 0
        var last = ""
        for entry in entries {
            guard entry.begin == end else {
                let what = entry.begin < end ? "lies over tensor \(last.quoted()), which ends" : "leaves a gap: what is before it ends"
                throw AlpacaError(.badFormat, "tensor \(entry.name.quoted()) at byte \(entry.begin) of the data \(what) at byte \(end)")
            }
            end = entry.end
            last = entry.name
        }
        guard end <= dataSize else {
            throw AlpacaError(
                .truncated,
                "tensor \(last.quoted()) ends at byte \(end) of the data, the file has \(dataSize) bytes of data "
                    + "(is the download complete?)")
        }
        guard end == dataSize else {
            throw AlpacaError(.badFormat, "the last tensor ends at byte \(end) of the data, the file has \(dataSize) bytes of data")
        }
    }

    /// A tensor's line of the header: its range has the bytes of its type and shape.
    private struct Entry {
        let name: String
        let type: SafetensorsType
        let shape: [Int]
        let begin: Int
        let end: Int

        init(_ member: JSONValue) throws(AlpacaError) {
            name = member.key
            guard !name.isEmpty else { throw AlpacaError(.badFormat, "found a tensor without a name") }
            let dtype = try member.member("dtype")
            let spelled = try dtype.string()
            guard let type = SafetensorsType(named: spelled) else {
                throw AlpacaError(.unsupported, "tensor \(name.quoted()): found the unknown dtype \(spelled.quoted(limit: 20))")
            }
            self.type = type
            let sizes = try member.member("shape")
            shape = try Self.numbers(sizes, atMost: Limits.dimensions)
            let places = try member.member("data_offsets")
            let range = try Self.numbers(places, atMost: 2)
            guard range.count == 2 else { throw places.wrong("two numbers") }
            begin = range[0]
            end = range[1]
            guard begin <= end else { throw AlpacaError(.badFormat, "tensor \(name.quoted()): found data from \(begin) to \(end)") }
            let expected: Int
            do { expected = try type.byteCount(shape) } catch { throw error.inContext("tensor \(name.quoted())") }
            // Bound: 0 <= begin <= end.
            guard end - begin == expected else {
                throw AlpacaError(
                    .shapeMismatch,
                    "tensor \(name.quoted()): found \(end - begin) bytes of data, expected \(expected) for \(type.name) "
                        + TensorInfo.text(shape))
            }
        }

        private static func numbers(_ list: JSONValue, atMost limit: Int) throws(AlpacaError) -> [Int] {
            let elements = try list.array()
            guard list.count <= limit else { throw list.wrong("at most \(limit) numbers") }
            var numbers: [Int] = []
            for element in elements { numbers.append(try element.int(in: 0...Int.max)) }
            return numbers
        }
    }
}
