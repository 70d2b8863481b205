import Testing

@testable import AlpacaEngine

@Suite struct PathTextTests {
    @Test func textIsItself() {
        for text in ["", "a/b.gguf", "模型.gguf", "🦙", "\u{10FDFF}", "\u{10FF00}"] {
            #expect(PathText.text(Array(text.utf8)) == text)
            #expect(PathText.bytes(text) == Array(text.utf8))
            #expect(PathText.isText(text) && PathText.shown(text) == text)
        }
    }

    @Test func bytesAreShown() {
        let name = PathText.text([0xC4, 0xA3, 0xD0, 0xCD] + Array(".gguf".utf8))  // 模型 in GBK; two of its bytes happen to be UTF-8
        #expect(PathText.shown(name) == "ģ\\xD0\\xCD.gguf" && !PathText.isText(name))
    }

    /// Any bytes come back, those of a character that stands for a byte too.
    @Test func roundTrip() {
        var random = SystemRandomNumberGenerator()
        let parts: [[UInt8]] = ["a", "山", "\u{10FE80}", "\u{10FEFF}", "\u{10FE7F}", "é"].map { Array($0.utf8) }
        for _ in 0..<20_000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                bytes += Bool.random() ? parts.randomElement(using: &random) ?? [] : [UInt8.random(in: 0...255, using: &random)]
            }
            let text = PathText.text(bytes)
            #expect(PathText.bytes(text) == bytes)
            #expect(PathText.isText(text) == (String(validating: bytes, as: UTF8.self) != nil && text.utf8.elementsEqual(bytes)))
        }
    }

    /// Files and folders of such names are read, listed and written.
    @Test func files() throws {
        try Fixtures.withFolder { folder in
            let name = PathText.text([0xC4, 0xA3, 0xD0, 0xCD] + Array(".bin".utf8))
            let path = folder + "/" + name
            let writer = try AtomicFileWriter(path: path, size: 3, overwrite: false, own: AnyFiles())
            try writer.write([1, 2, 3])
            try writer.finish()
            #expect(try FolderListing.names(in: folder) == [name])
            #expect(try FolderListing.files(below: folder) == [path])
            #expect(try InputFile(path: path).size == 3)
            #expect {
                try AtomicFileWriter(path: path, size: 3, overwrite: false, own: AnyFiles())
            } throws: {
                ($0 as? AlpacaError)?.message.contains("ģ\\xD0\\xCD.bin: ") == true
            }
        }
    }
}
