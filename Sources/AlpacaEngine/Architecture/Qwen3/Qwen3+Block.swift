extension Qwen3 {
    /// A layer: Llama's, with norms of the heads. Shapes are (rows, width).
    package func block(_ layer: Int, _ b: inout ProgramBuilder) {
        // x = x + o(attention(norm(q(h)), norm(k(h)), v(h)))
        let h = b.norm(b.x, .attentionNorm)  // (n, n_embd)
        let q = b.matmul(.query, h)  // (n, n_head * head_dim)
        let k = b.matmul(.key, h)  // (n, n_head_kv * head_dim)
        let v = b.matmul(.value, h)  // (n, n_head_kv * head_dim)
        b.headNorm(q, .queryNorm)
        b.headNorm(k, .keyNorm)
        b.rope(q)
        b.rope(k)
        let a = b.attention(q, k, v)  // (n, n_head * head_dim)
        b.add(b.matmul(.attentionOutput, a))  // (n, n_embd)

        // x = x + down(silu(gate(h)) * up(h))
        let g = b.norm(b.x, .feedForwardNorm)  // (n, n_embd)
        let f = b.gated(b.matmul(.gate, g), b.matmul(.up, g))  // (n, n_ff)
        b.add(b.matmul(.down, f))  // (n, n_embd)
    }
}
