import AlpacaEngine
public import CAlpaca

extension Arguments {
    /// The template that a caller names, or whose text it gives.
    static func template(_ name: UnsafePointer<CChar>?, _ text: UnsafePointer<CChar>?) throws(AlpacaError) -> TemplateChoice {
        guard let source = try unsafe optionalText(text, "template_text") else {
            guard let name = try unsafe optionalText(name, "template_name") else { return .automatic }
            return .byName(name)
        }
        guard unsafe name == nil else {
            throw AlpacaError(.invalidArgument, "template_name: found a name beside template_text, expected one of them")
        }
        do {
            return .named(try ChatTemplate(source: source))
        } catch {
            throw error.inContext("template_text").withCode(.invalidArgument)
        }
    }

    static func templateInput(
        _ tools: UnsafePointer<CChar>?, _ documents: UnsafePointer<CChar>?, _ variables: UnsafePointer<CChar>?, _ time: Int64,
        _ continues: Int32
    ) throws(AlpacaError) -> TemplateInput {
        var input = TemplateInput()
        input.tools = try unsafe optionalText(tools, "tools")
        input.documents = try unsafe optionalText(documents, "documents")
        input.variables = try unsafe optionalText(variables, "variables")
        input.time = time == 0 ? nil : time
        input.continuesFinalMessage = try flag(continues, "continue_final_message")
        return input
    }
}

@c @implementation
public func alpaca_model_chat_template(
    _ model: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ text: UnsafeMutablePointer<OpaquePointer?>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let out = try unsafe Arguments.out(text, "text")
        unsafe out.pointee = nil
        let model = try unsafe Handles.get(model, .model, as: ModelObject.self).model
        let name = try unsafe Arguments.optionalText(name, "name")
        guard let source = model.templateSource(named: name) else {
            let what = name.map { " named \"\($0)\"" } ?? ""
            throw AlpacaError(.notFound, path: model.path, "there is no chat template\(what)")
        }
        unsafe out.pointee = try Handles.make(OwnedText(source), .string)
    }
}

@c @implementation
public func alpaca_render_params_init(_ params: UnsafeMutablePointer<alpaca_render_params>?, _ size: Int) -> alpaca_status {
    guarded { () throws(AlpacaError) in try unsafe GrowingStruct.initialize(params, size, alpaca_render_params.defaults, "params") }
}

extension alpaca_render_params {
    static var defaults: alpaca_render_params {
        var params = unsafe alpaca_render_params()
        unsafe params.struct_size = MemoryLayout<alpaca_render_params>.size
        unsafe params.add_generation_prompt = 1
        return unsafe params
    }
}

@c @implementation
public func alpaca_model_render_chat(
    _ model: OpaquePointer?, _ messages: UnsafePointer<CChar>?, _ length: Int, _ params: UnsafePointer<alpaca_render_params>?,
    _ text: UnsafeMutablePointer<OpaquePointer?>?, _ ids: UnsafeMutablePointer<Int32>?, _ capacity: Int, _ n: UnsafeMutablePointer<Int>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let out = try unsafe Arguments.out(text, "text")
        unsafe out.pointee = nil
        let model = try unsafe Handles.get(model, .model, as: ModelObject.self).model
        let conversation = try ChatMessage.list(json: unsafe Arguments.text(messages, length, "messages"))
        let p = try unsafe GrowingStruct.read(params, alpaca_render_params.defaults, "params")
        try unsafe Arguments.reserved(p.reserved, "params.reserved")
        let rendered = try model.render(
            conversation, template: unsafe Arguments.template(p.template_name, p.template_text),
            systemPrompt: unsafe Arguments.optionalText(p.system, "system"),
            unsafe Arguments.templateInput(p.tools, p.documents, p.variables, p.time, p.continue_final_message),
            asksForAnswer: unsafe Arguments.flag(p.add_generation_prompt, "add_generation_prompt"),
            addsBOS: unsafe Arguments.flag(p.add_bos, "add_bos"))
        let made = try OwnedText(rendered.text)
        if unsafe n != nil { try unsafe Arguments.copy(rendered.ids, to: ids, capacity, n) }
        unsafe out.pointee = try Handles.make(made, .string)
    }
}
