import CAlpacaKernels
import Testing

/// Threads have one scratch for all matrices of a model, as large as the widest needs: a narrower one must not need more.
@Suite struct MatmulScratchTests {
    @Test(arguments: KernelPath.all) func theWidestNeedsTheMost(path: KernelPath) {
        let bytes = path.table.pointee.matmul.scratch_bytes
        for tokens in [1, 4, 16, 17, 512, 4096] {
            var most = 0
            for columns in 1...20_000 {
                let own = bytes?(columns, tokens) ?? 0
                #expect(own >= most, "\(columns) columns, \(tokens) tokens")
                guard own >= most else { break }
                most = own
            }
        }
        // The same for quantized inputs, whose columns are whole blocks.
        guard let packed = path.table.pointee.matmul.packed_bytes else { return }
        for columns in stride(from: 32, through: 20_000, by: 32) {
            #expect(packed(columns, 512) >= packed(columns - 32, 512) && packed(columns, 512) >= packed(columns, 511))
        }
    }
}
