/// A conversation as templates take it: a system text or none, then turns. For templates that this library knows by name roles alternate; those in
/// Jinja get the messages as they are.
package struct Conversation {
    private(set) var system: ChatMessage?
    /// Each begins with the user's message, but the first one if the assistant spoke first; the last one is what is to be answered.
    private(set) var turns: [[ChatMessage]]

    /// - Parameters:
    ///   - messages: in any order that people produce. Neighbours of one role, such as two messages of the user, become one, with a line end
    ///     between them.
    ///   - systemPrompt: takes the place of a system message where there is none.
    ///   - endsWithUser: whether the last one must be the user's.
    /// - Throws: `invalidArgument` when a system message stands behind others, or the last is not the user's.
    package init(_ messages: [ChatMessage], systemPrompt: String?, endsWithUser: Bool = true) throws(AlpacaError) {
        var rest = messages[...]
        if rest.first?.role == .system { system = rest.removeFirst() }
        guard !rest.contains(where: { $0.role == .system }) else {
            throw AlpacaError(.invalidArgument, "messages: a system message must be the first, and the only one")
        }
        if let systemPrompt, system == nil { system = ChatMessage(role: .system, content: systemPrompt) }
        guard let end = rest.last?.role, end == .user || !endsWithUser else {
            throw AlpacaError(
                .invalidArgument, "messages: the last one must be the user's, found \(messages.last?.role.rawValue ?? "none")")
        }
        guard !rest.contains(where: { $0.role == .tool }) else {
            throw AlpacaError(.invalidArgument, "messages: found one of a tool, for which the template has no place")
        }
        turns = []
        var last: ChatMessage?
        for message in rest {
            if last?.role == message.role {
                turns[turns.count - 1][turns[turns.count - 1].count - 1].content += "\n" + message.content
            } else if message.role == .user || turns.isEmpty {
                turns.append([message])
            } else {
                turns[turns.count - 1].append(message)
            }
            last = message
        }
    }

    /// The messages as they are: whether their roles make sense, a template in Jinja says. A turn begins with what the user says first after
    /// somebody else.
    ///
    /// - Throws: `invalidArgument` when there is none, and when the last one is the assistant's and not to be continued, or the other way round.
    package init(asGiven messages: [ChatMessage], systemPrompt: String?, continues: Bool) throws(AlpacaError) {
        var rest = messages[...]
        if rest.first?.role == .system { system = rest.removeFirst() }
        guard let end = messages.last?.role else {
            throw AlpacaError(.invalidArgument, "messages: found none, expected at least one")
        }
        if let systemPrompt, system == nil { system = ChatMessage(role: .system, content: systemPrompt) }
        guard (end == .assistant) == continues else {
            let expected = continues ? "the assistant's, which is to be continued" : "somebody else's, unless it is to be continued"
            throw AlpacaError(.invalidArgument, "messages: the last one is \(end.rawValue)'s, expected \(expected)")
        }
        turns = []
        var last: ChatMessage.Role?
        for message in rest {
            if turns.isEmpty || message.role == .user && last != .user {
                turns.append([message])
            } else {
                turns[turns.count - 1].append(message)
            }
            last = message.role
        }
    }

    /// All messages, without the first `count` turns.
    func messages(withoutTurns count: Int = 0) -> [ChatMessage] { (system.map { [$0] } ?? []) + turns.dropFirst(count).joined() }

    /// How many turns at the beginning are to be left out of a prompt of at most `limit` tokens. Half of the room is cleared each time that a
    /// turn doesn't fit: so the beginning stays the same for some turns, and what was read of it needs not be read again. It follows from the
    /// conversation alone. The last turn is never left out.
    ///
    /// - Parameter length: the tokens of a message, about.
    func turnsToLeaveOut(limit: Int, length: (ChatMessage) throws(AlpacaError) -> Int) throws(AlpacaError) -> Int {
        let fixed = try system.map { (message) throws(AlpacaError) in try length(message) } ?? 0
        var lengths: [Int] = []
        var size = fixed
        var first = 0
        for turn in turns {
            var sum = 0
            for message in turn { sum += try length(message) }
            lengths.append(sum)
            size += sum
            guard size > limit else { continue }
            let goal = fixed + max(0, limit - fixed) / 2
            while size > goal, first < lengths.count - 1 {
                size -= lengths[first]
                first += 1
            }
        }
        return first
    }
}
