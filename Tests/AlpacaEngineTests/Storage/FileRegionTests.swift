import Foundation
import Testing

@testable import AlpacaEngine

@Suite struct FileRegionTests {
    @Test func `a region sees its own bytes alone`() throws {
        try Fixtures.withFile(0..<100, named: "f") { path in
            let file = FileRegion(try InputFile(path: path))
            let region = try file.region(at: 10, count: 20, name: "f.zip/member")
            #expect(try region.bytes(at: 5, count: 3) == [15, 16, 17])
            #expect(try region.region(at: 5, count: 5).bytes(at: 0, count: 5) == [15, 16, 17, 18, 19])
            for (offset, count) in [(18, 3), (-1, 2), (0, -1), (21, 0), (Int.max, 1), (1, Int.max)] {
                let error = alpacaError { _ = try region.bytes(at: offset, count: count) }
                #expect(
                    error == AlpacaError(.truncated, "f.zip/member: \(count) bytes at byte \(offset) asked for, there are 20"))
            }
            try FileManager.default.removeItem(atPath: path)
            try Data(0..<12).write(to: URL(fileURLWithPath: path))
            let shorter = FileRegion(try InputFile(path: path))
            truncate(path, 4)
            #expect(alpacaError { _ = try shorter.bytes(at: 0, count: 12) }?.code == .truncated)
        }
    }

    @Test func `scratch memory is given back by scopes`() throws {
        let arena = ScratchArena()
        var first: UnsafeMutableRawPointer?
        for round in 0..<3 {
            try arena.scope { () throws(AlpacaError) in
                let a = try unsafe arena.take(1000, for: "a")
                try arena.scope { () throws(AlpacaError) in _ = try unsafe arena.take(5_000_000, for: "b") }
                let c = try unsafe arena.take(64, for: "c")
                #expect(UInt(bitPattern: a.baseAddress) % 64 == 0 && UInt(bitPattern: c.baseAddress) % 64 == 0)
                memset(a.baseAddress!, 1, 1000)
                memset(c.baseAddress!, 2, 64)
                #expect(a[999] == 1)
                // After the first round one block serves all.
                if round == 1 { first = a.baseAddress }
                if round == 2 { #expect(first == a.baseAddress) }
            }
        }
        #expect(alpacaError { _ = try unsafe arena.take(Int.max, for: "all memory") } != nil)
    }
}
