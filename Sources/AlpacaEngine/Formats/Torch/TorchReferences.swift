/// A run of elements in the file, as the pickle describes it; tensors are views of such.
struct TorchStorageReference: Equatable {
    /// The name of the record in the archive.
    let key: String
    let element: TorchElement
    /// Elements, 0 or more.
    let count: Int
    /// Bytes.
    let byteCount: Int

    /// - Parameter arguments: ("storage", class, key, location, count), in files of before version 1.6 followed by None.
    init(_ arguments: [PickleValue], text: (Int) -> String) throws(AlpacaError) {
        guard arguments.count == 5 || arguments.count == 6 && arguments[5] == .none, case .text(let tag) = arguments[0],
            text(tag) == "storage", case .global(.storage(let element)) = arguments[1], case .text(let key) = arguments[2],
            case .text = arguments[3], case .int(let count) = arguments[4]
        else {
            throw AlpacaError(.badFormat, "a storage is not described by (\"storage\", class, key, location, number of elements)")
        }
        self.key = text(key)
        self.element = element
        self.count = count
        byteCount = try CheckedMath.product(count, element.byteCount, of: "bytes of storage \(self.key.quoted())")
    }
}

/// A tensor as the pickle describes it: a view of a storage.
struct TorchTensorReference {
    enum Limits {
        static let dimensions = 8
    }

    /// By index into the machine's list.
    let storage: Int
    /// In elements.
    let offset: Int
    let shape: [Int]
    /// In elements, one for each dimension, 0 or more.
    let strides: [Int]

    /// - Parameters:
    ///   - arguments: (storage, offset, size, strides, requires gradient, hooks), perhaps followed by metadata.
    ///   - elements: those of a tuple or list.
    init(
        _ arguments: [PickleValue], counts: ClosedRange<Int>, elements: (PickleValue) -> [PickleValue]?
    ) throws(AlpacaError) {
        guard counts.contains(arguments.count), case .storage(let storage) = arguments[0], case .int(let offset) = arguments[1],
            let shape = TorchTensorReference.numbers(elements(arguments[2])),
            let strides = TorchTensorReference.numbers(elements(arguments[3]))
        else { throw AlpacaError(.badFormat, "a tensor is not described by (storage, offset, size, strides, ...)") }
        guard offset >= 0, shape.count == strides.count, !shape.contains(where: { $0 < 0 }), !strides.contains(where: { $0 < 0 }) else {
            throw AlpacaError(
                .badFormat,
                "found a tensor of size \(TensorInfo.text(Array(shape.prefix(9)))), strides "
                    + "\(TensorInfo.text(Array(strides.prefix(9)))), offset \(offset)")
        }
        guard shape.count <= Limits.dimensions else {
            throw AlpacaError(.unsupported, "found a tensor of \(shape.count) dimensions, at most \(Limits.dimensions) are read")
        }
        self.storage = storage
        self.offset = offset
        self.shape = shape
        self.strides = strides
    }

    private static func numbers(_ values: [PickleValue]?) -> [Int]? {
        guard let values else { return nil }
        var result: [Int] = []
        for value in values {
            guard case .int(let number) = value else { return nil }
            result.append(number)
        }
        return result
    }

    /// Throws unless every element lies in the storage, and no more of them than that has.
    func check(in storage: TorchStorageReference) throws(AlpacaError) {
        let elements = try CheckedMath.product(shape, of: "size")
        guard elements > 0 else { return }
        var last = offset
        for (size, stride) in zip(shape, strides) {
            last = try CheckedMath.sum(last, try CheckedMath.product(size - 1, stride, of: "size and strides"), of: "size and strides")
        }
        guard last < storage.count else {
            throw AlpacaError(
                .badFormat,
                "size \(TensorInfo.text(shape)) with strides \(TensorInfo.text(strides)) from element \(offset) on needs \(last &+ 1) "
                    + "elements, storage \(storage.key.quoted()) has \(storage.count)")
        }
        // Strides of 0 repeat elements, as often as one likes.
        guard elements <= storage.count else {
            throw AlpacaError(
                .unsupported,
                "size \(TensorInfo.text(shape)) repeats the \(storage.count) elements of storage \(storage.key.quoted()): save a copy of "
                    + "the tensor (`.clone()`)")
        }
    }

    /// Whether rows follow each other without gaps. Strides of dimensions with one element don't count.
    var isContiguous: Bool {
        var expected = 1
        for (size, stride) in zip(shape, strides).reversed() where size != 1 {
            if stride != expected { return shape.contains(0) }
            expected = expected.multipliedReportingOverflow(by: size).partialValue
        }
        return true
    }
}
