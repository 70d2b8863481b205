import AlpacaEngine
import ArgumentParser

/// The model and the session that a command works with.
struct ModelOptions: ParsableArguments {
    @Argument(help: "The model: a GGUF file, or an old ggml file of llama.cpp.", completion: .file())
    var model: String

    @Option(name: [.customShort("c"), .customLong("n-ctx")], help: "Positions that the session can hold; 0: the model's own.")
    var contextLength = Session.Options().contextLength

    @Option(name: [.customShort("b"), .customLong("n-batch")], help: "Tokens of the prompt that are computed together.")
    var batchSize = Session.Options().batchSize

    @Option(name: [.customShort("t"), .customLong("n-threads")], help: "Threads; 0: one on each core.")
    var threads = 0

    @Option(name: .customLong("kv-cache"), help: "Type of the key and value cache: f16, f32 or q8_0.")
    var cacheType = Session.Options().keyType

    @Flag(
        name: .customLong("grow-on-demand"),
        help: "Take memory for the context as it fills, instead of being promised all of it at the start.")
    var growsOnDemand = Session.Options().growsOnDemand

    @Flag(
        name: .customLong("mmap"), inversion: .prefixedNo,
        help: "Map the file, or read all of it into memory; without either, files on network file systems are read.")
    var usesMemoryMap: Bool?

    func open() throws -> Model {
        var options = Model.Options()
        options.usesMemoryMap = usesMemoryMap
        return try Model(path: model, options: options)
    }

    func session(_ model: Model) throws -> Session {
        var options = Session.Options()
        options.contextLength = contextLength
        options.batchSize = batchSize
        options.threadCount = threads
        options.keyType = cacheType
        options.valueType = cacheType
        options.growsOnDemand = growsOnDemand
        return try model.makeSession(options)
    }
}

extension CacheType: ExpressibleByArgument {
    public init?(argument: String) {
        switch argument {
        case "f16": self = .f16
        case "f32": self = .f32
        case "q8_0": self = .q8_0
        default: return nil
        }
    }
}

/// How text is continued. The defaults are the engine's.
struct GenerationOptions: ParsableArguments {
    @Option(name: [.customShort("n"), .customLong("max-new-tokens")], help: "Tokens to write at most; 0: until the context is full.")
    var maxNewTokens = GenerationParameters().maxNewTokens

    @Option(name: [.customLong("temperature"), .customLong("temp")], help: "0: always the likeliest token.")
    var temperature = SamplingParameters().temperature

    @Option(name: .customLong("top-k"), help: "Choose among the k likeliest tokens; 0: off.")
    var topK = SamplingParameters().topK

    @Option(name: .customLong("top-p"), help: "Choose among the likeliest tokens that share this probability; 1: off.")
    var topP = SamplingParameters().topP

    @Option(name: .customLong("min-p"), help: "Leave out tokens less likely than this share of the likeliest one's; 0: off.")
    var minP = SamplingParameters().minP

    @Option(name: [.customLong("repetition-penalty"), .customLong("repeat-penalty")], help: "1: off.")
    var repetitionPenalty = SamplingParameters().repetitionPenalty

    @Option(name: .customLong("repeat-last-n"), help: "Tokens that the penalties look back on; -1: all, 0: off.")
    var repeatLastN = SamplingParameters().repeatLastN

    @Option(name: .customLong("presence-penalty"))
    var presencePenalty = SamplingParameters().presencePenalty

    @Option(name: .customLong("frequency-penalty"))
    var frequencyPenalty = SamplingParameters().frequencyPenalty

    @Option(name: [.customShort("s"), .long], help: "The same seed writes the same text; by default it is random.")
    var seed: UInt64?

    @Option(help: "Stop when this text appears; may be given several times.")
    var stop: [String] = []

    @Option(help: "Prompt template: auto, none, or \(ChatTemplate.allNames.joined(separator: ", ")).")
    var template = "auto"

    @Option(help: "System text, for templates that have one.")
    var system: String?

    @Flag(name: .customLong("ignore-eos"), help: "Go on when the model ends its answer.")
    var ignoresEndOfSequence = false

    @Flag(name: .customLong("context-shift"), help: "When the context is full, forget half of it and go on, instead of stopping.")
    var contextShift = false

    func parameters() throws -> GenerationParameters {
        var parameters = GenerationParameters()
        parameters.maxNewTokens = maxNewTokens
        parameters.sampling.temperature = temperature
        parameters.sampling.topK = topK
        parameters.sampling.topP = topP
        parameters.sampling.minP = minP
        parameters.sampling.repetitionPenalty = repetitionPenalty
        parameters.sampling.repeatLastN = repeatLastN
        parameters.sampling.presencePenalty = presencePenalty
        parameters.sampling.frequencyPenalty = frequencyPenalty
        parameters.sampling.seed = seed
        parameters.stop = stop
        parameters.systemPrompt = system
        parameters.contextShift = contextShift
        parameters.ignoresEndOfSequence = ignoresEndOfSequence
        switch template {
        case "auto": parameters.template = .automatic
        case "none": parameters.template = .none
        default:
            guard let named = ChatTemplate(name: template) else {
                throw ValidationError(
                    "--template: found \"\(template)\", expected auto, none, \(ChatTemplate.allNames.joined(separator: ", "))")
            }
            parameters.template = .named(named)
        }
        return parameters
    }
}
