extension Qwen3MoE {
    /// A layer: Qwen3's, with experts in place of the one feed-forward part. Shapes are (rows, width).
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

        let g = b.norm(b.x, .feedForwardNorm)  // (n, n_embd)
        if let experts = configuration.experts, configuration.hasExperts(layer) {
            // x = x + the sum of p_e * down_e(silu(gate_e(h)) * up_e(h)) over the experts e that the router chooses
            let p = b.route(b.matmul(.router, g), experts)  // (n, n_used, 2)
            let f = b.gated(b.experts(.gateExperts, g, p), b.experts(.upExperts, g, p))  // (n, n_used * n_ff of an expert)
            b.add(b.mixed(.downExperts, f, p))  // (n, n_embd)
        } else {
            // x = x + down(silu(gate(h)) * up(h))
            let f = b.gated(b.matmul(.gate, g), b.matmul(.up, g))  // (n, n_ff)
            b.add(b.matmul(.down, f))  // (n, n_embd)
        }
    }
}
