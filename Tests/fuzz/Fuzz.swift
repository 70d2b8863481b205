// libFuzzer's driver over the targets in Targets.swift. One program, one target a run:
//
//     FUZZ_TARGET=gguf fuzz -max_total_time=60 corpus/
//
// scripts/fuzz.sh builds it with the sanitizers, makes the seeds and runs all targets.

import Foundation

@_silgen_name("LLVMFuzzerRunDriver")
func LLVMFuzzerRunDriver(
    _ argc: UnsafeMutablePointer<Int32>, _ argv: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

@main enum Fuzz {
    nonisolated(unsafe) static var target: ([UInt8]) throws -> Void = { _ in }

    static func main() {
        let name = ProcessInfo.processInfo.environment["FUZZ_TARGET"] ?? ""
        guard let found = Targets.all[name] else {
            print("FUZZ_TARGET: one of \(Targets.all.keys.sorted().joined(separator: ", "))")
            exit(2)
        }
        target = found
        var argc = CommandLine.argc
        var argv = CommandLine.unsafeArgv
        withUnsafeMutablePointer(to: &argv) { pointer in
            exit(LLVMFuzzerRunDriver(&argc, pointer, run))
        }
    }
}

/// An error is the right answer to almost everything; what counts is that there is an answer.
private func run(_ data: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    try? Fuzz.target(Array(UnsafeBufferPointer(start: data, count: count)))
    return 0
}
