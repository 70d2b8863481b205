// Where the bytes of a zip archive go that is written as PyTorch 1.13 writes it, byte for byte:
//
//     each entry: local header (30 bytes, CRC and sizes 0: they follow the data) | name | [zip64 field] | padding field "FB" | data | descriptor
//     central directory: for each entry 46 bytes | name | [zip64 field]
//     zip64 end record (56 bytes) | its locator (20) | end record (22)
//
// Nothing is compressed, time stamps are zero. The padding field fills up with the letter Z, so that data begin at a multiple of 64. The
// zip64 field is there where a size or an offset reaches 2^32 - 1: both sizes if so (of the local header the second is 0), the offset if so.

/// A zip archive that is about to be written: names and sizes are known, not all the data.
enum ZipLayout {
    struct Entry: Sendable {
        let name: String
        let content: Content
    }

    enum Content: Sendable {
        /// Known already.
        case bytes([UInt8])
        /// Data that are written later. `number` counts these entries from 0, each once, in any order.
        case later(number: Int, byteCount: Int)
    }

    /// Data begin at a multiple of this.
    static let alignment = 64

    /// - Returns: the layout; its ``FileLayout/dataOffsets`` and the CRCs of its ``FileLayout/closing`` go by the numbers of the entries.
    static func layOut(_ entries: [Entry]) throws(AlpacaError) -> FileLayout {
        var placed: [ZipEntry] = []
        var fixed: [FileLayout.Patch] = []
        var dataOffsets = [Int](repeating: 0, count: entries.count { if case .later = $0.content { true } else { false } })
        var offset = 0
        for entry in entries {
            let place = try ZipEntry(entry, at: offset)
            var start = place.header
            switch entry.content {
            case .bytes(let bytes): start += bytes + place.descriptor([])
            case .later(let number, _):
                guard dataOffsets.indices.contains(number) else {
                    throw AlpacaError(.internalError, "entry \(number) of a zip archive with \(dataOffsets.count)")
                }
                dataOffsets[number] = place.dataOffset
            }
            fixed.append(FileLayout.Patch(at: offset, start))
            offset = try CheckedMath.sum(place.dataOffset, place.byteCount, of: "size of the file")
            offset = try CheckedMath.sum(offset, place.descriptorSize, of: "size of the file")
            placed.append(place)
        }
        let (start, directorySize) = (offset, placed.reduce(0) { $0 + $1.directorySize })
        let end = try CheckedMath.sum(start, directorySize, of: "size of the file")
        let tail = endRecords(entries: placed.count, start: start, size: directorySize)
        fixed.append(FileLayout.Patch(at: end, tail))
        let files = placed
        return FileLayout(
            byteCount: try CheckedMath.sum(end, tail.count, of: "size of the file"), fixed: fixed, dataOffsets: dataOffsets,
            closing: { checksums in
                var patches = files.filter(\.isLater).map { file in
                    FileLayout.Patch(at: file.dataOffset + file.byteCount, file.descriptor(checksums))
                }
                patches.append(FileLayout.Patch(at: start, files.flatMap { $0.directoryRecord(checksums) }))
                return patches
            })
    }

    /// The zip64 end record and its locator, which miniz writes in any case, and the old end record.
    private static func endRecords(entries: Int, start: Int, size: Int) -> [UInt8] {
        var bytes: [UInt8] = Array("PK\u{06}\u{06}".utf8)
        bytes.append(littleEndian: UInt64(44))
        // Made by version 3.0 on Unix, needs 4.5.
        bytes.append(littleEndian: UInt16(0x031e))
        bytes.append(littleEndian: UInt16(45))
        bytes.append(littleEndian: UInt64(0))
        for number in [entries, entries, size, start] { bytes.append(littleEndian: UInt64(clamping: number)) }

        bytes += Array("PK\u{06}\u{07}".utf8)
        bytes.append(littleEndian: UInt32(0))
        bytes.append(littleEndian: UInt64(clamping: start + size))
        bytes.append(littleEndian: UInt32(1))

        bytes += Array("PK\u{05}\u{06}".utf8)
        bytes.append(littleEndian: UInt32(0))
        for _ in 0..<2 { bytes.append(littleEndian: UInt16(clamping: entries)) }
        bytes.append(littleEndian: UInt32(clamping: size))
        bytes.append(littleEndian: UInt32(clamping: start))
        bytes.append(littleEndian: UInt16(0))
        return bytes
    }
}
