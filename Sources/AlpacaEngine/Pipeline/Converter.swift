/// One pass from a base model, perhaps with adapters, to a file or folder in another format and type.
public enum Converter {
    /// What ``convert(_:progress:)`` would do; writes nothing, and reads headers only.
    ///
    /// - Throws: ``AlpacaError`` for everything that can be known before: missing files, adapters that don't fit, no room on the disk.
    public static func plan(_ options: ConversionOptions) throws(AlpacaError) -> ConversionPlan {
        throw AlpacaError(.unsupported, "\(options.base): conversion is in the making")
    }

    /// Merges, converts and quantizes. The output appears whole or not at all.
    ///
    /// - Parameter progress: stages "verify", "convert", "flush", "hash"; bytes of the input done and in all; on this thread, some ten
    ///   times a second. false stops with ``AlpacaError/Code/cancelled``; what stood at the output's place is then as it was.
    public static func convert(_ options: ConversionOptions, progress: ProgressHandler? = nil) throws(AlpacaError) -> ConversionReport {
        throw AlpacaError(.unsupported, "\(options.base): conversion is in the making")
    }
}
