#!/usr/bin/env python3
"""Writes Sources/AlpacaEngine/Tokenizer/Unicode/UnicodeTables.swift: the classes of characters that the patterns of tokenizers name, and what
Unicode's normalization form C needs. They are data of fixed versions, so that ids don't change with a system or a compiler.

unicode-tables.py CLASSES.json LETTERS.json   closed ranges of code points by name, and deepseek-llm's letters (unicode_classes.json and
deepseek_letters.json of the shared fixtures, family/tokenizers)
"""
import json
import pathlib
import sys
import unicodedata

BITS = {"L": 1, "N": 2, "space": 4, "Digits": 8, "word": 16}
CASED = 64  # deepseek-llm's letters with case
UNSETTLED = 32  # may look different in form C, or take part in what does
END = 0x110000
TARGET = pathlib.Path(__file__).parent.parent / "Sources/AlpacaEngine/Tokenizer/Unicode/UnicodeTables.swift"


def is_hangul(c: int) -> bool:
    return 0xAC00 <= c < 0xAC00 + 11172


def decompositions() -> list[tuple[int, int, int, bool]]:
    """Canonical ones, Hangul's excepted: character, the two parts (the second 0 where there is one), whether the two make it again."""
    found = []
    for c in range(END):
        text = unicodedata.decomposition(chr(c))
        if not text or text.startswith("<") or is_hangul(c):
            continue
        parts = [int(part, 16) for part in text.split()]
        again = len(parts) == 2 and unicodedata.normalize("NFC", chr(parts[0]) + chr(parts[1])) == chr(c)
        found.append((c, parts[0], parts[1] if len(parts) == 2 else 0, again))
    return found


def main() -> None:
    ranges = json.load(open(sys.argv[1]))
    bits = bytearray(END)
    for name, bit in BITS.items():
        for first, last in ranges[name]:
            for c in range(first, last + 1):
                bits[c] |= bit
    for first, last in json.load(open(sys.argv[2]))["letters"]:
        for c in range(first, last + 1):
            bits[c] |= CASED
    table = decompositions()
    unsettled = {c for c, _, _, _ in table} | {b for _, _, b, again in table if again}
    unsettled |= {c for c in range(END) if unicodedata.combining(chr(c))}
    unsettled |= set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
    # Characters that are form C and no mark, with a decomposition that makes them again, change only before a mark, which is unsettled itself.
    unsettled -= {c for c, _, _, again in table if again and not unicodedata.combining(chr(c)) and all(b != c for _, _, b, _ in table)}
    for c in unsettled:
        bits[c] |= UNSETTLED
    classes = [c << 8 | bits[c] for c in range(END) if c == 0 or bits[c] != bits[c - 1]]
    marks = []
    for c in range(END):
        kind = unicodedata.combining(chr(c))
        if c == 0 or kind != unicodedata.combining(chr(c - 1)):
            marks.append(c << 8 | kind)

    def rows(numbers: list[int]) -> str:
        lines, line = [], ""
        for number in numbers:
            word = f"{number:#x}, "
            if len(line) + len(word) > 132:
                lines.append(line.rstrip())
                line = ""
            line += word
        return "\n".join("        " + part for part in [*lines, line.rstrip()])

    numbers = [n for c, a, b, again in table for n in (c | (1 << 31 if again else 0), a, b)]
    TARGET.write_text(f"""// Made by scripts/unicode-tables.py; don't edit. Classes: Unicode 16.0, Digits of 17.0. Normalization: Unicode {unicodedata.unidata_version}.

/// Tables of characters: lists of numbers, from which ``UnicodeClasses`` and ``NormalizationFormC`` make theirs.
enum UnicodeTables {{
    /// Where the class changes: the code point times 256, plus the class from there on, a sum of: letter 1, number 2, white space 4, digit that
    /// is cut out alone 8, part of a word 16, not settled in form C 32,
    /// a letter with case as deepseek-llm has them 64.
    static let classes: [UInt32] = [
{rows(classes)}
    ]

    /// Where the canonical combining class changes: the code point times 256, plus the class.
    static let combiningClasses: [UInt32] = [
{rows(marks)}
    ]

    /// Canonical decompositions but for Hangul's, in three numbers each: the character, plus 2^31 where its parts make it again; the first part;
    /// the second, or 0.
    static let decompositions: [UInt32] = [
{rows(numbers)}
    ]
}}
""")


main()
