internal import CAlpacaKernels

/// A program as steps for the CPU. Neighbours that are cheaper together become one step: a branch's addition, the norm after it and the
/// quantization of its result; the products of one input; gate, up and what joins them; turning and storing of keys.
@safe final class CPUPlan {
    /// The steps of the body, then from `headStart` on those of the head.
    let steps: UnsafePointer<CPUStep>
    let count: Int
    let headStart: Int

    private let stepBuffer: UnsafeMutableBufferPointer<CPUStep>
    private let productBuffer: UnsafeMutableBufferPointer<CPUProduct>

    /// - Parameter squares: adds up what the products are multiplied with: a step more before them. Nil: the plan of models that answer.
    init(
        _ program: Program, _ weights: CPUWeights, _ workspace: CPUWorkspace, squares: InputSquares? = nil
    ) throws(AlpacaError) {
        var planner = CPUPlanner(program, weights, workspace, squares)
        try planner.add(program.body)
        let headStart = planner.steps.count
        planner.beginHead()
        try planner.add(program.head)
        planner.link()
        unsafe productBuffer = .allocate(capacity: max(1, planner.products.count))
        unsafe _ = productBuffer.initialize(fromContentsOf: planner.products)
        try squares?.allocate()
        unsafe stepBuffer = .allocate(capacity: max(1, planner.steps.count))
        for (i, step) in planner.steps.enumerated() {
            var step = step
            // Bounds: i < steps.count; a step's products are in the list.
            if step.productCount > 0, let base = unsafe productBuffer.baseAddress {
                unsafe step.products = unsafe UnsafePointer(base + planner.firstProducts[i])
            }
            if let squares, let input = planner.observed[i] { unsafe (step.sums, step.count) = squares.pointers(of: input) }
            unsafe stepBuffer.initializeElement(at: i, to: step)
        }
        // Allocated with one element or more.
        unsafe steps = UnsafePointer(stepBuffer.baseAddress.unsafelyUnwrapped)
        count = planner.steps.count
        self.headStart = headStart
    }

    deinit {
        unsafe stepBuffer.deallocate()
        unsafe productBuffer.deallocate()
    }
}

/// Makes the list.
private struct CPUPlanner {
    private(set) var steps: [CPUStep] = []
    private(set) var products: [CPUProduct] = []
    /// For each step the place of its first product in the list.
    private(set) var firstProducts: [Int] = []
    /// For the number of a step that observes that of its input.
    private(set) var observed: [Int: Int] = [:]

    private let program: Program
    private let weights: CPUWeights
    private let workspace: CPUWorkspace
    private let squares: InputSquares?
    private var isHead = false
    /// The slot whose quantized form is at hand.
    private var packed: Slot?

    init(_ program: Program, _ weights: CPUWeights, _ workspace: CPUWorkspace, _ squares: InputSquares?) {
        self.squares = squares
        self.program = program
        self.weights = weights
        self.workspace = workspace
    }

    mutating func beginHead() {
        isHead = true
        packed = nil
    }

    /// Tells each product which one follows, the last one that it is the first: another token comes after this one.
    mutating func link() {
        var order: [Int] = []
        for (step, first) in zip(steps, firstProducts) where step.items == .products || step.items == .firstProduct {
            order += first..<first + step.productCount
        }
        for (place, index) in order.enumerated() { products[index].next = products[order[(place + 1) % order.count]].matrix }
    }

    mutating func add(_ operations: [Operation]) throws(AlpacaError) {
        var rest = operations[...]
        while let first = rest.first {
            let next = rest.dropFirst()
            switch first {
            case .embed(let role, let out):
                unsafe try append(step(.rows, embedItem, out), [product(role, nil, out)])
                rest = next
            case .add(let branch, let x):
                if case .rmsNorm(let input, let weight, let out)? = next.first, input == x {
                    try norm(input, weight, out, branch: branch, before: next.dropFirst())
                    rest = next.dropFirst()
                } else {
                    var sum = unsafe step(.rows, addItem, x)
                    unsafe sum.branch = workspace.pointer(branch)
                    fill(x)
                    try append(sum)
                    rest = next
                }
            case .rmsNorm(let x, let weight, let out):
                try norm(x, weight, out, branch: nil, before: next)
                rest = next
            case .matmul(_, let x, _, _):
                rest = try matmuls(of: x, rest)
            case .headNorm(let x, let weight, _):
                var norm = unsafe step(.rows, headNormItem, x)
                unsafe norm.weight = try weights.vector(weight)
                fill(x)
                try append(norm)
                rest = next
            case .rope, .storeKV:
                rest = try rotateAndStore(rest)
            case .attention(let layer, let query, let window, let out):
                var attention = unsafe step(.attention, attentionItem, query)
                attention.layer = layer
                attention.window = window ?? 0
                unsafe attention.output = workspace.pointer(out)
                fill(out)
                try append(attention)
                rest = next
            case .gated(let gate, let up):
                var join = unsafe step(.rows, gateItem, gate)
                unsafe join.branch = workspace.pointer(up)
                fill(gate)
                try append(join)
                rest = next
            case .route(let logits, _, let isNormalized, let out):
                try route(logits, isNormalized: isNormalized, out)
                rest = next
            case .experts:
                rest = try experts(rest)
            case .mix(let role, _, let x, let route, let out):
                try mix(role, first.experts, x, route, out)
                rest = next
            case .logits(let role, let x):
                let matrix = try weights.matrix(role)
                try observe(x, for: [role], [matrix])
                try pack(x, for: [matrix])
                unsafe try append(
                    step(.products, logitsItem, x), [unsafe CPUProduct(matrix: matrix, bias: nil, output: workspace.logits)])
                rest = next
            }
        }
    }

