/// The functions that include/alpaca.h declares, with what their comments say that they return.
struct HeaderDeclaration {
    let name: String
    /// Without its blanks: "alpaca_status", "constchar*".
    let result: String
    let parameters: [String]
    /// The statuses after @return, "as alpaca_x" taken as that function's; empty where it gives no status.
    var statuses: Set<String>
    fileprivate let sameAs: [String]

    static func all() throws -> [String: HeaderDeclaration] {
        let text = String(decoding: try Fixture.bytes(of: Fixture.repository + "/include/alpaca.h"), as: UTF8.self)
        var found: [String: HeaderDeclaration] = [:]
        // A comment, and the function that follows it.
        let pattern = #/(?s)/\*\*((?:(?!\*/).)*)\*/\s*([a-z][a-z0-9_ ]*?[ *]+)(alpaca_[a-z0-9_]+)\(([^)]*)\);/#
        for match in text.matches(of: pattern) {
            let name = String(match.3)
            let returns = match.1.split(separator: "@return", maxSplits: 1).dropFirst().joined().split(separator: "@").first ?? ""
            let parameters = match.4.split(separator: ",").map { parameter in
                String(parameter.split { " *\n".contains($0) }.last ?? "")
            }
            found[name] = HeaderDeclaration(
                name: name, result: match.2.filter { !$0.isWhitespace }, parameters: parameters == ["void"] ? [] : parameters,
                statuses: Set(returns.matches(of: #/ALPACA_[A-Z_]+/#).map { String($0.0) }),
                sameAs: returns.matches(of: #/as (alpaca_[a-z_]+)/#).map { String($0.1) })
        }
        for (name, declaration) in found {
            for other in declaration.sameAs {
                let same = found[other]?.statuses ?? []
                found[name]?.statuses.formUnion(same)
            }
        }
        return found
    }
}
