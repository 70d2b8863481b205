extension Mixtral {
    /// A layer: Llama's, with experts in place of the one feed-forward part. Shapes are (rows, width).
    package func block(_ layer: Int, _ b: inout ProgramBuilder) {
        // x = x + o(attention(q(h), k(h), v(h)))
        let h = b.norm(b.x, .attentionNorm)  // (n, n_embd)
        let q = b.matmul(.query, h, bias: .queryBias)  // (n, n_head * head_dim)
        let k = b.matmul(.key, h, bias: .keyBias)  // (n, n_head_kv * head_dim)
        let v = b.matmul(.value, h, bias: .valueBias)  // (n, n_head_kv * head_dim)
        b.rope(q)
        b.rope(k)
        let a = b.attention(q, k, v, window: configuration.slidingWindow)  // (n, n_head * head_dim)
        b.add(b.matmul(.attentionOutput, a, bias: .attentionOutputBias))  // (n, n_embd)

        // x = x + the sum of p_e * down_e(silu(gate_e(h)) * up_e(h)) over the experts e that the router chooses
        guard let experts = configuration.experts else { return }
        let g = b.norm(b.x, .feedForwardNorm)  // (n, n_embd)
        let p = b.route(b.matmul(.router, g), experts)  // (n, n_used, 2)
        let f = b.gated(b.experts(.gateExperts, g, p), b.experts(.upExperts, g, p))  // (n, n_used * n_ff)
        b.add(b.mixed(.downExperts, f, p))  // (n, n_embd)
    }
}
