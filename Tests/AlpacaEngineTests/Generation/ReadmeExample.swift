// The README's Swift example, compiled and run as it stands there; a test of the README compares the two.

import AlpacaEngine

func writePoem() async throws {
    let model = try Model(path: "models/mini/chinese-alpaca-mini-q8_0.gguf")
    let session = try model.makeSession()
    for try await piece in session.generate("写一首五言绝句，题目是《山中》") {
        print(piece, terminator: "")
    }
}
