// A folder's chat templates, as Hugging Face's tools keep them: chat_template.jinja with additional_chat_templates/NAME.jinja, or the member
// "chat_template" of tokenizer_config.json (a text, or a list of named ones), or chat_template.json. Texts are carried as they are, to the byte.

/// The template texts of a folder or archive.
package struct TemplateTexts: Sendable, Equatable {
    /// The one that is taken when none is named.
    package var text: [UInt8]?
    /// Others, for special uses.
    package var named: [(name: String, text: [UInt8])] = []
    /// The file that they were found in; empty where there are none.
    package private(set) var origin = ""
    /// What is there and can't be read, so that nobody knows what it says, in a sentence; nil where there is no such thing.
    package private(set) var problem: String?
    /// What could not be read, in sentences.
    package private(set) var warnings: [String] = []

    /// Real ones have some kilobytes.
    private static let mostBytes = 4 << 20
    private static let longestName = 200

    package init() {}

    package init(_ files: some FileCollection) {
        readJinja(files)
        if isEmpty, problem == nil { readConfiguration(files, "tokenizer_config.json") }
        if isEmpty, problem == nil { readConfiguration(files, "chat_template.json") }
    }

    package var isEmpty: Bool { text == nil && named.isEmpty }

    package static func == (a: TemplateTexts, b: TemplateTexts) -> Bool {
        a.text == b.text && a.named.elementsEqual(b.named) { $0 == $1 }
    }

    private mutating func readJinja(_ files: some FileCollection) {
        if let text = read(files, "chat_template.jinja") {
            self.text = text
            origin = "chat_template.jinja"
        }
        let folder = "additional_chat_templates"
        guard files is FolderFiles, let others = try? FolderFiles(path: FolderFiles.join(files.path, folder)) else { return }
        for file in others.names where file.hasSuffix(".jinja") && file.utf8.count > 6 {
            guard let text = read(others, file) else { continue }
            named.append((String(file.dropLast(6)), text))
            if origin.isEmpty { origin = folder }
        }
    }

    private mutating func read(_ files: some FileCollection, _ name: String) -> [UInt8]? {
        do throws(AlpacaError) {
            guard let region = try files.open(name) else { return nil }
            guard region.count <= TemplateTexts.mostBytes else {
                throw AlpacaError(
                    .unsupported, path: region.name, "found \(region.count) bytes, a chat template has at most \(TemplateTexts.mostBytes)")
            }
            let text = try region.bytes(at: 0, count: region.count)
            return text.isEmpty ? nil : text
        } catch {
            fail("\(name) has a template that can't be read", error)
            return nil
        }
    }

    private mutating func readConfiguration(_ files: some FileCollection, _ name: String) {
        var isThere = false
        do throws(AlpacaError) {
            guard let region = try files.open(name) else { return }
            guard let value = try JSONDocument(region).root.memberIfPresent("chat_template") else { return }
            isThere = true
            var found = TemplateTexts()
            if value.isString {
                let bytes = Array(try value.utf8())
                found.text = bytes.isEmpty ? nil : bytes
            } else {
                for entry in try value.array() {
                    let entryName = try entry.string("name"), bytes = Array(try entry.member("template").utf8())
                    if entryName == "default" { found.text = bytes } else { found.named.append((entryName, bytes)) }
                }
            }
            guard !found.isEmpty else { return }
            (text, named, origin) = (found.text, found.named, name)
        } catch {
            fail(isThere ? "\(name) has a template that can't be read" : "\(name), which may have a template, can't be read", error)
        }
    }

    private mutating func fail(_ what: String, _ error: AlpacaError) {
        let sentence = "\(what): \(error.message)"
        problem = problem ?? sentence
        warnings.append(sentence)
    }

    // MARK: In the metadata of a GGUF file

    /// The texts in a GGUF file's metadata.
    package init(_ metadata: GGUFMetadata) {
        if case .string(let bytes) = metadata[GGUFKey.chatTemplate], !bytes.isEmpty {
            text = Array(bytes)
            origin = GGUFKey.chatTemplate
        }
        let prefix = GGUFKey.chatTemplate(named: "")
        let trueNames = TemplateTexts.trueNames(metadata)
        // By their keys: not all programs write the list of names.
        for key in metadata.keys where key.hasPrefix(prefix) && key.utf8.count > prefix.utf8.count {
            guard case .string(let bytes) = metadata[key] else {
                refuse(key, metadata[key])
                continue
            }
            let name = String(key.dropFirst(prefix.count))
            named.append((trueNames[name] ?? name, Array(bytes)))
            if origin.isEmpty { origin = key }
        }
        if case .string = metadata[GGUFKey.chatTemplate] { return }
        if let value = metadata[GGUFKey.chatTemplate] { refuse(GGUFKey.chatTemplate, value) }
    }

    private mutating func refuse(_ key: String, _ value: GGUFValue?) {
        fail("\(key) is there and can't be read", AlpacaError(.badFormat, found: value?.text() ?? "nothing", expected: "a string"))
    }

    /// The names of templates whose keys can't have them, by what their keys have instead.
    private static func trueNames(_ metadata: GGUFMetadata) -> [String: String] {
        guard case .array(.string(let keys)) = metadata[GGUFKey.chatTemplates],
            case .array(.string(let names)) = metadata[GGUFKey.alpacaTemplateNames], keys.count == names.count
        else { return [:] }
        return Dictionary(keys.indices.map { (keys.text($0), names.text($0)) }, uniquingKeysWith: { first, _ in first })
    }

    /// What the key of a template has for its name: printable ASCII, each once.
    private var keyNames: [String] {
        var taken: Set<String> = []
        return named.map { name, _ in
            let plain = String(
                name.prefix(TemplateTexts.longestName).map { character -> Character in
                    guard let byte = character.asciiValue, byte >= 0x20, byte < 0x7f else { return "_" }
                    return character
                })
            let start = plain.isEmpty ? "_" : plain
            var result = start, number = 2
            while !taken.insert(result).inserted {
                result = "\(start)_\(number)"
                number += 1
            }
            return result
        }
    }

    /// Puts the texts into a GGUF file's metadata, in place of those that are there.
    package func set(in metadata: inout GGUFMetadata) {
        let prefix = GGUFKey.chatTemplate(named: "")
        for key in metadata.keys where key.hasPrefix(prefix) { metadata[key] = nil }
        metadata[GGUFKey.chatTemplate] = text.map { .string($0) }
        let names = named.map(\.name), keys = keyNames
        metadata[GGUFKey.chatTemplates] = named.isEmpty ? nil : .array(.string(GGUFStrings(keys)))
        metadata[GGUFKey.alpacaTemplateNames] = names == keys ? nil : .array(.string(GGUFStrings(names)))
        for (key, entry) in zip(keys, named) { metadata[GGUFKey.chatTemplate(named: key)] = .string(entry.text) }
    }

    // MARK: In tokenizer_config.json

    /// Writes the member of tokenizer_config.json.
    ///
    /// - Returns: a warning, where JSON can't hold a text.
    package func write(to json: inout JSONWriter) -> String? {
        guard !isEmpty else { return nil }
        func string(_ bytes: [UInt8]) -> String? { String(validating: bytes, as: UTF8.self) }
        guard text.map({ string($0) != nil }) ?? true, named.allSatisfy({ string($0.text) != nil }) else {
            return "the chat template is not valid UTF-8, which tokenizer_config.json can't hold: it is left out"
        }
        if named.isEmpty {
            json.member("chat_template", text.flatMap(string))
            return nil
        }
        json.beginArray("chat_template")
        for (name, text) in (text.map { [("default", $0)] } ?? []) + named {
            json.beginObject()
            json.member("name", name)
            json.member("template", string(text))
            json.end()
        }
        json.end()
        return nil
    }
}
