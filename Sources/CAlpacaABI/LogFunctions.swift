import AlpacaEngine
public import CAlpaca
import Glibc

/// What the library has to say, to who has asked for it.
enum Log {
    @safe private struct Listener: @unchecked Sendable {
        let callback: @convention(c) (UnsafePointer<alpaca_log_entry>?, UnsafeMutableRawPointer?) -> Void
        let userData: UnsafeMutableRawPointer?
    }

    private static let listener = Lock<Listener?>(nil)

    /// Set on a thread while it is in the callback: what goes wrong in there is not told again.
    private static let inside: pthread_key_t? = {
        var key = pthread_key_t()
        return unsafe pthread_key_create(&key, nil) == 0 ? key : nil
    }()

    static func listen(
        _ callback: (@convention(c) (UnsafePointer<alpaca_log_entry>?, UnsafeMutableRawPointer?) -> Void)?,
        _ userData: UnsafeMutableRawPointer?
    ) {
        let new = unsafe callback.map { unsafe Listener(callback: $0, userData: userData) }
        listener.withLock { $0 = new }
    }

    static func write(_ level: alpaca_log_level, _ text: @autoclosure () -> String) {
        // Called without the lock: it may ask for another callback.
        guard let listener = listener.withLock({ $0 }), let inside, unsafe pthread_getspecific(inside) == nil else { return }
        unsafe pthread_setspecific(inside, UnsafeRawPointer(bitPattern: 1))
        defer { pthread_setspecific(inside, nil) }
        var text = text()
        text.withUTF8 { bytes in
            var entry = unsafe alpaca_log_entry(
                struct_size: MemoryLayout<alpaca_log_entry>.size, level: Int32(bitPattern: level.rawValue), reserved: 0,
                text: bytes.baseAddress.map { unsafe UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self) } ?? StaticText.empty,
                text_length: bytes.count)
            FloatState.hosts { unsafe listener.callback(&entry, listener.userData) }
        }
    }

    static func warn(_ warnings: [String]) {
        for warning in warnings { write(ALPACA_LOG_WARNING, warning) }
    }
}

@c @implementation
public func alpaca_set_log_callback(
    _ callback: (@convention(c) (UnsafePointer<alpaca_log_entry>?, UnsafeMutableRawPointer?) -> Void)?, _ userData: UnsafeMutableRawPointer?
) { unsafe Log.listen(callback, userData) }
