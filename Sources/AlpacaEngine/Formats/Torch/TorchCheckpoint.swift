// What `torch.save` writes for a dictionary of tensors, since version 1.6 a zip archive whose members lie in one folder:
//
//   data.pkl     a pickle: names of the tensors, each with its storage, offset, size and strides
//   data/0 ...   the storages' bytes, stored as they are, each at a multiple of 64
//   version      "3"       byteorder    "little"; not in old files

/// A PyTorch file of tensors (`.pth`, `.bin`, `.pt`), or one that is a member of an archive. Nothing of it is ever executed: the pickle is
/// read by ``PickleMachine``, which can build nothing but descriptions of tensors.
///
/// After `init` every tensor is known to lie inside its storage, and every storage inside the file. Immutable; share it between threads.
package final class TorchCheckpoint: TensorSource {
    package let region: FileRegion
    /// Those in F16, BF16 and F32, in the dictionary's order.
    package let tensors: [TensorInfo]
    /// Those in any other element type, in the dictionary's order.
    package let others: [ForeignTensor]

    private let views: [TorchTensorReference]
    private let storages: [TorchStorage]
    private let indexByName: [String: Int]

    package init(_ region: FileRegion) throws(AlpacaError) {
        self.region = region
        do throws(AlpacaError) {
            let kind = try CheckpointKind(region)
            let content: TorchContent
            switch kind {
            case .torchZip: content = try TorchContent.zip(region)
            case .torchPickle: content = try TorchContent.beforeZip(region)
            default: throw AlpacaError(.badFormat, "this is \(kind), expected a PyTorch file")
            }
            storages = content.storages
            var tensors: [TensorInfo] = []
            var others: [ForeignTensor] = []
            var views: [TorchTensorReference] = []
            var index: [String: Int] = [:]
            var names: Set<String> = []
            for (name, view) in content.tensors {
                guard names.insert(name).inserted else { throw AlpacaError(.badFormat, "tensor \(name.quoted()) is there twice") }
                let storage = content.storages[view.storage].reference
                do throws(AlpacaError) {
                    try view.check(in: storage)
                } catch {
                    throw error.inContext("tensor \(name.quoted())")
                }
                guard let type = storage.element.type else {
                    others.append(ForeignTensor(name: name, dtype: storage.element.description, shape: view.shape))
                    continue
                }
                index[name] = tensors.count
                tensors.append(try TensorInfo(name: name, type: type, shape: view.shape))
                views.append(view)
            }
            guard !names.isEmpty else {
                throw AlpacaError(.missing, "the file has no tensors (\(region.count) bytes: an empty dictionary was saved)")
            }
            self.tensors = tensors
            self.others = others
            self.views = views
            indexByName = index
        } catch {
            throw error.inFile(region.name)
        }
    }

    package var inputs: [InputFile] { [region.file] }

    package func index(of name: String) -> Int? { indexByName[name] }

    /// Nil for tensors whose elements do not lie in order or not aligned, and for those in packed members.
    package func place(of index: Int) -> FileRegion? {
        guard tensors.indices.contains(index), views[index].isContiguous else { return nil }
        let storage = storages[views[index].storage]
        let elementSize = storage.reference.element.byteCount
        // A tensor without elements may say that it begins anywhere.
        let offset = tensors[index].byteCount == 0 ? 0 : views[index].offset * elementSize
        guard let stored = storage.stored, (stored.start + offset) % elementSize == 0 else { return nil }
        return try? stored.region(at: offset, count: tensors[index].byteCount)
    }

    @unsafe package func read(
        _ index: Int, rows: Range<Int>, into target: UnsafeMutableRawBufferPointer, scratch: ScratchArena
    ) throws(AlpacaError) {
        try unsafe checkRead(index, rows, target)
        guard target.count > 0 else { return }
        let view = views[index]
        let storage = storages[view.storage]
        let bytes = try storage.region()
        let what = "tensor \(tensors[index].name.quoted())"
        if view.isContiguous {
            // Bound: every element lies in the storage, as was checked; products of less than that can't overflow.
            let start = view.offset * storage.reference.element.byteCount + rows.lowerBound * tensors[index].rowByteCount
            try unsafe bytes.read(at: start, into: target, of: what)
        } else {
            try unsafe StridedReader(view, bytes, elementSize: storage.reference.element.byteCount, what: what)
                .read(rows, into: target, scratch: scratch)
        }
    }
}

/// A storage and where its bytes are.
struct TorchStorage: Sendable {
    let reference: TorchStorageReference
    /// In the file itself; nil if it is packed.
    let stored: FileRegion?
    fileprivate let archive: ZipArchive?
    fileprivate let entry: ZipArchive.Entry?

    init(_ reference: TorchStorageReference, at place: FileRegion) {
        self.reference = reference
        stored = place
        archive = nil
        entry = nil
    }

    init(_ reference: TorchStorageReference, _ entry: ZipArchive.Entry, of archive: ZipArchive) throws(AlpacaError) {
        self.reference = reference
        stored = entry.method == 0 ? try archive.region(of: entry) : nil
        self.archive = archive
        self.entry = entry
    }

    /// The bytes, unpacked if need be.
    func region() throws(AlpacaError) -> FileRegion {
        if let stored { return stored }
        guard let archive, let entry else { throw AlpacaError(.internalError, "a storage has no place") }
        return try archive.region(of: entry)
    }
}
