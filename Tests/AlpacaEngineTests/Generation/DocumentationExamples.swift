// The Swift examples of docs/embedding.md, compiled and run; a test of the documentation compares the two.

import AlpacaEngine
import Testing

/// Models are named relative to the repository, where tests run.
@Suite struct DocumentationExamplesTests {
    @Test func streamed() async throws { try await DocumentationExamples.streamed() }
    @Test func conversation() throws { try DocumentationExamples.conversation() }
    @Test func tokens() throws { try DocumentationExamples.tokens() }
    @Test func together() throws { try DocumentationExamples.together() }
}

enum DocumentationExamples {
    static func streamed() async throws {
        let model = try Model(path: "models/mini/chinese-alpaca-mini-q8_0.gguf")
        let session = try model.makeSession()
        for try await piece in session.generate("写一首五言绝句，题目是《山中》") {
            print(piece, terminator: "")
        }
    }

    static func conversation() throws {
        let model = try Model(path: "models/mini/chinese-alpaca-mini-q8_0.gguf")
        let session = try model.makeSession()
        var parameters = GenerationParameters()
        parameters.sampling = .greedy
        parameters.maxNewTokens = 100
        let messages = [ChatMessage(role: .user, content: "写一首五言绝句，题目是《秋夜》")]
        var answer: [UInt8] = []
        let result = try session.chat(messages, parameters) { event in
            for i in event.text.indices { answer.append(event.text[i]) }
            return true
        }
        print(String(decoding: answer, as: UTF8.self), result.finishReason)
    }

    static func tokens() throws {
        let model = try Model(path: "models/mini/chinese-alpaca-mini-q8_0.gguf")
        let session = try model.makeSession()
        try session.append(model.tokenizer.encode("白日依山尽，", addBOS: true))
        let best = try session.sample(.greedy)
        print(model.tokenizer.piece(best) ?? "")
    }

    static func together() throws {
        let model = try Model(path: "models/mini/chinese-alpaca-mini-q8_0.gguf")
        let texts = ["白日依山尽，", "春眠不觉晓，"]
        var inputs = try texts.map { (session: try model.makeSession(), ids: model.tokenizer.encode($0, addBOS: true)) }
        for _ in 0..<5 {
            try Session.step(inputs)
            for i in inputs.indices { inputs[i].ids = [try inputs[i].session.sample(.greedy)] }
        }
        for input in inputs { print(model.tokenizer.decode(try input.session.tokens())) }
    }
}
