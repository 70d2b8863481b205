import CAlpacaKernels
import Testing

@testable import AlpacaEngine

/// The table of types in Swift against the one in C (types.def): neither can change alone.
@Suite struct TensorTypeTests {
    @Test func `Swift and C say the same of each type`() throws {
        let rows = kernelTypes()
        #expect(Set(rows.map { UInt32(bitPattern: $0.number) }) == Set(TensorType.allCases.map(\.rawValue)))
        #expect(rows.count == TensorType.allCases.count, "a number is there twice")
        for row in rows {
            let type = try #require(TensorType(rawValue: UInt32(bitPattern: row.number)))
            let facts = type.facts
            #expect(type.description == String(cString: row.name))
            #expect(facts.elementsPerBlock == Int(row.weights), "\(type)")
            #expect(facts.bytesPerBlock == Int(row.bytes), "\(type)")
            #expect(facts.fallback.map { Int32(bitPattern: $0.rawValue) } ?? -1 == row.fallback, "\(type)")
            #expect(facts.heedsImportance == (row.encode >= Int32(KERN_ENCODE_WEIGHTED)), "\(type)")
            #expect(facts.isWritable == (row.encode != Int32(KERN_ENCODE_NONE)), "\(type)")
            #expect(facts.fileType == UInt32(bitPattern: row.file_type), "\(type)")
            #expect(type.isQuantized == (row.decode != Int32(KERN_DECODE_FLOAT)), "\(type)")
            #expect(FloatType(type).map(\.tensorType) == (type.isQuantized ? nil : type))
        }
    }

    /// Whatever the length of a row, the chain of fallbacks ends at a type that takes it.
    @Test(arguments: TensorType.allCases) func `every row has a type in the end`(type: TensorType) {
        #expect(type.fitting(columns: 256) == type)
        for columns in [1, 31, 33, 40] { #expect(!type.fitting(columns: columns).isQuantized) }
        for columns in [32, 160, 288] { #expect(columns % type.fitting(columns: columns).elementsPerBlock == 0) }
    }

    @Test func `names in any case`() {
        #expect(TensorType(named: "iq4_nl") == .iq4_NL && TensorType(named: "Q4_K") == .q4_K && TensorType(named: "bf16") == .bf16)
        #expect(TensorType(named: "mxfp4") == .mxfp4 && TensorType(named: "IQ2_xxs") == .iq2_XXS && TensorType(named: "tq1_0") == .tq1_0)
        #expect(TensorType(named: "Q4_K_M") == nil && TensorType(named: "") == nil)
    }

    @Test func `file types are told by number and by name`() {
        let names = [
            0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L",
            14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS",
            23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M",
            32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4_MOE",
        ]
        #expect(GGUFFileType.all.map { Int($0.rawValue) } == names.keys.sorted())
        for (number, name) in names { #expect(GGUFFileType(rawValue: UInt32(number))?.description == name) }
        #expect(GGUFFileType(rawValue: 4) == nil && GGUFFileType(.q4_K) == .q4_K_M && GGUFFileType(.q4_0).baseType == .q4_0)
        #expect(GGUFFileType(rawValue: 1024 + 15) == .q4_K_M, "guessed")
        #expect(GGUFFileType(.mxfp4) == .mxfp4 && GGUFFileType.mxfp4.rawValue == GGUFFileType.mxfp4_MoE.rawValue)
    }
}
