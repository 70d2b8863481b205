/// The bytes of a GGUF header, little-endian, version 3.
struct GGUFEncoder {
    private(set) var bytes: [UInt8] = []

    mutating func header(tensors: Int, keys: Int) {
        bytes += Array("GGUF".utf8)
        append(UInt32(3))
        append(UInt64(tensors))
        append(UInt64(keys))
    }

    mutating func pad(to alignment: Int) {
        let rest = bytes.count % alignment
        if rest > 0 { bytes += [UInt8](repeating: 0, count: alignment - rest) }
    }

    // MARK: Metadata

    mutating func metadata(_ metadata: GGUFMetadata) throws(AlpacaError) {
        try atMost(GGUFReader.Limits.keys, metadata.count, "metadata keys")
        for key in metadata.keys {
            guard let value = metadata[key] else { continue }
            try name(key, "metadata key", limit: GGUFReader.Limits.keyBytes)
            append(value.type.rawValue)
            do throws(AlpacaError) { try self.value(value) } catch { throw error.inContext("metadata key \(key.quoted())") }
        }
    }

    private mutating func value(_ value: GGUFValue) throws(AlpacaError) {
        switch value {
        case .uint8(let value): append(value)
        case .int8(let value): append(value)
        case .uint16(let value): append(value)
        case .int16(let value): append(value)
        case .uint32(let value): append(value)
        case .int32(let value): append(value)
        case .uint64(let value): append(value)
        case .int64(let value): append(value)
        case .float32(let value): append(value.bitPattern)
        case .float64(let value): append(value.bitPattern)
        case .bool(let value): append(UInt8(value ? 1 : 0))
        case .string(let text):
            try atMost(GGUFReader.Limits.stringBytes, text.count, "bytes of the string")
            append(UInt64(text.count))
            bytes += text
        case .array(let list):
            try atMost(GGUFReader.Limits.arrayElements, list.count, "elements of the array")
            append(list.type.rawValue)
            append(UInt64(list.count))
            array(list)
        }
    }

    private mutating func array(_ list: GGUFArray) {
        switch list {
        case .uint8(let list): bytes += list
        case .int8(let list): for value in list { append(value) }
        case .uint16(let list): for value in list { append(value) }
        case .int16(let list): for value in list { append(value) }
        case .uint32(let list): for value in list { append(value) }
        case .int32(let list): for value in list { append(value) }
        case .uint64(let list): for value in list { append(value) }
        case .int64(let list): for value in list { append(value) }
        case .float32(let list): for value in list { append(value.bitPattern) }
        case .float64(let list): for value in list { append(value.bitPattern) }
        case .bool(let list): for value in list { append(UInt8(value ? 1 : 0)) }
        case .string(let list):
            for text in list {
                append(UInt64(text.count))
                bytes += text
            }
        }
    }

    // MARK: Tensors

    /// Writes the list with the offsets that follow from it.
    ///
    /// - Returns: bytes that the data take, padding included.
    mutating func tensors(_ tensors: [TensorInfo], alignment: Int) throws(AlpacaError) -> Int {
        try atMost(GGUFReader.Limits.tensors, tensors.count, "tensors")
        var seen: Set<String> = []
        var offset = 0
        for info in tensors {
            // ggml keeps names in 64 bytes, the last of them zero.
            try name(info.name, "tensor's name", limit: 63)
            guard seen.insert(info.name).inserted else {
                throw AlpacaError(.badFormat, "tensor \(info.name.quoted()) is there twice")
            }
            guard (1...GGUFReader.Limits.dimensions).contains(info.shape.count), !info.shape.contains(0) else {
                throw AlpacaError(.badFormat, "tensor \(info.name.quoted()): the shape \(info.shapeText) can't be stored in GGUF")
            }
            append(UInt32(info.shape.count))
            for size in info.shape.reversed() { append(UInt64(size)) }
            append(info.type.rawValue)
            append(UInt64(offset))
            let end = try CheckedMath.sum(offset, info.byteCount, of: "size of the file")
            offset = try CheckedMath.align(end, to: alignment, of: "size of the file")
        }
        return offset
    }

    // MARK: Parts

    private mutating func name(_ text: String, _ what: String, limit: Int) throws(AlpacaError) {
        guard (1...limit).contains(text.utf8.count), text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else {
            throw AlpacaError(.badFormat, "\(what) \(text.quoted()): expected 1 to \(limit) printable ASCII characters")
        }
        append(UInt64(text.utf8.count))
        bytes += Array(text.utf8)
    }

    private func atMost(_ limit: Int, _ count: Int, _ what: String) throws(AlpacaError) {
        guard count <= limit else { throw AlpacaError(.badFormat, "found \(count) \(what), expected at most \(limit)") }
    }

    private mutating func append<T: FixedWidthInteger>(_ value: T) {
        for i in 0..<T.bitWidth / 8 { bytes.append(UInt8(truncatingIfNeeded: value >> T(8 * i))) }
    }
}
