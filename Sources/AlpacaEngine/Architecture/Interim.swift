package enum RopePairing: Sendable, Equatable { case interleaved, halves }
extension ModelConfiguration {
    var ropePairing: RopePairing { .interleaved }
    var slidingWindow: Int? { nil }
}
