/// What is in a PyTorch file: its tensors by name, and the storages that they are views of.
struct TorchContent {
    let tensors: [(name: String, view: TorchTensorReference)]
    let storages: [TorchStorage]

    enum Limits {
        /// Those of the largest models have some 100 KB.
        static let pickleBytes = 32 << 20
        static let recordBytes = 64
        /// The last version of the container that there is: version 3 of 2020, raised to 10 since for programs (TorchScript).
        static let version = 10
    }

    /// A file of version 1.6 and later.
    static func zip(_ region: FileRegion) throws(AlpacaError) -> TorchContent {
        let archive = try ZipArchive(region)
        let folder = try folder(archive)
        if let entry = archive.entry("\(folder)/byteorder") {
            let order = try archive.bytes(of: entry, atMost: Limits.recordBytes)
            guard order.elementsEqual("little".utf8) else {
                let isBig = order.elementsEqual("big".utf8)
                throw AlpacaError(
                    isBig ? .unsupported : .badFormat,
                    "found byte order \(order.quoted()), expected \"little\"\(isBig ? ": save the file again on a PC" : "")")
            }
        }
        if let entry = archive.entry("\(folder)/version") {
            let text = try archive.bytes(of: entry, atMost: Limits.recordBytes)
            let number = Int(String(decoding: text, as: UTF8.self).filter { !$0.isWhitespace })
            guard let number, (1...Limits.version).contains(number) else {
                throw AlpacaError(.unsupported, "found version \(text.quoted()) of PyTorch's format, expected 1 to \(Limits.version)")
            }
        }
        guard let entry = archive.entry("\(folder)/data.pkl") else { throw AlpacaError(.internalError, "data.pkl has gone") }
        var machine = PickleMachine(try archive.bytes(of: entry, atMost: Limits.pickleBytes))
        let root = try machine.run()
        guard machine.position == entry.size else {
            throw AlpacaError(.badFormat, "data.pkl has \(entry.size - machine.position) bytes behind its end")
        }
        var storages: [TorchStorage] = []
        for reference in machine.storages {
            let name = reference.key.quoted()
            guard let entry = archive.entry("\(folder)/data/\(reference.key)") else {
                throw AlpacaError(.missing, "the archive has no storage \(name), which a tensor uses")
            }
            guard entry.size == reference.byteCount else {
                throw AlpacaError(
                    entry.size < reference.byteCount ? .truncated : .badFormat,
                    "storage \(name) has \(entry.size) bytes, expected \(reference.byteCount) (\(reference.count) of \(reference.element))")
            }
            storages.append(try TorchStorage(reference, entry, of: archive))
        }
        return TorchContent(tensors: try named(root, machine), storages: storages)
    }

    /// The folder of the archive that has `data.pkl`.
    private static func folder(_ archive: ZipArchive) throws(AlpacaError) -> String {
        let folders = archive.entries.filter { $0.name.hasSuffix("/data.pkl") }.map { String($0.name.dropLast("/data.pkl".count)) }
        guard let folder = folders.first else {
            var names = archive.entries.prefix(3).map { $0.name.quoted(limit: 40) }.joined(separator: ", ")
            if archive.entries.count > 3 { names += ", ..." }
            throw AlpacaError(
                .missing,
                "this zip archive is no PyTorch file: it has no data.pkl (its members: \(names.isEmpty ? "none" : names))")
        }
        guard folders.count == 1 else { throw AlpacaError(.badFormat, "the archive has \(folders.count) files data.pkl, expected one") }
        if archive.entry("\(folder)/constants.pkl") != nil {
            throw AlpacaError(
                .unsupported, "this is a program (TorchScript), not a file of tensors: save `model.state_dict()` by `torch.save`")
        }
        return folder
    }

    // MARK: Names

    /// Keys under which training programs keep the tensors, beside other things.
    private static let wrappers = ["state_dict", "model", "module", "model_state_dict"]

