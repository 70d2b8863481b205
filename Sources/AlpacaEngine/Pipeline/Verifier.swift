#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif
import Synchronization

/// Hashes files, several side by side, and says which published file each of them is.
public enum Verifier {
    /// - Parameters:
    ///   - paths: files, and folders whose files are taken.
    ///   - threadCount: files that are hashed at the same time; 0: one on each core.
    ///   - progress: called on this thread, some ten times a second.
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
        let wanted = threadCount > 0 ? threadCount : ProcessorCount.usable()
        let job = HashJob(names: names, total: total(of: names))
        let pool = WorkerPool(threadCount: min(names.count, wanted))
        withoutActuallyEscaping(progress ?? { _ in true }) { report in
            let context = HashContext(job: job, report: report)
            withExtendedLifetime(context) {
                // Safety: the context outlives the call; items share only the job, which has its own lock.
                unsafe pool.run(items: pool.threadCount, context: Unmanaged.passUnretained(context).toOpaque()) { pointer, _, thread in
                    let context = unsafe Unmanaged<HashContext>.fromOpaque(pointer).takeUnretainedValue()
                    if thread == 0 { context.hashAndReport() } else { context.job.hashFiles { true } }
                }
            }
        }
        return VerificationReport(files: try job.results())
    }

    /// Bytes of the files together; for progress only.
    private static func total(of names: [String]) -> UInt64 {
        names.reduce(0) { sum, name in
            var status = stat()
            return unsafe stat(name, &status) == 0 ? sum &+ UInt64(clamping: status.st_size) : sum
        }
    }
}

/// What the threads of one verification share.
private final class HashJob: Sendable {
    let names: [String]
    let total: UInt64
    private let next = Atomic<Int>(0)
    private let done = Atomic<UInt64>(0)
    private let finished = Atomic<Int>(0)
    private let stopped = Atomic<Bool>(false)
    private let outcomes: Mutex<(files: [VerifiedFile?], failure: AlpacaError?)>

    init(names: [String], total: UInt64) {
        self.names = names
        self.total = total
        outcomes = Mutex(([VerifiedFile?](repeating: nil, count: names.count), nil))
    }

    var isDone: Bool { finished.load(ordering: .acquiring) == names.count }
    var progress: Progress { Progress(stage: "hash", done: done.load(ordering: .relaxed), total: total) }

    func stop(_ error: AlpacaError) {
        outcomes.withLock { if $0.failure == nil { $0.failure = error } }
        stopped.store(true, ordering: .releasing)
    }

    /// Takes files until there are none. `each` is asked after every piece whether to go on.
    func hashFiles(_ each: () -> Bool) {
        while true {
            let index = next.add(1, ordering: .relaxed).oldValue
            guard index < names.count else { return }
            if !stopped.load(ordering: .acquiring) {
                do throws(AlpacaError) {
                    if let file = try hash(names[index], each) { outcomes.withLock { $0.files[index] = file } }
                } catch {
                    stop(error)
                }
            }
            finished.add(1, ordering: .releasing)
        }
    }

    /// Pieces are small enough to stay in the processor's cache between reading and hashing.
    private static let pieceSize = 1 << 18

    /// nil when the job was stopped.
    private func hash(_ path: String, _ each: () -> Bool) throws(AlpacaError) -> VerifiedFile? {
        let file = try InputFile(path: path)
        var sha = SHA256()
        var piece = [UInt8](repeating: 0, count: HashJob.pieceSize)
        var offset = 0
        while true {
            var failure: AlpacaError?
            // Bound: read and update get the array's own buffer, and no more of it than was read.
            let count = unsafe piece.withUnsafeMutableBytes { buffer in
                do throws(AlpacaError) {
                    let count = try unsafe file.read(at: offset, into: buffer)
                    unsafe sha.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                    return count
                } catch {
                    failure = error
                    return 0
                }
            }
            if let failure { throw failure }
            if count == 0 { break }
            offset += count
            done.add(UInt64(count), ordering: .relaxed)
            if !each() || stopped.load(ordering: .acquiring) { return nil }
        }
        return VerifiedFile(path: path, size: offset, sha256: sha.hexDigest())
    }

    func results() throws(AlpacaError) -> [VerifiedFile] {
        let (files, failure) = outcomes.withLock { $0 }
        if let failure { throw failure }
        return files.compactMap { $0 }
    }
}

/// The job as the calling thread sees it.
private final class HashContext {
    let job: HashJob
    private let report: ProgressHandler
    private var pieces = 0
    private var hasStopped = false

    init(job: HashJob, report: @escaping ProgressHandler) {
        self.job = job
        self.report = report
    }

    /// The caller hashes like the workers, for a worker may come late or never; what is not done then is in the hands of one that runs.
    func hashAndReport() {
        job.hashFiles {
            pieces += 1
            return pieces % 64 != 0 || tell()
        }
        var rounds = 0
        while !job.isDone {
            usleep(2000)
            rounds += 1
            if rounds % 50 == 0 { _ = tell() }
        }
        _ = tell()
    }

    private func tell() -> Bool {
        guard !hasStopped else { return false }
        if report(job.progress) { return true }
        hasStopped = true
        job.stop(AlpacaError(.cancelled, "verification was stopped"))
        return false
    }
}
