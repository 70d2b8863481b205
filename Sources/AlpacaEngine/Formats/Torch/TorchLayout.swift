// A PyTorch file (`torch.save` since 1.6): a zip archive whose entries lie in a folder of the file's own stem:
//
//     STEM/data.pkl    a pickle: dict of names and tensors, which name their storages by number
//     STEM/data/0      the first tensor's storage, and so on; in the order of the numbers as text: 0, 1, 10, 11, 2
//     STEM/version     "3\n"
//
// Later versions of torch add entries; this is torch 1.13.1, whose files of merged models people know by their SHA-256.

/// A PyTorch file that is about to be written: a plain dict of tensors, each contiguous and with a storage of its own.
package enum TorchLayout {
    /// - Parameters:
    ///   - stem: the file's name without its ending, as torch puts it into the archive: "consolidated.00" of "consolidated.00.pth".
    ///   - tensors: in the order of the dict; F32, F16 or BF16, none empty, no name twice.
    /// - Returns: the layout. ``FileLayout/closing`` wants the CRC-32 of each tensor's data, in the same order.
    package static func layOut(stem: String, tensors: [TensorInfo]) throws(AlpacaError) -> FileLayout {
        try LargeMemory.ask(tensors.count, of: 2 * TensorInfo.mostMemory, for: "header")
        var seen: Set<String> = []
        for tensor in tensors where !seen.insert(tensor.name).inserted {
            throw AlpacaError(.badFormat, "tensor \(tensor.name.quoted()) is there twice")
        }
        var entries = [ZipLayout.Entry(name: "\(stem)/data.pkl", content: .bytes(try pickle(tensors)))]
        // Digits sort as their bytes do.
        for (key, number) in tensors.indices.map({ ("\($0)", $0) }).sorted(by: { $0.0 < $1.0 }) {
            let content = ZipLayout.Content.later(number: number, byteCount: tensors[number].byteCount)
            entries.append(ZipLayout.Entry(name: "\(stem)/data/\(key)", content: content))
        }
        entries.append(ZipLayout.Entry(name: "\(stem)/version", content: .bytes(Array("3\n".utf8))))
        return try ZipLayout.layOut(entries)
    }

    /// The stem of a file's name, as torch takes it: all before the last dot.
    package static func stem(of fileName: String) -> String {
        guard let dot = fileName.utf8.lastIndex(of: UInt8(ascii: ".")) else { return fileName }
        return String(fileName[..<dot])
    }

    static func pickle(_ tensors: [TensorInfo]) throws(AlpacaError) -> [UInt8] {
        var storages: [String] = []
        for tensor in tensors { storages.append(try storage(of: tensor)) }
        var pickle = PickleWriter()
        pickle.dictionary(count: tensors.count) { pickle, number in
            let tensor = tensors[number]
            pickle.string(tensor.name)
            pickle.global("torch._utils", "_rebuild_tensor_v2")
            pickle.mark()
            // The storage: class, key, device, elements.
            pickle.mark()
            pickle.sharedString("storage")
            pickle.global("torch", storages[number])
            pickle.string("\(number)")
            pickle.sharedString("cpu")
            pickle.integer(tensor.elementCount)
            pickle.tuple()
            pickle.persistent()
            // Its part: offset, shape, strides.
            pickle.integer(0)
            pickle.tuple(tensor.shape)
            pickle.tuple(strides(tensor.shape))
            // requires_grad, backward_hooks.
            pickle.false()
            pickle.global("collections", "OrderedDict")
            pickle.tuple([])
            pickle.reduce()
            pickle.tuple()
            pickle.reduce()
        }
        pickle.stop()
        return pickle.bytes
    }

    /// Elements from one index to the next, for each dimension.
    private static func strides(_ shape: [Int]) -> [Int] {
        // Products of parts of the shape, whose whole product was checked.
        shape.indices.map { shape[($0 + 1)...].reduce(1, *) }
    }

    private static func storage(of tensor: TensorInfo) throws(AlpacaError) -> String {
        guard tensor.byteCount > 0 else {
            throw AlpacaError(.unsupported, "tensor \(tensor.name.quoted()): its shape \(tensor.shapeText) has no elements")
        }
        switch tensor.type {
        case .f32: return "FloatStorage"
        case .f16: return "HalfStorage"
        case .bf16: return "BFloat16Storage"
        default:
            throw AlpacaError(
                .unsupported, "tensor \(tensor.name.quoted()): PyTorch files hold F32, F16 and BF16, found \(tensor.type)")
        }
    }
}
