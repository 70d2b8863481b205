@testable import AlpacaEngine

// What stands between the tables of docs/models.md.

extension ModelsPage {
    static let head = """
        # The models

        Made by `make models-page` from the list that `alpaca verify` and plans of conversions go by
        (`Sources/AlpacaEngine/Checkpoint/PublishedModel+List.swift`).

        `alpaca convert --plan` says which of these the inputs are, what an adapter needs, and when base and adapter don't belong together;
        `alpaca verify` which published file a file is, where a hash was published. Base models continue texts (`alpaca generate`); models with a
        template answer (`alpaca chat`). Names are those on Hugging Face; the first two lines were there under `ziqingyang/` before.
        """

    static let neighbours = """
        ## Neighbours

        What people who chat in Chinese run beside the family. Folders are converted, merged with adapters and quantized as above, GGUF files run as
        they are; the template is the file's own.

        | models | architecture | what to know | for example |
        |---|---|---|---|
        | Llama3-8B-Chinese-Chat, -70B (shenzhi-wang) | llama | as Meta-Llama-3-Instruct: 128256 tokens, context 8192 | `alpaca convert shenzhi-wang/Llama3-8B-Chinese-Chat --type q4_k_m -o llama3-chinese-chat.gguf` |
        | Llama 3.1, 3.2, 3.3 | llama | context 131072 by scaled frequencies, which GGUF files have as `rope_freqs.weight` | `alpaca convert meta-llama/Llama-3.2-3B-Instruct --type q4_k_m -o llama-3.2-3b.gguf` |
        | Qwen2, Qwen2.5 | qwen2 | biases on queries, keys and values; 151936 rows, of which the last have no token; more than 32768 positions by YaRN | `alpaca convert Qwen/Qwen2.5-7B-Instruct --type q4_k_m -o qwen2.5-7b.gguf` |
        | Qwen3 | qwen3, qwen3moe | norms of each head; `enable_thinking` is a variable of its template | `alpaca convert Qwen/Qwen3-8B --type q4_k_m -o qwen3-8b.gguf` |
        | DeepSeek-R1-Distill-Qwen, -Llama | qwen2, llama | the answer begins with what it thinks, `<think>` | `alpaca convert deepseek-ai/DeepSeek-R1-Distill-Qwen-7B --type q4_k_m -o r1-distill-7b.gguf` |
        | Yi, Yi-1.5 | llama | sentencepiece, 64000 tokens | `alpaca convert 01-ai/Yi-1.5-9B-Chat --type q4_k_m -o yi-1.5-9b.gguf` |
        | Mistral 7B | llama in GGUF, mistral in folders | version 0.1 sees the last 4096 positions only; its GGUF files don't tell | `alpaca convert mistralai/Mistral-7B-Instruct-v0.2 --type q4_k_m -o mistral-7b.gguf` |

        Models of other architectures (Baichuan, InternLM2, ChatGLM and GLM-4, MiniCPM, the first Qwen, DeepSeek-V2 and -V3, Hunyuan) are refused by
        name.
        """
}

extension ModelsPage.Line {
    var introduction: String {
        switch self {
        case .first:
            """
            Adapters for LLaMA, which nobody may pass on: the two are merged here. Plus and Pro of Alpaca build on the adapter of Chinese-LLaMA-Plus,
            which comes first. The published SHA-256 of adapters, tokenizers and merged models are in `alpaca verify`; those of merged files are met
            with `--format pth`.
            """
        case .second:
            """
            Whole models, and adapters for Llama-2-7b-hf and -13b-hf: each belongs on Llama 2 directly, one at a time. The settings of longer contexts
            are in the adapter's folder, and are kept. GGUF files of the 64K models that were made between May 2024 and 2025 may have lost them
            (context 65536, no scaling); a warning says so.
            """
        case .third:
            """
            The tokenizer is Llama 3's. The adapters of version 1 belong on Meta-Llama-3-8B, that of version 2 on Meta-Llama-3-8B-Instruct; version 3 is
            a whole model only. GGUF files from before 30 April 2024 don't name their pre-tokenizer, for which other programs then split texts wrongly;
            here the vocabulary tells it.
            """
        case .mixtral:
            """
            Eight experts a layer, of which each token takes two: 46.7 billion parameters, 13 billion of them for a token. The vocabulary is
            Mixtral's. GGUF files of both forms are read, those with a tensor for each expert and those with one for all.
            """
        }
    }

    /// Sizes as published.
    var published: String? {
        switch self {
        case .first: nil
        case .second:
            """
            `-im` in the names of published GGUF files: made with an importance matrix, as `alpaca imatrix` measures one.
            """
        case .third:
            """
            Published GGUF files (GiB): Q2_K 2.96, Q3_K 3.74, Q4_0 4.34, Q4_K 4.58, Q5_0 5.21, Q5_K 5.34, Q6_K 6.14, Q8_0 7.95, F16 14.97.
            """
        case .mixtral:
            """
            Published GGUF files of Chinese-Mixtral-Instruct (GB): IQ1_S 9.8, IQ1_M 10.8, IQ2_XXS 12.3, IQ2_XS 13.7, IQ2_S 14.1, IQ2_M 15.5, Q2_K 17.3,
            IQ3_XXS 18.3, IQ3_XS 19.3, IQ3_S 20.4, IQ3_M 21.4, Q3_K 22.5, IQ4_XS 25.1, Q4_0 26.4, IQ4_NL 26.5, Q4_K 28.4, Q5_0 32.2, Q5_K 33.2,
            Q6_K 38.4, Q8_0 49.6, F16 93.5. Files are mapped and only the experts that a token needs are read, so that a smaller memory runs them
            too, slower.
            """
        }
    }
}
