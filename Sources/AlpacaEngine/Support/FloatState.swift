internal import CAlpacaSystem

/// The floating-point state that everything here is computed in, whatever the host's is: the default one, where numbers are rounded to the
/// nearest, denormals are numbers, and nothing traps. Workers are born with it; a calling thread has it inside ``standard(_:)``.
package enum FloatState {
    /// Runs `body` with the default state; the thread has its own again afterwards. Inside another call of this it costs a look.
    package static func standard<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        let isEntered = float_state_enter() != 0
        defer { if isEntered { float_state_leave() } }
        return try body()
    }

    /// Runs a callback of the host, inside ``standard(_:)``, with the host's state.
    package static func hosts<R, E: Error>(_ callback: () throws(E) -> R) throws(E) -> R {
        let isLent = float_state_begin_callback() != 0
        defer { if isLent { float_state_end_callback() } }
        return try callback()
    }

    /// For a thread of our own: a new thread inherits the state of the one that makes it.
    static func setDefault() { float_state_set_default() }
}
