import AlpacaEngine
public import CAlpaca

@c @implementation
public func alpaca_status_name(_ status: alpaca_status) -> UnsafePointer<CChar>? {
    let name: StaticString =
        switch status {
        case ALPACA_OK: "ALPACA_OK"
        case ALPACA_INVALID_ARGUMENT: "ALPACA_INVALID_ARGUMENT"
        case ALPACA_NOT_FOUND: "ALPACA_NOT_FOUND"
        case ALPACA_IO: "ALPACA_IO"
        case ALPACA_BAD_FORMAT: "ALPACA_BAD_FORMAT"
        case ALPACA_UNSUPPORTED: "ALPACA_UNSUPPORTED"
        case ALPACA_TRUNCATED: "ALPACA_TRUNCATED"
        case ALPACA_SHAPE_MISMATCH: "ALPACA_SHAPE_MISMATCH"
        case ALPACA_MISSING: "ALPACA_MISSING"
        case ALPACA_UNSAFE: "ALPACA_UNSAFE"
        case ALPACA_OUT_OF_MEMORY: "ALPACA_OUT_OF_MEMORY"
        case ALPACA_CONTEXT_FULL: "ALPACA_CONTEXT_FULL"
        case ALPACA_BUFFER_TOO_SMALL: "ALPACA_BUFFER_TOO_SMALL"
        case ALPACA_BUSY: "ALPACA_BUSY"
        case ALPACA_CANCELLED: "ALPACA_CANCELLED"
        case ALPACA_VERIFICATION_FAILED: "ALPACA_VERIFICATION_FAILED"
        case ALPACA_INTERNAL: "ALPACA_INTERNAL"
        default: "ALPACA_UNKNOWN"
        }
    return unsafe StaticText.pointer(name)
}

@c @implementation
public func alpaca_last_error() -> UnsafePointer<CChar>? { unsafe LastError.message }

/// Both are made once and never freed.
private let version = PermanentText(Version.string)
private let buildInfo = PermanentText(BuildInfo.json)

/// A text that lives as long as the process.
@safe private struct PermanentText: @unchecked Sendable {
    let pointer: UnsafePointer<CChar>

    init(_ text: String) {
        let bytes = text.utf8.map { CChar(bitPattern: $0) } + [0]
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
        for i in bytes.indices { unsafe copy[i] = bytes[i] }
        unsafe pointer = UnsafePointer(copy)
    }
}

@c @implementation
public func alpaca_version() -> UnsafePointer<CChar>? { unsafe version.pointer }

@c @implementation
public func alpaca_abi_version() -> Int32 { ALPACA_ABI_VERSION }

@c @implementation
public func alpaca_build_info() -> UnsafePointer<CChar>? { unsafe buildInfo.pointer }

@c @implementation
public func alpaca_string_data(_ string: OpaquePointer?) -> UnsafePointer<CChar>? {
    guard let text = unsafe Handles.find(string, .string, as: OwnedText.self) else { return nil }
    // The array's storage does not move while the handle keeps the text alive.
    return unsafe text.bytes.withUnsafeBufferPointer { $0.baseAddress }
}

@c @implementation
public func alpaca_string_size(_ string: OpaquePointer?) -> Int {
    guard let text = unsafe Handles.find(string, .string, as: OwnedText.self) else { return 0 }
    return text.bytes.count - 1
}

@c @implementation
public func alpaca_string_free(_ string: OpaquePointer?) { unsafe _ = Handles.release(string, .string) }
