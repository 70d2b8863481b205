/// What a tensor is in a model. A value, so that a family of models can have kinds that no other knows: it declares them in its own folder
/// (`extension TensorRole.Kind { static let queryBias = Self("attn_q.bias") }`).
package struct TensorRole: Hashable, Sendable {
    /// What the tensor does, wherever it is.
    package struct Kind: Hashable, Sendable {
        /// Unique among all families; by it messages call a tensor that has no name in a file.
        package let name: String

        package init(_ name: String) { self.name = name }
    }

    package var kind: Kind
    /// From 0; nil for tensors of the whole model.
    package var layer: Int?
    /// From 0; nil for tensors that are no expert's.
    package var expert: Int?

    package init(_ kind: Kind, layer: Int? = nil, expert: Int? = nil) {
        self.kind = kind
        self.layer = layer
        self.expert = expert
    }

    /// Of the name only its length: roles are looked up by the thousand when a model is opened, and few of a layer are equally long.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(kind.name.utf8.count &+ ((layer ?? -1) &* 64) &+ ((expert ?? -1) &* 65_536))
    }
}

extension TensorRole: CustomStringConvertible {
    package var description: String {
        kind.name + (layer.map { " of layer \($0)" } ?? "") + (expert.map { ", expert \($0)" } ?? "")
    }
}

extension TensorRole.Kind {
    package static let tokenEmbedding = Self("token_embd")
    /// Divisors of the rotary frequencies; GGUF files only.
    package static let ropeFactors = Self("rope_freqs")
    package static let attentionNorm = Self("attn_norm")
    package static let query = Self("attn_q")
    package static let key = Self("attn_k")
    package static let value = Self("attn_v")
    package static let attentionOutput = Self("attn_output")
    package static let feedForwardNorm = Self("ffn_norm")
    package static let gate = Self("ffn_gate")
    package static let up = Self("ffn_up")
    package static let down = Self("ffn_down")
    package static let outputNorm = Self("output_norm")
    package static let output = Self("output")
}

extension TensorRole {
    package static let tokenEmbedding = TensorRole(.tokenEmbedding)
    package static let ropeFactors = TensorRole(.ropeFactors)
    package static let outputNorm = TensorRole(.outputNorm)
    package static let output = TensorRole(.output)
    package static func attentionNorm(_ layer: Int) -> TensorRole { TensorRole(.attentionNorm, layer: layer) }
    package static func query(_ layer: Int) -> TensorRole { TensorRole(.query, layer: layer) }
    package static func key(_ layer: Int) -> TensorRole { TensorRole(.key, layer: layer) }
    package static func value(_ layer: Int) -> TensorRole { TensorRole(.value, layer: layer) }
    package static func attentionOutput(_ layer: Int) -> TensorRole { TensorRole(.attentionOutput, layer: layer) }
    package static func feedForwardNorm(_ layer: Int) -> TensorRole { TensorRole(.feedForwardNorm, layer: layer) }
    package static func gate(_ layer: Int) -> TensorRole { TensorRole(.gate, layer: layer) }
    package static func up(_ layer: Int) -> TensorRole { TensorRole(.up, layer: layer) }
    package static func down(_ layer: Int) -> TensorRole { TensorRole(.down, layer: layer) }
}
