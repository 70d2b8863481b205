import AlpacaEngine
import ArgumentParser

/// The model and the session that a command works with.
struct ModelOptions: ParsableArguments {
    /// What opens as a model, for the help of every command.
    static let modelHelp: ArgumentHelp =
        "The model: a GGUF file, an older file of llama.cpp, a Hugging Face or Meta folder, or the name of a downloaded model of the hub."

    @Argument(help: modelHelp, completion: .file(), transform: Value.path)
    var model: String

    @Option(
        name: [.customShort("c"), .customLong("n-ctx")], parsing: .unconditional,
        help: "Positions that the session can hold; 0: the model's own.")
    var contextLength = Session.Options().contextLength

    @Option(
        name: [.customShort("b"), .customLong("n-batch")], parsing: .unconditional, help: "Tokens of the prompt that are computed together."
    )
    var batchSize = Session.Options().batchSize

    @Option(name: [.customShort("t"), .customLong("n-threads")], parsing: .unconditional, help: "Threads; 0: one on each core.")
    var threads = 0

    @Option(name: .customLong("kv-cache"), help: "Type of the key and value cache.")
    var cache = CacheName(Session.Options().keyType)

    @OptionGroup var rope: RopeOptions

    @Flag(
        name: .customLong("grow-on-demand"),
        help: "Take memory for the context as it fills, instead of being promised all of it at the start.")
    var growsOnDemand = Session.Options().growsOnDemand

    @Flag(
        name: .customLong("mmap"), inversion: .prefixedNo,
        help: "Map the file, or read all of it into memory; without either, files on network file systems are read.")
    var usesMemoryMap: Bool?

    /// - Parameter namesTemplate: whether the user says which template prompts get, so that nothing has to be said of the model's own.
    func open(namesTemplate: Bool) throws -> Model {
        var options = Model.Options()
        options.usesMemoryMap = usesMemoryMap
        return try Model(warningOf: model, options, ofTemplate: !namesTemplate)
    }

    func session(_ model: Model) throws -> Session {
        var options = Session.Options()
        options.contextLength = contextLength
        options.batchSize = batchSize
        options.threadCount = threads
        options.keyType = cache.type
        options.valueType = cache.type
        options.growsOnDemand = growsOnDemand
        rope.apply(to: &options)
        return try model.makeWarningSession(options)
    }
}

extension Model {
    /// Opens a model, and says on standard error what is unusual about it.
    ///
    /// - Parameter ofTemplate: whether the template is used, so that what is unusual of it matters.
    convenience init(warningOf path: String, _ options: Options = Options(), ofTemplate: Bool = false) throws {
        try self.init(path: path, options: options)
        for warning in description.warnings where ofTemplate || warning != modelTemplate.warning { Console.warn(warning) }
    }

    /// Makes a session, and says what is unusual about it.
    func makeWarningSession(_ options: Session.Options) throws -> Session {
        let session = try makeSession(options)
        for warning in session.warnings { Console.warn(warning) }
        return session
    }
}

/// Types of the key and value cache by name, in any case. The engine's own have numbers, which help would show.
enum CacheName: String, ExpressibleByArgument, CaseIterable {
    case f16, f32, q8_0

    init(_ type: CacheType) {
        switch type {
        case .f16: self = .f16
        case .f32: self = .f32
        case .q8_0: self = .q8_0
        }
    }

    init?(argument: String) { self.init(rawValue: argument.lowercased()) }

    var type: CacheType {
        switch self {
        case .f16: .f16
        case .f32: .f32
        case .q8_0: .q8_0
        }
    }
}

/// What a seed is given as: -1 draws one.
struct Seed: ExpressibleByArgument {
    let value: UInt64?

    init?(argument: String) {
        value = UInt64(argument)
        if value == nil, argument != "-1" { return nil }
    }
}

/// How text is continued. The defaults are the engine's.
struct GenerationOptions: ParsableArguments {
    @Option(
        name: [.customShort("n"), .customLong("max-new-tokens")], parsing: .unconditional,
        help: "Tokens to write at most; 0 or -1: until the context is full.")
    var maxNewTokens = GenerationParameters().maxNewTokens

    @Option(parsing: .unconditional, help: "0: always the likeliest token.")
    var temperature = SamplingParameters().temperature

    @Option(name: .customLong("top-k"), parsing: .unconditional, help: "Choose among the k likeliest tokens; 0: off.")
    var topK = SamplingParameters().topK

    @Option(
        name: .customLong("top-p"), parsing: .unconditional, help: "Choose among the likeliest tokens that share this probability; 1: off.")
    var topP = SamplingParameters().topP

