import Glibc
import Testing

/// The header, what implements it, what the linker lets out, and what is tested are one list.
@Suite struct HeaderTests {
    private func text(_ path: String) throws -> String {
        String(decoding: try Fixture.bytes(of: Fixture.repository + "/" + path), as: UTF8.self)
    }

    private func files(in folder: String) throws -> [String] {
        let directory = try #require(opendir(Fixture.repository + "/" + folder))
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(cString: $0.bindMemory(to: CChar.self).baseAddress!) }
            if name.hasSuffix(".swift") { names.append(folder + "/" + name) }
        }
        return names.sorted()
    }

    /// Names declared as functions: what stands before a parenthesis, comments and typedefs apart. Another way than HeaderDeclaration's.
    private func declared() throws -> Set<String> {
        let source = try text("include/alpaca.h").replacing(#/(?s)/\*.*?\*//#, with: "").replacing(#/typedef[^;{]*\(\*[^;]*;/#, with: "")
        return Set(source.matches(of: #/\b(alpaca_[a-z0-9_]+)\s*\(/#).map { String($0.1) })
    }

    @Test func everyFunctionIsImplemented() throws {
        let sources = try files(in: "Sources/CAlpacaABI").map(text).joined()
        let implemented = sources.matches(of: #/@c @implementation\s+public func (alpaca_[a-z0-9_]+)\(/#).map { String($0.1) }
        #expect(implemented.count == Set(implemented).count)
        #expect(try declared() == Set(implemented))
        #expect(try declared().count >= 38)
    }

    /// By its name: a pattern would take a later function into an older version.
    @Test func everyFunctionIsExported() throws {
        let exported = try text("exports.map").matches(of: #/(alpaca_[a-z0-9_*]+)\s*;/#).map { String($0.1) }
        #expect(exported.sorted() == (try declared().sorted()))
    }

    @Test func everyFunctionHasADeclarationForTests() throws {
        #expect(Set(try HeaderDeclaration.all().keys) == (try declared()))
    }

    /// Every function, type, field and constant says what it is.
    @Test func everythingIsDocumented() throws {
        var last = ""
        for line in try text("include/alpaca.h").split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            let isMember = line.hasPrefix("    ") && (line.contains(";") || line.contains(" = "))
            if isMember, !line.trimmingPrefix("    ").hasPrefix(" ") { #expect(line.contains("/**<"), "no comment: \(line)") }
            let begins = line.hasPrefix("typedef") || line.prefixMatch(of: #/(const |void |size_t |int32_t |alpaca_)[^;]*\(/#) != nil
            if begins {
                let follows = last.hasSuffix("*/") || last.hasPrefix("typedef struct")
                #expect(follows, "no comment: \(line)")
            }
            if !line.isEmpty { last = line }
        }
    }
}
