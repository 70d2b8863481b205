import AlpacaEngine
public import CAlpaca

/// What a model's handle stands for.
@safe final class ModelObject: @unchecked Sendable {
    let model: Model
    /// The handle of the model's own tokenizer; freed with this.
    let tokenizer: OpaquePointer

    init(_ model: Model) throws(AlpacaError) {
        self.model = model
        unsafe tokenizer = try Handles.make(TokenizerObject(model.tokenizer, isBorrowed: true), .tokenizer)
    }

    deinit { unsafe _ = Handles.release(tokenizer, .tokenizer) }
}

@c @implementation
public func alpaca_model_params_init(_ params: UnsafeMutablePointer<alpaca_model_params>?, _ size: Int) -> alpaca_status {
    guarded { () throws(AlpacaError) in try unsafe GrowingStruct.initialize(params, size, alpaca_model_params.defaults, "params") }
}

extension alpaca_model_params {
    static var defaults: alpaca_model_params {
        var params = unsafe alpaca_model_params()
        unsafe params.struct_size = MemoryLayout<alpaca_model_params>.size
        unsafe params.use_mmap = -1
        return unsafe params
    }
}

@c @implementation
public func alpaca_model_open(
    _ path: UnsafePointer<CChar>?, _ params: UnsafePointer<alpaca_model_params>?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let out = try unsafe Arguments.out(out, "out")
        unsafe out.pointee = nil
        let path = try unsafe Arguments.path(path, "path")
        let p = try unsafe GrowingStruct.read(params, alpaca_model_params.defaults, "params")
        try unsafe Arguments.reserved(p.reserved, "params.reserved")
        var options = Model.Options()
        options.usesMemoryMap = unsafe p.use_mmap == -1 ? nil : try unsafe Arguments.flag(p.use_mmap, "use_mmap")
        options.locksMemory = try unsafe Arguments.flag(p.lock_memory, "lock_memory")
        options.prefetches = try unsafe Arguments.flag(p.prefetch, "prefetch")
        options.cacheByteCount = unsafe Int(clamping: p.cache_bytes)
        if let callback = unsafe p.progress {
            let report = unsafe ProgressReport(callback: callback, userData: p.user_data)
            options.progress = { report.call($0) }
        }
        let model = try Model(path: path, options: options)
        unsafe out.pointee = try Handles.make(ModelObject(model), .model)
        Log.warn(model.description.warnings)
    }
}

/// A C callback for progress, called on the thread that called the function.
@safe struct ProgressReport: @unchecked Sendable {
    let callback: @convention(c) (UnsafePointer<alpaca_progress>?, UnsafeMutableRawPointer?) -> Int32
    let userData: UnsafeMutableRawPointer?

    func call(_ progress: Progress) -> Bool {
        unsafe progress.stage.withCString { stage in
            unsafe progress.item.withCString { item in
                var report = unsafe alpaca_progress(
                    struct_size: MemoryLayout<alpaca_progress>.size, stage: stage, item: item, done: progress.done, total: progress.total)
                return FloatState.hosts { unsafe callback(&report, userData) } == 0
            }
        }
    }
}

@c @implementation
public func alpaca_model_retain(_ model: OpaquePointer?) -> OpaquePointer? {
    unsafe Handles.retain(model, .model) ? model : nil
}

@c @implementation
public func alpaca_model_free(_ model: OpaquePointer?) { unsafe _ = Handles.release(model, .model) }

@c @implementation
public func alpaca_model_get_info(_ model: OpaquePointer?, _ info: UnsafeMutablePointer<alpaca_model_info>?) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let info = try unsafe Arguments.out(info, "info")
        _ = try unsafe GrowingStruct.checkedSize(UnsafePointer(info), "info")
        let model = try unsafe Handles.get(model, .model, as: ModelObject.self).model
        let c = model.configuration
        var result = alpaca_model_info()
        result.n_vocab = Int32(clamping: c.vocabularySize)
        result.n_ctx_train = Int32(clamping: c.contextLength)
        result.n_embd = Int32(clamping: c.embeddingLength)
        result.n_layer = Int32(clamping: c.layerCount)
        result.n_head = Int32(clamping: c.headCount)
        result.n_head_kv = Int32(clamping: c.keyValueHeadCount)
        result.n_ff = Int32(clamping: c.feedForwardLength)
        result.n_params = UInt64(clamping: model.description.parameterCount)
        result.size_bytes = UInt64(clamping: model.description.byteCount)
        result.rope_theta = c.ropeTheta
        result.n_expert = Int32(clamping: c.experts?.count ?? 0)
        result.n_expert_used = Int32(clamping: c.experts?.usedCount ?? 0)
        result.n_params_active = UInt64(clamping: model.description.activeParameterCount)
        store(c.architecture, in: &result.architecture)
        store(model.description.quantization ?? "", in: &result.quantization)
        store(model.modelTemplate.name, in: &result.template_name)
        try unsafe GrowingStruct.write(result, to: info, "info")
    }
}

/// Writes a text to a field `char[32]`: whole characters, a closing zero.
private func store<T: BitwiseCopyable>(_ text: String, in field: inout T) {
    unsafe withUnsafeMutableBytes(of: &field) { bytes in
        var at = 0
        for character in text.unicodeScalars {
            let utf8 = Array(String(character).utf8)
            guard at + utf8.count < bytes.count else { break }
            // Bound: at + utf8.count < bytes.count.
            for byte in utf8 {
                unsafe bytes[at] = byte
                at += 1
            }
        }
        for i in at..<bytes.count { unsafe bytes[i] = 0 }
    }
}

@c @implementation
public func alpaca_model_metadata(
    _ model: OpaquePointer?, _ key: UnsafePointer<CChar>?, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int,
    _ needed: UnsafeMutablePointer<Int>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let model = try unsafe Handles.get(model, .model, as: ModelObject.self).model
        let key = try unsafe Arguments.text(key, "key")
        guard let value = model.metadata(key) else { throw AlpacaError(.notFound, path: model.path, "there is no metadata key \"\(key)\"") }
        try unsafe Arguments.copy(value.utf8, to: buffer, capacity, needed)
    }
}

@c @implementation
public func alpaca_model_describe(_ model: OpaquePointer?, _ json: UnsafeMutablePointer<OpaquePointer?>?) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let out = try unsafe Arguments.out(json, "json")
        unsafe out.pointee = nil
        let model = try unsafe Handles.get(model, .model, as: ModelObject.self).model
        try LargeMemory.ask(model.description.tensors.count, of: TensorInfo.mostMemory, for: "description")
        unsafe out.pointee = try Handles.make(OwnedText(model.description.json()), .string)
    }
}

@c @implementation
public func alpaca_inspect(_ path: UnsafePointer<CChar>?, _ json: UnsafeMutablePointer<OpaquePointer?>?) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let out = try unsafe Arguments.out(json, "json")
        unsafe out.pointee = nil
        let path = try unsafe Arguments.path(path, "path")
        unsafe out.pointee = try Handles.make(OwnedText(Inspection(path: path).json()), .string)
    }
}

@c @implementation
public func alpaca_model_tokenizer(_ model: OpaquePointer?) -> OpaquePointer? {
    unsafe Handles.find(model, .model, as: ModelObject.self)?.tokenizer
}
