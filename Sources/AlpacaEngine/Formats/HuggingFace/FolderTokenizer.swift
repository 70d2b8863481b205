/// The tokenizer among the files of a folder: tokenizer.model, else a tokenizer.json that means the same.
package struct FolderTokenizer: Sendable {
    package let file: FileRegion
    package let model: SentencePieceModel

    /// Ids behind the pieces that are believed where no embeddings tell how many rows there are.
    static let mostAdded = 1 << 16

    private static let name = "tokenizer.model"
    private static let jsonName = "tokenizer.json"

    /// Nil where there is none.
    ///
    /// - Throws: when it is damaged, or a tokenizer.json that means something else.
    package init?(_ files: some FileCollection) throws(AlpacaError) {
        if let region = try FolderTokenizer.region(files) {
            file = region
            model = try SentencePieceModel(region)
            return
        }
        guard let region = try files.open(FolderTokenizer.jsonName) else { return nil }
        file = region
        model = try TokenizerJSON.sentencePieceModel(region)
    }

    /// In the folder, or beside it, where Meta's download puts it.
    private static func region(_ files: some FileCollection) throws(AlpacaError) -> FileRegion? {
        if let region = try files.open(name) { return region }
        guard files is FolderFiles else { return nil }
        let inside = FolderFiles.join(files.path, name)
        guard (try? FolderListing.isFolder(inside)) != true else { throw AlpacaError(.io, path: inside, "found a folder, expected a file") }
        guard !files.names.contains(jsonName) else { return nil }
        guard let file = try? InputFile(path: FolderFiles.join(files.path, "../" + name)) else { return nil }
        return FileRegion(file)
    }

    package static func missing(_ files: some FileCollection) -> AlpacaError {
        AlpacaError(.missing, path: files.path, "\(name) is missing in the folder; without it no text can be read or written")
    }
}
