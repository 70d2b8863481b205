extension ModelConfiguration { init(_ f: ModelFolder, warnings: inout [String]) throws(AlpacaError) { throw AlpacaError(.unsupported, "x") } }
extension GGUFMetadata { init(_ c: ModelConfiguration, tokenizer: SentencePieceModel?, name: String) throws(AlpacaError) { self.init() } }
extension JSONDocument { init(_ r: FileRegion) throws(AlpacaError) { try self.init(try r.bytes(at: 0, count: r.count), name: r.name) } }
extension SentencePieceModel { init(_ r: FileRegion) throws(AlpacaError) { do { try self.init(try r.bytes(at: 0, count: r.count)) } catch { throw error.inFile(r.name) } } }
