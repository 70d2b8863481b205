// The older form of llama.cpp's importance matrices, `imatrix.dat` (2024 to 2025), all little-endian:
//
//   entries:i32  { length:i32  name  calls:i32  count:i32  values:f32 x count } x entries  [chunks:i32  length:i32  dataset]
//
// A value divided by the calls is the mean square of a column's inputs; a call was a chunk. Experts stand one after another. The first files
// end behind the entries.

extension ImportanceMatrix {
    /// Whether the file begins like one of the older form: a number of entries, and the name of a weight.
    static func isLegacy(_ file: InputFile) -> Bool {
        var reader = ByteReader(file)
        guard let count: Int32 = try? reader.read(""), (1...65_536).contains(count), let length: Int32 = try? reader.read(""),
            (1...255).contains(length), let name = try? reader.bytes(Int(length), "")
        else { return false }
        return name.allSatisfy { (0x21...0x7e).contains($0) }
    }

    init(legacy file: InputFile) throws(AlpacaError) {
        self.init()
        countsChunks = true
        do throws(AlpacaError) {
            var reader = ByteReader(file)
            let count = try reader.count(as: Int32.self, "number of entries", minimumBytesEach: 12)
            for number in 0..<count {
                let (name, entry) = try Self.readEntry(&reader, number)
                guard entries.updateValue(entry, forKey: name) == nil else {
                    throw AlpacaError(.badFormat, "\(name.quoted()) has two entries")
                }
            }
            guard !entries.isEmpty else { throw AlpacaError(.badFormat, "the importance matrix has no entries") }
            try readEnd(&reader)
        } catch {
            throw error.inFile(file.path)
        }
    }

    private static func readEntry(_ reader: inout ByteReader, _ number: Int) throws(AlpacaError) -> (String, Entry) {
        let length = try reader.count(as: Int32.self, "length of the name of entry \(number)", minimumBytesEach: 1)
        let bytes = try reader.bytes(length, "name of entry \(number)")
        guard let name = String(validating: bytes, as: UTF8.self), !name.isEmpty else {
            throw AlpacaError(.badFormat, "entry \(number): found the name \(bytes.quoted(limit: 40)), expected that of a weight")
        }
        let calls: Int32 = try reader.read("calls of \(name.quoted())")
        let count = try reader.count(as: Int32.self, "number of values of \(name.quoted())", minimumBytesEach: 4)
        try LargeMemory.ask(count, of: MemoryLayout<Double>.size, for: name.quoted())
        var sums: [Double] = []
        sums.reserveCapacity(count)
        for _ in 0..<count { sums.append(Double(try reader.readFloat("values of \(name.quoted())"))) }
        let entry = Entry(sums: sums, counts: [Double(max(0, calls))])
        guard entry.isSound else {
            throw AlpacaError(.badFormat, "\(name.quoted()) holds numbers that no sum of squares can have")
        }
        return (name, entry)
    }

    private mutating func readEnd(_ reader: inout ByteReader) throws(AlpacaError) {
        guard reader.remaining > 0 else { return }
        let chunks: Int32 = try reader.read("number of chunks")
        chunkCount = max(0, Int(chunks))
        guard reader.remaining > 0 else { return }
        let length = try reader.count(as: Int32.self, "length of the dataset's name", minimumBytesEach: 1)
        datasets = [String(decoding: try reader.bytes(length, "dataset's name"), as: UTF8.self)]
        guard reader.remaining == 0 else {
            throw AlpacaError(.badFormat, "found \(reader.remaining) bytes behind the end of an importance matrix")
        }
    }

    /// The bytes of such a file, matrices in the order of their names. It has one count a matrix: that of the expert with the most tokens, in
    /// chunks; the values of the others are scaled to it.
    func legacyBytes() throws(AlpacaError) -> [UInt8] {
        let size = Double(max(1, countsChunks ? 1 : chunkSize ?? 1))
        try LargeMemory.ask(entries.values.reduce(0) { $0 + $1.sums.count }, of: 16, for: "importance matrix")
        var bytes: [UInt8] = []
        bytes.append(littleEndian: Int32(clamping: entries.count))
        for (name, entry) in entries.sorted(by: { $0.key < $1.key }) {
            let calls = max(1, ((entry.counts.max() ?? 0) / size).rounded(.up))
            bytes.append(littleEndian: Int32(clamping: name.utf8.count))
            bytes += Array(name.utf8)
            bytes.append(littleEndian: Int32(calls < 0x1p31 ? calls : 0x7fff_ffff))
            bytes.append(littleEndian: Int32(clamping: entry.sums.count))
            for mean in entry.means { bytes.append(littleEndian: Float(Double(mean) * calls).bitPattern) }
        }
        let dataset = Array((datasets.last ?? "").utf8)
        bytes.append(littleEndian: Int32(clamping: chunkCount ?? 0))
        bytes.append(littleEndian: Int32(clamping: dataset.count))
        return bytes + dataset
    }
}
