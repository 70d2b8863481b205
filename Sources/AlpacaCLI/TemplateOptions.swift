import AlpacaEngine
import ArgumentParser

/// Which template a prompt gets, and what the template gets.
struct TemplateOptions: ParsableArguments {
    @Option(
        help: """
            Prompt template: auto, none, \(ChatTemplate.allNames.joined(separator: ", ")), the name of one that the model has for a special use, or
            a text in Jinja2.
            """, transform: Value.text)
    var template = "auto"

    @Option(name: .customLong("template-file"), help: "A file with a template in Jinja2.", completion: .file(), transform: Value.path)
    var templateFile: String?

    @Option(help: "A JSON file with the tools that the model may call.", completion: .file(), transform: Value.path)
    var tools: String?

    @Option(help: "A JSON file with texts that the model may quote.", completion: .file(), transform: Value.path)
    var documents: String?

    @Option(
        name: .customLong("var"), parsing: .unconditionalSingleValue,
        help: "A variable of the template, NAME=VALUE; what is no JSON is a text. May be given several times.", transform: Variable.init)
    var variables: [Variable] = []

    /// Whether the user says which template prompts get.
    var namesTemplate: Bool { template.lowercased() != "auto" || templateFile != nil }

    private var isText: Bool { template.contains("{{") || template.contains("{%") }

    func validate() throws {
        guard templateFile == nil || template.lowercased() == "auto" else {
            throw ValidationError("give --template or --template-file, not both")
        }
        if isText { _ = try choice() }
    }

    /// The template, as far as it can be told without the model.
    func choice() throws -> TemplateChoice {
        if let templateFile {
            do throws(AlpacaError) {
                return .named(try ChatTemplate(source: text(of: templateFile)))
            } catch {
                throw error.inFile(templateFile)
            }
        }
        guard isText else { return .byName(template) }
        do {
            return .named(try ChatTemplate(source: template))
        } catch {
            throw ValidationError("--template: \(error.message)")
        }
    }

    /// A file as it is: the last line end counts, the template's reader drops it.
    private func text(of path: String) throws(AlpacaError) -> String {
        do { return try TextInput.text(file: path) } catch let error as AlpacaError { throw error } catch {
            throw AlpacaError(.io, path: path, "\(error)")
        }
    }

    private func list(_ path: String) throws -> String {
        let text = try TextInput.text(file: path)
        try TemplateInput.checkList(text, of: TextInput.name(of: path))
        return text
    }

    func input() throws -> TemplateInput {
        var input = TemplateInput()
        input.tools = try tools.map(list)
        input.documents = try documents.map(list)
        if !variables.isEmpty {
            input.variables = "{" + variables.map { "\($0.name): \($0.json)" }.joined(separator: ", ") + "}"
        }
        return input
    }

    /// A variable and its value, both as JSON.
    struct Variable {
        let name, json: String

        init(_ text: String) throws {
            let text = try Value.text(text)
            guard let place = text.firstIndex(of: "="), place > text.startIndex else {
                throw ValidationError("found \"\(text)\", expected NAME=VALUE")
            }
            name = try JSONReport.line(String(text[..<place]))
            let value = String(text[text.index(after: place)...])
            json = TemplateInput.isJSON(value) ? value : try JSONReport.line(value)
        }
    }
}

extension Model {
    /// Says what is given to a template that does not mention it.
    func warn(of input: TemplateInput, _ choice: TemplateChoice) throws {
        for name in try unmentioned(input, by: choice) {
            let option = name == "tools" || name == "documents" ? "--\(name)" : "--var \(name)"
            Console.warn("\(option): no effect, the template does not mention it")
        }
    }

    /// Sees that the model has the template of a name.
    func check(_ choice: TemplateChoice) throws {
        guard case .byName(let name) = choice, !["auto", "none"].contains(name.lowercased()), templateSource(named: name) == nil else {
            return
        }
        let names = ["auto", "none"] + ChatTemplate.allNames + modelTemplate.named.map(\.name)
        throw ValidationError("--template: found \"\(name)\", expected \(names.joined(separator: ", "))")
    }
}
