/// A zip archive: PyTorch's files are such, and adapters are downloaded so. Members that are stored lie in the file as they are and are read
/// in place; packed ones are unpacked into a temporary file without a name when they are asked for.
///
/// After `init` every member is known to lie inside the archive, apart from all others, under a name that leads nowhere else. Immutable but
/// for the members unpacked so far; share it between threads.
package final class ZipArchive: Sendable {
    package struct Entry: Sendable, Equatable {
        package let name: String
        package let compressedSize: Int
        package let size: Int
        package let crc32: UInt32
        /// 0 for stored, 8 for deflated; what else there is can't be read.
        package let method: UInt16
        /// Where the data begin in the archive.
        package let dataOffset: Int
    }

    package let region: FileRegion
    /// The members in the directory's order; no folders.
    package let entries: [Entry]

    private let indexByName: [String: Int]
    private let unpacked = Lock<[Int: FileRegion]>([:])

    package init(_ region: FileRegion) throws(AlpacaError) {
        self.region = region
        do throws(AlpacaError) {
            let directory = try ZipDirectory(region)
            var entries: [Entry] = []
            var index: [String: Int] = [:]
            var extents: [(start: Int, end: Int, name: [UInt8])] = []
            for listed in directory.entries {
                let start = try ZipArchive.dataOffset(region, listed, before: directory.start)
                extents.append((listed.headerOffset, start + listed.compressedSize, listed.nameBytes))
                guard let name = listed.name else { continue }
                guard !name.hasSuffix("/") else {
                    guard listed.size == 0 else { throw AlpacaError(.badFormat, "the folder \(name.quoted()) has \(listed.size) bytes") }
                    continue
                }
                guard index.updateValue(entries.count, forKey: name) == nil else {
                    throw AlpacaError(.badFormat, "the member \(name.quoted()) is there twice")
                }
                entries.append(
                    Entry(
                        name: name, compressedSize: listed.compressedSize, size: listed.size, crc32: listed.crc, method: listed.method,
                        dataOffset: start))
            }
            try ZipArchive.checkApart(extents)
            self.entries = entries
            indexByName = index
        } catch {
            throw error.inFile(region.name)
        }
    }

    package func entry(_ name: String) -> Entry? { indexByName[name].map { entries[$0] } }

    /// The bytes of a member, as a file of their own.
    package func region(of entry: Entry) throws(AlpacaError) -> FileRegion {
        let name = "\(region.name)/\(entry.name)"
        switch entry.method {
        case 0: return try region.region(at: entry.dataOffset, count: entry.size, name: name)
        case 8:
            guard let index = indexByName[entry.name] else { throw AlpacaError(.internalError, path: name, "not of this archive") }
            return try unpacked.withLock { (known: inout [Int: FileRegion]) throws(AlpacaError) -> FileRegion in
                if let region = known[index] { return region }
                let region = try unpack(entry, name: name)
                known[index] = region
                return region
            }
        default:
            throw AlpacaError(
                .unsupported, path: name,
                "packed by method \(entry.method), which this version can't unpack (it can 8, deflate): unpack the archive first")
        }
    }

    /// All bytes of a small member, with their checksum verified.
    package func bytes(of entry: Entry, atMost limit: Int) throws(AlpacaError) -> [UInt8] {
        guard entry.size <= limit else {
            throw AlpacaError(.badFormat, path: "\(region.name)/\(entry.name)", "found \(entry.size) bytes, at most \(limit) are read")
        }
        let place = try region(of: entry)
        let bytes = try place.bytes(at: 0, count: place.count)
        var crc = CRC32()
        // Bound: the buffer is the array's.
        unsafe bytes.withUnsafeBytes { unsafe crc.update($0) }
        guard crc.value == entry.crc32 else {
            throw AlpacaError(.badFormat, path: place.name, "its checksum does not match: it is damaged")
        }
        return bytes
    }

    // MARK: Checks

    /// Where the member's data begin, once its local header has said what the directory says.
    private static func dataOffset(
        _ region: FileRegion, _ listed: ZipDirectoryEntry, before directory: Int
    ) throws(AlpacaError) -> Int {
        let name = listed.nameBytes
        func refuse(_ why: String) -> AlpacaError { AlpacaError(.badFormat, "member \(name.quoted()): \(why)") }
        let start = listed.headerOffset
        guard start <= directory, directory - start >= 30 + name.count else {
            throw refuse("its header should be at byte \(start), the directory begins at byte \(directory)")
        }
        var header = ZipFields(try region.bytes(at: start, count: 30 + name.count))
        guard try header.read(UInt32.self) == 0x0403_4b50 else { throw refuse("there is no header at byte \(start)") }
        _ = try header.read(UInt16.self)
        let flags = try header.read(UInt16.self)
        let method = try header.read(UInt16.self)
        _ = try header.read(UInt32.self)
        let crc = try header.read(UInt32.self)
        let sizes = (try header.read(UInt32.self), try header.read(UInt32.self))
        let lengths = (try header.read(UInt16.self), try header.read(UInt16.self))
        // Bit 11, how names are encoded, is told here or there.
        guard (flags ^ listed.flags) & ~0x0800 == 0, method == listed.method, Int(lengths.0) == name.count,
            try header.take(name.count) == name
        else { throw refuse("its header and the directory do not agree") }
        if !listed.hasDescriptor || crc != 0 || sizes.0 != 0 || sizes.1 != 0 {
            guard listed.hasDescriptor && crc == 0 || crc == listed.crc,
                sizes.0 == .max || Int(sizes.0) == listed.compressedSize, sizes.1 == .max || Int(sizes.1) == listed.size
            else { throw refuse("its header and the directory do not agree on its size or checksum") }
        }
        guard listed.method != 0 || listed.compressedSize == listed.size else {
            throw refuse("it is stored as it is, but has \(listed.compressedSize) bytes for \(listed.size)")
        }
        let data = start + 30 + name.count + Int(lengths.1)
        guard data <= directory, listed.compressedSize <= directory - data else {
            throw refuse("its \(listed.compressedSize) bytes from byte \(data) on go beyond the directory's start at \(directory)")
        }
        return data
    }

    private static func checkApart(_ extents: [(start: Int, end: Int, name: [UInt8])]) throws(AlpacaError) {
        let sorted = extents.sorted { $0.start < $1.start }
        for (first, second) in zip(sorted, sorted.dropFirst()) where second.start < first.end {
            throw AlpacaError(.badFormat, "the members \(first.name.quoted()) and \(second.name.quoted()) lie over each other")
        }
    }

    /// What unpacks to more than this many times its size, and more than a few megabytes, is a bomb. Text and zeros come to 10 and 1,000.
    private static let mostRatio = 200
    private static let harmless = 16 << 20

    private func unpack(_ entry: Entry, name: String) throws(AlpacaError) -> FileRegion {
        guard entry.size <= ZipArchive.harmless || entry.size / ZipArchive.mostRatio <= entry.compressedSize else {
            throw AlpacaError(
                .unsafe, path: name, "\(entry.compressedSize) bytes that unpack to \(entry.size) are not taken for a model (a zip bomb?)")
        }
        do throws(AlpacaError) {
            var file = try TemporaryFile(name: name, size: entry.size)
            let source = try region.region(at: entry.dataOffset, count: entry.compressedSize, name: name)
            var crc = CRC32()
            try unsafe Inflate.run(source, size: entry.size) { (piece: UnsafeRawBufferPointer) throws(AlpacaError) in
                unsafe crc.update(piece)
                try unsafe file.write(piece)
            }
            guard crc.value == entry.crc32 else { throw AlpacaError(.badFormat, "its checksum does not match: it is damaged") }
            return FileRegion(try file.finish())
        } catch {
            throw error.inFile(name)
        }
    }
}
