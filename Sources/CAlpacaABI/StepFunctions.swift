import AlpacaEngine
public import CAlpaca

@c @implementation
public func alpaca_sessions_step(_ inputs: UnsafePointer<alpaca_step_input>?, _ n: Int) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        guard (1...1 << 16).contains(n), let inputs = unsafe inputs else {
            throw AlpacaError(.invalidArgument, "inputs: found \(UInt(bitPattern: n)) of them, expected 1 to \(1 << 16) and not NULL")
        }
        var taken: [(session: Session, ids: [TokenID])] = []
        taken.reserveCapacity(n)
        for i in 0..<n {
            // Bound: i < n.
            let input = unsafe inputs[i]
            try unsafe Arguments.reserved(input.reserved, "inputs[\(i)].reserved")
            let session = try unsafe Handles.get(input.session, .session, as: Session.self, "inputs[\(i)].session")
            // A copy: ids are checked before they are used, and the caller's memory might change in between.
            taken.append((session, try unsafe Arguments.ids(input.ids, input.n_ids, "inputs[\(i)].ids")))
        }
        try Session.step(taken)
    }
}
