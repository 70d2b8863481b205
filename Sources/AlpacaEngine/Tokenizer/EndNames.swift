/// What vocabularies call tokens that end a turn or a text, whatever a file says of its eos: models write one or the other.
enum EndNames {
    /// Of turns.
    static let ofTurns: Set<String> = ["<|eot_id|>", "<|im_end|>", "<|end|>", "<|eom_id|>", "<end_of_turn>", "<EOT>"]

    /// Of turns and of texts; and what code models write behind a file.
    static let all = ofTurns.union([
        "<|endoftext|>", "<|end_of_text|>", "</s>", "<｜end▁of▁sentence｜>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>",
    ])

    /// Bytes of the longest of them.
    static let longest = 32
}
