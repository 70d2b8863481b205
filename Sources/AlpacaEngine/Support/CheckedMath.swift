/// Arithmetic on numbers that come from a file or a caller: it throws where Swift's operators would trap.
enum CheckedMath {
    /// The product of `factors`, all of which must be 0 or more.
    static func product(_ factors: Int..., of what: @autoclosure () -> String) throws(AlpacaError) -> Int {
        try product(factors, of: what())
    }

    static func product(_ factors: [Int], of what: @autoclosure () -> String) throws(AlpacaError) -> Int {
        var result = 1
        for factor in factors {
            let (product, overflow) = result.multipliedReportingOverflow(by: factor)
            guard factor >= 0, !overflow else {
                throw AlpacaError(.badFormat, "\(what()): \(factors.map(String.init).joined(separator: " x ")) is out of range")
            }
            result = product
        }
        return result
    }

    static func sum(_ a: Int, _ b: Int, of what: @autoclosure () -> String) throws(AlpacaError) -> Int {
        let (sum, overflow) = a.addingReportingOverflow(b)
        guard !overflow else { throw AlpacaError(.badFormat, "\(what()): \(a) + \(b) is out of range") }
        return sum
    }

    /// `value` as another integer type, if it fits.
    static func narrow<From: BinaryInteger, To: FixedWidthInteger>(
        _ value: From, to: To.Type = To.self, of what: @autoclosure () -> String
    ) throws(AlpacaError) -> To {
        guard let result = To(exactly: value) else {
            throw AlpacaError(.badFormat, "\(what()): \(value) is out of range")
        }
        return result
    }

    /// `value` rounded up to a multiple of `alignment` (1 or more).
    static func align(_ value: Int, to alignment: Int, of what: @autoclosure () -> String) throws(AlpacaError) -> Int {
        let remainder = value % alignment
        return remainder == 0 ? value : try sum(value, alignment - remainder, of: what())
    }
}
