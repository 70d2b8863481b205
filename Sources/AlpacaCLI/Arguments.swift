import AlpacaEngine
import ArgumentParser
import CAlpacaCommand

/// The words that the command was started with.
enum Arguments {
    /// All but the program's own name. What is not UTF-8, as names of files may be, is kept: see `PathText`.
    static func words() -> [String] {
        (0..<max(1, Int(command_word_count()))).dropFirst().compactMap { (index) -> String? in
            guard let word = command_word(Int32(index)) else { return nil }
            return String(cPath: word)
        }
    }

    /// Other spellings of options: what llama.cpp calls them. Those of the library's own interfaces are names of the options.
    private static let spellings = [
        "--ctx-size": "--n-ctx", "--ctx": "--n-ctx", "--batch-size": "--n-batch", "--threads": "--n-threads",
        "--predict": "--max-new-tokens", "--n-predict": "--max-new-tokens", "--temp": "--temperature",
        "--repeat-penalty": "--repetition-penalty", "--keep": "--n-keep", "--cache-type": "--kv-cache",
        "--system-prompt": "--system", "--sys": "--system", "--reverse-prompt": "--stop", "--no-context-shift": "",
        "--output-file": "--output", "--output-format": "--format",
        "--rope-freq-base": "--rope-theta", "--yarn-orig-ctx": "--rope-original-ctx", "--rope-orig-ctx": "--rope-original-ctx",
        "--chat-template": "--template", "--chat-template-file": "--template-file",
    ]
    /// Options whose value is a text, which may begin with dashes.
    private static let texts: Set<String> = ["--stop", "--system", "--prompt", "--name", "--add-piece", "--var"]

    /// The words with the options' own names in place of their other spellings, and with values that look like options bound to the option
    /// in front of them. What follows `--` is text.
    static func normalized(_ words: [String]) -> [String] {
        var result: [String] = []
        var rest = words[...]
        while let word = rest.popFirst() {
            guard word != "--" else { return result + [word] + rest }
            guard var own = normalized(word) else { continue }
            if own == "-p", words.first == "generate" { own = "--prompt" }
            if texts.contains(own), let value = rest.first, value.utf8.first == UInt8(ascii: "-") {
                rest.removeFirst()
                own += "=\(value)"
            }
            result.append(own)
        }
        return result
    }

    /// An option's name has dashes where Python and JSON have underscores. nil for what says the default.
    private static func normalized(_ word: String) -> String? {
        guard word.utf8.starts(with: "--".utf8) else { return word }
        let name = word.prefix { $0 != "=" }
        guard name.utf8.allSatisfy({ $0 < 0x80 }) else { return word }
        let plain = String(name.map { $0 == "_" ? "-" : $0 })
        let own = spellings[plain] ?? plain
        return own.isEmpty ? nil : own + word[name.endIndex...]
    }
}

/// Checks of single values, for options and arguments.
enum Value {
    /// A path, or the name of a model.
    static func path(_ text: String) throws -> String {
        guard !text.isEmpty else { throw ValidationError("an empty text, expected a path") }
        return text
    }

    /// A text that a person wrote. Such a text is UTF-8; a path need not be.
    static func text(_ text: String) throws -> String {
        let bytes = PathText.bytes(text)
        if let place = UTF8Text.firstInvalid(bytes) { throw ValidationError("not UTF-8 at byte \(place)") }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A text that must have something in it.
    static func word(_ text: String) throws -> String {
        guard !text.isEmpty else { throw ValidationError("an empty text") }
        return try Value.text(text)
    }
}
