import AlpacaEngine
import CAlpacaKernels
import Testing

/// Against the examples that NIST publishes for FIPS 180-4, and the two paths against each other.
@Suite struct SHA256Tests {
    struct Example: Sendable {
        let message: String
        let times: Int
        let digest: String
    }

    static let examples = [
        Example(message: "", times: 1, digest: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        Example(message: "abc", times: 1, digest: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        Example(
            message: "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", times: 1,
            digest: "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
        Example(
            message: "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            times: 1, digest: "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"),
        Example(message: "a", times: 1_000_000, digest: "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ]

    @Test(arguments: [false, true]) func `examples of the standard`(portable: Bool) {
        for example in SHA256Tests.examples {
            var sha = SHA256(portable: portable)
            for _ in 0..<example.times { sha.update(example.message.utf8) }
            #expect(sha.hexDigest() == example.digest, "\(example.message.prefix(10)) \(example.times) times")
        }
    }

    @Test func `any split gives the same digest`() {
        let bytes = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ $0 >> 3) }
        for length in [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 129, 300] {
            var whole = SHA256(portable: true)
            whole.update(bytes.prefix(length))
            for cut in 0...length {
                var parts = SHA256()
                parts.update(bytes[..<cut])
                parts.update(bytes[cut..<length])
                #expect(parts.hexDigest() == whole.hexDigest(), "\(length) bytes cut at \(cut)")
            }
        }
    }

    @Test func `a digest does not end the stream`() {
        var sha = SHA256()
        sha.update("ab".utf8)
        _ = sha.digest()
        sha.update("c".utf8)
        #expect(sha.hexDigest() == SHA256Tests.examples[1].digest)
    }
}
