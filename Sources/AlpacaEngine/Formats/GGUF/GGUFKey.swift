// Every metadata key that the engine reads or writes, once. Keys of the model begin with the architecture's name.
// Reference: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

package enum GGUFKey {
    // The file
    package static let architecture = "general.architecture"
    package static let name = "general.name"
    /// "model", "adapter", "mmproj", "imatrix"; and of an adapter, which kind: "lora".
    package static let type = "general.type"
    package static let adapterType = "adapter.type"
    package static let fileType = "general.file_type"
    package static let quantizationVersion = "general.quantization_version"
    package static let alignment = "general.alignment"
    package static let splitCount = "split.count"
    package static let splitNumber = "split.no"

    // The model
    package static func vocabularySize(_ architecture: String) -> String { "\(architecture).vocab_size" }
    package static func contextLength(_ architecture: String) -> String { "\(architecture).context_length" }
    package static func embeddingLength(_ architecture: String) -> String { "\(architecture).embedding_length" }
    package static func layerCount(_ architecture: String) -> String { "\(architecture).block_count" }
    package static func feedForwardLength(_ architecture: String) -> String { "\(architecture).feed_forward_length" }
    package static func expertCount(_ architecture: String) -> String { "\(architecture).expert_count" }
    package static func expertUsedCount(_ architecture: String) -> String { "\(architecture).expert_used_count" }
    package static func expertFeedForwardLength(_ architecture: String) -> String { "\(architecture).expert_feed_forward_length" }
    package static func expertWeightsNorm(_ architecture: String) -> String { "\(architecture).expert_weights_norm" }
    package static func headCount(_ architecture: String) -> String { "\(architecture).attention.head_count" }
    package static func keyValueHeadCount(_ architecture: String) -> String { "\(architecture).attention.head_count_kv" }
    package static func keyLength(_ architecture: String) -> String { "\(architecture).attention.key_length" }
    package static func valueLength(_ architecture: String) -> String { "\(architecture).attention.value_length" }
    package static func normEpsilon(_ architecture: String) -> String { "\(architecture).attention.layer_norm_rms_epsilon" }
    package static func ropeDimension(_ architecture: String) -> String { "\(architecture).rope.dimension_count" }
    package static func ropeTheta(_ architecture: String) -> String { "\(architecture).rope.freq_base" }
    package static func ropeScalingType(_ architecture: String) -> String { "\(architecture).rope.scaling.type" }
    package static func ropeScalingFactor(_ architecture: String) -> String { "\(architecture).rope.scaling.factor" }
    package static func ropeOriginalContextLength(_ architecture: String) -> String {
        "\(architecture).rope.scaling.original_context_length"
    }
    package static func ropeFinetuned(_ architecture: String) -> String { "\(architecture).rope.scaling.finetuned" }
    package static func ropeAttentionFactor(_ architecture: String) -> String { "\(architecture).rope.scaling.yarn_attn_factor" }
    package static func ropeBetaFast(_ architecture: String) -> String { "\(architecture).rope.scaling.yarn_beta_fast" }
    package static func ropeBetaSlow(_ architecture: String) -> String { "\(architecture).rope.scaling.yarn_beta_slow" }
    package static func ropeExtFactor(_ architecture: String) -> String { "\(architecture).rope.scaling.yarn_ext_factor" }
    package static func ropeAttentionScale(_ architecture: String) -> String { "\(architecture).rope.scaling.attn_factor" }
    /// Our own: the factor of dynamic NTK, for which GGUF has no form.
    package static let alpacaRopeDynamic = "alpaca.rope.dynamic_factor"
    /// Our own: whether YaRN's ramp is rounded to whole dimensions; true where it is missing.
    package static let alpacaRopeTruncates = "alpaca.rope.truncate"
    /// The factor's name before `rope.scaling.*` came, in 2023.
    package static func ropeScaleLinear(_ architecture: String) -> String { "\(architecture).rope.scale_linear" }

    // Importance matrices
    package static let imatrixDatasets = "imatrix.datasets"
    package static let imatrixChunkCount = "imatrix.chunk_count"
    package static let imatrixChunkSize = "imatrix.chunk_size"

    // The tokenizer
    package static let tokenizerModel = "tokenizer.ggml.model"
    package static let tokenizerPre = "tokenizer.ggml.pre"
    package static let tokens = "tokenizer.ggml.tokens"
    package static let scores = "tokenizer.ggml.scores"
    package static let tokenTypes = "tokenizer.ggml.token_type"
    package static let merges = "tokenizer.ggml.merges"
    package static let bosToken = "tokenizer.ggml.bos_token_id"
    package static let eosToken = "tokenizer.ggml.eos_token_id"
    package static let eotToken = "tokenizer.ggml.eot_token_id"
    package static let eomToken = "tokenizer.ggml.eom_token_id"
    package static let unknownToken = "tokenizer.ggml.unknown_token_id"
    package static let paddingToken = "tokenizer.ggml.padding_token_id"
    package static let addBOS = "tokenizer.ggml.add_bos_token"
    package static let addEOS = "tokenizer.ggml.add_eos_token"
    package static let addSpacePrefix = "tokenizer.ggml.add_space_prefix"
    package static let removeExtraSpaces = "tokenizer.ggml.remove_extra_whitespaces"
    package static let normalizerRules = "tokenizer.ggml.precompiled_charsmap"
    /// Our own: which version of this library wrote the file. Its presence marks the file as an output.
    package static let alpacaVersion = "alpaca.version"
    /// Our own: what the model was made from.
    package static let baseName = "alpaca.base.name"
    package static let adapterNames = "alpaca.adapter.names"
    /// Our own: further tokens that end an answer, for which no other key has room.
    package static let alpacaEnds = "alpaca.end_token_ids"
    /// Our own: the name of the template that the model was trained with, or "none".
    package static let alpacaTemplate = "alpaca.template"
    /// Our own: the names of further templates where keys can't have them, in the order of ``chatTemplates``.
    package static let alpacaTemplateNames = "alpaca.chat_templates"
    package static let chatTemplate = "tokenizer.chat_template"
    /// The names of further templates, each under a key of its own.
    package static let chatTemplates = "tokenizer.chat_templates"
    package static func chatTemplate(named name: String) -> String { "\(chatTemplate).\(name)" }
}