    // MARK: Steps

    private mutating func norm(
        _ x: Slot, _ weight: TensorRole, _ out: Slot, branch: Slot?, before rest: ArraySlice<Operation>
    ) throws(AlpacaError) {
        var norm = unsafe step(.groups, normItem, x)
        unsafe norm.weight = try weights.vector(weight)
        unsafe norm.output = workspace.pointer(out)
        if let branch { unsafe norm.branch = workspace.pointer(branch) }
        // Those that read this value; once the slot is filled again, it holds another.
        for operation in rest {
            if operation.fills == out { break }
            guard operation.uses.first == out, let matrix = operation.matrix else { continue }
            if try weights.matrix(matrix).needsPackedInputs { norm.packs = true }
        }
        packed = norm.packs ? out : nil
        try append(norm)
    }

    /// The products of `x` that follow each other.
    private mutating func matmuls(of x: Slot, _ operations: ArraySlice<Operation>) throws(AlpacaError) -> ArraySlice<Operation> {
        var rest = operations
        var list: [CPUProduct] = []
        var outputs: [Slot] = []
        var roles: [TensorRole] = []
        while case .matmul(let role, x, let bias, let out)? = rest.first {
            roles.append(role)
            list.append(try product(role, bias, out))
            outputs.append(out)
            rest = rest.dropFirst()
        }
        try observe(x, for: roles, list.map(\.matrix))
        try pack(x, for: list.map(\.matrix))
        for out in outputs { fill(out) }
        if case .gated(let gate, let up)? = rest.first, outputs == [gate, up], list[0].matrix.rows == list[1].matrix.rows {
            unsafe try append(step(.firstProduct, gatedItem, x), list)
            return rest.dropFirst()
        }
        unsafe try append(step(.products, productItem, x), list)
        return rest
    }

    // MARK: Experts

    private mutating func route(_ logits: Slot, isNormalized: Bool, _ out: Slot) throws(AlpacaError) {
        var choice = unsafe step(.rows, chooseItem, logits)
        unsafe choice.output = workspace.pointer(out)
        choice.isNormalized = isNormalized
        fill(out)
        try append(choice)
        unsafe try append(step(.one, arrangeItem, out))
    }

    /// The products of one input with the experts' matrices: gates and ups, which are joined, or one kind.
    private mutating func experts(_ operations: ArraySlice<Operation>) throws(AlpacaError) -> ArraySlice<Operation> {
        var rest = operations
        guard case .experts(let role, _, let x, let route, let first)? = rest.first, let routing = workspace.routing else {
            throw AlpacaError(.internalError, "a program's experts are not those of its configuration")
        }
        var roles = [role]
        var lists = unsafe [try expertProducts(rest.first?.experts ?? [], unsafe workspace.pointer(first))]
        var outputs = [first]
        rest = rest.dropFirst()
        if case .experts(let role, _, x, route, let second)? = rest.first, case .gated(first, second)? = rest.dropFirst().first {
            unsafe lists.append(try expertProducts(rest.first?.experts ?? [], unsafe workspace.pointer(second)))
            outputs.append(second)
            roles.append(role)
            rest = rest.dropFirst(2)
        }
        var gather = unsafe step(.expertGroups, gatherItem, x)
        gather.packs = lists.contains { $0.contains(where: \.matrix.needsPackedInputs) }
        try append(gather)
        for out in outputs { fill(out) }
        var products = unsafe step(.experts, expertItem, x)
        unsafe products.input = routing.gathered
        try observeExperts(products, for: roles, lists.flatMap { $0 })
        try append(products, lists.flatMap { $0 })
        return rest
    }