    @Option(
        name: .customLong("min-p"), parsing: .unconditional,
        help: "Leave out tokens less likely than this share of the likeliest one's; 0: off.")
    var minP = SamplingParameters().minP

    @Option(name: .customLong("repetition-penalty"), parsing: .unconditional, help: "1: off.")
    var repetitionPenalty = SamplingParameters().repetitionPenalty

    @Option(
        name: .customLong("repeat-last-n"), parsing: .unconditional, help: "Tokens that the penalties look back on; -1: all, 0: off.")
    var repeatLastN = SamplingParameters().repeatLastN

    @Option(
        name: .customLong("presence-penalty"), parsing: .unconditional, help: "Taken from the logit of each token that occurred; 0: off.")
    var presencePenalty = SamplingParameters().presencePenalty

    @Option(
        name: .customLong("frequency-penalty"), parsing: .unconditional, help: "The same, once for each time that it occurred; 0: off.")
    var frequencyPenalty = SamplingParameters().frequencyPenalty

    @Option(
        name: [.customShort("s"), .long], parsing: .unconditional,
        help: "The same seed writes the same text; -1, and without: a random one.")
    var seed: Seed?

    @Option(
        parsing: .unconditionalSingleValue, help: "Stop when this text appears; may be given several times.", transform: Value.word)
    var stop: [String] = []

    @OptionGroup var templates: TemplateOptions

    @Option(parsing: .unconditional, help: "System text; without a template it is the first line.", transform: Value.text)
    var system: String?

    @Flag(name: .customLong("ignore-eos"), help: "Go on when the model ends its answer.")
    var ignoresEndOfSequence = false

    @Flag(name: .customLong("show-special"), help: "Show special tokens of the answer by their names.")
    var showsSpecialTokens = false

    @Flag(name: .customLong("context-shift"), help: "When the context is full, forget the oldest and go on, instead of stopping.")
    var contextShift = false

    @Option(
        name: .customLong("n-keep"), parsing: .unconditional,
        help: "First tokens that --context-shift keeps; -1: the prompt, as long as it takes at most half of the context.")
    var keepTokens: Int?

    var namesTemplate: Bool { templates.namesTemplate }

    func parameters() throws -> GenerationParameters {
        var parameters = GenerationParameters()
        parameters.maxNewTokens = maxNewTokens == -1 ? 0 : maxNewTokens
        parameters.sampling.temperature = temperature
        parameters.sampling.topK = topK
        parameters.sampling.topP = topP
        parameters.sampling.minP = minP
        parameters.sampling.repetitionPenalty = repetitionPenalty
        parameters.sampling.repeatLastN = repeatLastN
        parameters.sampling.presencePenalty = presencePenalty
        parameters.sampling.frequencyPenalty = frequencyPenalty
        parameters.sampling.seed = seed?.value
        parameters.stop = stop
        parameters.systemPrompt = system
        parameters.contextShift = contextShift
        parameters.ignoresEndOfSequence = ignoresEndOfSequence
        if let keepTokens { parameters.keepTokens = keepTokens }
        parameters.showsSpecialTokens = showsSpecialTokens
        parameters.template = try templates.choice()
        parameters.templateInput = try templates.input()
        return parameters
    }

    /// Says which options have no effect beside others.
    func warn() {
        let defaults = SamplingParameters()
        if temperature == 0 {
            let idle = [
                (topK != defaults.topK, "--top-k"), (topP != defaults.topP, "--top-p"), (minP != defaults.minP, "--min-p"),
            ].filter(\.0).map(\.1)
            if !idle.isEmpty {
                Console.warn("\(idle.joined(separator: ", ")): no effect, --temperature 0 always takes the likeliest token")
            }
        }
        let penalties = [
            (repetitionPenalty != 1, "--repetition-penalty"), (presencePenalty != 0, "--presence-penalty"),
            (frequencyPenalty != 0, "--frequency-penalty"),
        ].filter(\.0).map(\.1)
        if repeatLastN == 0, presencePenalty != 0 || frequencyPenalty != 0 || repetitionPenalty != defaults.repetitionPenalty {
            Console.warn("\(penalties.joined(separator: ", ")): no effect, --repeat-last-n 0 looks back on nothing")
        } else if repeatLastN != defaults.repeatLastN, penalties.isEmpty {
            Console.warn("--repeat-last-n: no effect, there is no penalty that looks back")
        }
        if keepTokens != nil, !contextShift { Console.warn("--n-keep: no effect without --context-shift") }
    }
}
