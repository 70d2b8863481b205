import Testing

@testable import AlpacaEngine

/// Conversations in any order of roles, and those that outgrow their context.
@Suite struct ConversationTests {
    private static let model = Result { try Model(path: MiniFamily.f16) }

    private func session(_ contextLength: Int = 256) throws -> Session {
        var options = Session.Options()
        options.contextLength = contextLength
        return try Self.model.get().makeSession(options)
    }

    private var parameters: GenerationParameters {
        var parameters = GenerationParameters()
        parameters.sampling.temperature = 0
        parameters.maxNewTokens = 8
        return parameters
    }

    private func message(_ role: ChatMessage.Role, _ content: String) -> ChatMessage { ChatMessage(role: role, content: content) }

    /// Every order of up to four roles, with every template: the text or an error, the system text once.
    @Test(arguments: ChatTemplate.allNames) func anyOrderOfRoles(name: String) throws {
        let template = try #require(KnownTemplate(rawValue: name))
        let roles = ChatMessage.Role.allCases
        var orders: [[ChatMessage.Role]] = [[]]
        for _ in 0..<4 { orders += orders.flatMap { order in roles.map { order + [$0] } } }
        var rendered = 0
        for order in Set(orders) {
            let messages = order.enumerated().map { message($1, "<\($0)>") }
            let isOrdered = order.last == .user && !order.dropFirst().contains(.system) && !order.contains(.tool)
            let text: String
            do {
                let segments = try template.render(Conversation(messages, systemPrompt: nil).messages())
                text = segments.map { segment in
                    switch segment {
                    case .text(let text), .answer(let text), .special(let text): text
                    case .bos, .eos: ""
                    }
                }.joined()
            } catch {
                let leads = order.first == .assistant || order.starts(with: [.system, .assistant])
                #expect(!isOrdered || name == "alpaca-2" && leads, "\(order)")
                #expect(error.code == .invalidArgument && error.message.hasPrefix("messages: "))
                continue
            }
            rendered += 1
            #expect(isOrdered, "\(order)")
            // Each message once, in order; the template's own system text only where there is none.
            var rest = text[...]
            for index in order.indices {
                let parts = rest.split(separator: "<\(index)>", maxSplits: 1, omittingEmptySubsequences: false)
                #expect(parts.count == 2, "\(order): \(text)")
                rest = parts.last ?? ""
                #expect(text.components(of: "<\(index)>") == 1)
            }
            let own = name == "alpaca-2" || name == "alpaca-3" ? ChatTemplate.systemDefault : ChatTemplate.instructionPreamble
            #expect(text.components(of: own) == (order.first == .system ? 0 : 1), "\(order): \(text)")
        }
        #expect(rendered > 10)
    }

