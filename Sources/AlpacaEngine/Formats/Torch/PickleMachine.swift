// Python's pickle is a program for a stack machine, and unpickling the wrong one runs whatever its author wanted. This machine has the
// operations that `torch.save` writes (protocols 2 to 4; Python's Lib/pickletools.py describes them) and builds nothing but numbers, texts,
// tuples, lists, dictionaries, and descriptions of tensors. Any other operation, and any name that is not in TorchGlobal, is an error.
//
// Values refer to each other by index into the lists of the machine, so that neither building nor freeing them recurses, whatever their
// depth, and a value that holds itself is harmless.

/// What a pickle builds.
enum PickleValue: Equatable {
    case none
    case bool(Bool)
    case int(Int)
    case float(Double)
    /// A number beyond 64 bits, bytes, or another thing whose content nobody needs.
    case opaque
    /// By index into ``PickleMachine/texts`` and so on.
    case text(Int)
    case tuple(Int)
    case list(Int)
    case dictionary(Int)
    case storage(Int)
    case tensor(Int)
    case global(TorchGlobal)

    /// As messages call it.
    var kind: String {
        switch self {
        case .none: "None"
        case .bool: "a truth value"
        case .int, .float: "a number"
        case .opaque: "bytes or another object"
        case .text: "a text"
        case .tuple: "a tuple"
        case .list: "a list"
        case .dictionary: "a dictionary"
        case .storage: "a storage"
        case .tensor: "a tensor"
        case .global: "a class or function"
        }
    }
}

struct PickleMachine {
    enum Limits {
        static let operations = 2_000_000
        static let stack = 1 << 20
        static let memo = 1 << 20
        static let nameBytes = 256
    }

    private let bytes: [UInt8]
    /// The next byte; after ``run()`` what follows the pickle.
    private(set) var position: Int

    private(set) var texts: [String] = []
    private(set) var tuples: [[PickleValue]] = []
    private(set) var lists: [[PickleValue]] = []
    private(set) var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
    private(set) var storages: [TorchStorageReference] = []
    private(set) var tensors: [TorchTensorReference] = []

    private var stack: [PickleValue] = []
    /// Where in the stack the marks are.
    private var marks: [Int] = []
    private var memo: [Int: PickleValue] = [:]
    private var storageIndex: [String: Int] = [:]

