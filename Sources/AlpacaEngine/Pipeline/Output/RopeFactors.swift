/// Llama 3's scaling of frequencies: settings in config.json, a tensor of divisors in GGUF files, one a pair, for all layers.
enum RopeFactors {
    /// The divisors that a scaling means.
    static func divisors(_ model: ModelConfiguration, _ scaling: ModelConfiguration.RopeScaling) -> [Float] {
        let plain = ModelConfiguration.RopeScaling.none.frequencies(theta: model.ropeTheta, dimension: model.ropeDimension).values
        let scaled = scaling.frequencies(theta: model.ropeTheta, dimension: model.ropeDimension).values
        return zip(plain, scaled).map { Float($0 / $1) }
    }

    /// The settings whose divisors these are, as far as such models have been published: 1 and 4 as the factors of low and high frequencies.
    /// nil where there are none.
    static func scaling(_ divisors: [Float], _ model: ModelConfiguration) -> ModelConfiguration.RopeScaling? {
        guard divisors.count == model.rotatedPairCount, let most = divisors.max(), most > 1 else { return nil }
        // The lowest frequencies are divided by the factor itself, a whole number.
        let factor = Double(most.rounded())
        guard abs(factor - Double(most)) < 1e-3 * factor else { return nil }
        var original = 32
        while original <= 1 << 20 {
            let scaling = ModelConfiguration.RopeScaling.llama3(
                ModelConfiguration.Llama3(factor: factor, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: original))
            let found = RopeFactors.divisors(model, scaling)
            if zip(found, divisors).allSatisfy({ abs($0 - $1) <= 1e-5 * $0 }) { return scaling }
            original *= 2
        }
        return nil
    }
}

extension OutputRequest {
    /// The configuration for files that have settings instead of a tensor of divisors.
    ///
    /// - Throws: `unsupported` where no settings mean the tensor.
    func configurationWithoutFactors() throws(AlpacaError) -> ModelConfiguration {
        guard configuration.hasRopeFactors, case .none = configuration.ropeScaling,
            let index = base.weights.index(of: .ropeFactors)
        else { return configuration }
        let info = base.weights.tensors[index]
        guard info.type == .f32 else {
            throw AlpacaError(
                .unsupported, path: base.path, at: "tensor \(base.weights.fileName(of: index).quoted())", found: "\(info.type)",
                expected: "F32")
        }
        let divisors = try base.weights.withTensor(index) { (bytes: RawSpan) in
            // Bound: an F32 tensor has 4 bytes an element.
            (0..<info.elementCount).map { unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
        }
        guard let scaling = RopeFactors.scaling(divisors, configuration) else {
            throw AlpacaError(
                .unsupported, path: base.path,
                "tensor \(base.weights.fileName(of: index).quoted()): its \(divisors.count) divisors are not those of Llama 3's scaling with any "
                    + "usual settings, and nothing else can be told in a config.json")
        }
        return configuration.scaled(scaling)
    }
}
