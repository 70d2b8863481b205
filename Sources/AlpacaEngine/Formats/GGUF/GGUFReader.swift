// GGUF, the file format of ggml's models: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
//
//   "GGUF"  version:u32  tensor count:L  key count:L          L is u32 in version 1, u64 in versions 2 and 3
//   keys:    name:string  value type:u32  value               string = length:L, bytes; array = element type:u32, count:L, elements
//   tensors: name:string  n_dims:u32  dims:L x n_dims (innermost first)  type:u32  offset:u64
//   padding up to general.alignment (32 unless the key says otherwise)
//   data: each tensor at its offset from here, a multiple of the alignment
//
// Version 3 equals version 2, but may be big-endian; we read little-endian only.

/// A GGUF file: its metadata and the list of its tensors. Only the header is read, by `pread`; the data stays untouched until asked for,
/// so that a file of any size opens in the time that its vocabulary takes.
///
/// After `init` every tensor is known to lie inside the file, aligned, and apart from all others. Immutable; share it between threads.
package final class GGUFReader: TensorSource {
    package let file: InputFile
    /// 1, 2 or 3.
    package let version: UInt32
    /// Bytes; a power of two, 8 or more. Tensors begin at multiples of it, counted from ``dataStart``.
    package let alignment: Int
    package let metadata: GGUFMetadata
    package let tensors: [TensorInfo]
    /// Where the header and its padding end.
    package let dataStart: Int

    private let offsets: [Int]
    private let indexByName: [String: Int]

    /// What a header may hold at most. Real files stay far below: the largest vocabularies take 10 MB, the largest models 3,000 tensors.
    enum Limits {
        static let keys = 65_536
        static let tensors = 65_536
        static let keyBytes = 65_535
        static let tensorNameBytes = 255
        static let stringBytes = 16 << 20
        static let arrayElements = 1 << 24
        static let headerBytes = 256 << 20
        static let alignment = 1 << 20
        static let dimensions = 4
    }

    package init(_ file: InputFile) throws(AlpacaError) {
        self.file = file
        do {
            var header = try GGUFHeader(ByteReader(file))
            version = header.version
            metadata = try header.readMetadata()
            alignment = try GGUFReader.alignment(metadata)
            let list = try header.readTensors()
            dataStart = try CheckedMath.align(header.position, to: alignment, of: "start of the data")
            (tensors, offsets, indexByName) = try GGUFReader.place(list, from: dataStart, alignment: alignment, fileSize: file.size)
        } catch {
            // What the operating system says names the file already.
            throw error.path == nil ? error.inContext("GGUF header").inFile(file.path) : error
        }
    }

    /// Byte of the file at which the data of tensor `index` begins; `tensors[index].byteCount` bytes from there on are in the file.
    package func offset(of index: Int) -> Int { offsets[index] }

    package func index(of name: String) -> Int? { indexByName[name] }

    package var inputs: [InputFile] { [file] }

    package func place(of index: Int) -> FileRegion? {
        // The place was checked against the file's size when the header was read.
        try? FileRegion(file).region(at: offsets[index], count: tensors[index].byteCount)
    }

    @unsafe package func read(
        _ index: Int, rows: Range<Int>, into target: UnsafeMutableRawBufferPointer, scratch: ScratchArena
    ) throws(AlpacaError) {
        try unsafe checkRead(index, rows, target)
        try unsafe FileRegion(file).read(
            at: offsets[index] + rows.lowerBound * tensors[index].rowByteCount, into: target, of: "tensor \(tensors[index].name.quoted())")
    }

    static func alignment(_ metadata: GGUFMetadata) throws(AlpacaError) -> Int {
        guard let alignment = try metadata.uintIfPresent(GGUFKey.alignment) else { return 32 }
        guard alignment >= 8, alignment <= Limits.alignment, alignment & (alignment - 1) == 0 else {
            throw AlpacaError(
                .badFormat,
                "metadata key \"\(GGUFKey.alignment)\": found \(alignment), expected a power of two from 8 to \(Limits.alignment)")
        }
        return alignment
    }

    /// Checks each tensor's place and makes the offsets absolute.
    private static func place(
        _ list: [(info: TensorInfo, offset: UInt64)], from dataStart: Int, alignment: Int, fileSize: Int
    ) throws(AlpacaError) -> ([TensorInfo], [Int], [String: Int]) {
        var offsets: [Int] = []
        var index: [String: Int] = [:]
        offsets.reserveCapacity(list.count)
        index.reserveCapacity(list.count)
        for (i, (info, offset)) in list.enumerated() {
            let name = info.name.quoted()
            guard index.updateValue(i, forKey: info.name) == nil else {
                throw AlpacaError(.badFormat, "tensor \(name) is there twice")
            }
            guard let relative = Int(exactly: offset), relative % alignment == 0 else {
                throw AlpacaError(.badFormat, "tensor \(name): found offset \(offset), expected a multiple of \(alignment)")
            }
            let start = try CheckedMath.sum(dataStart, relative, of: "tensor \(name): offset")
            let end = try CheckedMath.sum(start, info.byteCount, of: "tensor \(name): end")
            guard end <= fileSize else {
                throw AlpacaError(
                    .truncated,
                    "tensor \(name): its data ends at byte \(end), the file has \(fileSize) bytes (is the download complete?)")
            }
            offsets.append(start)
        }
        // In the order of their places, each has to end where the next begins, or before.
        let order = offsets.indices.sorted { offsets[$0] < offsets[$1] }
        for (first, second) in zip(order, order.dropFirst()) where offsets[second] - offsets[first] < list[first].info.byteCount {
            throw AlpacaError(
                .badFormat,
                "tensor \(list[second].info.name.quoted()) at byte \(offsets[second]) lies over tensor "
                    + "\(list[first].info.name.quoted()), which has \(list[first].info.byteCount) bytes from byte \(offsets[first]) on")
        }
        return (list.map(\.info), offsets, index)
    }
}
