// Methods of texts, by Python's rules. What is cut out of a text keeps its marks.
extension JinjaMachine {
    func textMethod(_ name: String, _ text: JinjaText, _ arguments: JinjaNamedArguments) throws(AlpacaError) -> JinjaItem {
        try step(text.count >> 4)
        switch name {
        case "strip", "lstrip", "rstrip":
            return try counted(try stripped(text, try arguments.text(0, "chars"), left: name != "rstrip", right: name != "lstrip"))
        case "split", "rsplit": return try split(text, arguments, fromRight: name == "rsplit")
        case "splitlines": return try lines(text, keepsEnds: arguments.boolean(0, "keepends"))
        case "startswith", "endswith": return .boolean(try hasEnd(text, arguments, isPrefix: name == "startswith"))
        case "replace":
            let limit = try arguments.integer(2, "count") ?? -1
            return .text(try replaced(text, try arguments.requiredText(0, "old"), try arguments.requiredText(1, "new"), limit))
        case "join": return .text(try joined(try elements(try arguments.required(0, "iterable")), by: text))
        case "find", "rfind", "index", "rindex", "count": return try find(name, text, arguments)
        case "partition", "rpartition": return try partition(text, try arguments.requiredText(0, "sep"), fromRight: name == "rpartition")
        case "removeprefix":
            let prefix = try arguments.requiredText(0, "prefix")
            return try counted(text.hasPrefix(prefix) ? text[prefix.count..<text.count] : text)
        case "removesuffix":
            let suffix = try arguments.requiredText(0, "suffix")
            return try counted(!suffix.isEmpty && text.hasSuffix(suffix) ? text[0..<text.count - suffix.count] : text)
        case "center", "ljust", "rjust", "zfill": return .text(try padded(name, text, arguments))
        case "format": return .text(try braceFormat(text, arguments.call))
        case "expandtabs":
            return .text(try replaced(text, "\t", try repeated(" ", Int128(try arguments.integer(0, "tabsize") ?? 8)), -1))
        case _ where name.hasPrefix("is"):
            try step(text.count >> 1)
            return .boolean(JinjaCase.isAll(name, text.scalars))
        default: return try counted(try cased(name, text))
        }
    }

    /// `upper`, `lower` and the like.
    func cased(_ name: String, _ text: JinjaText) throws(AlpacaError) -> JinjaText {
        // A letter may become three, and takes longer than one that is only moved.
        try make(3 * text.count)
        try step(text.count >> 1)
        switch name {
        case "upper": return text.mapped { scalar, _ in scalar.properties.uppercaseMapping }
        case "casefold": return text.mapped { scalar, _ in JinjaCase.fold(scalar) }
        case "lower": return text.mapped { scalar, place in JinjaCase.lower(scalar, at: place, in: text.scalars) }
        case "swapcase":
            return text.mapped { scalar, _ in
                scalar.properties.isUppercase ? scalar.properties.lowercaseMapping : scalar.properties.uppercaseMapping
            }
        case "capitalize":
            return text.mapped { scalar, place in
                place == 0 ? scalar.properties.titlecaseMapping : JinjaCase.lower(scalar, at: place, in: text.scalars)
            }
        case "title":
            return text.mapped { scalar, place in
                place > 0 && JinjaCase.isCased(text.scalars[place - 1])
                    ? JinjaCase.lower(scalar, at: place, in: text.scalars) : scalar.properties.titlecaseMapping
            }
        default: throw AlpacaError(.unsupported, "the method \(name.quoted(limit: 40)) of texts is not supported")
        }
    }

    func stripped(_ text: JinjaText, _ characters: JinjaText?, left: Bool = true, right: Bool = true) throws(AlpacaError) -> JinjaText {
        guard let characters else { return text.trimmed(left: left, right: right) { $0.isPythonSpace } }
        try step((text.count + characters.count) >> 2)
        let set = Set(characters.scalars)
        return text.trimmed(left: left, right: right) { set.contains($0) }
    }

    private func split(_ text: JinjaText, _ arguments: JinjaNamedArguments, fromRight: Bool) throws(AlpacaError) -> JinjaItem {
        let limit = try arguments.integer(1, "maxsplit") ?? -1
        let most = limit < 0 ? Int.max : limit
        var ranges: [Range<Int>]
        if let separator = try arguments.text(0, "sep") {
            guard !separator.isEmpty else { throw AlpacaError(.invalidArgument, "the separator of \"split\" is empty") }
            ranges = []
            if fromRight {
                let places = text.reversed().indices(of: separator.reversed(), limit: most)
                var end = text.count
                for place in places {
                    ranges.append(text.count - place..<end)
                    end = text.count - place - separator.count
                }
                ranges.append(0..<end)
                ranges.reverse()
            } else {
                var start = 0
                for place in text.indices(of: separator, limit: most) {
                    ranges.append(start..<place)
                    start = place + separator.count
                }
                ranges.append(start..<text.count)
            }
        } else {
            ranges = fromRight ? JinjaCase.wordsFromRight(text.scalars, most) : JinjaCase.words(text.scalars, most)
        }
        return try parts(of: text, ranges)
    }

    func parts(of text: JinjaText, _ ranges: [Range<Int>], _ kind: JinjaSequence.Kind = .list) throws(AlpacaError) -> JinjaItem {
        try checkCount(ranges.count)
        try make(text.count + 16 * ranges.count)
        try step(ranges.count)
        return try sequence(ranges.map { .text(text[$0]) }, kind)
    }