    @Test func neighboursOfOneRoleAreOneMessage() throws {
        let conversation = try Conversation(
            [message(.user, "a"), message(.user, "b"), message(.assistant, "c"), message(.assistant, "d"), message(.user, "e")],
            systemPrompt: "s")
        #expect(
            conversation.messages()
                == [message(.system, "s"), message(.user, "a\nb"), message(.assistant, "c\nd"), message(.user, "e")])
    }

    /// A turn of ten tokens each time: the system text and the last message stay, and the beginning is the same for some turns.
    @Test func oldTurnsAreLeftOut() throws {
        var messages = [message(.system, "s")]
        var counts: [Int] = []
        for turn in 0..<40 {
            messages.append(message(.user, "\(turn)"))
            let conversation = try Conversation(messages, systemPrompt: nil)
            let count = try conversation.turnsToLeaveOut(limit: 100) { _ in 5 }
            let kept = conversation.messages(withoutTurns: count)
            #expect(kept.first == messages.first && kept.last == messages.last && kept.count * 5 <= 100)
            counts.append(count)
            messages.append(message(.assistant, "answer"))
        }
        #expect(counts == counts.sorted() && Set(counts).count < 12 && counts.last ?? 0 > 20)
        let long = try Conversation([message(.user, "a"), message(.assistant, "b"), message(.user, "c")], systemPrompt: nil)
        #expect(try long.turnsToLeaveOut(limit: 1) { _ in 5 } == 1)
    }

    @Test func aConversationOutgrowsItsContext() throws {
        let session = try session()
        var parameters = parameters
        parameters.contextShift = true
        var messages = [message(.system, "你是诗人。")]
        var leftOut = 0
        for turn in 0..<20 {
            messages.append(message(.user, "写一首关于山水的诗，第\(turn)首。"))
            var answer: [UInt8] = []
            let result = try session.chat(messages, parameters) { event in
                for i in event.text.indices { answer.append(event.text[i]) }
                return true
            }
            #expect(result.promptTokens <= 256 - 8)
            #expect(result.leftOutMessages >= leftOut)
            leftOut = result.leftOutMessages
            let seen = try Self.model.get().tokenizer.text(of: session.tokens())
            #expect(seen.contains("你是诗人。") && seen.contains("第\(turn)首。"))
            messages.append(message(.assistant, String(decoding: answer, as: UTF8.self)))
        }
        #expect(leftOut > 4)
        // A fresh session reads the same.
        let other = try self.session()
        messages.append(message(.user, "好"))
        _ = try session.chat(messages, parameters) { _ in true }
        _ = try other.chat(messages, parameters) { _ in true }
        #expect(try session.tokens() == other.tokens())
    }

    /// Too long, a bad option, a bad role: the session holds what it held.
    @Test func aFailedTurnChangesNothing() throws {
        let session = try session()
        _ = try session.chat([message(.user, "好")], parameters) { _ in true }
        let before = try session.tokens()
        let long = String(repeating: "山水风月", count: 100)
        #expect(alpacaError { _ = try session.chat([message(.user, long)], parameters) { _ in true } }?.code == .contextFull)
        var shifting = parameters
        shifting.contextShift = true
        #expect(alpacaError { _ = try session.chat([message(.user, long)], shifting) { _ in true } }?.code == .contextFull)
        var bad = parameters
        bad.sampling.temperature = -1
        #expect(alpacaError { _ = try session.chat([message(.user, "好")], bad) { _ in true } }?.code == .invalidArgument)
        #expect(alpacaError { _ = try session.chat([message(.assistant, "好")], parameters) { _ in true } }?.code == .invalidArgument)
        #expect(alpacaError { _ = try session.generate(tokens: [1, 1 << 30], parameters) { _ in true } }?.code == .invalidArgument)
        #expect(try session.tokens() == before)
    }

    @Test func aSystemTextIsNeverLost() throws {
        let session = try session()
        var parameters = parameters
        parameters.systemPrompt = "你是诗人。"
        for template in [TemplateChoice.automatic, .none] {
            parameters.template = template
            for messages in [[message(.user, "好")], [message(.user, "好"), message(.assistant, "是"), message(.user, "再来")]] {
                _ = try session.chat(messages, parameters) { _ in true }
                #expect(try Self.model.get().tokenizer.text(of: session.tokens()).contains("你是诗人。"))
            }
            _ = try session.generate("好", parameters) { _ in true }
            #expect(try Self.model.get().tokenizer.text(of: session.tokens()).contains("你是诗人。"))
        }
    }

    @Test func aContextBeyondTrainingIsWarnedOf() throws {
        let trained = try Self.model.get().configuration.contextLength
        #expect(try session(trained).warnings.isEmpty)
        let warnings = try session(trained + 1).warnings
        #expect(warnings.count == 1 && warnings[0].contains("\(trained + 1)") && warnings[0].contains("trained for \(trained)"))
        var options = Session.Options()
        options.contextLength = 2 * trained
        options.ropeScale = 2
        #expect(try Self.model.get().makeSession(options).warnings.isEmpty)
        // By 4 from 64 positions, which are all that the file calls its context.
        let yarn = try Model(path: FamilyFixtures.model("qwen2-yarn"))
        options = Session.Options()
        options.contextLength = 256
        #expect(try yarn.makeSession(options).warnings.isEmpty)
        options.contextLength = 257
        #expect(try yarn.makeSession(options).warnings.count == 1)
    }
}

extension String {
    /// How often `part` occurs.
    fileprivate func components(of part: String) -> Int { self.split(separator: part, omittingEmptySubsequences: false).count - 1 }
}
