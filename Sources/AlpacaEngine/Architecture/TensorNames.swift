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

    static func numbered(_ pattern: String, _ role: TensorRole) -> String {
        var numbers = [role.layer, role.expert].compactMap { $0 }[...]
        return pattern.split(separator: ".", omittingEmptySubsequences: false).map { part in
            part == "*" ? numbers.popFirst().map(String.init) ?? "*" : String(part)
        }.joined(separator: ".")
    }

    /// The only reader of names: "blk.12.attn_q.weight" becomes "blk.*.attn_q.weight" and 12.
    static func parse(_ name: String) -> (pattern: String, numbers: [Int]) {
        var numbers: [Int] = []
        let parts = name.split(separator: ".", omittingEmptySubsequences: false).map { part -> String in
            guard let number = number(part) else { return String(part) }
            numbers.append(number)
            return "*"
        }
        return (parts.joined(separator: "."), numbers)
    }

    /// At most four digits, and no zero in front: "blk.00" is not another name of "blk.0".
    private static func number(_ part: Substring) -> Int? {
        guard (1...4).contains(part.utf8.count), part.utf8.allSatisfy({ (0x30...0x39).contains($0) }), part == "0" || part.first != "0",
            let number = Int(part), number < ModelConfiguration.Limits.layerCount.upperBound
        else { return nil }
        return number
    }
}