    func lines(_ text: JinjaText, keepsEnds: Bool) throws(AlpacaError) -> JinjaItem {
        var ranges: [Range<Int>] = []
        var start = 0, at = 0
        while at < text.count {
            let scalar = text.scalars[at]
            guard JinjaCase.endsLine(scalar) else {
                at += 1
                continue
            }
            let isPair = scalar == "\r" && at + 1 < text.count && text.scalars[at + 1] == "\n"
            let next = at + (isPair ? 2 : 1)
            ranges.append(start..<(keepsEnds ? next : at))
            start = next
            at = next
        }
        if start < text.count { ranges.append(start..<text.count) }
        return try parts(of: text, ranges)
    }

    private func hasEnd(_ text: JinjaText, _ arguments: JinjaNamedArguments, isPrefix: Bool) throws(AlpacaError) -> Bool {
        let wanted = try arguments.required(0, isPrefix ? "prefix" : "suffix")
        let part = text[try range(arguments, text.count)]
        func has(_ end: JinjaText) -> Bool { isPrefix ? part.hasPrefix(end) : part.hasSuffix(end) }
        if case .text(let end) = wanted { return has(end) }
        if case .sequence(let ends) = wanted, ends.kind == .tuple {
            for case .text(let end) in ends.items {
                try step()
                if has(end) { return true }
            }
            return false
        }
        if case .undefined(let what) = wanted { throw AlpacaError(.invalidArgument, what.description) }
        throw AlpacaError(.invalidArgument, "\(arguments.owner.quoted()) needs a text or a tuple of texts, found \(wanted.typeName)")
    }

    /// The optional start and end behind the first argument.
    private func range(_ arguments: JinjaNamedArguments, _ count: Int) throws(AlpacaError) -> Range<Int> {
        func place(_ value: Int) -> Int { min(max(value < 0 ? value &+ count : value, 0), count) }
        let start = place(try arguments.integer(1, "start") ?? 0), end = place(try arguments.integer(2, "end") ?? count)
        return start..<max(start, end)
    }

    func replaced(_ text: JinjaText, _ old: JinjaText, _ new: JinjaText, _ limit: Int) throws(AlpacaError) -> JinjaText {
        let most = limit < 0 ? Int.max : limit
        try step(text.count >> 4)
        // An empty text stands before each character and at the end.
        let places = old.isEmpty ? Array((0...text.count).prefix(most)) : text.indices(of: old, limit: most)
        guard !places.isEmpty else { return text }
        var result = JinjaText()
        var start = 0
        for place in places {
            try step(4)
            try append(text[start..<place], to: &result)
            try append(new, to: &result)
            start = place + old.count
        }
        try append(text[start..<text.count], to: &result)
        return result
    }

    func joined(_ items: [JinjaItem], by separator: JinjaText, isStrict: Bool = true) throws(AlpacaError) -> JinjaText {
        var result = JinjaText()
        for index in items.indices {
            try step(2)
            if index > 0 { try append(separator, to: &result) }
            if isStrict {
                guard case .text = items[index] else {
                    throw AlpacaError(.invalidArgument, found: "a value of type \(items[index].typeName) to join", expected: "texts")
                }
            }
            try append(try shown(items[index]), to: &result)
        }
        return result
    }

    private func find(_ name: String, _ text: JinjaText, _ arguments: JinjaNamedArguments) throws(AlpacaError) -> JinjaItem {
        let wanted = try arguments.requiredText(0, "sub")
        let range = try range(arguments, text.count)
        try step(text.count >> 4)
        if name == "count" {
            let part = text[range]
            return .integer(Int128(wanted.isEmpty ? part.count + 1 : part.indices(of: wanted).count))
        }
        var place: Int?
        if name.hasPrefix("r") {
            let turned = text[range].reversed().firstIndex(of: wanted.reversed(), in: 0..<range.count)
            place = turned.map { range.upperBound - $0 - wanted.count }
        } else {
            place = text.firstIndex(of: wanted, in: range)
        }
        if place == nil, name.hasSuffix("index") {
            throw AlpacaError(.invalidArgument, "the text that \(name.quoted()) looks for is not there")
        }
        return .integer(Int128(place ?? -1))
    }

    private func partition(_ text: JinjaText, _ separator: JinjaText, fromRight: Bool) throws(AlpacaError) -> JinjaItem {
        guard !separator.isEmpty else { throw AlpacaError(.invalidArgument, "the separator of \"partition\" is empty") }
        let place: Int?
        if fromRight {
            place = text.reversed().firstIndex(of: separator.reversed(), in: 0..<text.count).map { text.count - $0 - separator.count }
        } else {
            place = text.firstIndex(of: separator, in: 0..<text.count)
        }
        guard let place else {
            let whole = 0..<text.count
            return try parts(of: text, fromRight ? [0..<0, 0..<0, whole] : [whole, 0..<0, 0..<0], .tuple)
        }
        let end = place + separator.count
        return try parts(of: text, [0..<place, place..<end, end..<text.count], .tuple)
    }

    private func padded(_ name: String, _ text: JinjaText, _ arguments: JinjaNamedArguments) throws(AlpacaError) -> JinjaText {
        let width = try arguments.integer(0, "width") ?? 0
        let fill = name == "zfill" ? "0" : try arguments.text(1, "fillchar") ?? " "
        guard fill.count == 1 else { throw AlpacaError(.invalidArgument, "\(name.quoted()) fills with one character, found \(fill.count)") }
        let missing = width > text.count ? width - text.count : 0
        // Python puts the odd blank of an odd width to the left.
        let left = name == "ljust" ? 0 : name == "center" ? missing / 2 + (missing & width & 1) : missing
        let hasSign = name == "zfill" && (text.scalars.first == "-" || text.scalars.first == "+")
        var result = hasSign ? text[0..<1] : JinjaText()
        try append(try repeated(fill, Int128(left)), to: &result)
        try append(hasSign ? text[1..<text.count] : text, to: &result)
        try append(try repeated(fill, Int128(missing - left)), to: &result)
        return result
    }
}
