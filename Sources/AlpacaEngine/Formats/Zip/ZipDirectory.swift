// A zip archive is read from its end (APPNOTE.TXT of PKWARE, 4.3):
//
//   for each member  "PK\3\4" local header, name, extra fields, data, perhaps a descriptor with sizes
//   directory        "PK\1\2" for each member: flags, method, CRC-32, sizes, name, extra fields, where its local header is
//   zip64            "PK\6\6" record with counts and offsets of 64 bits, "PK\6\7" where that record is; only if needed
//   end              "PK\5\6" counts, size and offset of the directory, comment
//
// Programs that read such files differently are how attacks hide, so only archives are taken in which all of it agrees: the directory ends
// where the end records begin, members don't overlap, names are plain, each header says what the directory says.

/// A member as the directory lists it.
struct ZipDirectoryEntry {
    var name: String?
    var flags: UInt16
    var method: UInt16
    var crc: UInt32
    var compressedSize: Int
    var size: Int
    var headerOffset: Int
    var nameBytes: [UInt8]

    /// Sizes and checksum follow the data; the local header has zeros.
    var hasDescriptor: Bool { flags & 8 != 0 }
}

/// Reads little-endian numbers from bytes in memory, never beyond their end.
struct ZipFields {
    let bytes: [UInt8]
    var position = 0

    init(_ bytes: [UInt8], from position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    var remaining: Int { max(0, bytes.count - position) }

    mutating func read<T: FixedWidthInteger & UnsignedInteger>(_ type: T.Type = T.self) throws(AlpacaError) -> T {
        let size = MemoryLayout<T>.size
        guard remaining >= size else { throw AlpacaError(.truncated, "the zip directory ends inside an entry") }
        var result: T = 0
        for i in 0..<size { result |= T(truncatingIfNeeded: bytes[position + i]) << T(truncatingIfNeeded: 8 * i) }
        position += size
        return result
    }

    mutating func take(_ count: Int) throws(AlpacaError) -> [UInt8] {
        guard count >= 0, count <= remaining else { throw AlpacaError(.truncated, "the zip directory ends inside an entry") }
        defer { position += count }
        return Array(bytes[position..<position + count])
    }
}

/// The end records and the directory of an archive.
struct ZipDirectory {
    enum Limits {
        static let entries = 65_536
        static let bytes = 64 << 20
        static let nameBytes = 4_096
    }

    let entries: [ZipDirectoryEntry]
    /// Where the directory begins, and so the last byte that a member may have.
    let start: Int

    init(_ region: FileRegion) throws(AlpacaError) {
        let end = try ZipDirectory.findEnd(region)
        start = end.offset
        var fields = ZipFields(try region.bytes(at: end.offset, count: end.size))
        var entries: [ZipDirectoryEntry] = []
        // With names, as they are here and in the list of members.
        try LargeMemory.ask(end.count, of: 512, for: "zip directory")
        for number in 0..<end.count {
            do {
                entries.append(try ZipDirectory.entry(&fields))
            } catch {
                throw error.inContext("member \(number + 1) of \(end.count)")
            }
        }
        guard fields.remaining == 0 else {
            throw AlpacaError(.badFormat, "the zip directory has \(fields.remaining) bytes more than its \(end.count) members take")
        }
        self.entries = entries
    }

    // MARK: End records

    private struct End {
        var count: Int
        var size: Int
        var offset: Int
    }

    private static func findEnd(_ region: FileRegion) throws(AlpacaError) -> End {
        let tailSize = min(region.count, 22 + 65_535)
        let tail = try region.bytes(at: region.count - tailSize, count: tailSize)
        var at = tail.count - 22
        // The record whose comment ends exactly where the file does.
        while at >= 0 {
            if tail[at] == 0x50, tail[at + 1] == 0x4b, tail[at + 2] == 5, tail[at + 3] == 6,
                Int(tail[at + 20]) | Int(tail[at + 21]) << 8 == tail.count - at - 22
            {
                return try end(region, ZipFields(tail, from: at + 4), at: region.count - tailSize + at)
            }
            at -= 1
        }
        throw AlpacaError(.truncated, "the end of a zip archive is missing (is the download complete?)")
    }

