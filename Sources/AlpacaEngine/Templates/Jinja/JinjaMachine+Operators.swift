// Arithmetic and comparisons as Python has them. Integers have 127 bits; what is beyond is an error, never another number.
extension JinjaMachine {
    enum Number {
        case integer(Int128)
        case float(Double)

        init?(_ item: JinjaItem) {
            switch item {
            case .boolean(let value): self = .integer(value ? 1 : 0)
            case .integer(let value): self = .integer(value)
            case .float(let value): self = .float(value)
            default: return nil
            }
        }

        var double: Double {
            switch self {
            case .integer(let value): Double(value)
            case .float(let value): value
            }
        }

        var item: JinjaItem {
            switch self {
            case .integer(let value): .integer(value)
            case .float(let value): .float(value)
            }
        }
    }

    func unary(_ sign: JinjaOperator, _ value: JinjaItem) throws(AlpacaError) -> JinjaItem {
        if sign == .not { return .boolean(!value.isTrue) }
        guard let number = Number(value) else { throw misfit(sign, value, nil) }
        guard sign == .minus else { return number.item }
        switch number {
        case .integer(let value):
            guard value != Int128.min else { throw overflow }
            return .integer(-value)
        case .float(let value): return .float(-value)
        }
    }

    func calculate(_ a: JinjaItem, _ sign: JinjaOperator, _ b: JinjaItem) throws(AlpacaError) -> JinjaItem {
        if sign == .modulo, case .text(let format) = a { return .text(try percentFormat(format, b)) }
        if let x = Number(a), let y = Number(b) { return try arithmetic(x, sign, y) }
        switch (a, sign, b) {
        case (.text(var a), .plus, .text(let b)):
            try checkLength(a.count + b.count)
            try make(a.cost + b.cost)
            try step((a.count + b.count) >> 6)
            a.append(b)
            return .text(a)
        case (.sequence(let a), .plus, .sequence(let b)) where a.kind == b.kind && (a.kind == .list || a.kind == .tuple):
            try checkCount(a.items.count + b.items.count)
            try step((a.items.count + b.items.count) >> 2)
            return try sequence(a.items + b.items, a.kind)
        case (.text(let text), .times, _), (_, .times, .text(let text)):
            guard case .integer(let times)? = Number(a) ?? Number(b) else { throw misfit(sign, a, b) }
            return .text(try repeated(text, times))
        case (.sequence(let items), .times, _) where items.kind == .list || items.kind == .tuple,
            (_, .times, .sequence(let items)) where items.kind == .list || items.kind == .tuple:
            guard case .integer(let times)? = Number(a) ?? Number(b) else { throw misfit(sign, a, b) }
            guard times > 0, !items.items.isEmpty else { return try sequence([], items.kind) }
            let (count, overflow) = items.items.count.multipliedReportingOverflow(by: Int(clamping: times))
            try checkCount(overflow ? Int.max : count)
            try make(8 * count)
            return try sequence(Array(repeatElement(items.items, count: Int(clamping: times)).joined()), items.kind)
        default: throw misfit(sign, a, b)
        }
    }

    func repeated(_ text: JinjaText, _ times: Int128) throws(AlpacaError) -> JinjaText {
        guard times > 0, !text.isEmpty else { return JinjaText() }
        let (length, overflow) = text.count.multipliedReportingOverflow(by: Int(clamping: times))
        try checkLength(overflow ? Int.max : length)
        if text.partCount == 1 {
            try make(length)
            try step(length >> 6)
            return JinjaText(Array(repeatElement(text.scalars, count: Int(clamping: times)).joined()), isInput: text.hasInput)
        }
        var result = JinjaText()
        for _ in 0..<Int(clamping: times) {
            try step(2)
            try append(text, to: &result)
        }
        return result
    }

