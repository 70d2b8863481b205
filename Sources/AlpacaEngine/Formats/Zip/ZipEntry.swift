/// An entry of a zip archive at its place, and the three records that tell of it. See ``ZipLayout`` for the format.
struct ZipEntry: Sendable {
    private let name: [UInt8]
    private let offset: Int
    private let checksum: Checksum
    let byteCount: Int
    let dataOffset: Int
    /// The local header, up to the data.
    let header: [UInt8]

    private enum Checksum: Sendable {
        case known(UInt32)
        case later(number: Int)
    }

    /// Where 32 bits end: this value stands for "see the zip64 field".
    private static let wide = Int(UInt32.max)

    init(_ entry: ZipLayout.Entry, at offset: Int) throws(AlpacaError) {
        name = Array(entry.name.utf8)
        guard (1...0x8000).contains(name.count) else {
            throw AlpacaError(.badFormat, "zip entry \(entry.name.quoted()): the name has \(name.count) bytes, expected 1 to 32768")
        }
        self.offset = offset
        switch entry.content {
        case .bytes(let bytes):
            byteCount = bytes.count
            var crc = CRC32()
            // Bound: the buffer is that of the array, for the call.
            unsafe bytes.withUnsafeBytes { unsafe crc.update($0) }
            checksum = .known(crc.value)
        case .later(let number, let byteCount):
            self.byteCount = byteCount
            checksum = .later(number: number)
        }
        // miniz writes no descriptor behind empty entries; nothing here has one.
        guard byteCount > 0 else { throw AlpacaError(.unsupported, "zip entry \(entry.name.quoted()) is empty") }

        // miniz doesn't know the stored size yet.
        let field = ZipEntry.wideField(offset: offset, byteCount: byteCount, stored: 0)
        let unpadded = try CheckedMath.sum(offset, 30 + name.count + field.count + 4, of: "size of the file")
        dataOffset = try CheckedMath.align(unpadded, to: ZipLayout.alignment, of: "size of the file")
        let padding = dataOffset - unpadded

        var header: [UInt8] = Array("PK\u{03}\u{04}".utf8)
        header += ZipEntry.common
        // CRC and both sizes: they follow the data.
        header += [UInt8](repeating: 0, count: 12)
        header.append(littleEndian: UInt16(clamping: name.count))
        header.append(littleEndian: UInt16(clamping: field.count + 4 + padding))
        header += name + field + Array("FB".utf8)
        header.append(littleEndian: UInt16(clamping: padding))
        header += [UInt8](repeating: UInt8(ascii: "Z"), count: padding)
        self.header = header
    }

    var isLater: Bool { if case .later = checksum { true } else { false } }

    private func checksum(_ later: [UInt32]) -> UInt32 {
        switch checksum {
        case .known(let value): value
        case .later(let number): later.indices.contains(number) ? later[number] : 0
        }
    }

    /// Version needed (0), flags (UTF-8 name, descriptor behind the data), method (stored), time, date.
    private static let common: [UInt8] = [0, 0, 0x08, 0x08, 0, 0, 0, 0, 0, 0]

    /// The numbers that 32 bits don't hold; both sizes if one of them.
    private static func wideField(offset: Int, byteCount: Int, stored: Int) -> [UInt8] {
        var numbers: [Int] = byteCount >= wide ? [byteCount, stored] : []
        if offset >= wide { numbers.append(offset) }
        guard !numbers.isEmpty else { return [] }
        var field: [UInt8] = []
        field.append(littleEndian: UInt16(1))
        field.append(littleEndian: UInt16(8 * numbers.count))
        for number in numbers { field.append(littleEndian: UInt64(clamping: number)) }
        return field
    }

    private var isWide: Bool { byteCount >= ZipEntry.wide || offset >= ZipEntry.wide }

    // MARK: Behind the data

    var descriptorSize: Int { isWide ? 24 : 16 }

    /// The record behind the data.
    func descriptor(_ later: [UInt32]) -> [UInt8] {
        var bytes: [UInt8] = Array("PK\u{07}\u{08}".utf8)
        bytes.append(littleEndian: checksum(later))
        for _ in 0..<2 {
            if isWide {
                bytes.append(littleEndian: UInt64(clamping: byteCount))
            } else {
                bytes.append(littleEndian: UInt32(clamping: byteCount))
            }
        }
        return bytes
    }

    private var directoryField: [UInt8] { ZipEntry.wideField(offset: offset, byteCount: byteCount, stored: byteCount) }
    var directorySize: Int { 46 + name.count + directoryField.count }

    /// The record in the central directory.
    func directoryRecord(_ later: [UInt32]) -> [UInt8] {
        let field = directoryField
        // Made by: 0.
        var bytes: [UInt8] = Array("PK\u{01}\u{02}".utf8) + [0, 0] + ZipEntry.common
        bytes.append(littleEndian: checksum(later))
        for _ in 0..<2 { bytes.append(littleEndian: UInt32(clamping: byteCount)) }
        bytes.append(littleEndian: UInt16(clamping: name.count))
        bytes.append(littleEndian: UInt16(clamping: field.count))
        // Comment's length, disk, attributes.
        bytes += [UInt8](repeating: 0, count: 10)
        bytes.append(littleEndian: UInt32(clamping: offset))
        return bytes + name + field
    }
}
