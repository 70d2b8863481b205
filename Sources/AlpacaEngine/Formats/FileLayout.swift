/// Where everything goes in a file of tensors that is about to be written. It follows from names, types and shapes alone, so that the room on
/// the disk is known before work begins, and any thread can write any part of any tensor at its place.
package struct FileLayout: Sendable {
    /// Bytes that are known from the start, or once all data are there.
    package struct Patch: Sendable, Equatable {
        package let offset: Int
        package let bytes: [UInt8]

        package init(at offset: Int, _ bytes: [UInt8]) {
            self.offset = offset
            self.bytes = bytes
        }
    }

    /// Bytes that the file will have. What no patch and no tensor covers is zero.
    package let byteCount: Int
    /// Headers and the like.
    package let fixed: [Patch]
    /// For each tensor, in the order in which the layout was asked for, where its data begin. They lie without gaps, rows contiguous.
    package let dataOffsets: [Int]
    /// For formats that store checksums (zip): from the CRC-32 of each tensor's data what is still to be written; nil for the others.
    package let closing: (@Sendable ([UInt32]) -> [Patch])?

    package init(
        byteCount: Int, fixed: [Patch], dataOffsets: [Int], closing: (@Sendable ([UInt32]) -> [Patch])? = nil
    ) {
        self.byteCount = byteCount
        self.fixed = fixed
        self.dataOffsets = dataOffsets
        self.closing = closing
    }
}
