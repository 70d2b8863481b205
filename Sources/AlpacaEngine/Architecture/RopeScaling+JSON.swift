// How positions are scaled, as config.json has it: `rope_scaling`, which all versions of transformers read.

extension ModelConfiguration.RopeScaling {
    /// Versions of 2023 refuse a linear scaling with any other field.
    func write(to json: inout JSONWriter) {
        switch self {
        // NTK is a session's own, no model's.
        case .none, .ntk: return
        case .dynamic(let dynamic):
            guard let factor = dynamic.factor else { return }
            json.beginObject("rope_scaling")
            json.member("factor", factor)
            json.member("rope_type", "dynamic")
            json.member("type", "dynamic")
        case .linear(let factor):
            json.beginObject("rope_scaling")
            json.member("factor", factor)
            json.member("type", "linear")
        case .yarn(let yarn):
            json.beginObject("rope_scaling")
            // Transformers takes what isn't there for its usual value.
            if let factor = yarn.attentionFactor { json.member("attention_factor", factor) }
            if yarn.betaFast != 32 { json.member("beta_fast", yarn.betaFast) }
            if yarn.betaSlow != 1 { json.member("beta_slow", yarn.betaSlow) }
            json.member("factor", yarn.factor)
            if let finetuned = yarn.isFinetuned { json.member("finetuned", finetuned) }
            if let mscale = yarn.mscale { json.member("mscale", mscale) }
            if let mscale = yarn.mscaleAllDim { json.member("mscale_all_dim", mscale) }
            json.member("original_max_position_embeddings", yarn.originalContextLength)
            json.member("rope_type", "yarn")
            if !yarn.truncates { json.member("truncate", false) }
            json.member("type", "yarn")
        case .llama3(let llama):
            json.beginObject("rope_scaling")
            json.member("factor", llama.factor)
            json.member("high_freq_factor", llama.highFrequencyFactor)
            json.member("low_freq_factor", llama.lowFrequencyFactor)
            json.member("original_max_position_embeddings", llama.originalContextLength)
            json.member("rope_type", "llama3")
        }
        json.end()
    }
}
