internal import CAlpacaKernels

/// A matrix, what is added to its products, and where they go: (rows of the batch, rows of the matrix).
@safe struct CPUProduct: BitwiseCopyable {
    let matrix: QuantizedMatrix
    let bias: UnsafePointer<Float>?
    let output: UnsafeMutablePointer<Float>
    /// What the threads multiply after it, if that is known: their first rows of it are fetched while they multiply their last ones here.
    var next: QuantizedMatrix?
}

/// One job for the threads: an operation, or several that are done together. Everything that it needs is in it, as plain values and pointers
/// into the workspace and the weights, which outlive it. Shapes were checked when those were made.
@safe struct CPUStep: BitwiseCopyable {
    /// What an item of the job is.
    enum Items {
        case rows
        /// Rows that are packed together.
        case groups
        /// Tiles of a sequence's rows by key/value heads.
        case attention
        /// Blocks of rows of all products' matrices: of each thread's range of the first, then of its range of the second, and so on.
        case products
        /// Blocks of rows of the first product's matrix.
        case firstProduct
        /// All at once.
        case one
        /// Rows of one expert that are packed together.
        case expertGroups
        /// Blocks of rows of the matrices of all experts that have rows.
        case experts
        /// Blocks of columns of the input.
        case columns
    }

    let items: Items
    let body: WorkerPool.Body

    /// (rows, width)
    var input: UnsafeMutablePointer<Float>
    var width: Int
    /// What a norm or attention fills.
    var output: UnsafeMutablePointer<Float>?
    var weight: UnsafePointer<Float>?
    /// What is added to `input` first: (rows, width).
    var branch: UnsafeMutablePointer<Float>?
    /// Whether the outputs are quantized for the product that follows.
    var packs = false
    /// Whether the rows are those whose logits are wanted, not those of the batch.
    var isHead = false

    var products: UnsafePointer<CPUProduct>?
    var productCount = 0

    // Experts.
    /// Whether the shares of a row's experts are made to sum to 1.
    var isNormalized = false
    /// Whether the inputs are what experts' first matrices gave.
    var isMiddle = false
    /// Where the squares of the input's columns are added up, and the number of rows: of steps that observe.
    var sums: UnsafeMutablePointer<Double>?
    var count: UnsafeMutablePointer<Double>?
    /// What the inputs are rounded to after that.
    var rounding = InputRounding.none

    // Heads.
    var layer = 0
    var window = 0
    var query, key, value: UnsafeMutablePointer<Float>?

    init(_ items: Items, _ body: @escaping WorkerPool.Body, input: UnsafeMutablePointer<Float>, width: Int) {
        self.items = items
        unsafe self.body = unsafe body
        unsafe self.input = unsafe input
        self.width = width
    }
}
