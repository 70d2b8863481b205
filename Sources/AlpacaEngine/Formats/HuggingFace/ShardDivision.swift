/// How transformers divides a checkpoint into files: in order, a new file where the next tensor would not fit.
package enum ShardDivision {
    /// Bytes of tensors that a file has at most, unless one tensor alone has more.
    package static let defaultByteCount = 10_000_000_000

    /// For each file the numbers of its tensors; one file, perhaps an empty one, at least.
    package static func divide(_ byteCounts: [Int], most: Int) throws(AlpacaError) -> [Range<Int>] {
        guard most > 0 else { throw AlpacaError(.invalidArgument, "shard size: found \(most), expected more than 0") }
        var files: [Range<Int>] = []
        var start = 0, sum = 0
        for (i, size) in byteCounts.enumerated() {
            let next = try CheckedMath.sum(sum, size, of: "size of the tensors")
            if next > most, i > start {
                files.append(start..<i)
                start = i
                sum = size
            } else {
                sum = next
            }
        }
        return files + [start..<byteCounts.count]
    }

    /// "model.safetensors", or "model-00001-of-00002.safetensors" for number 0 of 2.
    package static func name(_ stem: String, _ ending: String, number: Int, of count: Int) -> String {
        func five(_ value: Int) -> String { String(repeating: "0", count: max(0, 5 - "\(value)".count)) + "\(value)" }
        return count == 1 ? stem + ending : "\(stem)-\(five(number + 1))-of-\(five(count))\(ending)"
    }
}
