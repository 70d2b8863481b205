// swift-tools-version: 6.2
import PackageDescription

/// Settings of the Swift targets that are linked into libalpaca: nothing unsafe goes unmarked.
let strict: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatWarning("StrictMemorySafety", as: .error),
    .enableExperimentalFeature("Lifetimes"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let modern: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// Sanitizers put checks into every operation of the loops: to optimize those as well takes minutes (scripts/sanitize.sh).
let optimization = Context.environment["ALPACA_KERNEL_OPTIMIZATION"] ?? "-O3"

let package = Package(
    name: "alpaca",
    products: [
        .library(name: "alpaca", type: .dynamic, targets: ["CAlpacaABI"]),
        .library(name: "AlpacaEngine", targets: ["AlpacaEngine"]),
        .executable(name: "alpaca-cli", targets: ["AlpacaCLI"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0")
    ],
    targets: [
        .target(
            name: "CAlpacaKernels",
            cSettings: [
                // The loops are worth optimizing in debug builds too: tests run whole models. No contraction of a*b+c behind
                // our back: every fused operation is written as one, so that all CPU paths give the same bits.
                .unsafeFlags([optimization, "-ffp-contract=off", "-fno-math-errno", "-std=gnu17"])
            ]
        ),
        .target(name: "CAlpacaSystem"),
        .target(name: "AlpacaEngine", dependencies: ["CAlpacaKernels", "CAlpacaSystem"], swiftSettings: strict),
        .systemLibrary(name: "CAlpaca", path: "include"),
        .target(name: "CAlpacaHost"),
        .target(name: "CAlpacaABI", dependencies: ["AlpacaEngine", "CAlpaca", "CAlpacaHost"], swiftSettings: strict),
        .target(name: "CAlpacaCommand"),
        .executableTarget(
            name: "AlpacaCLI",
            dependencies: ["AlpacaEngine", "CAlpacaCommand", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: modern
        ),
        // Reads the compiler's index for the test of the layers.
        .target(name: "IndexStoreReader", path: "Tests/IndexStoreReader"),
        .testTarget(
            name: "AlpacaEngineTests", dependencies: ["AlpacaEngine", "CAlpacaKernels", "IndexStoreReader"], swiftSettings: modern),
        .testTarget(name: "CAlpacaABITests", dependencies: ["CAlpacaABI", "CAlpaca"], swiftSettings: modern),
        .testTarget(name: "AlpacaCLITests", dependencies: ["AlpacaCLI"], swiftSettings: modern),
    ],
    swiftLanguageModes: [.v6]
)

// Fuzzing needs libFuzzer and sanitizers (scripts/fuzz.sh): only when asked for.
if Context.environment["ALPACA_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "Fuzz", dependencies: ["AlpacaEngine", "CAlpacaKernels"], path: "Tests/fuzz",
            exclude: ["dictionaries", "make_seeds.py", "small_models.py"],
            swiftSettings: modern + [.unsafeFlags(["-parse-as-library"])]))
}

// What the library alone is built from, as in the source distribution of the Python package: no tests, no command, nothing to download.
if Context.environment["ALPACA_LIBRARY_ONLY"] != nil {
    let library = ["CAlpacaKernels", "CAlpacaSystem", "AlpacaEngine", "CAlpaca", "CAlpacaHost", "CAlpacaABI"]
    package.products.removeAll { $0.name == "alpaca-cli" }
    package.targets.removeAll { !library.contains($0.name) }
    package.dependencies = []
}