    private func arithmetic(_ a: Number, _ sign: JinjaOperator, _ b: Number) throws(AlpacaError) -> JinjaItem {
        if case .integer(let x) = a, case .integer(let y) = b, sign != .divide { return try whole(x, sign, y) }
        let x = a.double, y = b.double
        switch sign {
        case .plus: return .float(x + y)
        case .minus: return .float(x - y)
        case .times: return .float(x * y)
        case .divide:
            guard y != 0 else { throw divisionByZero }
            return .float(x / y)
        case .floorDivide:
            guard y != 0 else { throw divisionByZero }
            return .float(((x - remainder(x, y)) / y).rounded(.toNearestOrEven))
        case .modulo:
            guard y != 0 else { throw divisionByZero }
            return .float(remainder(x, y))
        case .power: return .float(try JinjaNumbers.power(x, y))
        default: throw misfit(sign, a.item, b.item)
        }
    }

    /// It has the sign of the divisor.
    private func remainder(_ x: Double, _ y: Double) -> Double {
        let rest = x.truncatingRemainder(dividingBy: y)
        if rest == 0 { return y < 0 ? -0.0 : 0 }
        return (rest < 0) != (y < 0) ? rest + y : rest
    }

    private func whole(_ x: Int128, _ sign: JinjaOperator, _ y: Int128) throws(AlpacaError) -> JinjaItem {
        let result: (partialValue: Int128, overflow: Bool)
        switch sign {
        case .plus: result = x.addingReportingOverflow(y)
        case .minus: result = x.subtractingReportingOverflow(y)
        case .times: result = x.multipliedReportingOverflow(by: y)
        case .floorDivide, .modulo:
            guard y != 0 else { throw divisionByZero }
            let (quotient, overflow) = x.dividedReportingOverflow(by: y)
            if overflow {
                // The least number by -1.
                if sign == .modulo { return .integer(0) }
                throw self.overflow
            }
            let rest = x % y
            let isOff = rest != 0 && (rest < 0) != (y < 0)
            return .integer(sign == .modulo ? (isOff ? rest + y : rest) : (isOff ? quotient - 1 : quotient))
        case .power:
            guard y >= 0 else { return .float(try JinjaNumbers.power(Double(x), Double(y))) }
            if x == 0 || x == 1 { return .integer(y == 0 ? 1 : x) }
            if x == -1 { return .integer(y % 2 == 0 ? 1 : -1) }
            var product: Int128 = 1
            for _ in 0..<min(y, 128) {
                let (next, overflow) = product.multipliedReportingOverflow(by: x)
                if overflow { throw self.overflow }
                product = next
            }
            result = (product, y > 128)
        default: throw misfit(sign, .integer(x), .integer(y))
        }
        if result.overflow { throw overflow }
        return .integer(result.partialValue)
    }

    var overflow: AlpacaError { AlpacaError(.unsupported, "an integer of the template is beyond 127 bits") }
    private var divisionByZero: AlpacaError { AlpacaError(.invalidArgument, "the template divides by zero") }

    private func misfit(_ sign: JinjaOperator, _ a: JinjaItem, _ b: JinjaItem?) -> AlpacaError {
        for case .undefined(let what) in [a, b ?? .none] { return AlpacaError(.invalidArgument, what.description) }
        let types = b.map { "\(a.typeName) and \($0.typeName)" } ?? a.typeName
        return AlpacaError(.invalidArgument, "the operator \(sign.rawValue.quoted()) does not fit \(types)")
    }

    // MARK: Comparisons

    func compare(_ a: JinjaItem, _ sign: JinjaOperator, _ b: JinjaItem) throws(AlpacaError) -> Bool {
        switch sign {
        case .equal: try equal(a, b)
        case .unequal: !(try equal(a, b))
        case .within: try contains(b, a)
        case .notWithin: !(try contains(b, a))
        case .less: try order(a, b, sign) == .less
        case .greater: try order(a, b, sign) == .greater
        case .lessOrEqual: try [.less, .equal].contains(order(a, b, sign))
        case .greaterOrEqual: try [.greater, .equal].contains(order(a, b, sign))
        default: false
        }
    }

