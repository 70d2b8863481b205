extension SHA256 {
    /// Pieces are small enough to stay in the processor's cache between reading and hashing.
    private static let pieceSize = 1 << 18

    /// The digest of a file's bytes as 64 hexadecimal digits.
    ///
    /// - Parameter each: called with the size of each piece; false stops.
    /// - Returns: nil when it was stopped.
    package static func hexDigest(of region: FileRegion, each: (Int) -> Bool) throws(AlpacaError) -> String? {
        var sha = SHA256()
        let piece = try AlignedBuffer(count: pieceSize, for: region.name)
        defer { extendLifetime(piece) }
        var offset = 0
        while offset < region.count {
            // Bound: at most pieceSize bytes, for which the buffer was made.
            let bytes = unsafe UnsafeMutableRawBufferPointer(start: piece.base, count: min(pieceSize, region.count - offset))
            try unsafe region.read(at: offset, into: bytes)
            unsafe sha.update(UnsafeRawBufferPointer(bytes))
            offset += bytes.count
            guard each(bytes.count) else { return nil }
        }
        return sha.hexDigest()
    }
}
