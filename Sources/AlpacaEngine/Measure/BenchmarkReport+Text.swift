extension BenchmarkReport {
    /// A table for people.
    public var table: String {
        var lines = ["\(model)  \(quantization)  \(ByteCount.text(modelBytes))  \(path)" + (processor.map { "  \($0)" } ?? "")]
        if !roofs.isEmpty {
            lines.append(Self.line("threads", "read roof", "integer peak"))
            lines += roofs.map {
                Self.line(
                    "\($0.threadCount)", Decimal.text($0.readRate / 1e9, digits: 1) + " GB/s",
                    Decimal.text($0.integerRate / 1e9, digits: 0) + " GOPS")
            }
            lines.append("")
        }
        lines.append(Self.line("test", "threads", "tokens/s", "least - most", "share of the roof"))
        for row in rows {
            let numbers = [row.median, row.samples.min() ?? 0, row.samples.max() ?? 0].map { Decimal.text($0, digits: 2) }
            var share = ""
            if let value = row.share, let bound = row.bound {
                share = Decimal.text(value * 100, digits: 0) + (bound == .read ? " % of reading" : " % of the integer peak")
            }
            lines.append(Self.line(row.test.name, "\(row.test.threadCount)", numbers[0], "\(numbers[1]) - \(numbers[2])", share))
        }
        return lines.joined(separator: "\n")
    }

    private static func line(_ cells: String...) -> String {
        let widths = [20, 14, 14, 20, 0]
        let padded = zip(cells, widths).map { $0 + String(repeating: " ", count: max(1, $1 - $0.count)) }.joined()
        return String(padded.reversed().drop { $0 == " " }.reversed())
    }

    /// The same for programs; `alpaca.h` lists the keys (`alpaca_bench`).
    ///
    /// - Parameter indent: spaces a level; 0 gives one line.
    public func json(indent: Int = 2) -> String {
        var json = JSONWriter(indent: indent)
        json.beginObject()
        json.member("model", model)
        json.member("quantization", quantization)
        json.member("model_bytes", modelBytes)
        json.member("n_params", parameterCount)
        json.member("version", Version.string)
        json.member("cpu_path", path)
        json.member("cpu", processor)
        json.member("n_batch", batchSize)
        json.member("type_k", "\(keyType)")
        json.member("type_v", "\(valueType)")
        json.beginArray("roofs")
        for roof in roofs {
            json.beginObject()
            json.member("n_threads", roof.threadCount)
            json.member("read_bytes_per_second", roof.readRate)
            json.member("integer_ops_per_second", roof.integerRate)
            json.numbers("read_samples", roof.readSamples)
            json.numbers("integer_samples", roof.integerSamples)
            json.end()
        }
        json.end()
        json.beginArray("rows")
        for row in rows { Self.write(row, &json) }
        json.end()
        json.end()
        return json.text
    }

    private static func write(_ row: Row, _ json: inout JSONWriter) {
        json.beginObject()
        json.member("test", row.test.name)
        if case .prompt(let length) = row.test.kind {
            json.member("n_prompt", length)
            json.member("n_gen", 0)
        } else {
            json.member("n_prompt", 0)
            json.member("n_gen", row.test.length)
        }
        json.member("depth", row.test.depth)
        json.member("n_threads", row.test.threadCount)
        json.member("n_parallel", row.test.sequences)
        json.numbers("tokens_per_second", row.samples)
        json.member("median_tokens_per_second", row.median)
        json.member("roof", row.bound?.rawValue)
        json.member("bytes_per_token", row.bound == .read ? row.costPerToken : nil)
        json.member("operations_per_token", row.bound == .integer ? row.costPerToken : nil)
        json.member("share", row.share)
        json.end()
    }
}

extension JSONWriter {
    fileprivate mutating func numbers(_ key: String, _ values: [Double]) {
        beginArray(key)
        for number in values { value(number) }
        end()
    }
}
