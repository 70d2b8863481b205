// The parsing of a GGUF header, from front to back. No number of the file is used before it is known to fit: counts against the bytes
// that are left, lengths against limits, names against what a name may be.

struct GGUFHeader: ~Copyable {
    private(set) var version: UInt32 = 0
    private var reader: ByteReader
    private var keyCount = 0
    private var tensorCount = 0

    var position: Int { reader.position }

    /// Reads magic, version and counts.
    init(_ bytes: consuming ByteReader) throws(AlpacaError) {
        reader = bytes
        let magic = try reader.bytes(4, "magic")
        guard magic.elementsEqual("GGUF".utf8) else {
            throw AlpacaError(.badFormat, "magic: found \(magic.quoted()), expected \"GGUF\"")
        }
        version = try reader.read("version")
        if (1...3).contains(version.byteSwapped) {
            throw AlpacaError(
                .unsupported,
                "version: this is a big-endian file (version \(version.byteSwapped)), only little-endian ones are supported: "
                    + "convert it with `gguf-convert-endian FILE little` of the Python package gguf")
        }
        guard (1...3).contains(version) else {
            throw AlpacaError(.unsupported, "version: found \(version), supported are 1, 2 and 3")
        }
        // The least that a tensor or a key takes: empty name, one dimension; empty name, a value of one byte.
        let word = version == 1 ? 4 : 8
        tensorCount = try length("tensor count", minimumBytesEach: 2 * word + 16)
        keyCount = try length("key count", minimumBytesEach: word + 5)
        try atMost(GGUFReader.Limits.tensors, tensorCount, "tensor count")
        try atMost(GGUFReader.Limits.keys, keyCount, "key count")
    }

    // MARK: Metadata

    mutating func readMetadata() throws(AlpacaError) -> GGUFMetadata {
        var metadata = GGUFMetadata()
        for i in 0..<keyCount {
            let key = try name("metadata key \(i)", limit: GGUFReader.Limits.keyBytes)
            let value: GGUFValue
            do {
                value = try self.value()
            } catch {
                throw error.inContext("metadata key \(key.quoted())")
            }
            guard metadata[key] == nil else {
                throw AlpacaError(.badFormat, "metadata key \(key.quoted()) is there twice")
            }
            metadata[key] = value
            try checkSize()
        }
        return metadata
    }

    private mutating func value() throws(AlpacaError) -> GGUFValue {
        switch try valueType("value type") {
        case .uint8: return .uint8(try reader.read("value"))
        case .int8: return .int8(try reader.read("value"))
        case .uint16: return .uint16(try reader.read("value"))
        case .int16: return .int16(try reader.read("value"))
        case .uint32: return .uint32(try reader.read("value"))
        case .int32: return .int32(try reader.read("value"))
        case .float32: return .float32(try reader.readFloat("value"))
        case .bool: return .bool(try bool())
        case .uint64: return .uint64(try reader.read("value"))
        case .int64: return .int64(try reader.read("value"))
        case .float64: return .float64(try reader.readDouble("value"))
        case .string:
            let length = try length("string length")
            try atMost(GGUFReader.Limits.stringBytes, length, "string length")
            return .string(try reader.bytes(length, "string"))
        case .array: return .array(try array())
        }
    }

    private mutating func array() throws(AlpacaError) -> GGUFArray {
        let type = try valueType("element type")
        let count = try length("array length", minimumBytesEach: type.minimumBytes(version: version))
        try atMost(GGUFReader.Limits.arrayElements, count, "array length")
        guard type != .array else {
            throw AlpacaError(.unsupported, "arrays of arrays are not supported (no known model has any)")
        }
        switch type {
        case .uint8: return .uint8(try reader.bytes(count, "array"))
        case .int8: return .int8(try integers(count))
        case .uint16: return .uint16(try integers(count))
        case .int16: return .int16(try integers(count))
        case .uint32: return .uint32(try integers(count))
        case .int32: return .int32(try integers(count))
        case .uint64: return .uint64(try integers(count))
        case .int64: return .int64(try integers(count))
        case .float32:
            var list: [Float] = []
            try list.makeRoom(for: count, of: "array")
            for _ in 0..<count { list.append(try reader.readFloat("array")) }
            return .float32(list)
        case .float64:
            var list: [Double] = []
            try list.makeRoom(for: count, of: "array")
            for _ in 0..<count { list.append(try reader.readDouble("array")) }
            return .float64(list)
        case .bool:
            var list: [Bool] = []
            try list.makeRoom(for: count, of: "array")
            for _ in 0..<count { list.append(try bool()) }
            return .bool(list)
        case .string, .array:
            var list = GGUFStrings()
            let version = version
            try list.read(count, from: &reader) { (reader: inout ByteReader) throws(AlpacaError) -> Int in
                // A list may be as long as the file; the header as a whole may not.
                try GGUFHeader.checkSize(reader.position)
                return try GGUFHeader.length(version, "string length", &reader)
            }
            return .string(list)
        }
    }

    private mutating func integers<T: FixedWidthInteger & BitwiseCopyable>(_ count: Int) throws(AlpacaError) -> [T] {
        var list: [T] = []
        try list.makeRoom(for: count, of: "array")
        for _ in 0..<count { list.append(try reader.read("array")) }
        return list
    }

    private mutating func bool() throws(AlpacaError) -> Bool {
        let at = reader.position
        let byte: UInt8 = try reader.read("bool")
        guard byte <= 1 else { throw AlpacaError(.badFormat, "bool at byte \(at): found \(byte), expected 0 or 1") }
        return byte == 1
    }

