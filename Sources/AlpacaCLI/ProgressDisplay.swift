import Glibc
import AlpacaEngine
import ArgumentParser
import Synchronization

/// How a long command shows where it is.
enum ProgressMode: String, ExpressibleByArgument, CaseIterable {
    /// One line that is written over, for people.
    case bar
    /// A JSON object a line, for programs.
    case json
    case none

    init?(argument: String) { self.init(rawValue: argument.lowercased()) }

    /// A bar where a person looks.
    static var automatic: ProgressMode { Console.errorIsTerminal ? .bar : .none }
}

/// Progress on standard error, and Ctrl-C: a command that works under ``watch(_:_:)`` stops in good order.
final class ProgressDisplay {
    private let mode: ProgressMode
    private let clock = ContinuousClock()
    private var stage = ""
    /// When the stage began, and what was done then.
    private var start: ContinuousClock.Instant
    private var startCount: UInt64 = 0
    private var shown: ContinuousClock.Instant
    private var hasLine = false
    /// Whether the work has begun; before, there is nothing to put in order.
    private let isUnderWay = Flag()

    private final class Flag: Sendable {
        let value = Atomic<Bool>(false)
    }

    private init(_ mode: ProgressMode) {
        self.mode = mode
        start = clock.now
        shown = start
    }

    /// Calls `body` with a handler that shows progress and says to stop after Ctrl-C.
    static func watch<R>(_ mode: ProgressMode?, _ body: (@escaping ProgressHandler) throws -> R) throws -> R {
        let display = ProgressDisplay(mode ?? .automatic)
        defer { display.end() }
        let isUnderWay = display.isUnderWay
        return try Interrupt.noticing(isUnderWay: { isUnderWay.value.load(ordering: .acquiring) }) {
            try body { progress in
                isUnderWay.value.store(true, ordering: .releasing)
                display.show(progress)
                return !Interrupt.happened
            }
        }
    }

    private func show(_ given: Progress) {
        var progress = given
        // Asked more often than eyes and logs want.
        let now = clock.now
        guard progress.stage != stage || progress.done >= progress.total || shown.duration(to: now) >= .milliseconds(100) else { return }
        shown = now
        if progress.stage != stage {
            stage = progress.stage
            start = now
            startCount = progress.done
        }
        progress.item = PathText.shown(progress.item)
        let elapsed = start.duration(to: clock.now)
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        let done = Double(progress.done) - Double(startCount)
        let rate = seconds > 0.2 && done > 0 ? done / seconds : nil
        let left = rate.flatMap { progress.total > progress.done ? Double(progress.total - progress.done) / $0 : nil }
        switch mode {
        case .none: break
        case .bar: draw(progress, rate: rate, left: left)
        case .json:
            let step = Step(
                stage: progress.stage, item: progress.item, done: progress.done, total: progress.total, seconds: seconds,
                bytesPerSecond: rate, secondsLeft: left)
            if let text = try? JSONReport.line(step) { Console.error(text) }
        }
    }

    private func draw(_ progress: Progress, rate: Double?, left: Double?) {
        var line = progress.stage
        if progress.total > 0 {
            let share = min(1, Double(progress.done) / Double(progress.total))
            let filled = Int(share * 24)
            line += " [\(String(repeating: "#", count: filled))\(String(repeating: ".", count: 24 - filled))] \(Int(share * 100))%"
            line += " of \(ByteCount.text(Int(clamping: progress.total)))"
        } else {
            line += " \(ByteCount.text(Int(clamping: progress.done)))"
        }
        if let rate { line += ", \(ByteCount.text(Int(rate)))/s" }
        if let left { line += ", \(ProgressDisplay.time(left)) left" }
        if !progress.item.isEmpty { line += "  \(progress.item)" }
        Console.status("\r\u{1B}[K" + line.prefix(max(20, ProgressDisplay.width - 1)))
        hasLine = true
    }

    private func end() {
        if hasLine { Console.status("\r\u{1B}[K") }
    }

    /// "0:07", "1:02:30"
    static func time(_ seconds: Double) -> String {
        let whole = Int(min(seconds.rounded(.up), 359_999))
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let hours = whole / 3600
        return hours > 0 ? "\(hours):\(two(whole / 60 % 60)):\(two(whole % 60))" : "\(whole / 60):\(two(whole % 60))"
    }

    private static var width: Int {
        var size = winsize()
        return ioctl(2, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }

    private struct Step: Encodable {
        let stage, item: String
        let done, total: UInt64
        let seconds: Double
        let bytesPerSecond, secondsLeft: Double?

        enum CodingKeys: String, CodingKey {
            case stage, item, done, total, seconds
            case bytesPerSecond = "bytes_per_second"
            case secondsLeft = "seconds_left"
        }
    }
}
