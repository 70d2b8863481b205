// The items of steps that observe (``InputSquares``): each has some columns, and takes the rows in their order, so that no sum depends on how rows
// are cut into batches or items fall on threads.

/// Adds up the squares of a block of the input's columns.
func observeItem(_ raw: UnsafeMutableRawPointer, _ item: Int, _ thread: Int) {
    let c = unsafe raw.assumingMemoryBound(to: CPUContext.self)
    let step = unsafe c.pointee.step
    guard let sums = unsafe step.pointee.sums, let count = unsafe step.pointee.count else { return }
    let rows = unsafe c.pointee.stepRows
    unsafe step.pointee.observe(0..<rows, item, sums)
    // One item counts the rows.
    if item == 0 { unsafe count.pointee += Double(rows) }
}

/// The same for each expert's rows, whose sums stand one expert after the other.
func observeExpertItem(_ raw: UnsafeMutableRawPointer, _ item: Int, _ thread: Int) {
    let c = unsafe raw.assumingMemoryBound(to: CPUContext.self)
    let step = unsafe c.pointee.step
    guard let routing = unsafe c.pointee.routing, let sums = unsafe step.pointee.sums, let counts = unsafe step.pointee.count
    else { return }
    for number in 0..<routing.activeCount {
        // Bounds: number < activeCount; experts are below expertCount, for which there are sums and counts. An expert's places are in the
        // order of the rows.
        let expert = unsafe Int(routing.active[number]), places = routing.places(number)
        unsafe step.pointee.observe(places, item, sums + expert * step.pointee.width)
        if item == 0 { unsafe counts[expert] += Double(places.count) }
    }
}

extension CPUStep {
    /// Adds up the squares of a block of columns of some rows, then rounds them.
    ///
    /// - Parameter sums: `width` of them.
    @unsafe fileprivate func observe(_ rows: Range<Int>, _ item: Int, _ sums: UnsafeMutablePointer<Double>) {
        let first = item * CPUContext.columnsPerItem
        let last = min(width, first + CPUContext.columnsPerItem)
        for row in rows {
            let x = unsafe input + row * width
            for column in first..<last {
                // Bound: column < width, of which the input's rows and the sums have as many numbers.
                let value = unsafe x[column]
                unsafe sums[column] += Double(value) * Double(value)
                unsafe x[column] = rounding.rounded(value)
            }
        }
    }
}
