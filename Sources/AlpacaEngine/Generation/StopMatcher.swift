/// Finds stop strings in a stream of text: no part of one is let through, also when it is spread over several tokens.
struct StopMatcher {
    private let stops: [[UInt8]]
    /// Text that may be the beginning of a stop string.
    private var held: [UInt8] = []

    /// Empty strings are passed over.
    init(_ stops: [String]) {
        self.stops = stops.filter { !$0.isEmpty }.map { Array($0.utf8) }
        held.reserveCapacity(256)
    }

    /// Adds whole characters, and appends to `output` what can't be part of a stop string any more.
    ///
    /// - Returns: the index (in the list of those not empty) of the stop string that begins first; the text from it on is gone.
    mutating func append(_ text: [UInt8], to output: inout [UInt8]) -> Int? {
        guard !stops.isEmpty else {
            output += text
            return nil
        }
        held += text
        // A stop string that is complete ends the text, even inside what might have become a longer one.
        for start in held.indices {
            for (index, stop) in stops.enumerated() where stop.count <= held.count - start && matches(stop, at: start, stop.count) {
                for i in 0..<start { output.append(held[i]) }
                held.removeAll(keepingCapacity: true)
                return index
            }
        }
        for start in held.indices {
            for stop in stops where matches(stop, at: start, held.count - start) {
                for i in 0..<start { output.append(held[i]) }
                held.removeFirst(start)
                return nil
            }
        }
        for byte in held { output.append(byte) }
        held.removeAll(keepingCapacity: true)
        return nil
    }

    /// The text ends here: what was held back is text.
    mutating func flush(to output: inout [UInt8]) {
        for byte in held { output.append(byte) }
        held.removeAll(keepingCapacity: true)
    }

    /// Whether `count` bytes from `start` on are the first of `stop`.
    private func matches(_ stop: [UInt8], at start: Int, _ count: Int) -> Bool {
        guard count <= stop.count else { return false }
        for i in 0..<count where held[start + i] != stop[i] { return false }
        return true
    }
}