    init(_ bytes: [UInt8], from position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    /// Runs one pickle to its end and gives the value that it left.
    mutating func run() throws(AlpacaError) -> PickleValue {
        stack = []
        marks = []
        memo = [:]
        var at = position
        do throws(AlpacaError) {
            for _ in 0..<Limits.operations {
                at = position
                if let result = try step() { return result }
            }
        } catch {
            throw error.inContext("pickle, byte \(at)")
        }
        throw AlpacaError(.badFormat, "the pickle has more than \(Limits.operations) operations")
    }

    // MARK: Operations

    /// Does the next operation; gives the result if it was the last.
    private mutating func step() throws(AlpacaError) -> PickleValue? {
        let code: UInt8 = try number()
        switch code {
        case 0x80:
            let version: UInt8 = try number()
            guard (2...5).contains(version) else { throw AlpacaError(.badFormat, "found protocol \(version), expected 2 to 5") }
        case 0x95:
            let length: UInt64 = try number()
            guard length <= UInt64(bytes.count - position) else { throw ends("a frame of \(length) bytes") }
        case UInt8(ascii: "."):
            let result = try pop()
            guard stack.isEmpty, marks.isEmpty else { throw AlpacaError(.badFormat, "the pickle ends with values left over") }
            return result
        case UInt8(ascii: "("):
            guard marks.count < Limits.stack else { throw AlpacaError(.badFormat, "more than \(Limits.stack) marks") }
            try marks.makeRoom(for: 1, of: "marks")
            marks.append(stack.count)
        case UInt8(ascii: "0"): _ = try pop()
        case UInt8(ascii: "1"): _ = try popToMark()
        case UInt8(ascii: "N"): try push(.none)
        case 0x88: try push(.bool(true))
        case 0x89: try push(.bool(false))
        case UInt8(ascii: "J"): try push(.int(Int(try number() as Int32)))
        case UInt8(ascii: "K"): try push(.int(Int(try number() as UInt8)))
        case UInt8(ascii: "M"): try push(.int(Int(try number() as UInt16)))
        case 0x8a: try pushLong(Int(try number() as UInt8))
        case 0x8b: try pushLong(Int(try number() as Int32))
        case UInt8(ascii: "G"): try push(.float(Double(bitPattern: (try number() as UInt64).byteSwapped)))
        case UInt8(ascii: "X"): try pushText(UInt64(try number() as UInt32))
        case 0x8c, UInt8(ascii: "U"): try pushText(UInt64(try number() as UInt8))
        case 0x8d: try pushText(try number())
        case UInt8(ascii: "T"): try pushText(UInt64(try number() as UInt32))
        case UInt8(ascii: "C"): try pushBytes(UInt64(try number() as UInt8))
        case UInt8(ascii: "B"): try pushBytes(UInt64(try number() as UInt32))
        case 0x8e: try pushBytes(try number())
        case UInt8(ascii: ")"): try pushTuple([])
        case UInt8(ascii: "t"): try pushTuple(try popToMark())
        case 0x85...0x87: try pushTuple(try pop(Int(code) - 0x84))
        case UInt8(ascii: "]"):
            try lists.makeRoom(for: 1, of: "lists")
            lists.append([])
            try push(.list(lists.count - 1))
        case UInt8(ascii: "a"): try append([try pop()])
        case UInt8(ascii: "e"): try append(try popToMark())
        case UInt8(ascii: "}"): try pushDictionary()
        case UInt8(ascii: "s"): try setItems(try pop(2))
        case UInt8(ascii: "u"): try setItems(try popToMark())
        case UInt8(ascii: "c"): try pushGlobal(module: try line(), name: try line())
        case 0x93:
            let names = try pop(2)
            guard case .text(let module) = names[0], case .text(let name) = names[1] else {
                throw AlpacaError(.badFormat, "the name of a class or function is \(names[1].kind)")
            }
            try pushGlobal(module: texts[module], name: texts[name])
        case UInt8(ascii: "R"): try reduce()
        case UInt8(ascii: "b"): try build()
        case UInt8(ascii: "Q"): try pushStorage(try pop())
        case UInt8(ascii: "q"): try remember(Int(try number() as UInt8))
        case UInt8(ascii: "r"): try remember(Int(try number() as UInt32))
        case 0x94: try remember(memo.count)
        case UInt8(ascii: "h"): try recall(Int(try number() as UInt8))
        case UInt8(ascii: "j"): try recall(Int(try number() as UInt32))
        case UInt8(ascii: "i"), UInt8(ascii: "o"), 0x81, 0x92, 0x82...0x84:
            throw AlpacaError(
                .unsafe, "the pickle makes an object of a class (operation 0x\(String(code, radix: 16))), which is not done here")
        default:
            throw AlpacaError(.badFormat, "found operation 0x\(String(code, radix: 16)), which files of tensors do not have")
        }
        return nil
    }

    private mutating func number<T: FixedWidthInteger>() throws(AlpacaError) -> T {
        let size = MemoryLayout<T>.size
        guard size <= bytes.count - position else { throw ends("a number of \(size) bytes") }
        var result: T = 0
        for i in 0..<size { result |= T(truncatingIfNeeded: bytes[position + i]) << T(truncatingIfNeeded: 8 * i) }
        position += size
        return result
    }

    private mutating func take(_ count: UInt64, _ what: String) throws(AlpacaError) -> ArraySlice<UInt8> {
        guard count <= UInt64(bytes.count - position) else { throw ends("\(what) of \(count) bytes") }
        defer { position += Int(count) }
        return bytes[position..<position + Int(count)]
    }

    private func ends(_ what: String) -> AlpacaError {
        AlpacaError(.truncated, "\(what) is begun, but \(bytes.count - position) bytes are left (is the file complete?)")
    }

    /// The text up to the end of the line.
    private mutating func line() throws(AlpacaError) -> String {
        guard let end = bytes[position...].prefix(Limits.nameBytes + 1).firstIndex(of: UInt8(ascii: "\n")) else {
            throw AlpacaError(.badFormat, "the name of a class or function has no end within \(Limits.nameBytes) bytes")
        }
        defer { position = end + 1 }
        guard let text = String(validating: bytes[position..<end], as: UTF8.self) else {
            throw AlpacaError(.badFormat, "the name of a class or function is not valid UTF-8")
        }
        return text
    }

    // MARK: Stack

    private mutating func push(_ value: PickleValue) throws(AlpacaError) {
        guard stack.count < Limits.stack else { throw AlpacaError(.badFormat, "more than \(Limits.stack) values on the stack") }
        try stack.makeRoom(for: 1, of: "stack")
        stack.append(value)
    }

    private mutating func pop() throws(AlpacaError) -> PickleValue {
        guard stack.count > marks.last ?? 0, let value = stack.popLast() else { throw lacks }
        return value
    }

    private mutating func pop(_ count: Int) throws(AlpacaError) -> [PickleValue] {
        guard stack.count - (marks.last ?? 0) >= count else { throw lacks }
        defer { stack.removeLast(count) }
        return Array(stack.suffix(count))
    }

    private mutating func popToMark() throws(AlpacaError) -> [PickleValue] {
        guard let mark = marks.popLast(), mark <= stack.count else { throw lacks }
        try LargeMemory.ask(stack.count - mark, of: MemoryLayout<PickleValue>.stride, for: "values")
        defer { stack.removeLast(stack.count - mark) }
        return Array(stack[mark...])
    }

    private var lacks: AlpacaError { AlpacaError(.badFormat, "an operation needs values that are not there") }

    private mutating func pushLong(_ count: Int) throws(AlpacaError) {
        guard count >= 0 else { throw AlpacaError(.badFormat, "found a number of \(count) bytes") }
        let digits = try take(UInt64(count), "a number")
        guard count <= 8 else { return try push(.opaque) }
        var value: UInt64 = (digits.last ?? 0) & 0x80 == 0 ? 0 : .max
        for byte in digits.reversed() { value = value << 8 | UInt64(byte) }
        try push(.int(Int(truncatingIfNeeded: value)))
    }

    private mutating func pushText(_ count: UInt64) throws(AlpacaError) {
        let raw = try take(count, "a text")
        try LargeMemory.ask(raw.count, for: "a text")
        try texts.makeRoom(for: 1, of: "texts")
        guard let text = String(validating: raw, as: UTF8.self) else {
            throw AlpacaError(.badFormat, "a text is not valid UTF-8")
        }
        texts.append(text)
        try push(.text(texts.count - 1))
    }

    private mutating func pushBytes(_ count: UInt64) throws(AlpacaError) {
        _ = try take(count, "a run of bytes")
        try push(.opaque)
    }

    private mutating func pushTuple(_ values: [PickleValue]) throws(AlpacaError) {
        try tuples.makeRoom(for: 1, of: "tuples")
        tuples.append(values)
        try push(.tuple(tuples.count - 1))
    }

    private mutating func pushDictionary() throws(AlpacaError) {
        try dictionaries.makeRoom(for: 1, of: "dictionaries")
        dictionaries.append([])
        try push(.dictionary(dictionaries.count - 1))
    }

    private mutating func remember(_ index: Int) throws(AlpacaError) {
        guard stack.count > marks.last ?? 0, let value = stack.last else { throw lacks }
        guard index < Limits.memo, memo.count < Limits.memo else {
            throw AlpacaError(.badFormat, "value \(index) is to be remembered, at most \(Limits.memo) are")
        }
        // A table grows to twice its size; each place has the number and the value.
        if memo.count == memo.capacity { try LargeMemory.ask(2 * memo.count, of: 48, for: "memo") }
        memo[index] = value
    }

    private mutating func recall(_ index: Int) throws(AlpacaError) {
        guard let value = memo[index] else { throw AlpacaError(.badFormat, "value \(index) is used, but was not remembered") }
        try push(value)
    }

    // MARK: Objects

    private mutating func append(_ values: [PickleValue]) throws(AlpacaError) {
        guard stack.count > marks.last ?? 0, case .list(let list)? = stack.last else { throw lacks }
        try lists[list].makeRoom(for: values.count, of: "a list")
        lists[list].append(contentsOf: values)
    }

    private mutating func setItems(_ values: [PickleValue]) throws(AlpacaError) {
        guard stack.count > marks.last ?? 0, case .dictionary(let dictionary)? = stack.last, values.count % 2 == 0 else { throw lacks }
        try dictionaries[dictionary].makeRoom(for: values.count / 2, of: "a dictionary")
        for i in stride(from: 0, to: values.count, by: 2) {
            switch values[i] {
            case .none, .bool, .int, .float, .opaque, .text, .tuple: break
            case .list, .dictionary, .storage, .tensor, .global:
                throw AlpacaError(.badFormat, "a dictionary has \(values[i].kind) for a key")
            }
            dictionaries[dictionary].append((values[i], values[i + 1]))
        }
    }

    private mutating func pushGlobal(module: String, name: String) throws(AlpacaError) {
        guard let global = TorchGlobal(module: module, name: name) else {
            throw AlpacaError(
                .unsafe,
                "the file wants to use \("\(module).\(name)".quoted()), which files of tensors do not need: this can be an attack. If you "
                    + "trust it, load it in PyTorch and save only the tensors (`torch.save(model.state_dict(), ...)`)")
        }
        try push(.global(global))
    }

    /// Calls of the functions on the list, none of which is any code of the file.
    private mutating func reduce() throws(AlpacaError) {
        let values = try pop(2)
        guard case .global(let function) = values[0], case .tuple(let index) = values[1] else {
            throw AlpacaError(.badFormat, "\(values[0].kind) is called with \(values[1].kind)")
        }
        let arguments = tuples[index]
        switch function {
        case .orderedDict:
            guard arguments.isEmpty else { throw AlpacaError(.badFormat, "OrderedDict is called with \(arguments.count) arguments") }
            try pushDictionary()
        case .rebuildTensor, .rebuildTensorV1:
            if tensors.count == tensors.capacity {
                try LargeMemory.ask(2 * tensors.count, of: TensorInfo.mostMemory, for: "list of tensors")
            }
            tensors.append(
                try TorchTensorReference(arguments, counts: function == .rebuildTensor ? 6...7 : 4...4) { list in
                    switch list {
                    case .tuple(let index): tuples[index]
                    case .list(let index): lists[index]
                    default: nil
                    }
                })
            try push(.tensor(tensors.count - 1))
        case .rebuildParameter:
            guard arguments.count == 3, case .tensor = arguments[0] else {
                throw AlpacaError(.badFormat, "a parameter is to be made of something that is no tensor")
            }
            try push(arguments[0])
        case .size:
            guard arguments.count == 1, case .tuple = arguments[0] else { throw AlpacaError(.badFormat, "torch.Size is not given a tuple") }
            try push(arguments[0])
        case .device: try push(.opaque)
        case .storage, .dtype: throw AlpacaError(.badFormat, "a storage or element type is called like a function")
        }
    }

    /// Attributes of an object. Dictionaries of tensors have `_metadata`, which says nothing of the tensors.
    private mutating func build() throws(AlpacaError) {
        let state = try pop()
        guard stack.count > marks.last ?? 0, case .dictionary? = stack.last, case .dictionary = state else { throw lacks }
    }

    /// ("storage", class, key, location, count of elements), what torch's files have for the persistent id of a storage.
    private mutating func pushStorage(_ id: PickleValue) throws(AlpacaError) {
        guard case .tuple(let index) = id else { throw AlpacaError(.badFormat, "found \(id.kind) where a storage should be described") }
        let reference = try TorchStorageReference(tuples[index], text: { texts[$0] })
        if let known = storageIndex[reference.key] {
            guard storages[known] == reference else {
                throw AlpacaError(.badFormat, "the storage \(reference.key.quoted()) is described in two ways")
            }
            return try push(.storage(known))
        }
        storageIndex[reference.key] = storages.count
        storages.append(reference)
        try push(.storage(storages.count - 1))
    }
}
