extension Llama {
    /// A layer of LLaMA (arXiv:2302.13971). Shapes are (rows, width).
    package func block(_ layer: Int, _ b: inout ProgramBuilder) {
        // x = x + o(attention(q(h), k(h), v(h)))
        let h = b.norm(b.x, .attentionNorm)  // (n, n_embd)
        let q = b.matmul(.query, h, bias: .queryBias)  // (n, n_head * head_dim)
        let k = b.matmul(.key, h, bias: .keyBias)  // (n, n_head_kv * head_dim)
        let v = b.matmul(.value, h, bias: .valueBias)  // (n, n_head_kv * head_dim)
        b.rope(q)
        b.rope(k)
        let a = b.attention(q, k, v)  // (n, n_head * head_dim)
        b.add(b.matmul(.attentionOutput, a, bias: .attentionOutputBias))  // (n, n_embd)

        // x = x + down(silu(gate(h)) * up(h))
        let g = b.norm(b.x, .feedForwardNorm)  // (n, n_embd)
        let f = b.gated(b.matmul(.gate, g, bias: .gateBias), b.matmul(.up, g, bias: .upBias))  // (n, n_ff)
        b.add(b.matmul(.down, f, bias: .downBias))  // (n, n_embd)
    }
}
