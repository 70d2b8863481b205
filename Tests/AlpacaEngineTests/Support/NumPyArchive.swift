import Foundation

@testable import AlpacaEngine

/// Arrays of an .npz file, as `numpy.savez_compressed` writes them.
struct NumPyArchive {
    private let archive: ZipArchive

    init(path: String) throws { archive = try ZipArchive(FileRegion(InputFile(path: path))) }

    /// The numbers of an array, row-major: little-endian and of the size of `T`.
    func numbers<T: BitwiseCopyable>(_ name: String, as type: T.Type) throws -> [T] {
        guard let entry = archive.entry(name + ".npy") else { throw AlpacaError(.missing, "array \(name)") }
        let bytes = try archive.bytes(of: entry, atMost: 1 << 28)
        // Magic number, version, length of the header in two bytes, header.
        let start = 10 + Int(bytes[8]) + Int(bytes[9]) << 8
        let count = (bytes.count - start) / MemoryLayout<T>.size
        return bytes.withUnsafeBytes { bytes in
            (0..<count).map { bytes.loadUnaligned(fromByteOffset: start + $0 * MemoryLayout<T>.size, as: T.self) }
        }
    }
}
