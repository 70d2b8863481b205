// The older form of llama.cpp's importance matrices, `imatrix.dat` (2024 to 2025), all little-endian:
//
//   entries:i32  { length:i32  name  calls:i32  count:i32  values:f32 x count } x entries  [chunks:i32  length:i32  dataset]
//
// A value divided by the calls is the mean square of a column's inputs. The first files end behind the entries.

extension ImportanceMatrix {
    /// What the end of a file tells of how it was measured.
    struct Measured: Sendable, Equatable {
        var chunkCount: Int?
        var dataset: String?
    }

    /// Whether the file begins like one of the older form: a number of entries, and the name of a weight.
    static func isLegacy(_ file: InputFile) -> Bool {
        var reader = ByteReader(file)
        guard let count: Int32 = try? reader.read(""), (1...65_536).contains(count), let length: Int32 = try? reader.read(""),
            (1...255).contains(length), let name = try? reader.bytes(Int(length), "")
        else { return false }
        return name.allSatisfy { (0x21...0x7e).contains($0) }
    }

    init(legacy file: InputFile) throws(AlpacaError) {
        do throws(AlpacaError) {
            var reader = ByteReader(file)
            let count = try reader.count(as: Int32.self, "number of entries", minimumBytesEach: 12)
            var columns: [String: [Float]] = [:]
            for number in 0..<count {
                let (name, values) = try Self.readEntry(&reader, number)
                guard columns.updateValue(values, forKey: name) == nil else {
                    throw AlpacaError(.badFormat, "\(name.quoted()) has two entries")
                }
            }
            guard !columns.isEmpty else { throw AlpacaError(.badFormat, "the importance matrix has no entries") }
            self.columns = columns
            measured = try Self.readEnd(&reader)
        } catch {
            throw error.inFile(file.path)
        }
    }

    private static func readEntry(_ reader: inout ByteReader, _ number: Int) throws(AlpacaError) -> (String, [Float]) {
        let length = try reader.count(as: Int32.self, "length of the name of entry \(number)", minimumBytesEach: 1)
        let bytes = try reader.bytes(length, "name of entry \(number)")
        guard let name = String(validating: bytes, as: UTF8.self), !name.isEmpty else {
            throw AlpacaError(.badFormat, "entry \(number): found the name \(bytes.quoted(limit: 40)), expected that of a weight")
        }
        let calls: Int32 = try reader.read("calls of \(name.quoted())")
        let count = try reader.count(as: Int32.self, "number of values of \(name.quoted())", minimumBytesEach: 4)
        try LargeMemory.ask(count, of: MemoryLayout<Float>.size, for: name.quoted())
        var values: [Float] = []
        values.reserveCapacity(count)
        for _ in 0..<count {
            let value = try reader.readFloat("values of \(name.quoted())")
            // What was never called says nothing: all columns count alike.
            values.append(calls > 0 ? value / Float(calls) : 1)
        }
        guard values.allSatisfy({ $0 >= 0 && $0 < .infinity }) else {
            throw AlpacaError(.badFormat, "\(name.quoted()) holds numbers that no sum of squares can have")
        }
        return (name, values)
    }

    private static func readEnd(_ reader: inout ByteReader) throws(AlpacaError) -> Measured {
        guard reader.remaining > 0 else { return Measured() }
        let chunks: Int32 = try reader.read("number of chunks")
        guard reader.remaining > 0 else { return Measured(chunkCount: Int(chunks)) }
        let length = try reader.count(as: Int32.self, "length of the dataset's name", minimumBytesEach: 1)
        let dataset = String(decoding: try reader.bytes(length, "dataset's name"), as: UTF8.self)
        guard reader.remaining == 0 else {
            throw AlpacaError(.badFormat, "found \(reader.remaining) bytes behind the end of an importance matrix")
        }
        return Measured(chunkCount: Int(chunks), dataset: dataset)
    }
}
