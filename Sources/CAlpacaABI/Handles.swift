// What the outside holds of our objects: addresses of 64-byte cells in one slab that is reserved once and never given back. A pointer that is
// no cell's address, a freed cell, a cell of another kind: all are told apart without touching memory that is not ours.

import AlpacaEngine
import Glibc
import Synchronization

enum HandleKind: UInt32 {
    case model = 1
    case tokenizer = 2
    case session = 3
    case string = 4

    var name: String {
        switch self {
        case .model: "model"
        case .tokenizer: "tokenizer"
        case .session: "session"
        case .string: "string"
        }
    }
}

/// A text that the library gave out, with a closing zero.
final class OwnedText: Sendable {
    let bytes: [CChar]

    init(_ text: String) throws(AlpacaError) {
        // The list of bytes, and once more with the zero.
        try LargeMemory.ask(text.utf8.count, of: 3, for: "text")
        bytes = text.utf8.map { CChar(bitPattern: $0) } + [0]
    }
}

@safe enum Handles {
    /// A cell: two words that `cancel` uses without the lock, therefore atomic, and what only the lock's holder uses. These are objects of
    /// their own in memory: to Swift, a change of one field of a struct is a change of the struct.
    @safe private struct Cell {
        /// Where the cell begins: its address is the handle.
        let address: UnsafeMutableRawPointer

        /// `live` + kind while the cell is in use.
        @unsafe var magic: UnsafeMutablePointer<Atomic<UInt64>> { unsafe address.assumingMemoryBound(to: Atomic<UInt64>.self) }

        /// A session's cancel flag: it stays where it is for as long as the process lives.
        @unsafe var cancel: UnsafeMutablePointer<Atomic<Bool>> { unsafe (address + 8).assumingMemoryBound(to: Atomic<Bool>.self) }

        @unsafe var content: UnsafeMutablePointer<Content> { unsafe (address + 16).assumingMemoryBound(to: Content.self) }
    }

    /// `object` is retained once for the cell; `owners` counts alpaca_..._retain.
    private struct Content {
        var object: UInt
        var owners: UInt32
        /// The next free cell's number, while this one is free.
        var next: Int
    }

    private static let live: UInt64 = 0x616C_7061_6361_0000
    private static let dead: UInt64 = 0xDEAD_DEAD_DEAD_DEAD
    private static let count = 1 << 16
    private static let cellSize = 64

    /// Free cells are taken from the front and put back at the end: a stale handle stays recognizable for as long as can be.
    private struct State {
        var base: UInt = 0
        var firstFree = 0
        var lastFree = count - 1
        var freeCount = count
    }
    private static let state = Lock(State())
    /// `State.base` for who may not wait for the lock.
    private static let slab = Atomic<UInt>(0)

    /// Bound: `number` is 0 ..< count, so the cell lies in the slab.
    @unsafe private static func cell(_ base: UInt, _ number: Int) -> Cell? {
        unsafe UnsafeMutableRawPointer(bitPattern: base + UInt(number * cellSize)).map { unsafe Cell(address: $0) }
    }

    /// A handle for `object`, which it keeps alive.
    static func make(_ object: AnyObject, _ kind: HandleKind) throws(AlpacaError) -> OpaquePointer {
        try unsafe make(kind) { _ in object }
    }

    /// A handle for what `body` makes; it gets the place of the handle's cancel flag, which is false.
    static func make(_ kind: HandleKind, _ body: (UnsafeMutablePointer<Atomic<Bool>>) throws(AlpacaError) -> AnyObject)
        throws(AlpacaError) -> OpaquePointer
    {
        let number = try reserve()
        guard let cell = unsafe cell(slab.load(ordering: .acquiring), number) else { throw noneLeft }
        let object: AnyObject
        do throws(AlpacaError) {
            unsafe cell.cancel.pointee.store(false, ordering: .relaxed)
            object = try unsafe body(cell.cancel)
        } catch {
            state.withLock { state in unsafe putBack(number, &state) }
            throw error
        }
        let reference = unsafe UInt(bitPattern: Unmanaged.passRetained(object).toOpaque())
        state.withLock { _ in
            unsafe cell.content.pointee.owners = 1
            unsafe cell.content.pointee.object = reference
            unsafe cell.magic.pointee.store(live + UInt64(kind.rawValue), ordering: .releasing)
        }
        return unsafe OpaquePointer(cell.address)
    }

    private static var noneLeft: AlpacaError {
        AlpacaError(.outOfMemory, "no handle is left: \(count) objects are open; free some")
    }

