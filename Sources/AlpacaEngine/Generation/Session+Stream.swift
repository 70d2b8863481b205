extension Session {
    /// The answer to `prompt`, piece by piece, for `for try await`. It is written on a thread of its own; leaving the loop stops it.
    public func generate(_ prompt: String, _ parameters: GenerationParameters = .init()) -> AsyncThrowingStream<String, any Error> {
        stream { session, onText throws(AlpacaError) in
            try session.generate(prompt, parameters) { event in onText(event.text) }
        }
    }

    /// The answer to the last message of a conversation, piece by piece.
    public func chat(_ messages: [ChatMessage], _ parameters: GenerationParameters = .init()) -> AsyncThrowingStream<String, any Error> {
        stream { session, onText throws(AlpacaError) in
            try session.chat(messages, parameters) { event in onText(event.text) }
        }
    }

    private typealias Work = @Sendable (Session, (Span<UInt8>) -> Bool) throws(AlpacaError) -> GenerationResult

    private func stream(_ work: @escaping Work) -> AsyncThrowingStream<String, any Error> {
        AsyncThrowingStream { continuation in
            let stopped = CancelFlag()
            continuation.onTermination = { [self] reason in
                stopped.set()
                if case .cancelled = reason { cancel() }
            }
            BackgroundThread.start { [self] in
                do throws(AlpacaError) {
                    let result = try work(self) { text in
                        if !text.isEmpty {
                            var bytes: [UInt8] = []
                            for i in text.indices { bytes.append(text[i]) }
                            continuation.yield(String(decoding: bytes, as: UTF8.self))
                        }
                        return !stopped.isSet
                    }
                    continuation.finish(
                        throwing: result.finishReason == .cancelled && !stopped.isSet ? Session.cancelled : nil)
                } catch {
                    continuation.finish(throwing: error)
                }
            }
        }
    }
}
