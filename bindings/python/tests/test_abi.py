"""The ctypes declarations against the header, as a C compiler and a reader of it see it."""

import ctypes
import pathlib
import re
import subprocess

from alpaca import _abi

from conftest import REPOSITORY

HEADER = REPOSITORY / "include" / "alpaca.h"


def test_structs_have_the_header_s_layout(tmp_path: pathlib.Path) -> None:
    lines = []
    for name, struct in _abi.STRUCTS.items():
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        for field, *_ in struct._fields_:
            lines.append(f'printf("{name}.{field} %zu %zu\\n", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));')
    source = tmp_path / "layout.c"
    source.write_text("#include <alpaca.h>\n#include <stdio.h>\nint main(void) {\n" + "\n".join(lines) + "\nreturn 0;\n}\n")
    subprocess.run(["cc", f"-I{HEADER.parent}", "-o", tmp_path / "layout", source], check=True)
    output = subprocess.run([tmp_path / "layout"], check=True, capture_output=True, text=True).stdout
    expected = dict(line.split(" ", 1) for line in output.splitlines())
    found = {}
    for name, struct in _abi.STRUCTS.items():
        found[name] = str(ctypes.sizeof(struct))
        for field, *_ in struct._fields_:
            member = getattr(struct, field)
            found[f"{name}.{field}"] = f"{member.offset} {member.size}"
    assert found == expected


def test_every_struct_and_function_of_the_header_is_declared() -> None:
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)
    structs = set(re.findall(r"}\s*(alpaca_\w+);", text)) - set(re.findall(r"typedef enum (alpaca_\w+)", text))
    assert structs == set(_abi.STRUCTS)
    functions = set(re.findall(r"\b(alpaca_\w+)\s*\([^)*]", re.sub(r"typedef[^;]*;", "", text)))
    assert functions == set(_abi.FUNCTIONS)
    for name, (_, arguments) in _abi.FUNCTIONS.items():
        declared = re.search(rf"\b{name}\s*\(([^)]*)\)", text)
        assert declared is not None
        inside = declared.group(1).strip()
        assert (0 if inside == "void" else inside.count(",") + 1) == len(arguments), name


def test_fields_match_by_name() -> None:
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)
    for name, struct in _abi.STRUCTS.items():
        body = re.search(rf"typedef struct {name} {{(.*?)}} {name};", text, flags=re.S)
        assert body is not None, name
        fields = [re.sub(r"\[.*", "", line.split()[-1].lstrip("*")) for line in body.group(1).split(";") if line.strip()]
        assert fields == [field for field, *_ in struct._fields_], name
