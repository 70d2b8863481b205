#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

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

/// A thread for one piece of work that takes long: Swift's own cooperative threads must not be kept busy.
private enum BackgroundThread {
    private final class Work: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    static func start(_ body: @escaping @Sendable () -> Void) {
        let argument = unsafe Unmanaged.passRetained(Work(body)).toOpaque()
        var all = sigset_t()
        var before = sigset_t()
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
        var thread = pthread_t()
        let failed = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                // Balances passRetained above.
                unsafe Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            }, argument)
        if failed == 0 {
            pthread_detach(thread)
        } else {
            // No thread to be had: the caller's does the work.
            unsafe Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
        }
    }
}
