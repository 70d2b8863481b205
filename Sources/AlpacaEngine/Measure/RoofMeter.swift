// What the machine can do at most, measured with nothing else in the way: bytes read from memory, and products of bytes as the CPU path
// in use computes them.

import Glibc
internal import CAlpacaKernels

/// Measures the limits that a model's speed is told against.
final class RoofMeter {
    /// The limits of a number of threads, at one moment.
    struct Roof {
        /// Bytes a second that the threads read from memory, together.
        let readRate: Double
        /// Operations a second of the matrix products' own instruction on registers alone; a multiplication and an addition count as two.
        let integerRate: Double
    }

    /// What is read: random, because hosts merge pages that are equal; in small pages, as a mapped file has them.
    private let memory: AlignedBuffer
    private let chunkCount: Int
    private var pools: [Int: WorkerPool] = [:]

    /// A multiple of KERN_READ_UNIT.
    private static let chunk = 1 << 20
    /// Ways to read, and how far ahead each fetches (0 leaves it to the processor). The best of them counts: a limit is what the machine can
    /// do, and which way does it differs from processor to processor.
    private static let ways: [(kern_read, ahead: Int)] = [
        (KERN_READ_LINES, 0), (KERN_READ_LINES, 4096), (KERN_READ_LINES, 8192), (KERN_READ_BYTES, 4096), (KERN_READ_ROWS, 0),
        (KERN_READ_ROWS, Int(KERN_READ_UNIT)),
    ]
    private static let readPasses = 2
    private static let productPasses = 3
    private static let productRounds = 100_000

    init() throws(AlpacaError) {
        // Several times what caches hold.
        let cache = Processor.lastLevelCacheByteCount ?? 32 << 20
        let size = min(max(256 << 20, min(cache, 1 << 30) * 8), max(256 << 20, (MemoryBudget.available() ?? 1 << 30) / 4))
        try MemoryBudget.require(size, for: "memory to measure the speed of reading")
        chunkCount = size / RoofMeter.chunk
        memory = try AlignedBuffer(count: chunkCount * RoofMeter.chunk, for: "memory to measure the speed of reading")
        // Some systems give large pages to whoever takes much. A refusal is no error: those that know no large pages refuse.
        unsafe _ = madvise(memory.base, chunkCount * RoofMeter.chunk, MADV_NOHUGEPAGE)
        let pool = pool(ProcessorCount.usable())
        // Bound: item < chunkCount, each of them a chunk of the buffer, as in read(_:_:ahead:).
        unsafe pool.run(items: chunkCount, context: memory.base) { base, item, _ in
            unsafe kern_measure_fill(base + item * RoofMeter.chunk, RoofMeter.chunk, UInt64(item))
        }
    }

    func measure(threadCount: Int) -> Roof {
        let pool = pool(threadCount)
        var readRate = 0.0
        // Pass by pass, so that a moment's disturbance does not take one way's every try.
        for _ in 0..<RoofMeter.readPasses {
            for (way, ahead) in RoofMeter.ways { readRate = max(readRate, read(pool, way, ahead: ahead)) }
        }
        var integerRate = 0.0
        for _ in 0..<RoofMeter.productPasses { integerRate = max(integerRate, multiply(pool)) }
        return Roof(readRate: readRate, integerRate: integerRate)
    }

    private func pool(_ threadCount: Int) -> WorkerPool {
        if let known = pools[threadCount] { return known }
        let pool = WorkerPool(threadCount: threadCount)
        pools[threadCount] = pool
        return pool
    }

    @safe private struct ReadJob {
        let base: UnsafeRawPointer
        let way: kern_read
        let ahead: Int
    }

    private func read(_ pool: WorkerPool, _ way: kern_read, ahead: Int) -> Double {
        var job = unsafe ReadJob(base: UnsafeRawPointer(memory.base), way: way, ahead: ahead)
        let start = Clock.now()
        unsafe withUnsafeMutablePointer(to: &job) { job in
            unsafe pool.run(items: chunkCount, context: job) { context, item, _ in
                let job = unsafe context.assumingMemoryBound(to: ReadJob.self).pointee
                unsafe _ = kern_measure_read(job.way, job.base + item * RoofMeter.chunk, RoofMeter.chunk, job.ahead)
            }
        }
        return Double(chunkCount * RoofMeter.chunk) / Clock.seconds(since: start)
    }

    private func multiply(_ pool: WorkerPool) -> Double {
        let items = pool.threadCount * 16
        var operations = [UInt64](repeating: 0, count: items)
        let start = Clock.now()
        unsafe operations.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            // Bound: item < items, the elements of the array; each is written once.
            unsafe pool.run(items: items, context: base) { context, item, _ in
                let done = unsafe kern_measure_products(kern_best(), RoofMeter.productRounds)
                unsafe context.storeBytes(of: done, toByteOffset: item * MemoryLayout<UInt64>.stride, as: UInt64.self)
            }
        }
        let seconds = Clock.seconds(since: start)
        return operations.reduce(0.0) { $0 + Double($1) } / seconds
    }
}
