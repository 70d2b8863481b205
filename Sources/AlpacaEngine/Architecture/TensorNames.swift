/// Whose names: those of ggml's files, of Hugging Face's, or of Meta's `consolidated.NN.pth`.
package enum TensorNaming: Sendable, CaseIterable {
    case gguf, huggingFace, meta
}

/// What a tensor is called in each kind of file; nil where such files have no such tensor. In the names of a ``TensorPattern`` a part `*`
/// stands for the number of the layer, a second one for that of the expert.
package struct TensorNames: Hashable, Sendable {
    package let gguf: String
    package let huggingFace: String?
    package let meta: String?

    package init(_ gguf: String, _ huggingFace: String?, _ meta: String?) {
        self.gguf = gguf
        self.huggingFace = huggingFace
        self.meta = meta
    }

    package subscript(naming: TensorNaming) -> String? {
        switch naming {
        case .gguf: gguf
        case .huggingFace: huggingFace
        case .meta: meta
        }
    }

    /// The names of one tensor: numbers in place of `*`.
    func numbered(_ role: TensorRole) -> TensorNames {
        TensorNames(
            Self.numbered(gguf, role), huggingFace.map { Self.numbered($0, role) }, meta.map { Self.numbered($0, role) })
    }

    /// Names in which the number of the expert alone is missing.
    func numbered(expert: Int) -> TensorNames { numbered(TensorRole(TensorRole.Kind(""), expert: expert)) }

    static func numbered(_ pattern: String, _ role: TensorRole) -> String {
        var rest: (Int?, Int?) = (role.layer, role.expert)
        if rest.0 == nil { rest = (rest.1, nil) }
        var name: [UInt8] = []
        name.reserveCapacity(pattern.utf8.count + 8)
        for byte in pattern.utf8 {
            if byte == UInt8(ascii: "*"), let number = rest.0 {
                name.append(contentsOf: String(number).utf8)
                rest = (rest.1, nil)
            } else {
                name.append(byte)
            }
        }
        return String(decoding: name, as: UTF8.self)
    }

    /// The only reader of names: "blk.12.attn_q.weight" becomes "blk.*.attn_q.weight" and 12.
    static func parse(_ name: String) -> (pattern: String, numbers: [Int]) {
        var numbers: [Int] = []
        var pattern: [UInt8] = []
        pattern.reserveCapacity(name.utf8.count)
        // Where the part at hand begins.
        var start = 0
        func endPart() {
            guard let number = number(pattern[start...]) else { return }
            numbers.append(number)
            pattern.removeSubrange(start...)
            pattern.append(UInt8(ascii: "*"))
        }
        for byte in name.utf8 {
            if byte == UInt8(ascii: ".") {
                endPart()
                start = pattern.count + 1
            }
            pattern.append(byte)
        }
        endPart()
        return (String(decoding: pattern, as: UTF8.self), numbers)
    }

    /// At most four digits, and no zero in front: "blk.00" is not another name of "blk.0".
    private static func number(_ part: ArraySlice<UInt8>) -> Int? {
        guard (1...4).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0") else { return nil }
        var number = 0
        for byte in part {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            number = 10 * number + Int(byte - UInt8(ascii: "0"))
        }
        return number < ModelConfiguration.Limits.layerCount.upperBound ? number : nil
    }
}
