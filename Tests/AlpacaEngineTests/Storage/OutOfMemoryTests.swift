// Large memory is asked for in one place (LargeMemory). Here each of its answers is no in turn, once and from then on, while models are
// opened, run, described and converted: the error is `outOfMemory`, or there is none where the work can do without, and the library goes on
// working. Each kind of work has a process of its own, since the place is everybody's. (The process itself short of memory: Tests/faults.)

import Foundation
import Testing

@testable import AlpacaEngine

@Suite struct OutOfMemoryTests {
    enum Work: String, CaseIterable, Codable, Sendable, CustomTestStringConvertible {
        case openGGUF, openLegacy, openSafetensors, openTorch, openCopied, session, generate, chat, tokenize, tokenizer, mergeTokenizers
        case inspectGGUF, inspectFolder, inspectAdapter, verify, convertGGUF, convertSafetensors, convertTorch, quantize

        var testDescription: String { rawValue }
        var needsFamily: Bool {
            switch self {
            case .openSafetensors, .openTorch, .inspectFolder, .inspectAdapter, .verify, .convertGGUF, .convertSafetensors, .convertTorch:
                true
            default: false
            }
        }
        /// Conversions take a while: only what is large in earnest is refused to them.
        var least: Int { rawValue.hasPrefix("convert") || self == .quantize ? 1 << 14 : 1 << 10 }
    }

    @Test(arguments: Work.allCases.filter { !$0.needsFamily }) func `every request refused`(_ work: Work) async {
        await #expect(processExitsWith: .success) { [work] in try Fixtures.withFolder { try Refusals(work: work, folder: $0).run() } }
    }

    @Test(arguments: Work.allCases.filter(\.needsFamily))
    func `every request refused, with the mini family`(_ work: Work) async {
        await #expect(processExitsWith: .success) { [work] in try Fixtures.withFolder { try Refusals(work: work, folder: $0).run() } }
    }
}

/// One kind of work, done again and again.
private struct Refusals {
    let work: OutOfMemoryTests.Work
    let folder: String

    private struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    func run() throws {
        let body = try prepare()
        func attempt(_ first: Int, persisting: Bool) -> AlpacaError? {
            LargeMemory.Faults.set(failing: first, persisting: persisting, least: work.least)
            defer { LargeMemory.Faults.clear() }
            return alpacaError { try body() }
        }
        if let error = attempt(0, persisting: false) { throw Failure(description: "without refusals: \(error.code): \(error)") }
        let count = LargeMemory.Faults.count
        if count == 0 { throw Failure(description: "nothing was asked for") }
        var refused = 0
        for persisting in [false, true] {
            for number in 1...count {
                let what = "request \(number) of \(count)\(persisting ? " and all later ones" : "")"
                if let error = attempt(number, persisting: persisting) {
                    refused += 1
                    if error.code != .outOfMemory { throw Failure(description: "\(what): \(error.code): \(error)") }
                }
                // No output, and nothing left of one.
                let litter = try FileManager.default.contentsOfDirectory(atPath: folder).filter { !$0.hasPrefix("in.") }
                if !litter.isEmpty { throw Failure(description: "\(what): left \(litter)") }
            }
        }
        if refused < count { throw Failure(description: "only \(refused) of \(2 * count) refusals were noticed") }
        if let error = attempt(0, persisting: false) { throw Failure(description: "afterwards: \(error.code): \(error)") }
    }

    /// What is done, with its files made and its models opened.
    private func prepare() throws -> () throws -> Void {
        var parameters = GenerationParameters()
        parameters.sampling = .greedy
        parameters.maxNewTokens = 4
        let base = MiniFamily.shared("mini-llama"), adapter = MiniFamily.shared("mini-chinese-llama-lora")
        switch work {
        case .openGGUF: return { _ = try Model(path: MiniFamily.f16) }
        case .openLegacy:
            let path = folder + "/in.legacy"
            try Data(LegacyBytes(GGUFReader(InputFile(path: MiniFamily.f16)), .ggjt3).build()).write(to: URL(fileURLWithPath: path))
            return { _ = try Model(path: path) }
        case .openSafetensors: return { _ = try Model(path: MiniFamily.shared("merged-chinese-alpaca-hf")) }
        case .openTorch: return { _ = try Model(path: MiniFamily.shared("mini-llama-meta")) }
        case .openCopied:
            var options = Model.Options()
            options.usesMemoryMap = false
            return { [options] in _ = try Model(path: MiniFamily.q8_0, options: options) }
        case .session:
            let model = try Model(path: MiniFamily.q8_0)
            return { _ = try model.makeSession() }
        case .generate:
            let model = try Model(path: MiniFamily.q8_0)
            return { [parameters] in
                _ = try model.makeSession().generate(String(repeating: "山中何所有", count: 30), parameters) { _ in true }
            }
        case .chat:
            let session = try Model(path: MiniFamily.q8_0).makeSession()
            let turn = ChatMessage(role: .user, content: String(repeating: "写一首诗", count: 60))
            return { [parameters] in
                try session.truncate(to: 0)
                _ = try session.chat([turn], parameters) { _ in true }
            }
        case .tokenize:
            let tokenizer = try Tokenizer(path: Fixtures.golden("tokenizers/mini_chinese_llama.model").path)
            // Words, and a part that no join can leave.
            let text = Array(String(repeating: "白日依山尽, the sun. ", count: 100).utf8) + [UInt8](repeating: 0x61, count: 3_000)
            let expected = tokenizer.encode(utf8: text)
            return {
                guard try tokenizer.ids(of: text) == expected else { throw AlpacaError(.internalError, "other ids than without requests") }
                _ = try tokenizer.text(of: expected)
            }
        case .tokenizer: return { _ = try Tokenizer(path: Fixtures.golden("tokenizers/mini_chinese_llama.model").path) }
        case .mergeTokenizers:
            let tokenizer = try Tokenizer(path: Fixtures.golden("tokenizers/mini_llama.model").path)
            return { _ = try tokenizer.merging(piecesOf: Fixtures.golden("tokenizers/mini_chinese_sp.model").path) }
        case .inspectGGUF: return { _ = try Inspection(path: MiniFamily.f16).json() }
        case .inspectFolder: return { _ = try Inspection(path: base).json() }
        case .inspectAdapter: return { _ = try Inspection(path: adapter).json() }
        case .verify: return { _ = try Verifier.verify(paths: [base]).json() }
        case .convertGGUF: return conversion(.gguf, base, [adapter])
        case .convertSafetensors: return conversion(.huggingFace, base, [adapter])
        case .convertTorch: return conversion(.meta, MiniFamily.shared("mini-llama-meta"), [adapter])
        case .quantize: return conversion(.gguf, MiniFamily.f16, [], "Q4_K_M")
        }
    }

    private func conversion(
        _ format: OutputFormat, _ base: String, _ adapters: [String], _ type: String? = nil
    ) -> () throws -> Void {
        var options = ConversionOptions(base: base, output: folder + "/out")
        options.adapters = adapters.map { .init(path: $0) }
        options.format = format
        options.quantization = type
        return { [options, folder] in
            defer { try? FileManager.default.removeItem(atPath: folder + "/out") }
            do {
                _ = try Converter.convert(options)
            } catch {
                guard !FileManager.default.fileExists(atPath: folder + "/out") else {
                    throw AlpacaError(.internalError, "an output of a conversion that failed: \(error)")
                }
                throw error
            }
        }
    }
}
