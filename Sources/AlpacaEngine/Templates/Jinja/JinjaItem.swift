/// A value while a template runs.
enum JinjaItem {
    case undefined(JinjaAbsence)
    case none
    case boolean(Bool)
    case integer(Int128)
    case float(Double)
    case text(JinjaText)
    case sequence(JinjaSequence)
    case dictionary(JinjaDictionary)
    case namespace(JinjaNamespace)
    case loop(JinjaLoop)
    case macro(JinjaMacro)
    case cycler(JinjaCycler)
    case function(JinjaFunction)
    indirect case method(of: JinjaItem, String)

    static func string(_ string: String) -> JinjaItem { .text(JinjaText(string)) }

    var isUndefined: Bool { if case .undefined = self { true } else { false } }

    /// What Python calls its type.
    var typeName: String {
        switch self {
        case .undefined: "Undefined"
        case .none: "NoneType"
        case .boolean: "bool"
        case .integer: "int"
        case .float: "float"
        case .text: "str"
        case .sequence(let sequence): sequence.kind.rawValue
        case .dictionary: "dict"
        case .namespace: "Namespace"
        case .loop: "LoopContext"
        case .macro: "Macro"
        case .cycler(let cycler): cycler.isJoiner ? "Joiner" : "Cycler"
        case .function: "function"
        case .method: "builtin_function_or_method"
        }
    }

    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .boolean(let value): value
        case .integer(let value): value != 0
        case .float(let value): value != 0
        case .text(let text): !text.isEmpty
        // An iterator is always true, as in Python: it does not know yet whether anything comes.
        case .sequence(let sequence): sequence.kind == .generator || !sequence.items.isEmpty
        case .dictionary(let dictionary): !dictionary.keys.isEmpty
        case .loop(let loop): !loop.items.isEmpty
        case .namespace, .macro, .cycler, .function, .method: true
        }
    }
}

/// Why a value is undefined. Put into words only for a message: templates ask for what may be absent all the time.
enum JinjaAbsence: CustomStringConvertible {
    case name(String)
    indirect case attribute(of: String, JinjaText)
    indirect case element(of: String, JinjaItem)
    case other(String)

    var description: String {
        switch self {
        case .name(let name): "\(name.quoted(limit: 60)) is undefined"
        case .attribute(let type, let name): "\(type) has no attribute \(name.string.quoted(limit: 40))"
        case .element(let type, .integer(let index)): "\(type) has no element \(index)"
        case .element(let type, let key): "\(type) has no element for a key of type \(key.typeName)"
        case .other(let sentence): sentence
        }
    }
}

/// Functions that every template has.
enum JinjaFunction: String, CaseIterable {
    case range, namespace, dict, cycler, joiner
    case raiseException = "raise_exception"
    case strftimeNow = "strftime_now"
}

/// An object of a template that can hold others. All of them are registered with the machine and emptied when the rendering ends: objects that
/// hold each other go away, and freeing long chains of them does not recurse.
class JinjaObject {
    func clear() {}
}

/// Lists, tuples and what iterates.
final class JinjaSequence: JinjaObject {
    enum Kind: String {
        case list, tuple, generator, range
        case keys = "dict_keys", values = "dict_values", pairs = "dict_items"
    }
    let kind: Kind
    var items: [JinjaItem]
    /// Came from the caller: it can't be changed.
    let isCallers: Bool
    /// A range's text.
    var label = ""

    init(_ items: [JinjaItem], _ kind: Kind, isCallers: Bool = false) {
        self.items = items
        self.kind = kind
        self.isCallers = isCallers
    }

    override func clear() { items = [] }
}

/// Keys and values, in the order in which the keys came.
final class JinjaDictionary: JinjaObject {
    private(set) var keys: [JinjaItem] = []
    private(set) var values: [JinjaItem] = []
    private var places: [JinjaKey: Int] = [:]

    func value(_ key: JinjaKey) -> JinjaItem? { places[key].map { values[$0] } }

    func set(_ key: JinjaItem, _ hashed: JinjaKey, _ value: JinjaItem) {
        if let place = places[hashed] {
            values[place] = value
        } else {
            places[hashed] = keys.count
            keys.append(key)
            values.append(value)
        }
    }

    override func clear() {
        keys = []
        values = []
        places = [:]
    }
}

/// What a dictionary looks up. As in Python, 1, 1.0 and true are one key.
enum JinjaKey: Hashable {
    case none
    case integer(Int128)
    case float(UInt64)
    case text(JinjaText)
    indirect case tuple([JinjaKey])
}

final class JinjaNamespace: JinjaObject {
    var attributes: [(name: JinjaText, value: JinjaItem)] = []
    var places: [JinjaText: Int] = [:]

    func value(_ name: JinjaText) -> JinjaItem? { places[name].map { attributes[$0].value } }

    func set(_ name: JinjaText, _ value: JinjaItem) {
        if let place = places[name] {
            attributes[place].value = value
        } else {
            places[name] = attributes.count
            attributes.append((name, value))
        }
    }

    override func clear() {
        attributes = []
        places = [:]
    }
}

/// `loop` inside a for block.
final class JinjaLoop: JinjaObject {
    var items: [JinjaItem]
    var index = 0
    /// How many loops of the same recursion are around this one.
    let level: Int
    var lastChanged: [JinjaItem]?
    /// For `loop(...)`.
    let node: JinjaLoopNode
    var scope: JinjaScope?

    init(_ items: [JinjaItem], level: Int, node: JinjaLoopNode, scope: JinjaScope) {
        self.items = items
        self.level = level
        self.node = node
        self.scope = scope
    }

    override func clear() {
        items = []
        lastChanged = nil
        scope = nil
    }
}

final class JinjaMacro: JinjaObject {
    let node: JinjaMacroNode
    /// Where it was defined.
    var scope: JinjaScope?

    init(_ node: JinjaMacroNode, scope: JinjaScope) {
        self.node = node
        self.scope = scope
    }

    override func clear() { scope = nil }
}

/// `cycler` and `joiner`.
final class JinjaCycler: JinjaObject {
    var items: [JinjaItem]
    var position = 0
    let isJoiner: Bool

    init(_ items: [JinjaItem], isJoiner: Bool) {
        self.items = items
        self.isJoiner = isJoiner
    }

    override func clear() { items = [] }
}

/// Names and their values. A name that is not here is looked up in the scope around it.
final class JinjaScope: JinjaObject {
    var values: [Int: JinjaItem] = [:]
    private(set) var parent: JinjaScope?

    init(in parent: JinjaScope?) { self.parent = parent }

    func value(_ name: Int) -> JinjaItem? {
        var scope: JinjaScope? = self
        while let current = scope {
            if let value = current.values[name] { return value }
            scope = current.parent
        }
        return nil
    }

    override func clear() {
        values = [:]
        parent = nil
    }
}

/// What a call hands over.
struct JinjaCall {
    var positional: [JinjaItem] = []
    var keywords: [(name: JinjaText, value: JinjaItem)] = []
}
