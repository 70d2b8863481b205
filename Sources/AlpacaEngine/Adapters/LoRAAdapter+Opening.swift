extension LoRAAdapter {
    /// Opens an adapter: a folder, or a `.zip` as it was downloaded.
    package convenience init(path: String) throws(AlpacaError) {
        if try FolderListing.isFolder(path) {
            try self.init(FolderFiles(path: path))
            return
        }
        let region = FileRegion(try InputFile(path: path))
        let kind = try CheckpointKind(region)
        if kind == .gguf {
            throw try GGUFReader(region.file).metadata.otherKind?.inFile(path)
                ?? AlpacaError(
                    .unsupported, path: path,
                    "this is \(kind), not an adapter: expected a folder with adapter_config.json and adapter_model.safetensors or .bin, or a zip "
                        + "of one (a merged model needs no adapter)")
        }
        guard kind == .torchZip else {
            throw AlpacaError(
                .unsupported, path: path,
                "expected an adapter: a folder with adapter_config.json and adapter_model.safetensors or .bin, or a zip of one")
        }
        try self.init(ZipFiles(region))
    }

    /// Bytes of the weights.
    package var byteCount: Int { weightsFile.count }

    /// "LoRA adapter, rank 8: 224 matrices changed, 2 tensors replaced"
    package var summary: String {
        var ranks: Set<Int> = []
        var replaced = 0
        for change in changes.values {
            switch change {
            case .lowRank(let update): ranks.insert(update.rank)
            case .replacement, .rows: replaced += 1
            }
        }
        let rank = ranks.sorted().map(String.init).joined(separator: ", ")
        return "LoRA adapter, rank \(rank): \(changes.count - replaced) matrices changed, \(replaced) tensors replaced"
    }
}
