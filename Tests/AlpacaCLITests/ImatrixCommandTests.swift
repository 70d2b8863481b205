import Foundation
import Testing

extension CommandTests {
    /// Measured, written in both forms, added up; by the names of llama-imatrix.
    @Test func imatrix() throws {
        let goldens = CommandTests.repository.appendingPathComponent("Tests/Goldens")
        let model = goldens.appendingPathComponent("family/gguf/llama3-tied.gguf").path
        try withFolder { folder in
            // 6000 bytes end within a character.
            let text = folder + "/text.txt"
            try Data(contentsOf: goldens.appendingPathComponent("mini/heldout_poems.txt")).prefix(6000).write(
                to: URL(fileURLWithPath: text))
            let told = try run("imatrix", model, text, "-o", folder + "/a.gguf", "-c", "128", "--json")
            #expect(told.status == 0 && told.error.contains("its end cuts a character: the last byte is left out"), "\(told.error)")
            let report = try #require(try JSONSerialization.jsonObject(with: Data(told.text.utf8)) as? [String: Any])
            #expect(report["n_chunks"] as? Int == 37 && report["n_matrices"] as? Int == 21 && report["format"] as? String == "gguf")
            #expect(report["datasets"] as? [String] == [text])
            let first = try run(
                "imatrix", model, "-f", text, "--output-file", folder + "/b.dat", "--ctx-size", "128", "--chunks", "4", "--no-ppl", "-t",
                "1")
            #expect(first.status == 0 && first.text.contains("b.dat: 21 matrices, 4 chunks of 128 tokens\n"), "\(first)")
            let both = try run(
                "imatrix", "--in-file", folder + "/a.gguf", "--in-file", folder + "/b.dat", "-c", "128", "-o", folder + "/c.gguf")
            #expect(both.status == 0 && both.text.contains("41 chunks"), "\(both)")
            let described = try run("inspect", folder + "/c.gguf")
            #expect(described.text.contains("importance matrix (GGUF)") && described.text.contains("41 of 128 tokens"))
            // What is there is not replaced unasked, and what makes no sense is refused.
            #expect(try run("imatrix", model, text, "-o", folder + "/a.gguf", "-c", "128").status == 1)
            let short = try run("imatrix", model, text, "-o", folder + "/d.gguf", "-c", "8192")
            #expect(short.status == 1 && short.error.contains("tokens, expected at least the 8192 of a chunk"), "\(short.error)")
            for wrong in [
                ["imatrix", model, "-o", "x"], ["imatrix", model, text], ["imatrix", "-o", "x"],
                ["imatrix", model, text, "-f", text, "-o", "x"],
                ["imatrix", model, text, "-o", "x", "--chunks", "0"], ["imatrix", model, text, "-o", "x", "--format", "csv"],
            ] { #expect(try run(wrong).status == 2, "\(wrong)") }
        }
    }
}
