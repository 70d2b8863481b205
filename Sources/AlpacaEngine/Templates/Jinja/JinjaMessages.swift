// Messages as templates expect them. transformers prepares them in this way, and templates are written against it.
extension JinjaValue {
    /// A conversation: null members are left out, because many templates fail on them and none on missing ones; what the model thought stands
    /// under `reasoning_content` and `thinking`, whichever of `reasoning_content`, `thinking` and `reasoning` the caller used.
    package static func conversation(_ messages: [JinjaValue]) throws(AlpacaError) -> JinjaValue {
        var prepared: [JinjaValue] = []
        prepared.reserveCapacity(messages.count)
        for (number, message) in messages.enumerated() {
            guard case .dictionary(let all) = message else {
                throw AlpacaError(.invalidArgument, at: "message \(number + 1)", found: "no object", expected: "one with role and content")
            }
            var members = all.filter { if case .none = $0.value { false } else { true } }
            let names: [JinjaText] = ["reasoning_content", "thinking", "reasoning"]
            let thought = names.lazy.compactMap { name in members.last { $0.key == name }?.value }.first
            if let thought {
                // `thinking` comes first, with the caller's own if there is one; `reasoning_content` last, if it has no place yet.
                let own = members.last { $0.key == "thinking" }?.value
                members.removeAll { $0.key == "thinking" }
                members.insert(("thinking", own ?? thought), at: 0)
                if let place = members.lastIndex(where: { $0.key == "reasoning_content" }) {
                    members[place].value = thought
                } else {
                    members.append(("reasoning_content", thought))
                }
            }
            prepared.append(.dictionary(members))
        }
        return .list(prepared)
    }

    /// The same from JSON.
    package static func conversation(_ json: JSONValue) throws(AlpacaError) -> JinjaValue {
        var messages: [JinjaValue] = []
        for message in try json.array() { messages.append(JinjaValue(message)) }
        return try conversation(messages)
    }
}
