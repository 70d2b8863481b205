/// Tickets in the order in which they came. A ticket is kept by the call that waits for it, and is taken out before that returns; the queue
/// links them and counts no references. Guarded by the ``RuntimeLock``.
@safe struct TicketQueue {
    private var head, tail: Unmanaged<Ticket>?

    var isEmpty: Bool { unsafe head == nil }

    /// Whether that one is the first.
    func begins(with ticket: Ticket) -> Bool {
        unsafe head.map { unsafe $0.toOpaque() == Unmanaged.passUnretained(ticket).toOpaque() } ?? false
    }

    /// Asks the first one; nil when there is none.
    func first<R>(_ body: (Ticket) -> R) -> R? { unsafe head?._withUnsafeGuaranteedRef(body) }

    /// Whether a call waits for the backend for itself.
    var hasExclusive: Bool {
        var entry = unsafe head
        while let current = unsafe entry {
            if unsafe current._withUnsafeGuaranteedRef({ $0.isExclusive }) { return true }
            unsafe entry = unsafe current._withUnsafeGuaranteedRef { unsafe $0.next }
        }
        return false
    }

    /// Whether the next step can be for that ticket: none before it, nor it, wants the backend for itself.
    func shares(_ ticket: Ticket) -> Bool {
        var isThere = false
        forEachShared { if $0 === ticket { isThere = true } }
        return isThere
    }

    mutating func append(_ ticket: Ticket) {
        unsafe ticket.next = nil
        let entry = unsafe Unmanaged.passUnretained(ticket)
        if let last = unsafe tail {
            unsafe last._withUnsafeGuaranteedRef { unsafe $0.next = entry }
        } else {
            unsafe head = entry
        }
        unsafe tail = entry
    }

    mutating func remove(_ ticket: Ticket) {
        let wanted = unsafe Unmanaged.passUnretained(ticket).toOpaque()
        var before: Unmanaged<Ticket>?
        var entry = unsafe head
        while let current = unsafe entry {
            let next = unsafe current._withUnsafeGuaranteedRef { unsafe $0.next }
            guard unsafe current.toOpaque() == wanted else {
                unsafe before = current
                unsafe entry = next
                continue
            }
            if let before = unsafe before {
                unsafe before._withUnsafeGuaranteedRef { unsafe $0.next = next }
            } else {
                unsafe head = next
            }
            if unsafe next == nil { unsafe tail = before }
            unsafe ticket.next = nil
            return
        }
    }

    mutating func removeAll() { unsafe (head, tail) = (nil, nil) }

    /// Those that a step is for: up to the first that wants the backend for itself. `body` may take out the one that it gets.
    func forEachShared(_ body: (Ticket) -> Void) {
        var entry = unsafe head
        while let current = unsafe entry {
            let next = unsafe current._withUnsafeGuaranteedRef { unsafe $0.next }
            let goesOn = unsafe current._withUnsafeGuaranteedRef { ticket in
                guard !ticket.isExclusive else { return false }
                if ticket.state == .waiting { body(ticket) }
                return true
            }
            guard goesOn else { return }
            unsafe entry = next
        }
    }
}
