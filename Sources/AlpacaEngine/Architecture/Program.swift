/// The whole forward pass of a model as a list of operations, made once when the model is opened.
package struct Program: Sendable {
    /// For all rows of a batch: from the embeddings to the last layer's output.
    package let body: [Operation]
    /// For the rows whose logits are wanted: the last norm and the output matrix.
    package let head: [Operation]
    /// Floats a row that each slot holds.
    package let slotWidths: [Int]
    /// What the operations need to know of the model beside its weights.
    package let configuration: ModelConfiguration

    package var operations: [Operation] { body + head }

    /// The matrices of experts, each once.
    package var expertMatrices: [TensorRole] { operations.flatMap(\.experts) }

    /// The matrices that all rows are multiplied with, each once, in the order of their use; the last is the output matrix.
    package var matrices: [TensorRole] { operations.compactMap(\.matrix) }
}

extension Architecture {
    /// The forward pass, top-down. A family writes the math of a layer in ``block(_:_:)``; what stands around it is the same for all.
    package func program() -> Program {
        var b = ProgramBuilder(self)
        b.embed(.tokenEmbedding)
        for layer in 0..<configuration.layerCount {
            b.begin(layer: layer)
            block(layer, &b)
        }
        b.beginHead()
        let h = b.norm(b.x, .outputNorm)
        b.logits(configuration.isOutputTied ? .tokenEmbedding : .output, h)
        return b.program()
    }
}
