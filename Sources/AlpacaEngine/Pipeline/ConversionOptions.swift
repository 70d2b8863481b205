/// What a conversion writes.
public enum OutputFormat: String, Sendable, CaseIterable {
    /// One GGUF file, version 3.
    case gguf
    /// A Hugging Face folder with safetensors.
    case huggingFace = "hf"
    /// A Hugging Face folder with the `pytorch_model-*.bin` files of 2023.
    case huggingFaceBin = "hf-bin"
    /// A Meta folder: `consolidated.NN.pth` and `params.json`.
    case meta = "pth"

    /// Whether a folder is written rather than a file.
    public var isFolder: Bool { self != .gguf }
}

/// How often a merged matrix is rounded to its type.
public enum MergeRounding: String, Sendable, CaseIterable {
    /// As PEFT's `merge_and_unload`: the product of the two small matrices is rounded, then the sum.
    case each
    /// As the low-memory script of Chinese-LLaMA-Alpaca: the sum alone is rounded, once for each adapter.
    case once
}

/// In what merged matrices are kept until they are written.
public enum MergePrecision: String, Sendable, CaseIterable {
    /// The type that the base has them in.
    case base
    /// F32: nothing is rounded before the output's own type.
    case f32
}

/// What is to be made of what: one pass from a base model and adapters to a file.
public struct ConversionOptions: Sendable {
    /// The base: a Meta or Hugging Face folder, a GGUF or older llama.cpp file, or a model's name on the Hugging Face hub ("owner/name") that
    /// is in the local cache.
    public var base: String
    /// LoRA adapters, applied in this order.
    public var adapters: [Adapter] = []
    /// A `tokenizer.model` to use in place of that of the last adapter that has one, or of the base.
    public var tokenizer: String?
    /// The file or folder to be written.
    public var output: String
    public var format = OutputFormat.gguf
    /// The type or mix of the weights, such as "Q4_K_M" or "F16", in any case. nil: the type that the base has (F16 for GGUF files of
    /// quantized bases: what they have already).
    public var quantization: String?
    /// One type for every matrix, the embeddings and the output too.
    public var isPure = false
    /// A tensor takes the type of the first pattern (`*`, `?`) that matches its GGUF name. A pattern that matches no matrix is an error.
    public var overrides: [(pattern: String, type: String)] = []
    /// An importance matrix that llama-imatrix wrote: GGUF, or the older `.dat`.
    public var importanceMatrix: String?
    /// nil: `.once` for ``OutputFormat/meta`` and ``OutputFormat/huggingFaceBin``, whose files have published hashes, `.each` for the others.
    public var rounding: MergeRounding?
    public var precision = MergePrecision.base
    /// 0: one on each core that the process may use.
    public var threadCount = 0
    /// Whether what is there under the output's name may be replaced.
    public var overwrites = false
    /// Whether the rules of the Chinese-LLaMA family are checked: tokenizers, order of adapters. Shapes are always checked.
    public var checksFamily = true
    /// Whether the files of the base are hashed too (a pass of its own over them) and compared with the published list. Adapters and
    /// tokenizers always are.
    public var verifiesBase = false
    /// Whether the output's files are hashed when they are written.
    public var hashesOutput = false
    /// The model's name in the output's metadata; nil: from the last adapter or the base.
    public var modelName: String?
    /// Hugging Face folders: bytes of a file at most; nil: 10 GB (or as the base's files are, for ``OutputFormat/huggingFaceBin``).
    public var maximumShardByteCount: Int?
    /// Meta folders: number of files; nil: as Meta cut models of that width.
    public var shardCount: Int?
    /// Writes numbers that are infinite or NaN, and scales of blocks that were cut, and warns of them; else they end the conversion. Quantized
    /// types have no infinities and no NaN: of those they stay an error.
    public var allowsNonfinite = false
    /// Leaves the tokenizer out, so that models can be converted whose tokenizers this version doesn't know. Such a file can't be used but to
    /// look at its weights.
    package var omitsTokenizer = false

    /// Files with published hashes were made by the script that rounds once.
    var effectiveRounding: MergeRounding { rounding ?? (format == .meta || format == .huggingFaceBin ? .once : .each) }

    /// A LoRA adapter: a folder, a `.zip` of one, or a name on the hub; its change is multiplied with `scale`.
    public struct Adapter: Sendable, Equatable {
        public var path: String
        public var scale: Double

        public init(path: String, scale: Double = 1) {
            self.path = path
            self.scale = scale
        }
    }

    public init(base: String, output: String) {
        self.base = base
        self.output = output
    }
}
