/// The names behind `general.file_type`: the recipe that most of a file's tensors follow. Most have a tensor type's name, and their numbers
/// stand in its row (``TensorTypeFacts``); mixes with names of their own are listed here.
package struct GGUFFileType: Sendable, Hashable, CustomStringConvertible {
    package let rawValue: UInt32
    /// As ggml's tools write it: "Q4_K_M".
    package let description: String
    /// What matrices have that no rule of the mix is about.
    package let baseType: TensorType

    private init(_ rawValue: UInt32, _ name: String, _ baseType: TensorType) {
        self.rawValue = rawValue
        description = name
        self.baseType = baseType
    }

    package static let q3_K_S = GGUFFileType(11, "Q3_K_S", .q3_K)
    package static let q3_K_M = GGUFFileType(12, "Q3_K_M", .q3_K)
    package static let q3_K_L = GGUFFileType(13, "Q3_K_L", .q3_K)
    package static let q4_K_S = GGUFFileType(14, "Q4_K_S", .q4_K)
    package static let q4_K_M = GGUFFileType(15, "Q4_K_M", .q4_K)
    package static let q5_K_S = GGUFFileType(16, "Q5_K_S", .q5_K)
    package static let q5_K_M = GGUFFileType(17, "Q5_K_M", .q5_K)
    package static let q2_K_S = GGUFFileType(21, "Q2_K_S", .q2_K)
    package static let iq2_S = GGUFFileType(28, "IQ2_S", .iq2_XS)
    package static let mxfp4_MoE = GGUFFileType(38, "MXFP4_MOE", .mxfp4)
    private static let mixes = [
        q3_K_S, q3_K_M, q3_K_L, q4_K_S, q4_K_M, q5_K_S, q5_K_M, q2_K_S, GGUFFileType(22, "IQ3_XS", .iq3_S),
        GGUFFileType(27, "IQ3_M", .iq3_S), iq2_S, GGUFFileType(29, "IQ2_M", .iq2_S), mxfp4_MoE,
    ]
    /// All matrices but the output in that type. Files say the same of it as of the mix with experts.
    package static let mxfp4 = GGUFFileType(38, "MXFP4", .mxfp4)

    /// By number.
    package static let all: [GGUFFileType] = {
        let named = TensorType.allCases.filter { type in !mixes.contains { $0.rawValue == type.facts.fileType } }
        let all = mixes + named.map { GGUFFileType($0.facts.fileType, $0.description, $0) }
        return all.sorted { $0.rawValue < $1.rawValue }
    }()
    /// "F32, F16, ...": what can be asked for.
    package static var writableNames: String {
        (all.filter(\.baseType.facts.isWritable) + [mxfp4]).map(\.description).joined(separator: ", ")
    }

    package static let f32 = GGUFFileType(.f32)
    package static let f16 = GGUFFileType(.f16)
    package static let bf16 = GGUFFileType(.bf16)
    package static let q2_K = GGUFFileType(.q2_K)
    package static let iq4_NL = GGUFFileType(.iq4_NL)
    package static let iq4_XS = GGUFFileType(.iq4_XS)
    package static let tq1_0 = GGUFFileType(.tq1_0)
    package static let tq2_0 = GGUFFileType(.tq2_0)

    /// What the type's name alone means.
    package init(_ type: TensorType) {
        let found = type == .mxfp4 ? Self.mxfp4 : Self.all.first { $0.rawValue == type.facts.fileType }
        self = found ?? GGUFFileType(type.facts.fileType, type.description, type)
    }

    /// 1024 more: whoever wrote the file had guessed.
    package init?(rawValue: UInt32) {
        let guessed: UInt32 = 1024
        guard let found = Self.all.first(where: { $0.rawValue == rawValue & ~guessed }) else { return nil }
        self = found
    }
}
