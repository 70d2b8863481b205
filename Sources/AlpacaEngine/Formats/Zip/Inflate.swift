/// Unpacks "deflate" data (RFC 1951). Output comes in pieces of a megabyte, so that memory stays small whatever the size.
enum Inflate {
    /// - Parameters:
    ///   - source: the packed bytes, all of which have to be used.
    ///   - size: bytes that they have to unpack to.
    ///   - write: is given the pieces in order.
    @unsafe static func run(
        _ source: FileRegion, size: Int, write: (UnsafeRawBufferPointer) throws(AlpacaError) -> Void
    ) throws(AlpacaError) {
        var input = try InflateInput(source)
        var output = try InflateOutput(size: size)
        var codes = InflateCodes()
        var isLast = false
        while !isLast {
            try input.refill()
            isLast = input.take(1) == 1
            switch input.take(2) {
            case 0: try unsafe stored(&input, &output, write)
            case 1:
                codes.setFixed()
                try unsafe block(&input, &output, codes, write)
            case 2:
                try codes.read(&input)
                try unsafe block(&input, &output, codes, write)
            default: throw AlpacaError(.badFormat, "the packed data have a block of an unknown kind")
            }
        }
        try unsafe output.finish(write)
        try input.checkEnd()
    }

    @unsafe private static func stored(
        _ input: inout InflateInput, _ output: inout InflateOutput, _ write: (UnsafeRawBufferPointer) throws(AlpacaError) -> Void
    ) throws(AlpacaError) {
        input.dropToByte()
        try input.refill()
        let length = input.take(16)
        try input.refill()
        guard input.take(16) == ~length & 0xffff else { throw AlpacaError(.badFormat, "the packed data have a damaged block") }
        for _ in 0..<length {
            try input.refill()
            if output.room < 1 { try unsafe output.flush(write) }
            output.append(UInt8(truncatingIfNeeded: input.take(8)))
        }
    }

    /// A block of literals and of copies of what was before.
    @unsafe private static func block(
        _ input: inout InflateInput, _ output: inout InflateOutput, _ codes: borrowing InflateCodes,
        _ write: (UnsafeRawBufferPointer) throws(AlpacaError) -> Void
    ) throws(AlpacaError) {
        while true {
            // A step takes at most 56 bits: a literal's 15, or its 8 and then 48 of a copy; it gives at most a byte and a copy.
            try input.refill()
            if output.room < InflateOutput.mostCopied { try unsafe output.flush(write) }
            var symbol = codes.literals.next(&input)
            if symbol < 256 {
                output.append(UInt8(truncatingIfNeeded: symbol))
                // If it was a short one, what follows needs no refill.
                guard input.count >= 48 else { continue }
                symbol = codes.literals.next(&input)
                if symbol >= 0, symbol < 256 {
                    output.append(UInt8(truncatingIfNeeded: symbol))
                    continue
                }
            }
            if symbol == 256 { return }
            guard symbol > 256, symbol < 286 else { throw AlpacaError(.badFormat, "the packed data have an unknown code") }
            let length = InflateCodes.length(symbol - 257, &input)
            let code = codes.distances.next(&input)
            guard code >= 0, code < 30 else { throw AlpacaError(.badFormat, "the packed data have an unknown code") }
            let distance = InflateCodes.distance(code, &input)
            guard distance <= output.history else { throw AlpacaError(.badFormat, "the packed data refer to what is before their start") }
            output.copy(length, from: distance)
        }
    }
}
