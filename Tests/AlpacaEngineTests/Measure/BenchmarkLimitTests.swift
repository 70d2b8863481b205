import Testing

@testable import AlpacaEngine

/// What a speed is a share of when the machine's limits were measured in a bad moment.
@Suite struct BenchmarkLimitTests {
    private func roof(_ threads: Int, read: [Double], integer: [Double]) -> BenchmarkReport.Roof {
        BenchmarkReport.Roof(threadCount: threads, readSamples: read, integerSamples: integer)
    }

    private func row(
        _ kind: BenchmarkPlan.Test.Kind, _ threads: Int, _ samples: [Double], _ bound: BenchmarkReport.Bound?, cost: Double?
    ) -> BenchmarkReport.Row {
        BenchmarkReport.Row(
            test: .init(kind, threadCount: threads), samples: samples, median: BenchmarkReport.median(samples), bound: bound,
            costPerToken: cost, share: nil)
    }

    private func shares(_ roofs: [BenchmarkReport.Roof], _ rows: [BenchmarkReport.Row], memory: Bool) -> [Double?] {
        let limits = BenchmarkLimits(roofs, rows, weightsComeFromMemory: memory)
        return rows.map { limits.share($0).share }
    }

    @Test func theBestRoundIsTheLimit() {
        let rows = [row(.generation(length: 8), 2, [1, 3, 2], .read, cost: 10), row(.prompt(length: 8), 2, [4, 5, 6], .integer, cost: 2)]
        #expect(shares([roof(2, read: [20, 50, 40], integer: [10, 30])], rows, memory: true) == [0.4, 1.0 / 3])
    }

    /// The meter saw 15 where a test reached 30, in another test of as many threads.
    @Test func aTestRaisesTheLimit() {
        let rows = [
            row(.generation(length: 8), 2, [2, 3], .read, cost: 10), row(.generation(length: 8, sequences: 2), 2, [3, 3], .read, cost: 5),
            row(.generation(length: 8), 1, [1], .read, cost: 10),
        ]
        let roofs = [roof(1, read: [20], integer: [1]), roof(2, read: [15], integer: [1])]
        #expect(shares(roofs, rows, memory: true) == [25.0 / 30, 0.5, 0.5])
        // What caches serve says nothing of memory, and is more than memory gives.
        #expect(shares(roofs, rows, memory: false) == [25.0 / 15, 1, 0.5])
        // Products come from nowhere but the processor.
        let products = [row(.prompt(length: 8), 1, [2, 4, 6], .integer, cost: 5)]
        #expect(shares([roof(1, read: [1], integer: [25])], products, memory: false) == [20.0 / 30])
    }

    @Test func nothingMeasured() {
        let rows = [row(.generation(length: 8), 2, [3], .read, cost: 10), row(.prompt(length: 8), 2, [3], nil, cost: nil)]
        #expect(shares([], rows, memory: true) == [nil, nil])
        #expect(shares([roof(1, read: [1], integer: [1])], rows, memory: true) == [nil, nil])
    }
}
