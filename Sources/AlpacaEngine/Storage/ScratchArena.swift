/// Memory that one thread takes piece by piece while it works on an item, and gives back all at once: nothing is mapped or zeroed anew for
/// each item, which would cost as much as the work itself.
package final class ScratchArena {
    private final class Block {
        let buffer: AlignedBuffer
        init(_ buffer: consuming AlignedBuffer) { self.buffer = buffer }
    }

    private var blocks: [Block] = []
    /// Bytes taken of the last block.
    private var used = 0
    private static let least = 1 << 20

    package init() {}

    /// `count` bytes, aligned to 64, of any content; valid until the scope that took them ends (``scope(_:)``).
    @unsafe package func take(_ count: Int, for what: @autoclosure () -> String) throws(AlpacaError) -> UnsafeMutableRawBufferPointer {
        let size = try CheckedMath.align(max(count, 0), to: 64, of: what())
        if blocks.last.map({ size > $0.buffer.count - used }) ?? true {
            let room = max(size, ScratchArena.least, blocks.last.map { 2 * min($0.buffer.count, 1 << 40) } ?? 0)
            blocks.append(Block(try AlignedBuffer(count: room, for: what())))
            used = 0
        }
        guard let last = blocks.last else { throw AlpacaError(.internalError, "\(what()): no scratch memory") }
        defer { used += size }
        // Bound: used + size <= the block's count, as was just made sure.
        return unsafe UnsafeMutableRawBufferPointer(start: last.buffer.base + used, count: count)
    }

    /// Gives back what `body` takes when it ends. Once the first items have shown how much is needed, one block serves.
    package func scope<R>(_ body: () throws(AlpacaError) -> R) throws(AlpacaError) -> R {
        let depth = blocks.count, before = used
        defer {
            if depth == 0 {
                // The largest stays for the next item.
                if blocks.count > 1 { blocks.removeFirst(blocks.count - 1) }
                used = 0
            } else if blocks.count == depth {
                used = before
            }
        }
        return try body()
    }
}