    private mutating func valueType(_ field: String) throws(AlpacaError) -> GGUFValueType {
        let at = reader.position
        let raw: UInt32 = try reader.read(field)
        let last: GGUFValueType = version == 1 ? .array : .float64
        guard let type = GGUFValueType(rawValue: raw), raw <= last.rawValue else {
            throw AlpacaError(
                .badFormat, "\(field) at byte \(at): found \(raw), expected 0 to \(last.rawValue) in version \(version)")
        }
        return type
    }

    // MARK: Tensors

    mutating func readTensors() throws(AlpacaError) -> [(info: TensorInfo, offset: UInt64)] {
        var list: [(info: TensorInfo, offset: UInt64)] = []
        try list.makeRoom(for: tensorCount, of: "tensor count")
        try LargeMemory.ask(tensorCount, of: TensorInfo.mostMemory, for: "tensor count")
        for i in 0..<tensorCount {
            let name = try name("name of tensor \(i)", limit: GGUFReader.Limits.tensorNameBytes)
            let (type, shape, offset): (TensorType, [Int], UInt64)
            do {
                (type, shape, offset) = try tensor()
            } catch {
                throw error.inContext("tensor \(name.quoted())")
            }
            list.append((try TensorInfo(name: name, type: type, shape: shape), offset))
            try checkSize()
        }
        return list
    }

    /// What the header tells of a tensor behind its name.
    private mutating func tensor() throws(AlpacaError) -> (TensorType, [Int], UInt64) {
        let rank: UInt32 = try reader.read("number of dimensions")
        guard rank >= 1, rank <= GGUFReader.Limits.dimensions else {
            throw AlpacaError(.badFormat, "found \(rank) dimensions, expected 1 to \(GGUFReader.Limits.dimensions)")
        }
        var shape: [Int] = []
        for _ in 0..<rank {
            let raw: UInt64
            if version == 1 {
                let narrow: UInt32 = try reader.read("dimension")
                raw = UInt64(narrow)
            } else {
                raw = try reader.read("dimension")
            }
            guard let size = Int(exactly: raw), size > 0 else {
                throw AlpacaError(.badFormat, "found a dimension of \(raw), expected 1 or more (below 2^63)")
            }
            shape.append(size)
        }
        let number: UInt32 = try reader.read("type")
        guard let type = TensorType(rawValue: number) else {
            let known = GGUFHeader.unsupportedTypes[number].map { " (\($0))" } ?? ""
            throw AlpacaError(.unsupported, "found type \(number)\(known), supported are \(TensorType.names)")
        }
        let offset: UInt64 = try reader.read("offset")
        // The file has the innermost dimension first, TensorInfo has it last.
        return (type, shape.reversed(), offset)
    }

    /// Types that ggml has or had and we do not, for the message.
    private static let unsupportedTypes: [UInt32: String] = [
        4: "Q4_2, removed from ggml in 2023", 5: "Q4_3, removed from ggml in 2023", 9: "Q8_1", 15: "Q8_K", 24: "I8", 25: "I16",
        26: "I32", 27: "I64", 28: "F64", 31: repacked("Q4_0_4_4", "Q4_0"), 32: repacked("Q4_0_4_8", "Q4_0"),
        33: repacked("Q4_0_8_8", "Q4_0"), 36: repacked("IQ4_NL_4_4", "IQ4_NL"), 37: repacked("IQ4_NL_4_8", "IQ4_NL"),
        38: repacked("IQ4_NL_8_8", "IQ4_NL"), 40: "NVFP4; a file of the model in Q4_K_M or MXFP4 can be opened",
        41: "Q1_0; a file of the model in TQ1_0 or Q2_K can be opened", 42: "Q2_0; a file of the model in Q2_K can be opened",
    ]

    /// Forms for one kind of processor each, which readers make of the plain type themselves today.
    private static func repacked(_ name: String, _ plain: String) -> String {
        "\(name), removed from ggml in 2024; take a file of the model in \(plain)"
    }

    // MARK: Parts

    /// A key or a tensor's name: not empty, printable ASCII, as the format demands of keys; no tensor of a known model has another.
    private mutating func name(_ field: @autoclosure () -> String, limit: Int) throws(AlpacaError) -> String {
        let at = reader.position
        let length = try length("length of \(field())")
        guard length >= 1, length <= limit else {
            throw AlpacaError(.badFormat, "\(field()) at byte \(at): found a length of \(length) bytes, expected 1 to \(limit)")
        }
        let bytes = try reader.bytes(length, field())
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else {
            throw AlpacaError(.badFormat, "\(field()) at byte \(at): found \(bytes.quoted()), expected printable ASCII characters")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private mutating func length(_ field: @autoclosure () -> String, minimumBytesEach: Int = 1) throws(AlpacaError) -> Int {
        try GGUFHeader.length(version, field(), &reader, minimumBytesEach: minimumBytesEach)
    }

    private static func length(
        _ version: UInt32, _ field: @autoclosure () -> String, _ reader: inout ByteReader, minimumBytesEach: Int = 1
    ) throws(AlpacaError) -> Int {
        version == 1
            ? try reader.count(as: UInt32.self, field(), minimumBytesEach: minimumBytesEach)
            : try reader.count(as: UInt64.self, field(), minimumBytesEach: minimumBytesEach)
    }

    private func atMost(_ limit: Int, _ count: Int, _ field: String) throws(AlpacaError) {
        guard count <= limit else { throw AlpacaError(.badFormat, at: field, found: "\(count)", expected: "at most \(limit)") }
    }

    private func checkSize() throws(AlpacaError) { try GGUFHeader.checkSize(reader.position) }

    private static func checkSize(_ position: Int) throws(AlpacaError) {
        guard position <= GGUFReader.Limits.headerBytes else {
            throw AlpacaError(.badFormat, "the header is longer than \(GGUFReader.Limits.headerBytes) bytes")
        }
    }
}