    /// The tensors of a dictionary, in its order. Numbers, texts and the like beside them are no part of a model and left out.
    static func named(_ root: PickleValue, _ machine: PickleMachine) throws(AlpacaError) -> [(name: String, view: TorchTensorReference)] {
        guard case .dictionary(let top) = root else {
            throw AlpacaError(.badFormat, "the file holds \(root.kind), expected a dictionary of tensors")
        }
        var content = machine.dictionaries[top]
        if !content.contains(where: { if case .tensor = $0.value { true } else { false } }) {
            for member in content {
                if case .text(let key) = member.key, wrappers.contains(machine.texts[key]), case .dictionary(let inner) = member.value {
                    content = machine.dictionaries[inner]
                    break
                }
            }
        }
        var result: [(name: String, view: TorchTensorReference)] = []
        for (key, value) in content {
            let name: String? = if case .text(let index) = key { machine.texts[index] } else { nil }
            switch value {
            case .tensor(let index):
                guard let name else { throw AlpacaError(.badFormat, "a tensor has \(key.kind) for a name") }
                result.append((name, machine.tensors[index]))
            case .none, .bool, .int, .float, .opaque, .text, .global: break
            case .tuple, .list, .dictionary, .storage:
                throw AlpacaError(.badFormat, "\((name ?? "a key").quoted()) is \(value.kind), expected a tensor")
            }
        }
        return result
    }

    // MARK: Before version 1.6

    /// Two pickles with a magic number and the version 1001, as `torch.save` wrote them.
    private static let oldMagic: [UInt8] = [
        0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e, 0x80, 0x02, 0x4d, 0xe9, 0x03, 0x2e,
    ]

    /// The older format: magic number, version, facts of the machine, the dictionary and the storages' keys, each a pickle, one behind the
    /// other; then for each key the number of elements as 8 bytes, and the elements.
    static func beforeZip(_ region: FileRegion) throws(AlpacaError) -> TorchContent {
        let start = try region.bytes(at: 0, count: min(region.count, Limits.pickleBytes))
        guard start.starts(with: oldMagic) else {
            throw AlpacaError(
                .unsupported,
                "this is a pickle, but not one that `torch.save` writes: load it in PyTorch and save the tensors by `torch.save` again")
        }
        var machine = PickleMachine(start, from: oldMagic.count)
        guard case .dictionary(let system) = try machine.run() else {
            throw AlpacaError(.badFormat, "the facts of the machine are missing")
        }
        for (key, value) in machine.dictionaries[system] {
            if case .text(let name) = key, machine.texts[name] == "little_endian", value != .bool(true) {
                throw AlpacaError(.unsupported, "the file was written on a big-endian machine: save it again on a PC")
            }
        }
        let root = try machine.run()
        guard case .list(let keys) = try machine.run() else { throw AlpacaError(.badFormat, "the list of storages is missing") }
        var position = machine.position
        var places: [String: FileRegion] = [:]
        let references = Dictionary(machine.storages.map { ($0.key, $0) }) { first, _ in first }
        for key in machine.lists[keys] {
            guard case .text(let index) = key, let reference = references[machine.texts[index]] else {
                throw AlpacaError(.badFormat, "the file has a storage that no tensor uses")
            }
            let name = reference.key.quoted()
            var header = ZipFields(try region.bytes(at: position, count: min(8, region.count - position)))
            let count = try header.read(UInt64.self)
            guard count == UInt64(reference.count) else {
                throw AlpacaError(.badFormat, "storage \(name) has \(count) elements, expected \(reference.count)")
            }
            guard reference.byteCount <= region.count - position - 8 else {
                throw AlpacaError(
                    .truncated,
                    "storage \(name) needs \(reference.byteCount) bytes, \(region.count - position - 8) are left (is the file complete?)")
            }
            let place = try region.region(at: position + 8, count: reference.byteCount)
            guard places.updateValue(place, forKey: reference.key) == nil else {
                throw AlpacaError(.badFormat, "storage \(name) is there twice")
            }
            position += 8 + reference.byteCount
        }
        var storages: [TorchStorage] = []
        for reference in machine.storages {
            guard let place = places[reference.key] else {
                throw AlpacaError(.missing, "the file has no storage \(reference.key.quoted()), which a tensor uses")
            }
            storages.append(TorchStorage(reference, at: place))
        }
        return TorchContent(tensors: try named(root, machine), storages: storages)
    }
}
