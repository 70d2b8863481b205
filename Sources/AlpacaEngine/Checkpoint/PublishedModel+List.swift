// The list itself. Names on the hub and what needs what are those of the projects' own pages. After a change `make models-page` writes
// docs/models.md anew.

extension PublishedModel {
    package static let all: [PublishedModel] = list.split(separator: "\n").compactMap { line in
        let fields = line.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        guard fields.count == 13, let shape = PublishedShape(rawValue: fields[6]), let rows = Int(fields[7]), let context = Int(fields[8])
        else {
            return nil
        }
        func optional(_ field: Int) -> String? { fields[field].isEmpty ? nil : fields[field] }
        return PublishedModel(
            name: fields[0], whole: optional(1), adapter: optional(2), gguf: optional(3), base: optional(4), before: optional(5),
            shape: shape,
            vocabularySize: rows, contextLength: context, scaling: fields[9], template: fields[10], licence: fields[11],
            adapterSize: optional(12))
    }

    /// Lines of the list, for a test that none is lost.
    static var lineCount: Int { list.split(separator: "\n").count }

    // name | whole | adapter | GGUF | base | adapter before | shape | rows | context | scaling | template | licence | adapter's size
    private static let list = """
        LLaMA-7B||||||7B|32000|2048||none|LLaMA (research)|
        LLaMA-13B||||||13B|32000|2048||none|LLaMA (research)|
        LLaMA-33B||||||33B|32000|2048||none|LLaMA (research)|
        Llama-2-7B|meta-llama/Llama-2-7b-hf|||||2-7B|32000|4096||none|Llama 2|
        Llama-2-13B|meta-llama/Llama-2-13b-hf|||||2-13B|32000|4096||none|Llama 2|
        Meta-Llama-3-8B|meta-llama/Meta-Llama-3-8B|||||3-8B|128256|8192||none|Llama 3|
        Meta-Llama-3-8B-Instruct|meta-llama/Meta-Llama-3-8B-Instruct|||||3-8B|128256|8192||alpaca-3|Llama 3|
        Mixtral-8x7B-v0.1|mistralai/Mixtral-8x7B-v0.1|||||8x7B|32000|32768||none|Apache-2.0|
        Chinese-LLaMA-7B||hfl/chinese-llama-lora-7b||LLaMA-7B||7B|49953|2048||none|LLaMA (research)|770 MB
        Chinese-LLaMA-13B||hfl/chinese-llama-lora-13b||LLaMA-13B||13B|49953|2048||none|LLaMA (research)|1.0 GB
        Chinese-LLaMA-33B||hfl/chinese-llama-lora-33b||LLaMA-33B||33B|49953|2048||none|LLaMA (research)|2.7 GB
        Chinese-LLaMA-Plus-7B||hfl/chinese-llama-plus-lora-7b||LLaMA-7B||7B|49953|2048||none|LLaMA (research)|790 MB
        Chinese-LLaMA-Plus-13B||hfl/chinese-llama-plus-lora-13b||LLaMA-13B||13B|49953|2048||none|LLaMA (research)|1.0 GB
        Chinese-LLaMA-Plus-33B||hfl/chinese-llama-plus-lora-33b||LLaMA-33B||33B|49953|2048||none|LLaMA (research)|1.3 GB
        Chinese-Alpaca-7B||hfl/chinese-alpaca-lora-7b||LLaMA-7B||7B|49954|2048||alpaca|LLaMA (research)|790 MB
        Chinese-Alpaca-13B||hfl/chinese-alpaca-lora-13b||LLaMA-13B||13B|49954|2048||alpaca|LLaMA (research)|1.1 GB
        Chinese-Alpaca-33B||hfl/chinese-alpaca-lora-33b||LLaMA-33B||33B|49954|2048||alpaca|LLaMA (research)|2.8 GB
        Chinese-Alpaca-Plus-7B||hfl/chinese-alpaca-plus-lora-7b||LLaMA-7B|Chinese-LLaMA-Plus-7B|7B|49954|2048||alpaca|LLaMA (research)|1.1 GB
        Chinese-Alpaca-Plus-13B||hfl/chinese-alpaca-plus-lora-13b||LLaMA-13B|Chinese-LLaMA-Plus-13B|13B|49954|2048||alpaca|LLaMA (research)|1.3 GB
        Chinese-Alpaca-Plus-33B||hfl/chinese-alpaca-plus-lora-33b||LLaMA-33B|Chinese-LLaMA-Plus-33B|33B|49954|2048||alpaca|LLaMA (research)|2.1 GB
        Chinese-Alpaca-Pro-7B||hfl/chinese-alpaca-pro-lora-7b||LLaMA-7B|Chinese-LLaMA-Plus-7B|7B|49954|2048||alpaca|LLaMA (research)|1.1 GB
        Chinese-Alpaca-Pro-13B||hfl/chinese-alpaca-pro-lora-13b||LLaMA-13B|Chinese-LLaMA-Plus-13B|13B|49954|2048||alpaca|LLaMA (research)|1.3 GB
        Chinese-Alpaca-Pro-33B||hfl/chinese-alpaca-pro-lora-33b||LLaMA-33B|Chinese-LLaMA-Plus-33B|33B|49954|2048||alpaca|LLaMA (research)|2.1 GB
        Chinese-LLaMA-2-1.3B|hfl/chinese-llama-2-1.3b||hfl/chinese-llama-2-1.3b-gguf|||2-1.3B|55296|4096||none|Llama 2|
        Chinese-LLaMA-2-7B|hfl/chinese-llama-2-7b|hfl/chinese-llama-2-lora-7b|hfl/chinese-llama-2-7b-gguf|Llama-2-7B||2-7B|55296|4096||none|Llama 2|1.1 GB
        Chinese-LLaMA-2-13B|hfl/chinese-llama-2-13b|hfl/chinese-llama-2-lora-13b|hfl/chinese-llama-2-13b-gguf|Llama-2-13B||2-13B|55296|4096||none|Llama 2|1.5 GB
        Chinese-LLaMA-2-7B-16K|hfl/chinese-llama-2-7b-16k|hfl/chinese-llama-2-lora-7b-16k|hfl/chinese-llama-2-7b-16k-gguf|Llama-2-7B||2-7B|55296|16384|linear, 4|none|Llama 2|1.1 GB
        Chinese-LLaMA-2-13B-16K|hfl/chinese-llama-2-13b-16k|hfl/chinese-llama-2-lora-13b-16k|hfl/chinese-llama-2-13b-16k-gguf|Llama-2-13B||2-13B|55296|16384|linear, 4|none|Llama 2|1.5 GB
        Chinese-LLaMA-2-7B-64K|hfl/chinese-llama-2-7b-64k|hfl/chinese-llama-2-lora-7b-64k|hfl/chinese-llama-2-7b-64k-gguf|Llama-2-7B||2-7B|55296|65536|YaRN, 16|none|Llama 2|1.1 GB
        Chinese-Alpaca-2-1.3B|hfl/chinese-alpaca-2-1.3b||hfl/chinese-alpaca-2-1.3b-gguf|||2-1.3B|55296|4096||alpaca-2|Llama 2|
        Chinese-Alpaca-2-7B|hfl/chinese-alpaca-2-7b|hfl/chinese-alpaca-2-lora-7b|hfl/chinese-alpaca-2-7b-gguf|Llama-2-7B||2-7B|55296|4096||alpaca-2|Llama 2|1.1 GB
        Chinese-Alpaca-2-13B|hfl/chinese-alpaca-2-13b|hfl/chinese-alpaca-2-lora-13b|hfl/chinese-alpaca-2-13b-gguf|Llama-2-13B||2-13B|55296|4096||alpaca-2|Llama 2|1.5 GB
        Chinese-Alpaca-2-7B-16K|hfl/chinese-alpaca-2-7b-16k|hfl/chinese-alpaca-2-lora-7b-16k|hfl/chinese-alpaca-2-7b-16k-gguf|Llama-2-7B||2-7B|55296|16384|linear, 4|alpaca-2|Llama 2|1.1 GB
        Chinese-Alpaca-2-13B-16K|hfl/chinese-alpaca-2-13b-16k|hfl/chinese-alpaca-2-lora-13b-16k|hfl/chinese-alpaca-2-13b-16k-gguf|Llama-2-13B||2-13B|55296|16384|linear, 4|alpaca-2|Llama 2|1.5 GB
        Chinese-Alpaca-2-7B-64K|hfl/chinese-alpaca-2-7b-64k|hfl/chinese-alpaca-2-lora-7b-64k|hfl/chinese-alpaca-2-7b-64k-gguf|Llama-2-7B||2-7B|55296|65536|YaRN, 16|alpaca-2|Llama 2|1.1 GB
        Chinese-Alpaca-2-1.3B-RLHF|hfl/chinese-alpaca-2-1.3b-rlhf||hfl/chinese-alpaca-2-1.3b-rlhf-gguf|||2-1.3B|55296|4096||alpaca-2|Llama 2|
        Chinese-Alpaca-2-7B-RLHF|hfl/chinese-alpaca-2-7b-rlhf||hfl/chinese-alpaca-2-7b-rlhf-gguf|||2-7B|55296|4096||alpaca-2|Llama 2|
        Llama-3-Chinese-8B|hfl/llama-3-chinese-8b|hfl/llama-3-chinese-8b-lora|hfl/llama-3-chinese-8b-gguf|Meta-Llama-3-8B||3-8B|128256|8192||none|Apache-2.0; base Llama 3|2.44 GB
        Llama-3-Chinese-8B-Instruct|hfl/llama-3-chinese-8b-instruct|hfl/llama-3-chinese-8b-instruct-lora|hfl/llama-3-chinese-8b-instruct-gguf|Meta-Llama-3-8B||3-8B|128256|8192||alpaca-3|Apache-2.0; base Llama 3|2.44 GB
        Llama-3-Chinese-8B-Instruct-v2|hfl/llama-3-chinese-8b-instruct-v2|hfl/llama-3-chinese-8b-instruct-v2-lora|hfl/llama-3-chinese-8b-instruct-v2-gguf|Meta-Llama-3-8B-Instruct||3-8B|128256|8192||alpaca-3|Apache-2.0; base Llama 3|2.44 GB
        Llama-3-Chinese-8B-Instruct-v3|hfl/llama-3-chinese-8b-instruct-v3||hfl/llama-3-chinese-8b-instruct-v3-gguf|||3-8B|128256|8192||alpaca-3|Apache-2.0; base Llama 3|
        Chinese-Mixtral|hfl/chinese-mixtral|hfl/chinese-mixtral-lora|hfl/chinese-mixtral-gguf|Mixtral-8x7B-v0.1||8x7B|32000|32768||none|Apache-2.0|2.4 GB
        Chinese-Mixtral-Instruct|hfl/chinese-mixtral-instruct|hfl/chinese-mixtral-instruct-lora|hfl/chinese-mixtral-instruct-gguf|Mixtral-8x7B-v0.1||8x7B|32000|32768||Mixtral-Instruct|Apache-2.0|2.4 GB
        """
}
