extension ConversionOptions {
    /// The same with the folders of downloaded models in place of their names on the Hugging Face hub.
    ///
    /// - Throws: `notFound`, with how to download it, for one that is not in the local cache.
    func resolved() throws(AlpacaError) -> ConversionOptions {
        var result = self
        result.base = try HubCache.resolve(base)
        for i in adapters.indices { result.adapters[i].path = try HubCache.resolve(adapters[i].path) }
        if let tokenizer {
            let found = try HubCache.resolve(tokenizer)
            result.tokenizer = (try? FolderListing.isFolder(found)) == true ? FolderFiles.join(found, "tokenizer.model") : found
        }
        return result
    }
}
