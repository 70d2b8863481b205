// host LIBRARY MODEL SEED: the ids that are drawn, one a line; a host that has a Swift runtime of its own, the toolchain's, and loads the
// library, which carries another one. Both must work, at the same time too.

import CAlpaca
import Dispatch
import Glibc

/// Functions of the library, by name: only types are taken from the header.
struct Library {
    let handle: UnsafeMutableRawPointer

    func callAsFunction<T>(_ name: String, as type: T.Type) -> T {
        guard let address = dlsym(handle, name) else { fail("\(name): \(String(cString: dlerror()))") }
        return unsafeBitCast(address, to: type)
    }

    func check(_ status: UInt32) {
        guard status != 0 else { return }
        fail(self("alpaca_last_error", as: Message.self)().map { String(cString: $0) } ?? "no message")
    }
}

typealias Open = @convention(c) (UnsafePointer<CChar>?, UnsafeRawPointer?, UnsafeMutablePointer<OpaquePointer?>?) -> UInt32
typealias Create = @convention(c) (OpaquePointer?, UnsafeRawPointer?, UnsafeMutablePointer<OpaquePointer?>?) -> UInt32
typealias Initialize = @convention(c) (UnsafeMutablePointer<alpaca_generation_params>?, Int) -> UInt32
typealias Generate =
    @convention(c) (
        OpaquePointer?, UnsafePointer<CChar>?, Int, UnsafePointer<alpaca_generation_params>?, alpaca_token_callback?,
        UnsafeMutableRawPointer?, UnsafeMutableRawPointer?
    ) -> UInt32
typealias Free = @convention(c) (OpaquePointer?) -> Void
typealias Message = @convention(c) () -> UnsafePointer<CChar>?

func fail(_ message: String) -> Never {
    let line = Array("host: \(message)\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
    exit(1)
}

/// Handlers of the signals 1 to 31.
func dispositions() -> [UInt] {
    (1..<32).map { number in
        var action = sigaction()
        guard sigaction(Int32(number), nil, &action) == 0 else { return 0 }
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: UInt.self)
    }
}

/// What needs the host's own runtime: classes, existentials, metadata, generics, casts, tasks.
final class Counter {
    var counts: [String: Int] = [:]
    func note(_ value: Any) { counts[String(describing: type(of: value)), default: 0] += 1 }
}

func useTheRuntime() -> [String: Int] {
    let counter = Counter()
    let values: [Any] = [1, "二", 3.0, [4], ["五": 5], counter, Optional(6) as Any, 7 as UInt8, Substring("八")]
    for value in values { counter.note(value) }
    if let number = values[7] as? any FixedWidthInteger { counter.note(number.description) }
    nonisolated(unsafe) var sum = 0
    let done = DispatchSemaphore(value: 0)
    Task {
        await withTaskGroup(of: Int.self) { group in
            for i in 0..<50 { group.addTask { i } }
            for await i in group { sum += i }
        }
        done.signal()
    }
    done.wait()
    return counter.counts.merging(["sum": sum]) { $1 }
}

/// User data of the callback: an object of the host's runtime.
final class IDs {
    var list: [Int32] = []
}

let arguments = CommandLine.arguments
guard arguments.count == 4, let seed = UInt64(arguments[3]) else { fail("usage: host LIBRARY MODEL SEED") }
let expected = useTheRuntime()
let before = dispositions()
guard let handle = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL) else { fail(String(cString: dlerror())) }
let library = Library(handle: handle)
var model: OpaquePointer?
var session: OpaquePointer?
var params = alpaca_generation_params()
library.check(library("alpaca_model_open", as: Open.self)(arguments[2], nil, &model))
library.check(library("alpaca_session_create", as: Create.self)(model, nil, &session))
library.check(library("alpaca_generation_params_init", as: Initialize.self)(&params, MemoryLayout<alpaca_generation_params>.size))
params.temperature = 1
params.max_new_tokens = 64
params.ignore_eos = 1
params.use_seed = 1
params.seed = seed

let ids = IDs()
let status = library("alpaca_session_generate", as: Generate.self)(
    session, "写一首五言绝句，题目是《秋夜》", Int(bitPattern: ALPACA_NUL_TERMINATED), &params,
    { event, data in
        guard let event, let data else { return 1 }
        Unmanaged<IDs>.fromOpaque(data).takeUnretainedValue().list.append(event.pointee.id)
        // The host's runtime is used in the middle of the library's work.
        return event.pointee.index % 16 == 0 && useTheRuntime()["sum"] != 1225 ? 1 : 0
    }, Unmanaged.passUnretained(ids).toOpaque(), nil)
library.check(status)
library("alpaca_session_free", as: Free.self)(session)
library("alpaca_model_free", as: Free.self)(model)
dlclose(handle)
guard useTheRuntime() == expected else { fail("the host's runtime gives \(useTheRuntime()), gave \(expected)") }
guard dispositions() == before else { fail("signal dispositions have changed") }
for id in ids.list { print(id) }
