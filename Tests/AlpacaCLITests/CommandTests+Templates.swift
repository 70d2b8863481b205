import Foundation
import Testing

extension CommandTests {
    /// Who names a template needs no word about the model's own.
    @Test func `an unknown template is told of where it counts`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("alpaca-\(UUID())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let base = folder + "/base", tokens = ["-n", "1", "-c", "256"]
        #expect(try run("convert", CommandTests.model, "--format", "hf", "-o", base).status == 0)
        try Data("{{ messages[0].content }\n of a stranger".utf8).write(to: URL(fileURLWithPath: base + "/chat_template.jinja"))
        for command in ["generate", "chat"] {
            let told = try run([command, base] + tokens, input: "hi\n")
            #expect(told.status == 0 && told.error.contains("has a template that can't be read: line 1"), "\(told.error)")
            #expect(try run([command, base, "--template", "AUTO"] + tokens, input: "hi\n").error == told.error)
            for name in ["none", "alpaca"] {
                let quiet = try run([command, base, "--template", name] + tokens, input: "hi\n")
                #expect(quiet.status == 0 && !quiet.error.contains("template"), "\(quiet.error)")
            }
        }
    }
}
