// Models by the name that they have on the Hugging Face hub, "ziqingyang/chinese-alpaca-lora-7b": found where its tools have downloaded them.
// Nothing is fetched here. The cache's layout (huggingface_hub, "Understand caching"):
//
//     models--OWNER--NAME/refs/main             the revision that the branch stands at
//     models--OWNER--NAME/snapshots/REVISION/   its files, links to ../../blobs/

import Glibc

package enum HubCache {
    /// What `pathOrName` stands for: itself when something is there, else the folder of the downloaded model of that name.
    ///
    /// - Throws: `notFound`, with how to download it, for the name of a model that is not in the cache. What can't be such a name comes back
    ///   as it is, for whoever opens it to complain.
    package static func resolve(_ pathOrName: String) throws(AlpacaError) -> String {
        try resolve(pathOrName, cache: folder { variable($0) })
    }

    package static func resolve(_ pathOrName: String, cache: String?) throws(AlpacaError) -> String {
        guard let name = Name(pathOrName), unsafe access(pathOrName.cPath, F_OK) != 0 else { return pathOrName }
        if let cache, let found = snapshot(of: name, in: cache) { return found }
        // "models/mini" where there is a folder "models" is a path with a mistake in it.
        guard unsafe access(name.owner.cPath, F_OK) != 0 else { return pathOrName }
        let place = cache.map { " (\($0))" } ?? ""
        throw AlpacaError(
            .notFound, path: pathOrName,
            "there is no such file or folder, and no model of that name in the Hugging Face cache\(place); "
                + "`hf download \(pathOrName)` (or `huggingface-cli download`) fetches it, "
                + "and so does Python with `pip install 'alpaca[hub]'`")
    }

    /// The name on the hub, "owner/name", of the model in whose snapshot `path` lies; nil for paths elsewhere. For what people are to read: the
    /// folder itself is called by a revision.
    package static func modelName(of path: String) -> String? {
        let parts = path.split(separator: "/")
        guard let folder = parts.lastIndex(where: { $0.hasPrefix("models--") }), folder + 2 < parts.count, parts[folder + 1] == "snapshots"
        else { return nil }
        let rest = parts[folder].dropFirst("models--".count)
        guard let split = rest.firstRange(of: "--"), !rest[..<split.lowerBound].isEmpty else { return nil }
        return "\(rest[..<split.lowerBound])/\(rest[split.upperBound...])"
    }

    /// "owner/name" as the hub allows it.
    private struct Name {
        let owner, model: String

        init?(_ text: String) {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 2, parts.allSatisfy({ Name.isValid($0) }) else { return nil }
            // A file in a folder. Names of models have no such ending; ones with a dot ("Llama-3.1") there are.
            guard !Name.fileEndings.contains(where: { text.lowercased().hasSuffix($0) }) else { return nil }
            owner = String(parts[0])
            model = String(parts[1])
        }

        private static let fileEndings = [
            ".gguf", ".bin", ".pth", ".pt", ".model", ".json", ".safetensors", ".zip", ".txt", ".ggml", ".ggjt", ".imatrix", ".dat",
        ]

        private static func isValid(_ part: Substring) -> Bool {
            guard let first = part.utf8.first, let last = part.utf8.last, part.utf8.count <= 96 else { return false }
            let isEdge = { (byte: UInt8) in byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-") }
            return !isEdge(first) && !isEdge(last) && part.utf8.allSatisfy { isPlain($0) || isEdge($0) }
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private static func snapshot(of name: Name, in cache: String) -> String? {
        let model = "\(cache)/models--\(name.owner)--\(name.model)"
        if let revision = revision(model + "/refs/main") {
            let snapshot = "\(model)/snapshots/\(revision)"
            if (try? FolderListing.isFolder(snapshot)) == true { return snapshot }
        }
        // Downloaded by the number of a revision: there is no branch, and mostly a single snapshot.
        guard let names = try? FolderListing.names(in: model + "/snapshots"), names.count == 1 else { return nil }
        return "\(model)/snapshots/\(names[0])"
    }

    /// The revision that a file of `refs` names: 40 hexadecimal digits.
    private static func revision(_ path: String) -> String? {
        guard let file = try? InputFile(path: path), (1...100).contains(file.size),
            let bytes = try? file.bytes(at: 0, count: file.size)
        else { return nil }
        let word = bytes.prefix { $0 > 0x20 }
        return word.isEmpty || !word.allSatisfy(isPlain) ? nil : String(decoding: word, as: UTF8.self)
    }

    /// The folder of the cache, as the hub's own tools find it.
    ///
    /// - Parameter variable: the value of an environment variable; nil when it is not set or empty.
    package static func folder(_ variable: (String) -> String?) -> String? {
        let home = variable("HOME")
        func path(_ name: String, _ below: String) -> String? {
            guard let value = variable(name) else { return nil }
            guard value == "~" || value.hasPrefix("~/"), let home else { return value + below }
            return home + value.dropFirst() + below
        }
        return path("HF_HUB_CACHE", "") ?? path("HUGGINGFACE_HUB_CACHE", "") ?? path("HF_HOME", "/hub")
            ?? path("XDG_CACHE_HOME", "/huggingface/hub") ?? home.map { $0 + "/.cache/huggingface/hub" }
    }

    private static func variable(_ name: String) -> String? {
        guard let pointer = unsafe getenv(name) else { return nil }
        let text = unsafe String(cPath: pointer)
        return text.isEmpty ? nil : text
    }
}