    private static func end(_ region: FileRegion, _ record: ZipFields, at position: Int) throws(AlpacaError) -> End {
        var record = record
        let disks = (try record.read(UInt16.self), try record.read(UInt16.self))
        let here = try record.read(UInt16.self)
        let count = try record.read(UInt16.self)
        let size = try record.read(UInt32.self)
        let offset = try record.read(UInt32.self)
        guard disks.0 == 0, disks.1 == 0, here == count else { throw severalDisks }
        var end = End(count: Int(count), size: Int(size), offset: Int(offset))
        var last = position
        if let (large, start) = try zip64End(region, before: position) {
            guard count == .max || large.count == end.count, size == .max || large.size == end.size,
                offset == .max || large.offset == end.offset
            else { throw AlpacaError(.badFormat, "the zip directory's two end records do not agree") }
            end = large
            last = start
        }
        guard end.offset <= last, end.size == last - end.offset else {
            throw AlpacaError(
                .badFormat,
                "the zip directory should have \(end.size) bytes from byte \(end.offset) on and end at byte \(last) "
                    + "(is the file damaged, or something put before or behind it?)")
        }
        guard end.size <= Limits.bytes, end.count <= Limits.entries, end.count <= end.size / 46 else {
            throw AlpacaError(
                .badFormat, "the zip directory has \(end.count) members in \(end.size) bytes, at most \(Limits.entries) are read")
        }
        return end
    }

    private static var severalDisks: AlpacaError {
        AlpacaError(.unsupported, "this is one part of a zip archive in several: put them together first (`zip -s 0`)")
    }

    /// The 64-bit record, if the locator that lies right before the end record names one.
    private static func zip64End(_ region: FileRegion, before position: Int) throws(AlpacaError) -> (End, start: Int)? {
        guard position >= 20 else { return nil }
        var locator = ZipFields(try region.bytes(at: position - 20, count: 20))
        guard try locator.read(UInt32.self) == 0x0706_4b50 else { return nil }
        let disk = try locator.read(UInt32.self)
        let offset = try locator.read(UInt64.self)
        guard disk == 0, try locator.read(UInt32.self) <= 1 else { throw severalDisks }
        guard let start = Int(exactly: offset), position - 20 >= 56, start <= position - 20 - 56 else {
            throw AlpacaError(.badFormat, "the zip64 end record should be at byte \(offset), there is no room for it")
        }
        var record = ZipFields(try region.bytes(at: start, count: 56))
        guard try record.read(UInt32.self) == 0x0606_4b50, try record.read(UInt64.self) == UInt64(position - 20 - start - 12) else {
            throw AlpacaError(.badFormat, "at byte \(start) there is no zip64 end record of the right size")
        }
        _ = try record.read(UInt32.self)
        guard try record.read(UInt32.self) == 0, try record.read(UInt32.self) == 0 else { throw severalDisks }
        let here = try record.read(UInt64.self)
        let numbers = (try record.read(UInt64.self), try record.read(UInt64.self), try record.read(UInt64.self))
        guard here == numbers.0, let count = Int(exactly: numbers.0), let size = Int(exactly: numbers.1),
            let offset = Int(exactly: numbers.2)
        else { throw AlpacaError(.badFormat, "the zip64 end record says \(numbers.0) members, \(numbers.1) bytes from \(numbers.2) on") }
        return (End(count: count, size: size, offset: offset), start)
    }

    // MARK: Entries

