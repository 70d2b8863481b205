extension GGUFStrings {
    /// Appends the text that a piece stands for: its bytes, with a blank for each U+2581.
    func appendText(of piece: Int, to bytes: inout [UInt8]) {
        let all = self.bytes
        let range = range(of: piece)
        var at = range.lowerBound
        while at < range.upperBound {
            if all[at] == 0xE2, at + 2 < range.upperBound, all[at + 1] == 0x96, all[at + 2] == 0x81 {
                bytes.append(0x20)
                at += 3
            } else {
                bytes.append(all[at])
                at += 1
            }
        }
    }
}