    func equal(_ a: JinjaItem, _ b: JinjaItem) throws(AlpacaError) -> Bool {
        try step()
        if let x = Number(a), let y = Number(b) { return Self.order(x, y) == .equal }
        switch (a, b) {
        case (.undefined, .undefined), (.none, .none): return true
        case (.text(let a), .text(let b)):
            try step(min(a.count, b.count) >> 6)
            return a == b
        case (.sequence(let a), .sequence(let b)):
            guard a !== b else { return true }
            guard a.kind == b.kind, a.kind != .generator, a.items.count == b.items.count else { return false }
            try deeper()
            defer { higher() }
            for index in a.items.indices where !(try equal(a.items[index], b.items[index])) { return false }
            return true
        case (.dictionary(let a), .dictionary(let b)):
            guard a !== b else { return true }
            guard a.keys.count == b.keys.count else { return false }
            try deeper()
            defer { higher() }
            for index in a.keys.indices {
                guard let other = b.value(try hashed(a.keys[index])), try equal(a.values[index], other) else { return false }
            }
            return true
        case (.namespace(let a), .namespace(let b)): return a === b
        case (.macro(let a), .macro(let b)): return a === b
        case (.loop(let a), .loop(let b)): return a === b
        case (.cycler(let a), .cycler(let b)): return a === b
        case (.function(let a), .function(let b)): return a == b
        default: return false
        }
    }

    enum Order { case less, equal, greater, none }

    static func order(_ a: Number, _ b: Number) -> Order {
        switch (a, b) {
        case (.integer(let a), .integer(let b)): return a < b ? .less : a == b ? .equal : .greater
        case (.float(let a), .float(let b)): return a < b ? .less : a == b ? .equal : a > b ? .greater : .none
        case (.integer(let a), .float(let b)):
            // Exact, also where a Double can't hold the integer.
            guard !b.isNaN else { return .none }
            guard let whole = Int128(exactly: b.rounded(.towardZero)) else { return b > 0 ? .less : .greater }
            if a != whole { return a < whole ? .less : .greater }
            let rest = b - b.rounded(.towardZero)
            return rest > 0 ? .less : rest < 0 ? .greater : .equal
        case (.float, .integer):
            switch order(b, a) {
            case .less: return .greater
            case .greater: return .less
            case let same: return same
            }
        }
    }

    func order(_ a: JinjaItem, _ b: JinjaItem, _ sign: JinjaOperator = .less) throws(AlpacaError) -> Order {
        try step()
        if let x = Number(a), let y = Number(b) { return Self.order(x, y) }
        switch (a, b) {
        case (.text(let a), .text(let b)):
            try step(min(a.count, b.count) >> 6)
            if a == b { return .equal }
            return a.scalars.lexicographicallyPrecedes(b.scalars) ? .less : .greater
        case (.sequence(let a), .sequence(let b)) where a.kind == b.kind && (a.kind == .list || a.kind == .tuple):
            try deeper()
            defer { higher() }
            for index in 0..<min(a.items.count, b.items.count) where !(try equal(a.items[index], b.items[index])) {
                return try order(a.items[index], b.items[index], sign)
            }
            return a.items.count < b.items.count ? .less : a.items.count == b.items.count ? .equal : .greater
        default: throw misfit(sign, a, b)
        }
    }

    func contains(_ container: JinjaItem, _ item: JinjaItem) throws(AlpacaError) -> Bool {
        switch container {
        case .text(let text):
            guard case .text(let part) = item else {
                throw AlpacaError(.invalidArgument, "\"in\" looks for a value of type \(item.typeName) in a text")
            }
            try step((text.count + part.count) >> 4)
            return text.contains(part)
        case .dictionary(let dictionary): return dictionary.value(try hashed(item)) != nil
        default:
            let items = try elements(container)
            for index in items.indices where try equal(items[index], item) { return true }
            return false
        }
    }
}
