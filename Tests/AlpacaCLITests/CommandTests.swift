import Foundation
import Testing

/// The command as a user runs it: output, errors, exit status.
@Suite struct CommandTests {
    static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    static let model = repository.appendingPathComponent("models/mini/chinese-alpaca-mini-f16.gguf").path

    /// The executable lies beside the tests' own.
    static let executable: URL = {
        var folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        if let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"), path.hasSuffix(".xctest") {
            folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        }
        return folder.appendingPathComponent("alpaca-cli")
    }()

    struct Output {
        let status: Int32
        let text, error: String
    }

    func run(
        _ arguments: String..., input: String = "", interruptAfter: Bool = false, interruptAfterProgress: Bool = false,
        environment: [String: String] = [:]
    ) throws -> Output {
        try run(
            arguments, input: input, interruptAfter: interruptAfter, interruptAfterProgress: interruptAfterProgress,
            environment: environment)
    }

    func run(
        _ arguments: [String], input: String = "", interruptAfter: Bool = false, interruptAfterProgress: Bool = false,
        environment: [String: String] = [:]
    ) throws -> Output {
        let process = Process()
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.executableURL = CommandTests.executable
        process.arguments = arguments
        let output = Pipe()
        let error = Pipe()
        let standardInput = Pipe()
        process.standardOutput = output
        process.standardError = error
        process.standardInput = standardInput
        try process.run()
        try standardInput.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try standardInput.fileHandleForWriting.close()
        var said = Data()
        if interruptAfter {
            said = output.fileHandleForReading.readData(ofLength: 1)
            process.interrupt()
        }
        var complaints = Data()
        if interruptAfterProgress {
            complaints = error.fileHandleForReading.readData(ofLength: 1)
            process.interrupt()
        }
        said += output.fileHandleForReading.readDataToEndOfFile()
        complaints += error.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let status = process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
        return Output(status: status, text: String(decoding: said, as: UTF8.self), error: String(decoding: complaints, as: UTF8.self))
    }

    private let prompt = "写一首五言绝句，题目是《秋夜》"
    /// transformers' text for the prompt with repetition penalty 1.1 (Tests/Goldens/mini/generation.json).
    private let poem = "故国无尘土，山林下水流。\n不知何处去，不忍见花枝。\n"

    @Test func generate() throws {
        let told = try run("generate", CommandTests.model, prompt, "--temperature", "0")
        #expect(told.status == 0)
        #expect(told.text == poem)
        #expect(told.error == "")
        // Four million positions would take 16 GB; a hundred are used.
        let grown = try run("generate", CommandTests.model, prompt, "--temperature", "0", "-c", "4194304", "--grow-on-demand")
        #expect(grown.text == poem, "\(grown.error)")
        // From a pipe, and as JSON.
        #expect(try run("generate", CommandTests.model, "--temperature", "0", input: prompt).text == poem)
        let json = try run("generate", CommandTests.model, "-", "--temperature", "0", "--json", input: prompt)
        let report = try #require(try JSONSerialization.jsonObject(with: Data(json.text.utf8)) as? [String: Any])
        #expect(report["text"] as? String == String(poem.dropLast()))
        #expect(report["finish_reason"] as? String == "end_of_sequence")
        #expect(report["n_prompt"] as? Int == 88 || report["n_prompt"] as? Int == 89)
    }

    @Test func chat() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("alpaca-\(UUID()).txt").path
        defer { try? FileManager.default.removeItem(atPath: file) }
        let told = try run(
            "chat", CommandTests.model, "--temperature", "0",
            input: "\(prompt)\n/save \(file)\n/reset\n/history\n\(prompt)\n/wrong\n/quit\n")
        #expect(told.status == 0)
        #expect(told.text == poem + poem)
        #expect(told.error.contains("/wrong is not a command"))
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "user: \(prompt)\nassistant: \(poem)")
    }

    @Test func tokenize() throws {
        let ids = try run("tokenize", CommandTests.model, "--ids", "--bos", "白日依山尽").text.split(separator: "\n")[0]
        #expect(ids.hasPrefix("1 "))
        let words = ids.split(separator: " ").dropFirst().map(String.init)
        #expect(try run("tokenize", CommandTests.model, "--decode", words.joined(separator: " ")).text == "白日依山尽\n")
        let wrong = try run("tokenize", CommandTests.model, "--decode", "3941")
        #expect(wrong.status == 2)
        #expect(wrong.error.contains("expected token ids 0 ... 3940"))
    }

    @Test func inspect() throws {
        let told = try run("inspect", CommandTests.model)
        #expect(told.text.contains("5,427,968 parameters"))
        #expect(told.text.contains("alpaca (3941 pieces, the last of them [PAD] after Chinese ones, as in Chinese-Alpaca, and the name"))
        let json = try run("inspect", CommandTests.model, "--json")
        let report = try #require(try JSONSerialization.jsonObject(with: Data(json.text.utf8)) as? [String: Any])
        #expect(report["n_params"] as? Int == 5_427_968)
        let all = try run("inspect", CommandTests.model, "--tensors")
        #expect(all.text.contains("\ntensors of \(CommandTests.model)\n"))
        let tokenizer = CommandTests.repository.appendingPathComponent("Tests/Goldens/tokenizers/mini_llama.model").path
        #expect(try run("inspect", tokenizer).text.contains("format      SentencePiece tokenizer (bpe)"))
    }

    @Test func bench() throws {
        let arguments = ["-p", "16", "-n", "2", "-d", "0,8", "-t", "1,2", "-np", "1,3", "-r", "2", "--no-roofs"]
        let told = try run(["bench", CommandTests.model, "--json"] + arguments)
        #expect(told.status == 0, "\(told.error)")
        let report = try #require(try JSONSerialization.jsonObject(with: Data(told.text.utf8)) as? [String: Any])
        let rows = try #require(report["rows"] as? [[String: Any]])
        let names = ["pp16", "tg2", "tg2 x 3", "pp16 @ 8", "tg2 @ 8", "tg2 x 3 @ 8"]
        #expect(rows.map { $0["test"] as? String } == names + names)
        #expect(rows.map { $0["n_threads"] as? Int } == Array(repeating: 1, count: 6) + Array(repeating: 2, count: 6))
        #expect(rows.allSatisfy { ($0["tokens_per_second"] as? [Double])?.count == 2 })
        // For people: a line a test, and one for each number of threads where the machine is measured.
        let table = try run("bench", CommandTests.model, "-p", "16", "-n", "0", "-t", "2", "-r", "1").text.split(separator: "\n").map {
            $0.split(separator: " ").map(String.init)
        }
        #expect(table.count == 6 && table[1] == ["threads", "read", "roof", "integer", "peak"], "\(table)")
        #expect(table[2].first == "1" && table[3].first == "2" && table[3].count == 5)
        #expect(table[5].prefix(2) == ["pp16", "2"])
        for wrong in [["-p", "x"], ["-p", "0", "-n", "0"], ["-r", "0"], ["-np", "-1"], ["-t", "1,b"]] {
            #expect(try run(["bench", CommandTests.model] + wrong).status == 2, "\(wrong)")
        }
        let failed = try run("bench", CommandTests.model, "-b", "0")
        #expect(failed.status == 1 && failed.error.contains("n_batch: found 0, expected 1 ... 4096"))
    }

    /// A model that ends with NaN: conversions say so, and what was measured is JSON all the same.
    @Test func numbersThatAreNone() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("alpaca-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var bytes = try Data(contentsOf: URL(fileURLWithPath: CommandTests.model))
        bytes.replaceSubrange(bytes.count - 4..<bytes.count, with: [255, 255, 255, 255])
        let model = folder + "/m.gguf", text = folder + "/text.txt", output = folder + "/out.gguf"
        try bytes.write(to: URL(fileURLWithPath: model))
        try Data(String(repeating: "白日依山尽，黄河入海流。", count: 20).utf8).write(to: URL(fileURLWithPath: text))
        let measured = try run("perplexity", text, model, "--ctx", "32", "--json")
        #expect(measured.status == 0 && measured.error.contains("the perplexity is infinite"))
        let rows = try #require(JSONSerialization.jsonObject(with: Data(measured.text.utf8)) as? [[String: Any]])
        for key in ["perplexity", "standard_error", "mean_nll"] { #expect(rows.first?[key] is NSNull, "\(measured.text)") }
        #expect(try run("perplexity", text, model, "--ctx", "32").text.hasPrefix("inf +/- inf"))
        let refused = try run("convert", model, "-o", output)
        #expect(refused.status == 1 && refused.error.contains("m.gguf: tensor \"") && refused.error.contains("infinite or NaN"))
        let allowed = try run("convert", model, "-o", output, "--allow-nonfinite")
        #expect(
            allowed.status == 0 && allowed.error.hasPrefix("warning: ") && allowed.error.contains("infinite or NaN"), "\(allowed.error)")
    }

    @Test func perplexity() throws {
        let text = CommandTests.repository.appendingPathComponent("Tests/Goldens/mini/heldout_poems.txt").path
        let told = try run("perplexity", text, CommandTests.model, "--ctx", "256", "--kv-cache", "f32", "--json")
        let rows = try #require(try JSONSerialization.jsonObject(with: Data(told.text.utf8)) as? [[String: Any]])
        // transformers' figure (Tests/Goldens/mini/perplexity.json).
        #expect(abs((rows[0]["perplexity"] as? Double ?? 0) - 107.1948) < 0.002)
        let one = try run("perplexity", text, CommandTests.model, "--ctx", "256", "--kv-cache", "f32")
        #expect(one.text.hasPrefix("107.19") && one.text.contains(" +/- 7.0"))
        let q8 = CommandTests.repository.appendingPathComponent("models/mini/chinese-alpaca-mini-q8_0.gguf").path
        let table = try run("perplexity", text, "--ctx", "256", "--compare", CommandTests.model, q8)
        let lines = table.text.split(separator: "\n").map { $0.split(separator: " ") }
        #expect(lines[0] == ["weights", "size", "perplexity", "+/-", "model"])
        #expect(lines.count == 3 && lines[1].first == "F16" && lines[2].first == "Q8_0" && lines[2].last == q8[...])
        #expect(try run("perplexity", text).status == 2)
    }

    func withFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("alpaca-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder.path)
    }

    private func golden(_ name: String) -> String { CommandTests.repository.appendingPathComponent("Tests/Goldens/\(name)").path }

    @Test func verify() throws {
        try withFolder { folder in
            let adapter = folder + "/chinese-alpaca-lora-7b"
            try FileManager.default.createDirectory(atPath: adapter, withIntermediateDirectories: true)
            try Data("damaged".utf8).write(to: URL(fileURLWithPath: adapter + "/adapter_model.bin"))
            let told = try run("verify", CommandTests.model, folder)
            #expect(told.status == 1 && told.error == "")
            #expect(
                told.text == """
                    \(CommandTests.model): unknown, not in the published list
                    \(adapter)/adapter_model.bin: DAMAGED: has the name of Chinese-Alpaca-7B adapter, adapter_model.bin, and another hash; \
                    fetch it again
                    2 files: 0 known, 1 not what their names say, 1 unknown

                    """)
            let json = try run("verify", CommandTests.model, "--json", "--progress", "json")
            let report = try #require(try JSONSerialization.jsonObject(with: Data(json.text.utf8)) as? [String: Any])
            #expect(json.status == 0 && report["ok"] as? Bool == true)
            let line = Data(try #require(json.error.split(separator: "\n").last).utf8)
            let step = try #require(try JSONSerialization.jsonObject(with: line) as? [String: Any])
            #expect(step["stage"] as? String == "hash" && step["total"] as? Int == step["done"] as? Int)
            #expect(try run("verify", CommandTests.model, "--progress", "bar").error.contains("hash [########################] 100% of "))
        }
    }

    @Test func mergeTokenizer() throws {
        try withFolder { folder in
            let llama = golden("tokenizers/mini_llama.model")
            let out = folder + "/out.model"
            let told = try run("merge-tokenizer", llama, golden("tokenizers/mini_chinese_sp.model"), "--add-piece", "[PAD]", "-o", out)
            #expect(told.status == 0 && told.text.hasPrefix("\(out): 3941 pieces, "))
            #expect(FileManager.default.contentsEqual(atPath: out, andPath: golden("tokenizers/mini_chinese_alpaca.model")))
            let again = try run("merge-tokenizer", out, "--add-piece", "x y", "-o", out)
            #expect(again.status == 1 && again.error.contains("out.model: "))
            let own = try run("merge-tokenizer", out, "--add-piece", "x y", "-o", out, "--overwrite")
            #expect(own.status == 1 && own.error.contains("the output is one of the inputs"))
            #expect(FileManager.default.contentsEqual(atPath: out, andPath: golden("tokenizers/mini_chinese_alpaca.model")))
            for _ in 0..<2 {
                let more = try run("merge-tokenizer", out, "--add-piece", "x y", "-o", folder + "/more.model", "--overwrite")
                #expect(more.text.contains("3942 pieces, 1 added"), "\(more.error)")
            }
            #expect(try run("merge-tokenizer", out, "-o", out).status == 2)
        }
    }

    /// A downloaded model is named as on the hub, whatever the command.
    @Test func namesOfTheHub() throws {
        try withFolder { folder in
            let model = folder + "/hub/models--owner--mini-model"
            try FileManager.default.createDirectory(atPath: model + "/snapshots/abc", withIntermediateDirectories: true)
            try FileManager.default.createDirectory(atPath: model + "/refs", withIntermediateDirectories: true)
            try Data("abc".utf8).write(to: URL(fileURLWithPath: model + "/refs/main"))
            try FileManager.default.createSymbolicLink(
                atPath: model + "/snapshots/abc/tokenizer.model", withDestinationPath: golden("tokenizers/mini_llama.model"))
            let told = try run("verify", "owner/mini-model", environment: ["HF_HOME": folder])
            #expect(told.text == "\(model)/snapshots/abc/tokenizer.model: unknown, not in the published list\n")
            let ids = try run("tokenize", "owner/mini-model", "--ids", "the LORD", environment: ["HF_HOME": folder])
            let same = try run("tokenize", golden("tokenizers/mini_llama.model"), "--ids", "the LORD")
            #expect(ids.status == 0 && ids.text == same.text)
            let missing = try run("inspect", "owner/other", environment: ["HF_HUB_CACHE": folder])
            #expect(missing.status == 1)
            #expect(
                missing.error.hasPrefix(
                    "error: owner/other: there is no such file or folder, and no model of that name in the Hugging Face cache (\(folder)); "
                        + "`hf download owner/other`"))
        }
    }

    @Test func convertIsChecked() throws {
        #expect(try run("convert", "base").status == 2)
        #expect(try run("convert", "base", "-o", "out", "--format", "x").status == 2)
        #expect(try run("convert", "base", "-o", "out", "--override", "x").error.contains("--override: found \"x\", expected PATTERN=TYPE"))
        #expect(try run("convert", "base", "-o", "out", "--shard-size", "big").error.contains("expected a size such as 10GB or 500MB"))
        #expect(try run("convert", "base", "-o", "out", "--threads", "300").status == 2)
        let missing = try run("convert", "/nonexistent", "-o", "/nonexistent/out")
        #expect(missing.status == 1 && missing.error.hasPrefix("error: /nonexistent"))
    }

    @Test func exitStatus() throws {
        #expect(try run("--help").status == 0)
        #expect(try run("--version").text == "1.1.0\n")
        #expect(try run("generate").status == 2)
        #expect(try run("no-such-command").status == 2)
        #expect(try run("generate", CommandTests.model, "a", "--template", "x").status == 2)
        let missing = try run("inspect", "/nonexistent.gguf")
        #expect(missing.status == 1)
        #expect(missing.error == "error: /nonexistent.gguf: cannot open: No such file or directory\n")
        #expect(missing.text == "")
        let negative = try run("generate", CommandTests.model, "a", "--temperature=-1")
        #expect(negative.status == 1)
        #expect(negative.error == "error: temperature: found -1.0, expected 0 or more\n")
    }

    @Test func interruptStopsAnAnswer() throws {
        let told = try run(
            "generate", CommandTests.model, "写一首诗", "-n", "0", "--context-shift", "--ignore-eos", interruptAfter: true)
        // As shells expect it: by the signal, which ends a loop of theirs, too.
        #expect(told.status == -SIGINT)
        #expect(!told.text.isEmpty)
    }

    /// A file that takes minutes to hash, and no room on the disk.
    @Test func interruptStopsWork() throws {
        try withFolder { folder in
            let path = folder + "/large"
            #expect(FileManager.default.createFile(atPath: path, contents: nil) && truncate(path, 1 << 38) == 0)
            let told = try run("verify", path, "--progress", "json", interruptAfterProgress: true)
            #expect(told.status == -SIGINT && told.text == "")
            #expect(told.error.hasSuffix("error: verification was stopped\n"))
        }
    }

    @Test func convert() throws {
        try withFolder { folder in
            let out = folder + "/out.gguf"
            let plan = try run("convert", CommandTests.model, "-o", out, "--type", "q8_0", "--plan")
            #expect(plan.status == 0 && plan.text.contains("GGUF, Q8_0, 5.9 MB"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
            let told = try run("convert", CommandTests.model, "-o", out, "--type", "q8_0", "--progress", "json")
            #expect(told.status == 0 && told.text.hasPrefix("\(out): Q8_0, 5.9 MB, "))
            for line in told.error.split(separator: "\n") where !line.hasPrefix("warning: ") {
                let step = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
                #expect(["convert", "flush"].contains(step["stage"] as? String))
            }
            let answer = try run("generate", out, prompt, "--temperature", "0")
            #expect(answer.status == 0 && answer.text.count > 10)
            // What is there stays, unless it is to be replaced.
            let again = try run("convert", CommandTests.model, "-o", out, "--type", "q4_0")
            #expect(again.status == 1 && again.error.hasPrefix("error: \(out): "))
            let json = try run(
                "convert", CommandTests.model, "-o", out, "--type", "q4_0", "--override", "output.weight=q8_0", "--overwrite", "--json",
                "--hash")
            let report = try #require(try JSONSerialization.jsonObject(with: Data(json.text.utf8)) as? [String: Any])
            #expect(report["quantization"] as? String == "Q4_0" && report["seconds"] is Double && report["n_merged"] as? Int == 0)
            let hash = try #require((report["hashes"] as? [[String: Any]])?.first)
            #expect((hash["sha256"] as? String)?.count == 64 && hash["path"] as? String == out)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["out.gguf"])
        }
    }

    /// The real family: what is merged writes the poem.
    private static let mini =
        (ProcessInfo.processInfo.environment["ALPACA_SHARED"] ?? repository.path + "/../shared") + "/fixtures/mini"

    @Test(
        .enabled(
            if: FileManager.default.fileExists(atPath: mini + "/mini-llama"), "the real mini family is not in ALPACA_SHARED"))
    func adapters() throws {
        let mini = Self.mini
        try withFolder { folder in
            let out = folder + "/out.gguf"
            let told = try run(
                "convert", mini + "/mini-llama", "--adapter", mini + "/mini-chinese-llama-lora",
                "-a", mini + "/mini-chinese-alpaca-lora@1.0", "--type", "f16", "-o", out)
            #expect(told.status == 0 && told.text.contains(" tensors merged, "), "\(told.error)")
            #expect(try run("generate", out, prompt, "--temperature", "0").text == poem)
            // The same by names of the hub.
            for name in ["mini-llama", "mini-chinese-llama-lora", "mini-chinese-alpaca-lora"] {
                let snapshots = "\(folder)/hub/models--owner--\(name)/snapshots"
                try FileManager.default.createDirectory(atPath: snapshots, withIntermediateDirectories: true)
                try FileManager.default.createSymbolicLink(atPath: snapshots + "/0123abcd", withDestinationPath: "\(mini)/\(name)")
            }
            let named = try run(
                "convert", "owner/mini-llama", "-a", "owner/mini-chinese-llama-lora", "-a", "owner/mini-chinese-alpaca-lora",
                "--type", "f16", "-o", folder + "/named.gguf", environment: ["HF_HOME": folder])
            #expect(named.status == 0, "\(named.error)")
            #expect(FileManager.default.contentsEqual(atPath: folder + "/named.gguf", andPath: out))
            let missing = try run("convert", "owner/none", "-o", out, "--plan", environment: ["HF_HOME": folder])
            #expect(missing.status == 1 && missing.error.contains("`hf download owner/none`"))
            // Half of the change is another model.
            let half = try run(
                "convert", mini + "/mini-llama", "-a", mini + "/mini-chinese-llama-lora@0.5", "-a", mini + "/mini-chinese-alpaca-lora@0.5",
                "--type", "f16", "-o", out, "--overwrite")
            #expect(half.status == 0, "\(half.error)")
            #expect(try run("generate", out, prompt, "--temperature", "0").text != poem)
        }
    }

    /// Each subcommand has its C function and its Python name; `chat` is made of those.
    @Test func everySubcommandIsInTheInterface() throws {
        let header = try String(contentsOf: CommandTests.repository.appendingPathComponent("include/alpaca.h"), encoding: .utf8)
        let python = try ["model", "session", "tokenizer", "files", "conversion"].map {
            try String(
                contentsOf: CommandTests.repository.appendingPathComponent("bindings/python/src/alpaca/\($0).py"), encoding: .utf8)
        }.joined()
        let table: [String: (c: String, python: String)] = [
            "generate": ("alpaca_session_generate", "def generate("), "chat": ("alpaca_session_chat", "def chat("),
            "tokenize": ("alpaca_tokenize", "def encode("), "inspect": ("alpaca_inspect", "def inspect("),
            "perplexity": ("alpaca_perplexity", "def perplexity("), "bench": ("alpaca_bench", "def bench("),
            "convert": ("alpaca_convert", "def convert("), "verify": ("alpaca_verify", "def verify("),
            "merge-tokenizer": ("alpaca_tokenizer_merge", "def merge("), "imatrix": ("alpaca_imatrix", "def imatrix("),
            "template": ("alpaca_model_render_chat", "def apply_chat_template("),
        ]
        let help = try run("--help").text
        let listed = help.components(separatedBy: "SUBCOMMANDS:")[1].split(separator: "\n").compactMap { line -> String? in
            line.hasPrefix("  ") && !line.hasPrefix("   ") ? line.split(separator: " ").first.map(String.init) : nil
        }
        #expect(Set(listed).subtracting(["See"]) == Set(table.keys))
        for (command, names) in table {
            #expect(header.contains("\(names.c)("), "\(command)")
            #expect(python.contains(names.python), "\(command)")
        }
    }
}
