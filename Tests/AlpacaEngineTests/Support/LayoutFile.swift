import AlpacaEngine
import Foundation

/// Files written after a layout, for tests of layouts: the plain way, in memory.
enum LayoutFile {
    static func bytes(_ layout: FileLayout, _ data: [[UInt8]]) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: layout.byteCount)
        func put(_ bytes: [UInt8], at offset: Int) { result.replaceSubrange(offset..<offset + bytes.count, with: bytes) }
        for patch in layout.fixed { put(patch.bytes, at: patch.offset) }
        for (bytes, offset) in zip(data, layout.dataOffsets) { put(bytes, at: offset) }
        for patch in layout.closing?(data.map(checksum)) ?? [] { put(patch.bytes, at: patch.offset) }
        return result
    }

    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var crc = CRC32()
        bytes.withUnsafeBytes { crc.update($0) }
        return crc.value
    }

    static func write(_ layout: FileLayout, _ data: [[UInt8]], to path: String) throws {
        try Data(bytes(layout, data)).write(to: URL(fileURLWithPath: path))
    }
}
