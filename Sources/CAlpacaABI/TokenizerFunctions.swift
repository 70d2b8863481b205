import AlpacaEngine
public import CAlpaca

/// What a tokenizer's handle stands for.
final class TokenizerObject: Sendable {
    let tokenizer: Tokenizer
    /// Whether it belongs to a model, which alone may free it.
    let isBorrowed: Bool

    init(_ tokenizer: Tokenizer, isBorrowed: Bool) {
        self.tokenizer = tokenizer
        self.isBorrowed = isBorrowed
    }
}

@c @implementation
public func alpaca_tokenizer_open(_ path: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<OpaquePointer?>?) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let out = try unsafe Arguments.out(out, "out")
        unsafe out.pointee = nil
        let path = try unsafe Arguments.path(path, "path")
        unsafe out.pointee = try Handles.make(TokenizerObject(Tokenizer(file: path), isBorrowed: false), .tokenizer)
    }
}

@c @implementation
public func alpaca_tokenizer_free(_ tokenizer: OpaquePointer?) {
    guard let object = unsafe Handles.find(tokenizer, .tokenizer, as: TokenizerObject.self), !object.isBorrowed else { return }
    unsafe _ = Handles.release(tokenizer, .tokenizer)
}

@c @implementation
public func alpaca_tokenizer_size(_ tokenizer: OpaquePointer?) -> Int {
    unsafe Handles.find(tokenizer, .tokenizer, as: TokenizerObject.self)?.tokenizer.count ?? 0
}

@c @implementation
public func alpaca_tokenize(
    _ tokenizer: OpaquePointer?, _ text: UnsafePointer<CChar>?, _ length: Int, _ flags: UInt32, _ ids: UnsafeMutablePointer<Int32>?,
    _ capacity: Int, _ n: UnsafeMutablePointer<Int>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let tokenizer = try unsafe Handles.get(tokenizer, .tokenizer, as: TokenizerObject.self).tokenizer
        guard flags <= 7 else { throw AlpacaError(.invalidArgument, "flags: found \(flags), expected values of alpaca_tokenize_flag") }
        _ = try unsafe Arguments.out(n, "n")
        let bytes = try unsafe Arguments.bytes(text, length, "text")
        let found = try tokenizer.ids(
            of: bytes, addBOS: flags & ALPACA_ADD_BOS.rawValue != 0, addEOS: flags & ALPACA_ADD_EOS.rawValue != 0,
            parseSpecial: flags & ALPACA_PARSE_SPECIAL.rawValue != 0)
        try unsafe Arguments.copy(found, to: ids, capacity, n)
    }
}

@c @implementation
public func alpaca_detokenize(
    _ tokenizer: OpaquePointer?, _ ids: UnsafePointer<Int32>?, _ n: Int, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int,
    _ needed: UnsafeMutablePointer<Int>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let tokenizer = try unsafe Handles.get(tokenizer, .tokenizer, as: TokenizerObject.self).tokenizer
        let ids = try unsafe Arguments.ids(ids, n, "ids")
        for (index, id) in ids.enumerated() where id < 0 || Int(id) >= tokenizer.count {
            throw AlpacaError(.invalidArgument, "token id at index \(index): found \(id), expected 0 to \(tokenizer.count - 1)")
        }
        try unsafe Arguments.copy(tokenizer.text(of: ids).utf8, to: buffer, capacity, needed)
    }
}

@c @implementation
public func alpaca_token_piece(
    _ tokenizer: OpaquePointer?, _ id: Int32, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ needed: UnsafeMutablePointer<Int>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let tokenizer = try unsafe Handles.get(tokenizer, .tokenizer, as: TokenizerObject.self).tokenizer
        guard let piece = tokenizer.piece(id) else {
            throw AlpacaError(.invalidArgument, "id: found \(id), expected 0 to \(tokenizer.count - 1)")
        }
        try unsafe Arguments.copy(piece.utf8, to: buffer, capacity, needed)
    }
}

@c @implementation
public func alpaca_token_special(_ tokenizer: OpaquePointer?, _ which: Int32, _ id: UnsafeMutablePointer<Int32>?) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let out = try unsafe Arguments.out(id, "id")
        let tokenizer = try unsafe Handles.get(tokenizer, .tokenizer, as: TokenizerObject.self).tokenizer
        let found: TokenID?
        switch UInt32(bitPattern: which) {
        case ALPACA_TOKEN_BOS.rawValue: found = tokenizer.bos
        case ALPACA_TOKEN_EOS.rawValue: found = tokenizer.eos
        case ALPACA_TOKEN_UNK.rawValue: found = tokenizer.unknown
        case ALPACA_TOKEN_PAD.rawValue: found = tokenizer.pad
        case ALPACA_TOKEN_EOT.rawValue: found = tokenizer.eot
        default: throw AlpacaError(.invalidArgument, "which: found \(which), expected an alpaca_special_token, 0 to 4")
        }
        guard let found else { throw AlpacaError(.notFound, "the vocabulary has no such token") }
        unsafe out.pointee = found
    }
}

@c @implementation
public func alpaca_tokenizer_merge(
    _ base: OpaquePointer?, _ extra: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let out = try unsafe Arguments.out(out, "out")
        unsafe out.pointee = nil
        let base = try unsafe Handles.get(base, .tokenizer, as: TokenizerObject.self).tokenizer
        let extra = try unsafe Arguments.path(extra, "extra")
        let merged = try base.merging(piecesOf: extra)
        unsafe out.pointee = try Handles.make(TokenizerObject(merged, isBorrowed: false), .tokenizer)
    }
}

@c @implementation
public func alpaca_tokenizer_add_piece(
    _ base: OpaquePointer?, _ piece: UnsafePointer<CChar>?, _ length: Int, _ score: Float, _ kind: Int32,
    _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let out = try unsafe Arguments.out(out, "out")
        unsafe out.pointee = nil
        let base = try unsafe Handles.get(base, .tokenizer, as: TokenizerObject.self).tokenizer
        let piece = try unsafe Arguments.text(piece, length, "piece")
        let known = UInt8(exactly: kind).flatMap(TokenKind.init(rawValue:))
        guard known != nil || kind == 0 else {
            throw AlpacaError(.invalidArgument, "kind: found \(kind), expected an alpaca_piece_kind, 0 to 6")
        }
        let extended = try base.adding(piece: piece, score: score, kind: known)
        unsafe out.pointee = try Handles.make(TokenizerObject(extended, isBorrowed: false), .tokenizer)
    }
}

@c @implementation
public func alpaca_tokenizer_save(_ tokenizer: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ overwrite: Int32) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let tokenizer = try unsafe Handles.get(tokenizer, .tokenizer, as: TokenizerObject.self).tokenizer
        let path = try unsafe Arguments.path(path, "path")
        try tokenizer.save(to: path, overwrite: Arguments.flag(overwrite, "overwrite"))
    }
}
