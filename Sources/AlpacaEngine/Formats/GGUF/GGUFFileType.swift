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
    private static let mixes = [q3_K_S, q3_K_M, q3_K_L, q4_K_S, q4_K_M, q5_K_S, q5_K_M]

    /// By number.
    package static let all: [GGUFFileType] = {
        let named = TensorType.allCases.filter { type in !mixes.contains { $0.rawValue == type.facts.fileType } }
        return (mixes + named.map { GGUFFileType($0.facts.fileType, $0.description, $0) }).sorted { $0.rawValue < $1.rawValue }
    }()

    package static let f32 = GGUFFileType(.f32)
    package static let f16 = GGUFFileType(.f16)
    package static let bf16 = GGUFFileType(.bf16)
    package static let q2_K = GGUFFileType(.q2_K)
    package static let iq4_NL = GGUFFileType(.iq4_NL)

    /// What the type's name alone means.
    package init(_ type: TensorType) {
        self = Self.all.first { $0.rawValue == type.facts.fileType } ?? GGUFFileType(type.facts.fileType, type.description, type)
    }

    package init?(rawValue: UInt32) {
        guard let found = Self.all.first(where: { $0.rawValue == rawValue }) else { return nil }
        self = found
    }
}
