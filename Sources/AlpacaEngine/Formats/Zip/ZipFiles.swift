/// The members of a zip archive as files: an adapter that was downloaded as `.zip` is read in place. If everything lies in one folder, its
/// files are meant, and the folder's name is left out.
package struct ZipFiles: FileCollection {
    package let path: String
    package let names: [String]
    package let archive: InputFile?

    private let zip: ZipArchive
    private let entries: [String: ZipArchive.Entry]

    package init(_ region: FileRegion) throws(AlpacaError) {
        zip = try ZipArchive(region)
        archive = region.file
        path = region.name
        // What macOS adds says nothing of the files.
        let members = zip.entries.filter { entry in
            !entry.name.hasPrefix("__MACOSX/") && entry.name.split(separator: "/").last != ".DS_Store"
        }
        var folder = ""
        while let next = ZipFiles.commonFolder(members, below: folder) { folder = next }
        var entries: [String: ZipArchive.Entry] = [:]
        for member in members { entries[String(member.name.dropFirst(folder.count))] = member }
        self.entries = entries
        names = entries.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    package func open(_ name: String) throws(AlpacaError) -> FileRegion? {
        guard let entry = entries[name] else { return nil }
        return try zip.region(of: entry)
    }

    /// The folder right below `folder`, with a slash, in which all members lie; nil if there is none.
    private static func commonFolder(_ members: [ZipArchive.Entry], below folder: String) -> String? {
        guard let first = members.first, let slash = first.name.dropFirst(folder.count).firstIndex(of: "/") else { return nil }
        let common = String(first.name[...slash])
        return members.allSatisfy { $0.name.hasPrefix(common) } ? common : nil
    }
}
