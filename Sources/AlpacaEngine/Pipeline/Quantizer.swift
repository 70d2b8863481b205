// A model's tensors, one at a time, from where they are to a GGUF file in other types.

/// Writes quantized GGUF files.
package struct Quantizer: Sendable {
    package var mix: QuantizationMix
    /// 0: as many as there are cores to use.
    package var threadCount = 0
    /// Whether a file of the target's name may be replaced.
    package var overwrite = false
    /// By a tensor's name: how much the error of each column counts, 0 or more. K types heed it.
    package var importance: [String: [Float]] = [:]

    package init(_ mix: QuantizationMix) { self.mix = mix }

    /// What was written.
    package struct Report: Sendable {
        package let byteCount: Int
        package let tensors: [TensorInfo]
        package let warnings: [String]
    }

    /// Weights between two calls of the progress handler, about.
    private static let weightsPerPanel = 1 << 24

    /// Quantizes a GGUF file. Metadata are carried over; the file's type is set.
    ///
    /// - Parameter progress: bytes of the input done; false stops with ``AlpacaError/Code/cancelled``. The target is then as it was.
    package func quantize(
        _ reader: GGUFReader, to path: String, progress: ProgressHandler = { _ in true }
    ) throws(AlpacaError) -> Report {
        try quantize(reader, metadata: reader.metadata, inputs: [reader.file], to: path, progress: progress)
    }

    /// - Parameters:
    ///   - source: tensors under GGUF's names.
    ///   - inputs: files behind the source, which the target must not be.
    package func quantize(
        _ source: some TensorSource, metadata: GGUFMetadata, inputs: [InputFile], to path: String, progress: ProgressHandler = { _ in true }
    ) throws(AlpacaError) -> Report {
        let choices = try mix.choices(for: source.tensors)
        let targets = choices.map(\.info)
        try check(importance, against: targets)
        var metadata = metadata
        metadata[GGUFKey.fileType] = .uint32(mix.fileType.rawValue)
        // Version 2 of the K types' layouts: what ggml has written since 2023-05-19.
        if targets.contains(where: \.type.isQuantized) { metadata[GGUFKey.quantizationVersion] = .uint32(2) }

        var total = 0
        for info in source.tensors { total = try CheckedMath.sum(total, info.byteCount, of: "size of the input") }
        var writer = try GGUFWriter(path: path, metadata: metadata, tensors: targets, overwrite: overwrite, inputs: inputs)
        let byteCount = writer.byteCount
        let encoder = TensorEncoder(threadCount: threadCount > 0 ? threadCount : ProcessorCount.usable())
        var done = 0
        for (index, target) in targets.enumerated() {
            let info = source.tensors[index]
            let before = done
            func report(_ fraction: Int) throws(AlpacaError) {
                let state = Progress(stage: "quantize", item: info.name, done: UInt64(before + fraction), total: UInt64(total))
                guard progress(state) else { throw AlpacaError(.cancelled, "\(path): quantization was cancelled") }
            }
            try report(0)
            if info.type == target.type {
                try source.withTensor(index) { (bytes: RawSpan) throws(AlpacaError) in try writer.append(target, bytes) }
            } else {
                let encoded = try AlignedBuffer(count: target.byteCount, for: "tensor \(target.name.quoted())")
                try source.withTensor(index) { (bytes: RawSpan) throws(AlpacaError) in
                    let panel = max(1, Quantizer.weightsPerPanel / max(1, info.columns))
                    var row = 0
                    while row < info.rows {
                        let rows = row..<min(row + panel, info.rows)
                        try encoder.encode(info, bytes, rows: rows, as: target.type, importance: importance[info.name], into: encoded)
                        row = rows.upperBound
                        try report(info.byteCount / info.rows * row)
                    }
                }
                // Bound: the buffer was made with byteCount bytes.
                try writer.append(target, unsafe UnsafeRawBufferPointer(start: encoded.base, count: target.byteCount).bytes)
                extendLifetime(encoded)
            }
            done += info.byteCount
        }
        guard progress(Progress(stage: "quantize", done: UInt64(total), total: UInt64(total))) else {
            throw AlpacaError(.cancelled, "\(path): quantization was cancelled")
        }
        try writer.finish()
        return Report(byteCount: byteCount, tensors: targets, warnings: choices.compactMap(\.warning))
    }

    private func check(_ importance: [String: [Float]], against tensors: [TensorInfo]) throws(AlpacaError) {
        for info in tensors {
            guard let weights = importance[info.name] else { continue }
            guard weights.count == info.columns, weights.allSatisfy({ $0 >= 0 && $0 < .infinity }) else {
                throw AlpacaError(
                    .shapeMismatch,
                    "importance of tensor \(info.name.quoted()): found \(weights.count) numbers, expected \(info.columns), all finite, 0 or more "
                        + "(was it made for another model?)")
            }
        }
    }
}
