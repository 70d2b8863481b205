import Foundation
import IndexStoreReader
import Testing

/// Who declares what in a folder of sources, and who names it, as the compiler wrote it down when it built them.
struct SourceIndex {
    /// Files in which something is declared or named, by their paths below the folder.
    private(set) var files: Set<String> = []
    /// Where each symbol is declared, by what the compiler calls it. A symbol of another module has no place here.
    private var homes: [String: String] = [:]
    private var names: [Name] = []
    /// Symbols by the names that they are declared with, without their arguments.
    private var symbols: [String: Set<String>] = [:]

    /// A place that names a symbol.
    private struct Name: Hashable {
        let file: String, line: Int, symbol: String, name: String
    }

    struct Problem: Error, CustomStringConvertible {
        let description: String
    }

    /// - Parameters:
    ///   - store: a folder that the compiler was given as `-index-store-path`.
    ///   - folder: of the sources.
    init(store: String, folder: String) throws {
        guard let library = Toolchain.indexStoreLibrary else { throw Problem(description: "the toolchain has no libIndexStore.so") }
        final class Box { var found: [(name: Name, isHome: Bool)] = [] }
        let box = Box()
        let prefix = folder + "/"
        let problem = index_store_read(library, store, prefix, Unmanaged.passUnretained(box).toOpaque()) { context, occurrence in
            guard let context, let occurrence = occurrence?.pointee else { return }
            let isHome = occurrence.roles & UInt64(INDEX_DEFINITION) != 0
            guard isHome || occurrence.roles & UInt64(INDEX_REFERENCE) != 0 else { return }
            let name = Name(
                file: String(cString: occurrence.file), line: Int(occurrence.line), symbol: String(cString: occurrence.symbol),
                name: String(cString: occurrence.name))
            Unmanaged<Box>.fromOpaque(context).takeUnretainedValue().found.append((name, isHome))
        }
        if let problem {
            defer { free(problem) }
            throw Problem(description: String(cString: problem))
        }
        for (name, isHome) in box.found {
            let file = String(name.file.dropFirst(prefix.count))
            files.insert(file)
            if isHome {
                homes[name.symbol] = file
                symbols[String(name.name.prefix { $0 != "(" }), default: []].insert(name.symbol)
            } else {
                names.append(Name(file: file, line: name.line, symbol: name.symbol, name: name.name))
            }
        }
    }

    /// That of the engine, from this very build.
    static func ofTheEngine() throws -> SourceIndex {
        guard let store = Toolchain.indexStoreOfThisBuild else { throw Problem(description: "\(missing)") }
        return try SourceIndex(store: store, folder: Fixtures.repository.appendingPathComponent("Sources/AlpacaEngine").path)
    }
    static let isThere = Toolchain.indexStoreOfThisBuild != nil && Toolchain.indexStoreLibrary != nil
    static let missing: Comment = "the compiler's index is not there: release builds write it with --enable-index-store"

    /// Whether "Type" or "Type.member" is declared.
    func declares(_ name: String) -> Bool {
        let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
        guard let types = symbols[parts[0]] else { return false }
        // A member's symbol begins with that of its type, also where an extension declares it.
        return parts.count == 1 || symbols[parts[1], default: []].contains { member in types.contains { member.hasPrefix($0) } }
    }

    /// "FILE:LINE names NAME of FILE", for each name that its file may not use.
    func uses(butFor isAllowed: (_ user: String, _ home: String) -> Bool) -> [String] {
        var found: Set<String> = []
        for name in names {
            guard let home = homes[name.symbol], !isAllowed(name.file, home) else { continue }
            // What a property's name calls, it calls by that name.
            let plain = name.name.replacing(/^(getter|setter|read|modify|addressor|_modify|_read):/, with: "")
            found.insert("\(name.file):\(name.line) names \(plain) of \(home)")
        }
        return found.sorted()
    }
}

/// The Swift toolchain that is at hand.
enum Toolchain {
    /// The library that reads what compilers wrote down of sources.
    static let indexStoreLibrary: String? = {
        struct Info: Decodable {
            struct Paths: Decodable { let runtimeResourcePath: String }
            let paths: Paths
        }
        guard let text = try? run(["swiftc", "-print-target-info"]), let info = try? JSONDecoder().decode(Info.self, from: Data(text.utf8))
        else { return nil }
        // TOOLCHAIN/usr/lib/swift
        let libraries = URL(fileURLWithPath: info.paths.runtimeResourcePath).deletingLastPathComponent()
        let library = libraries.appendingPathComponent("libIndexStore.so").path
        return FileManager.default.fileExists(atPath: library) ? library : nil
    }()

    /// What was written of the sources of this program when it was built: beside it, unless the build was told not to (release builds are by
    /// default).
    static let indexStoreOfThisBuild: String? = {
        let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let store = program.deletingLastPathComponent().appendingPathComponent("index/store").path
        return FileManager.default.fileExists(atPath: store) ? store : nil
    }()

    /// Runs a program of the toolchain in a folder, and gives what it prints.
    static func run(_ arguments: [String], in folder: String? = nil) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw SourceIndex.Problem(description: "\(arguments[0]) failed") }
        return String(decoding: data, as: UTF8.self)
    }
}
