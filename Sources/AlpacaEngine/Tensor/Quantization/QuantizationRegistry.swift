/// The list of what can be written. A new type is an enum in one of the folders beside this file, a line here and its loops in C.
enum QuantizationRegistry {
    static let formats: [any BlockFormat.Type] = [
        F32Format.self, F16Format.self, BF16Format.self,
        Q4_0Format.self, Q4_1Format.self, Q5_0Format.self, Q5_1Format.self, Q8_0Format.self,
        Q2_KFormat.self, Q3_KFormat.self, Q4_KFormat.self, Q5_KFormat.self, Q6_KFormat.self,
    ]

    static func format(of type: TensorType) throws(AlpacaError) -> any BlockFormat.Type {
        for format in formats where format.type == type { return format }
        let known = formats.map { $0.type.description }.joined(separator: ", ")
        throw AlpacaError(.unsupported, "\(type) can't be written; expected one of \(known)")
    }

    /// `type`, or what takes its place for rows of `columns` values.
    static func type(_ type: TensorType, fitting columns: Int) throws(AlpacaError) -> TensorType {
        var fitting = type
        while columns % fitting.elementsPerBlock != 0, let next = try format(of: fitting).fallback { fitting = next }
        return fitting
    }
}
