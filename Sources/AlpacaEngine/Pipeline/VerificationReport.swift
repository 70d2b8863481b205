/// One file that was hashed, and what the published list says of it.
public struct VerifiedFile: Sendable, Equatable {
    public enum Status: String, Sendable {
        /// The hash is in the list, and the file is what its name says, if its name says something.
        case known
        /// The file has the name of a published one and another hash: damaged, incomplete, or another file.
        case differs
        /// Neither the hash nor the name is in the list.
        case unknown
    }

    public let path: String
    /// Bytes.
    public let size: Int
    /// 64 lower-case hexadecimal digits.
    public let sha256: String
    public let status: Status
    /// The published file that has this hash.
    public let identity: String?
    /// The published file that a file of this name should be, where that is another one.
    public let expected: String?
    /// The published model that the file belongs to, going by its hash, else by its name and its folder's; what an adapter needs.
    public let model: String?
    public let needs: [String]

    init(path: String, size: Int, sha256: String) {
        self.path = path
        self.size = size
        self.sha256 = sha256
        let found = PublishedFile.byHash[sha256]
        let candidates = PublishedName.expected(at: path)
        identity = found?.title
        let known = found.flatMap { PublishedModel.of($0) } ?? VerifiedFile.model(at: path)
        model = known?.name
        needs = known.map { known in VerifiedFile.isOfAdapter(path, found) ? known.needs : [] } ?? []
        if candidates.isEmpty || candidates.contains(where: { $0.sha256 == sha256 }) {
            status = found == nil ? .unknown : .known
            expected = nil
        } else {
            status = .differs
            expected = candidates.first?.title
        }
    }

    private var hasHashes: Bool {
        guard let model else { return true }
        return PublishedFile.all.contains { PublishedModel.of($0)?.name == model }
    }

    /// By the file's name, or its folder's.
    private static func model(at path: String) -> PublishedModel? {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
        return PublishedModel.at(path) ?? (folder.isEmpty ? nil : PublishedModel.at(folder))
    }

    private static func isOfAdapter(_ path: String, _ file: PublishedFile?) -> Bool {
        file.map { $0.model.contains("adapter") } ?? (path.split(separator: "/").last?.hasPrefix("adapter_") == true)
    }

    /// One line: path, verdict.
    public var verdict: String {
        let verdict =
            switch (status, identity, expected) {
            case (.known, let identity?, _): "is \(identity)"
            case (.differs, let identity?, let expected?): "is \(identity), but its name says \(expected)"
            case (.differs, nil, let expected?): "DAMAGED: has the name of \(expected), and another hash; fetch it again"
            default:
                "unknown, not in the published list"
                    + (hasHashes ? "" : model.map { ", which has no files of \($0)" } ?? "")
            }
        return PathText.shown("\(path): \(verdict)")
    }
}

/// What a verification found, in the order of the paths.
public struct VerificationReport: Sendable {
    public let files: [VerifiedFile]

    /// Whether no file has the name of a published one and another hash.
    public var isClean: Bool { !files.contains { $0.status == .differs } }

    public func count(_ status: VerifiedFile.Status) -> Int { files.count { $0.status == status } }

    /// The report as a JSON object: `ok`, and `files` with path, size, sha256, status ("known", "differs", "unknown"), identity, expected and
    /// verdict each; of a file of a published model also model and needs.
    public func json() -> String {
        var json = JSONWriter()
        json.beginObject()
        json.member("ok", isClean)
        json.beginArray("files")
        for file in files {
            json.beginObject()
            json.member("path", PathText.shown(file.path))
            json.member("size", file.size)
            json.member("sha256", file.sha256)
            json.member("status", file.status.rawValue)
            json.member("identity", file.identity)
            json.member("expected", file.expected)
            if let model = file.model {
                json.member("model", model)
                json.strings("needs", file.needs)
            }
            json.member("verdict", file.verdict)
            json.end()
        }
        json.end()
        json.end()
        return json.text
    }
}
