import Glibc
import Synchronization

/// Hashes files, several side by side, and says which published file each of them is.
public enum Verifier {
    /// - Parameters:
    ///   - paths: files, and folders whose files are taken.
    ///   - threadCount: files that are hashed at the same time; 0: one on each core.
    ///   - progress: called on this thread, some fifty times a second.
    /// - Throws: ``AlpacaError`` when a path does not exist, a file can't be read, or `progress` said to stop.
    public static func verify(
        paths: [String], threadCount: Int = 0, progress: ProgressHandler? = nil
    ) throws(AlpacaError) -> VerificationReport {
        var names: [String] = []
        for path in paths {
            let path = try HubCache.resolve(path)
            names += try FolderListing.isFolder(path) ? try FolderListing.files(below: path) : [path]
        }
        guard !names.isEmpty else { throw AlpacaError(.missing, "no files in \(paths.joined(separator: ", "))") }
        let job = HashJob(names: names)
        let total = total(of: names)
        try ParallelJob.run(
            items: names.count, threadCount: threadCount > 0 ? threadCount : ProcessorCount.usable(),
            cancelled: AlpacaError(.cancelled, "verification was stopped")
        ) {
            progress?(Progress(stage: "hash", done: job.done.load(ordering: .relaxed), total: total)) ?? true
        } body: { (item, worker) throws(AlpacaError) in
            try job.hash(item, worker)
        }
        return VerificationReport(files: job.files.withLock { $0.compactMap { $0 } })
    }

    /// Bytes of the files together; for progress only.
    private static func total(of names: [String]) -> UInt64 {
        names.reduce(0) { sum, name in
            var status = stat()
            return unsafe stat(name.cPath, &status) == 0 ? sum &+ UInt64(clamping: status.st_size) : sum
        }
    }
}

/// What the threads of one verification share.
private final class HashJob: Sendable {
    let names: [String]
    let done = Atomic<UInt64>(0)
    let files: Lock<[VerifiedFile?]>

    init(names: [String]) {
        self.names = names
        files = Lock([VerifiedFile?](repeating: nil, count: names.count))
    }

    func hash(_ item: Int, _ worker: ParallelJob.Worker) throws(AlpacaError) {
        let file = try InputFile(path: names[item])
        let digest = try SHA256.hexDigest(of: FileRegion(file)) { count in
            done.add(UInt64(count), ordering: .relaxed)
            return worker.goesOn()
        }
        guard let digest else { return }
        files.withLock { $0[item] = VerifiedFile(path: names[item], size: file.size, sha256: digest) }
    }
}
