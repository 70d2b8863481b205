public import CAlpaca

private let version: StaticString = "1.0.0"

@c @implementation
public func alpaca_version() -> UnsafePointer<CChar>? {
    unsafe UnsafeRawPointer(version.utf8Start).assumingMemoryBound(to: CChar.self)
}