    private mutating func mix(_ role: TensorRole, _ roles: [TensorRole], _ x: Slot, _ route: Slot, _ out: Slot) throws(AlpacaError) {
        guard let routing = workspace.routing else {
            throw AlpacaError(.internalError, "a program's experts are not those of its configuration")
        }
        let list = unsafe try expertProducts(roles, unsafe routing.gathered)
        // The slot has all of a row's experts side by side.
        var products = unsafe step(.experts, expertItem, x)
        products.width = routing.middle
        products.isMiddle = true
        try observeExperts(products, for: [role], list)
        if list.contains(where: \.matrix.needsPackedInputs) {
            var pack = unsafe step(.expertGroups, packExpertItem, x)
            pack.width = routing.middle
            pack.isMiddle = true
            try append(pack)
        }
        try append(products, list)
        var sum = unsafe step(.rows, mixItem, route)
        sum.width = program.slotWidths[out.index]
        unsafe sum.output = workspace.pointer(out)
        fill(out)
        try append(sum)
    }

    private func expertProducts(_ roles: [TensorRole], _ output: UnsafeMutablePointer<Float>) throws(AlpacaError) -> [CPUProduct] {
        var products: [CPUProduct] = []
        for role in roles { unsafe products.append(CPUProduct(matrix: try weights.matrix(role), bias: nil, output: output)) }
        return products
    }

    /// Turns queries and keys and stores keys and values: rope(q), rope(k), storeKV(k, v), in this order.
    private mutating func rotateAndStore(_ operations: ArraySlice<Operation>) throws(AlpacaError) -> ArraySlice<Operation> {
        let list = Array(operations.prefix(3))
        guard list.count == 3, case .rope(let query, program.configuration.headCount) = list[0],
            case .rope(let turned, program.configuration.keyValueHeadCount) = list[1],
            case .storeKV(let layer, let key, let value) = list[2], turned == key
        else {
            throw AlpacaError(.internalError, "the CPU turns queries, then keys, and stores them; found \(list)")
        }
        var store = unsafe step(.rows, rotateAndStoreItem, query)
        unsafe (store.query, store.key, store.value) = (workspace.pointer(query), workspace.pointer(key), workspace.pointer(value))
        store.layer = layer
        fill(query)
        fill(key)
        try append(store)
        return operations.dropFirst(3)
    }

    /// A slot holds another value from here on; its quantized form is out of date.
    private mutating func fill(_ slot: Slot) {
        if packed == slot { packed = nil }
    }

    /// Quantizes `x` unless it was done with what made it.
    private mutating func pack(_ x: Slot, for matrices: [QuantizedMatrix]) throws(AlpacaError) {
        guard packed != x, matrices.contains(where: \.needsPackedInputs) else { return }
        unsafe try append(step(.groups, packItem, x))
        packed = x
    }

    /// Adds up the squares of the numbers that the matrices are multiplied with, where that is wanted.
    private mutating func observe(_ x: Slot, for roles: [TensorRole], _ matrices: [QuantizedMatrix]) throws(AlpacaError) {
        guard let squares, !isHead || squares.includesHead else { return }
        var step = unsafe step(.columns, observeItem, x)
        // A router is F32 in every GGUF file, whatever a folder has.
        step.rounding = roles.contains { $0.kind == .router } ? .none : InputRounding(matrices)
        observed[steps.count] = squares.add(roles, columns: step.width)
        try append(step)
    }

    /// The same of what experts are multiplied with.
    private mutating func observeExperts(
        _ products: CPUStep, for roles: [TensorRole], _ list: [CPUProduct]
    ) throws(AlpacaError) {
        guard let squares, let routing = workspace.routing else { return }
        var step = unsafe CPUStep(.columns, observeExpertItem, input: products.input, width: products.width)
        step.rounding = InputRounding(list.map(\.matrix))
        observed[steps.count] = squares.add(roles, columns: step.width, experts: routing.expertCount)
        try append(step)
    }

    // MARK: Parts

    private func step(_ items: CPUStep.Items, _ body: @escaping WorkerPool.Body, _ input: Slot) -> CPUStep {
        var step = unsafe CPUStep(items, body, input: workspace.pointer(input), width: program.slotWidths[input.index])
        step.isHead = isHead
        return step
    }

    private func product(_ role: TensorRole, _ bias: TensorRole?, _ out: Slot) throws(AlpacaError) -> CPUProduct {
        let matrix = try weights.matrix(role)
        guard let bias else { return unsafe CPUProduct(matrix: matrix, bias: nil, output: workspace.pointer(out)) }
        return unsafe CPUProduct(matrix: matrix, bias: try weights.vector(bias), output: workspace.pointer(out))
    }

    private mutating func append(_ step: CPUStep, _ list: [CPUProduct] = []) throws(AlpacaError) {
        var step = step
        step.productCount = list.count
        firstProducts.append(products.count)
        products += list
        steps.append(step)
    }
}
