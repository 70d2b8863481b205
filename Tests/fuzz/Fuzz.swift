// libFuzzer's driver over the targets in Targets.swift. One program, one target a run:
//
//     FUZZ_TARGET=gguf fuzz -max_total_time=60 corpus/
//
// scripts/fuzz.sh builds it with the sanitizers, makes the seeds and runs all targets.

import Glibc

@_silgen_name("LLVMFuzzerRunDriver")
func LLVMFuzzerRunDriver(
    _ argc: UnsafeMutablePointer<Int32>, _ argv: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

@main enum Fuzz {
    nonisolated(unsafe) static var target: ([UInt8]) throws -> Void = { _ in }

    static func main() {
        let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
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

// libFuzzer is told of each comparison, and makes use of those of 32 and 64 bits. The linker sends the others here (--wrap): a third of the
// time went into them.

@c(__wrap___sanitizer_cov_trace_cmp1) func ignore1(_ a: UInt8, _ b: UInt8) {}
@c(__wrap___sanitizer_cov_trace_const_cmp1) func ignoreConstant1(_ a: UInt8, _ b: UInt8) {}
@c(__wrap___sanitizer_cov_trace_cmp2) func ignore2(_ a: UInt16, _ b: UInt16) {}
@c(__wrap___sanitizer_cov_trace_const_cmp2) func ignoreConstant2(_ a: UInt16, _ b: UInt16) {}