    private static func entry(_ fields: inout ZipFields) throws(AlpacaError) -> ZipDirectoryEntry {
        guard try fields.read(UInt32.self) == 0x0201_4b50 else {
            throw AlpacaError(.badFormat, "no entry of the zip directory is there where one should be")
        }
        _ = try fields.read(UInt32.self)
        let flags = try fields.read(UInt16.self)
        let method = try fields.read(UInt16.self)
        _ = try fields.read(UInt32.self)
        let crc = try fields.read(UInt32.self)
        let sizes = (try fields.read(UInt32.self), try fields.read(UInt32.self))
        let lengths = (try fields.read(UInt16.self), try fields.read(UInt16.self), try fields.read(UInt16.self))
        let disk = try fields.read(UInt16.self)
        _ = try fields.read(UInt16.self)
        let attributes = try fields.read(UInt32.self)
        let offset = try fields.read(UInt32.self)
        let name = try fields.take(Int(lengths.0))
        let extra = try fields.take(Int(lengths.1))
        _ = try fields.take(Int(lengths.2))
        guard disk == 0 else { throw severalDisks }
        let text = try checkName(name)
        guard attributes >> 16 & 0o170000 != 0o120000 else {
            throw AlpacaError(.unsafe, "\(name.quoted()) is a symbolic link, which is not followed")
        }
        guard flags & 0x2061 == 0 else {
            throw AlpacaError(.unsupported, "\(name.quoted()) is encrypted or patched: unpack the archive with another program")
        }
        var wide = try zip64Extra(extra)
        let size = try sizes.1 == .max ? wide.read(UInt64.self) : UInt64(sizes.1)
        let compressed = try sizes.0 == .max ? wide.read(UInt64.self) : UInt64(sizes.0)
        let place = try offset == .max ? wide.read(UInt64.self) : UInt64(offset)
        return ZipDirectoryEntry(
            name: text, flags: flags, method: method, crc: crc,
            compressedSize: try CheckedMath.narrow(compressed, of: "\(name.quoted()): packed size"),
            size: try CheckedMath.narrow(size, of: "\(name.quoted()): size"),
            headerOffset: try CheckedMath.narrow(place, of: "\(name.quoted()): place"), nameBytes: name)
    }

    /// The field with the sizes that don't fit 32 bits; empty if there is none.
    private static func zip64Extra(_ extra: [UInt8]) throws(AlpacaError) -> ZipFields {
        var fields = ZipFields(extra)
        // Fewer than four bytes at the end are padding, which some programs leave.
        while fields.remaining >= 4 {
            let tag = try fields.read(UInt16.self)
            let count = Int(try fields.read(UInt16.self))
            guard count <= fields.remaining else { throw AlpacaError(.badFormat, "an extra field is longer than the room for it") }
            let content = try fields.take(count)
            if tag == 1 { return ZipFields(content) }
        }
        return ZipFields([])
    }

    /// The name as text, nil if it is not UTF-8 (then nobody can ask for it). Throws when it leads out of the archive's folder.
    private static func checkName(_ bytes: [UInt8]) throws(AlpacaError) -> String? {
        func refuse(_ why: String) -> AlpacaError { AlpacaError(.unsafe, "the member's name \(bytes.quoted()) \(why)") }
        guard !bytes.isEmpty else { throw refuse("is empty") }
        guard bytes.count <= Limits.nameBytes else { throw refuse("is longer than \(Limits.nameBytes) bytes") }
        guard !bytes.contains(where: { $0 < 0x20 || $0 == 0x7f }) else { throw refuse("has control characters") }
        guard !bytes.contains(UInt8(ascii: "\\")) else { throw refuse("has a backslash") }
        guard bytes[0] != UInt8(ascii: "/"), bytes.count < 2 || bytes[1] != UInt8(ascii: ":") else { throw refuse("is an absolute path") }
        let folder = bytes.last == UInt8(ascii: "/")
        let parts = (folder ? bytes.dropLast() : bytes[...]).split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard !parts.contains(where: { $0.isEmpty || $0.elementsEqual(".".utf8) || $0.elementsEqual("..".utf8) }) else {
            throw refuse("leads out of the archive")
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
