import AlpacaEngine
import CAlpaca
import CAlpacaHost
import Glibc

/// The message of each thread's last error.
enum LastError {
    private static let key: pthread_key_t? = {
        var key = pthread_key_t()
        return unsafe pthread_key_create(&key) { pointer in unsafe free(pointer) } == 0 ? key : nil
    }()

    static func set(_ message: String) {
        guard let key else { return }
        let copy = unsafe message.withCString { unsafe strdup($0) }
        let old = unsafe pthread_getspecific(key)
        unsafe pthread_setspecific(key, copy)
        unsafe free(old)
    }

    /// Never NULL; valid until this thread's next error.
    static var message: UnsafePointer<CChar> {
        if let key, let pointer = unsafe pthread_getspecific(key) {
            return unsafe UnsafePointer(pointer.assumingMemoryBound(to: CChar.self))
        }
        return unsafe StaticText.empty
    }
}

/// Text that lives as long as the library.
enum StaticText {
    static var empty: UnsafePointer<CChar> { unsafe pointer("") }

    /// A static string ends with a zero byte.
    @unsafe static func pointer(_ text: StaticString) -> UnsafePointer<CChar> {
        unsafe UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
    }
}

extension AlpacaError.Code {
    var status: alpaca_status { alpaca_status(rawValue: UInt32(bitPattern: rawValue)) }
}

/// Runs the body of a function of the interface: errors become its status and this thread's message.
func guarded(_ body: () throws(AlpacaError) -> Void) -> alpaca_status {
    // Small allocations of the Swift runtime end the process when they fail; a call that begins with room to spare does not come to that.
    guard host_has_headroom() != 0 else {
        LastError.set("out of memory: less than 1 MB can be had")
        return ALPACA_OUT_OF_MEMORY
    }
    do throws(AlpacaError) {
        try FloatState.standard(body)
        return ALPACA_OK
    } catch {
        LastError.set(error.message)
        if error.code != .bufferTooSmall { Log.write(ALPACA_LOG_ERROR, error.message) }
        return error.code.status
    }
}
