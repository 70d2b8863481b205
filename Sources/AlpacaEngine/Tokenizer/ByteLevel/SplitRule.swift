/// How a text is cut into words before byte pairs are joined: the published patterns, each with a scanner of its own (``WordScanner``). The
/// patterns are regular expressions; the leftmost match counts, and of its alternatives the first.
enum SplitRule: Sendable, Equatable {
    /// Llama 3's pattern; numbers are cut after so many digits. Qwen's is the same with one.
    case llama(digits: Int)
    case gpt2
    /// Each digit alone, then GPT-2's pattern on what is between them.
    case smollm
    /// deepseek-llm's six patterns, one after the other.
    case deepseek

    /// The rule that GGUF's `tokenizer.ggml.pre` names.
    struct Named {
        let rule: SplitRule
        /// Whether a text is put into normalization form C first: the files don't say so, the models were trained so.
        var normalizes = false
        /// What the name implies where the file says nothing else.
        var ignoresMerges = false
        var addsBOS = false

        static func find(_ name: String) -> Named? {
            switch name {
            case "llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral":
                Named(rule: .llama(digits: 3), ignoresMerges: true, addsBOS: true)
            case "smaug-bpe", "dbrx": Named(rule: .llama(digits: 3))
            case "qwen2", "deepseek-r1-qwen", "stablelm2", "hunyuan": Named(rule: .llama(digits: 1), normalizes: true)
            case "smollm", "starcoder", "refact", "command-r", "codeshell": Named(rule: .smollm)
            case "gpt-2", "phi-2", "mpt", "olmo", "jais": Named(rule: .gpt2)
            case "deepseek-llm": Named(rule: .deepseek)
            default: nil
            }
        }

        /// The names, one of each rule.
        static let names = ["llama-bpe", "qwen2", "smollm", "gpt-2", "deepseek-llm"]

        /// The name for a vocabulary that comes without one: files made before May 2024. What is known of the published ones decides.
        static func infer(count: Int, id: (String) -> TokenID?) -> String? {
            if count == 128_256, id("<|begin_of_text|>") != nil { return "llama-bpe" }
            if count >= 151_643, id("<|endoftext|>") != nil, id("<|im_start|>") != nil { return "qwen2" }
            if count == 49_152, id("<|im_start|>") == 1 { return "smollm" }
            if count == 50_257, id("<|endoftext|>") != nil { return "gpt-2" }
            return count == 102_400 ? "deepseek-llm" : nil
        }
    }
}
