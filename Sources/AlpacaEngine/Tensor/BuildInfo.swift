/// What this build of the engine is and what it found on this machine.
package enum BuildInfo {
    package static var json: String {
        let types = TensorType.allCases.map { "\"\($0)\"" }.joined(separator: ",")
        return "{\"version\":\"\(Version.string)\",\"abi_version\":2,\"cpu_path\":\"\(Kernels.name)\","
            + "\"n_cores\":\(ProcessorCount.usable()),\"types\":[\(types)]}"
    }
}
