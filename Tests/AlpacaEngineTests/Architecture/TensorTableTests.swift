import Testing

@testable import AlpacaEngine

@Suite struct TensorTableTests {
    static let kind = TensorRole.Kind("test.expert")
    static let table = TensorTable([
        TensorPattern(.tokenEmbedding, TensorNames("token_embd.weight", "a", nil), [\.vocabularySize, \.embeddingLength]),
        TensorPattern(.query, TensorNames("blk.*.attn_q.weight", "b.*", nil), [\.queryLength, \.embeddingLength], hasHeads: true),
        TensorPattern(
            .output, TensorNames("output.weight", "c", nil), [\.vocabularySize, \.embeddingLength], if: \ModelConfiguration.hasOutput),
        TensorPattern(kind, TensorNames("blk.*.ffn_gate.*.weight", "d.*.e.*.w1", nil), [\.embeddingLength]),
    ])

    @Test func `numbers in names are the layer and the expert`() {
        let role = Self.table.role(of: "d.7.e.31.w1", in: .huggingFace)
        #expect(role == TensorRole(Self.kind, layer: 7, expert: 31))
        #expect(Self.table.name(of: TensorRole(Self.kind, layer: 7, expert: 31), in: .gguf) == "blk.7.ffn_gate.31.weight")
        #expect(role.map { "\($0)" } == "test.expert of layer 7, expert 31")
        for name in ["d.7.e.w1", "d.*.e.31.w1", "d.*.e.*.w1", "d.7.e.31", "d.7.e.31.w1.0", "d.07.e.31.w1", "d.7.e.+1.w1", "7"] {
            #expect(Self.table.role(of: name, in: .huggingFace) == nil, "\(name)")
        }
        #expect(Self.table.role(of: "a", in: .gguf) == nil)
        #expect(Self.table.role(of: "a", in: .meta) == nil)
        #expect(Self.table.name(of: .query(3), in: .meta) == nil)
        #expect(Self.table.name(of: .key(3), in: .gguf) == nil)
    }

    @Test func `tensors come before, in and behind the layers`() {
        let places = [
            TensorRole.tokenEmbedding, .query(0), TensorRole(Self.kind, layer: 0), TensorRole(Self.kind, layer: 0, expert: 1), .query(5),
            .output, .key(0),
        ]
        .map { Self.table.place(of: $0) }
        for (a, b) in zip(places, places.dropFirst()) { #expect(a < b) }
        #expect(Self.table.place(of: nil) == (Int.max, 0, 0))
    }

    @Test func `no two families have one name for two kinds of tensors`() {
        for naming in TensorNaming.allCases {
            var kinds: [String: TensorRole.Kind] = [:]
            for pattern in Architectures.families.flatMap({ $0.table.patterns }) {
                guard let name = pattern.names[naming] else { continue }
                #expect(kinds.updateValue(pattern.kind, forKey: name) ?? pattern.kind == pattern.kind, "\(name)")
            }
        }
    }
}
