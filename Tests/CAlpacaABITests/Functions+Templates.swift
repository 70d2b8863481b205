import CAlpaca

extension Functions {
    static var templates: [Function] {
        [
            Function(
                "alpaca_model_chat_template", alpaca_model_chat_template,
                [.handle("model", \.model), .text("name", \.templateName, null: ok), .out("text")],
                [.when(ALPACA_NOT_FOUND) { $0.templateName = "nobody's" }, .noMemory]),
            Function(
                "alpaca_render_params_init", alpaca_render_params_init,
                [.pointer("params", \.renderParams), .number("size", \.renderParamsSize, structSizes)]),
            Function(
                "alpaca_model_render_chat", alpaca_model_render_chat,
                [
                    .handle("model", \.model), .text("messages", \.messages),
                    .number("length", \.terminated, [invalid, invalid, ok, invalid]), .pointer("params", \.renderParams, null: ok),
                    .out("text"), .pointer("ids", \.manyIDs),
                    .number("capacity", \.manyIDsCapacity, [ALPACA_BUFFER_TOO_SMALL, ALPACA_BUFFER_TOO_SMALL, ok, ok]),
                    .pointer("n", \.needed, null: ok),
                ],
                [
                    .when(ALPACA_BUFFER_TOO_SMALL) { $0.manyIDsCapacity = 1 },
                    .when(ALPACA_UNSUPPORTED) { $0.renderParams.pointee.reserved = 1 },
                    .when(ALPACA_UNSUPPORTED) {
                        $0.renderParams.pointee.template_text = $0.c(TemplateTests.endless)
                    },
                    .when(ALPACA_OUT_OF_MEMORY) { $0.renderParams.pointee.template_text = $0.c("{{ 'a' * 100000000 }}") },
                    .when(ALPACA_INVALID_ARGUMENT) { $0.renderParams.pointee.template_text = $0.c("{{ raise_exception('no') }}") },
                    .when(ALPACA_INVALID_ARGUMENT) { $0.renderParams.pointee.template_text = $0.c("{% if %}") },
                    .when(ALPACA_INVALID_ARGUMENT) {
                        ($0.renderParams.pointee.template_text, $0.renderParams.pointee.template_name) = ($0.c("x"), $0.c("alpaca"))
                    },
                    .when(ALPACA_INVALID_ARGUMENT) { $0.renderParams.pointee.tools = $0.c("{}") },
                    .when(ALPACA_INVALID_ARGUMENT) { $0.renderParams.pointee.documents = $0.c("[") },
                    .when(ALPACA_INVALID_ARGUMENT) { $0.renderParams.pointee.variables = $0.c("[]") },
                    .when(ALPACA_INVALID_ARGUMENT) { $0.renderParams.pointee.continue_final_message = 2 },
                    .when(ALPACA_INVALID_ARGUMENT) { $0.renderParams.pointee.add_generation_prompt = 2 },
                    .when(ALPACA_INVALID_ARGUMENT) { $0.renderParams.pointee.add_bos = -1 },
                    .elsewhere(ALPACA_BAD_FORMAT, "it takes a model whose files have such a template: TemplateTests.namedTemplates"),
                ]),
        ]
    }
}