    /// Takes a free cell.
    private static func reserve() throws(AlpacaError) -> Int {
        let number: Int? = state.withLock { state in
            if state.base == 0 {
                let pointer = unsafe mmap(nil, count * cellSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                guard let pointer = unsafe pointer, unsafe pointer != MAP_FAILED else { return nil }
                state.base = UInt(bitPattern: pointer)
                for i in 0..<count { unsafe cell(state.base, i)?.content.pointee.next = i + 1 }
                slab.store(state.base, ordering: .releasing)
            }
            guard state.freeCount > 1, let cell = unsafe cell(state.base, state.firstFree) else { return nil }
            let number = state.firstFree
            state.firstFree = unsafe cell.content.pointee.next
            state.freeCount -= 1
            return number
        }
        guard let number else { throw noneLeft }
        return number
    }

    @unsafe private static func putBack(_ number: Int, _ state: inout State) {
        if let last = unsafe cell(state.base, state.lastFree) { unsafe last.content.pointee.next = number }
        state.lastFree = number
        state.freeCount += 1
    }

    /// The cell's number if `handle` is a live cell of `kind`. Safe without the lock; the answer may then be old at once.
    private static func number(_ handle: OpaquePointer?, _ kind: HandleKind, _ base: UInt) -> Int? {
        let offset = UInt(bitPattern: handle) &- base
        guard base != 0, offset < UInt(count * cellSize), offset % UInt(cellSize) == 0 else { return nil }
        let number = Int(offset) / cellSize
        guard let cell = unsafe cell(base, number),
            unsafe cell.magic.pointee.load(ordering: .acquiring) == live + UInt64(kind.rawValue)
        else { return nil }
        return number
    }

    /// Sets a session's cancel flag. Takes no lock and allocates nothing: a signal handler may do it.
    static func cancel(_ handle: OpaquePointer?) {
        let base = slab.load(ordering: .acquiring)
        guard let number = unsafe number(handle, .session, base), let cell = unsafe cell(base, number) else { return }
        unsafe cell.cancel.pointee.store(true, ordering: .relaxed)
    }

    /// The object behind a handle, nil when the handle is none of `kind`.
    static func find<T: AnyObject>(_ handle: OpaquePointer?, _ kind: HandleKind, as type: T.Type = T.self) -> T? {
        state.withLock { state -> T? in
            guard let number = unsafe number(handle, kind, state.base), let cell = unsafe cell(state.base, number),
                let pointer = unsafe UnsafeRawPointer(bitPattern: cell.content.pointee.object)
            else { return nil }
            return unsafe Unmanaged<AnyObject>.fromOpaque(pointer).takeUnretainedValue() as? T
        }
    }

    /// The object behind a handle.
    ///
    /// - Parameter name: the argument in the error's message; nil for the kind's name.
    static func get<T: AnyObject>(_ handle: OpaquePointer?, _ kind: HandleKind, as type: T.Type = T.self, _ name: String? = nil)
        throws(AlpacaError) -> T
    {
        if let object = unsafe find(handle, kind, as: type) { return object }
        let found = unsafe handle == nil ? "NULL" : "a handle that is freed, of another kind or none"
        throw AlpacaError(.invalidArgument, "\(name ?? kind.name): found \(found), expected a live alpaca_\(kind.name)")
    }

    /// One more owner. False when the handle is none of `kind`.
    static func retain(_ handle: OpaquePointer?, _ kind: HandleKind) -> Bool {
        state.withLock { state in
            guard let number = unsafe number(handle, kind, state.base), let cell = unsafe cell(state.base, number),
                unsafe cell.content.pointee.owners < .max
            else { return false }
            unsafe cell.content.pointee.owners += 1
            return true
        }
    }

    /// One owner less; the last one frees the cell. Returns the object when it was the last; it goes when the caller lets go of it.
    static func release(_ handle: OpaquePointer?, _ kind: HandleKind) -> AnyObject? {
        let object: UInt = state.withLock { state in
            guard let number = unsafe number(handle, kind, state.base), let cell = unsafe cell(state.base, number) else { return 0 }
            unsafe cell.content.pointee.owners -= 1
            guard unsafe cell.content.pointee.owners == 0 else { return 0 }
            let object = unsafe cell.content.pointee.object
            unsafe cell.magic.pointee.store(dead, ordering: .relaxed)
            unsafe cell.content.pointee.object = 0
            unsafe putBack(number, &state)
            return object
        }
        guard let pointer = unsafe UnsafeRawPointer(bitPattern: object) else { return nil }
        // Balances passRetained in make. Outside the lock: what the object's end does may take long.
        return unsafe Unmanaged<AnyObject>.fromOpaque(pointer).takeRetainedValue()
    }
}
