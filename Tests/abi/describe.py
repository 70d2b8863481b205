"""What include/alpaca.h promises, as data: functions, structs, constants.

    describe.py                 prints it as JSON
    describe.py --c             prints it as C tables, for the harness that calls everything by libffi
    describe.py --check FILE    compares it with an older description: additions are fine, any other difference is an error

Declarations come from clang's syntax tree, layouts and values from a program that the compiler makes of them.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADER = ROOT / "include" / "alpaca.h"


def describe(header: pathlib.Path = HEADER) -> dict:
    dump = subprocess.run(
        ["clang", "-x", "c", "-std=c11", "-fsyntax-only", "-Xclang", "-ast-dump=json", str(header)],
        check=True, capture_output=True, text=True).stdout
    functions, structs, constants, opaque, callbacks = {}, {}, [], [], {}
    for node in json.loads(dump)["inner"]:
        name = node.get("name", "")
        kind = node["kind"]
        if kind == "FunctionDecl" and name.startswith("alpaca_"):
            arguments = [(p.get("name", ""), p["type"]["qualType"]) for p in node.get("inner", []) if p["kind"] == "ParmVarDecl"]
            functions[name] = {"returns": node["type"]["qualType"].split("(")[0].strip(), "arguments": arguments}
        elif kind == "RecordDecl" and name.startswith("alpaca_"):
            if node.get("completeDefinition"):
                structs[name] = [(f["name"], f["type"]["qualType"]) for f in node["inner"] if f["kind"] == "FieldDecl"]
            elif name not in structs:
                opaque.append(name)
        elif kind == "EnumDecl" and name.startswith("alpaca_"):
            constants += [e["name"] for e in node["inner"] if e["kind"] == "EnumConstantDecl"]
        elif kind == "TypedefDecl" and name.endswith("_callback"):
            callbacks[name] = node["type"]["qualType"]
    constants += re.findall(r"^#define (ALPACA_\w+) \S", header.read_text(), re.M)

    lines = ['#include "%s"' % header, "#include <stdio.h>", "int main(void) {"]
    lines += [f'printf("constant {name} %llu\\n", (unsigned long long){name});' for name in constants]
    for name, fields in structs.items():
        lines.append(f'printf("struct {name} %zu\\n", sizeof({name}));')
        lines += [f'printf("field {name} {f} %zu %zu\\n", offsetof({name}, {f}), sizeof((({name} *)0)->{f}));' for f, _ in fields]
    with tempfile.TemporaryDirectory() as folder:
        source, program = pathlib.Path(folder, "layout.c"), pathlib.Path(folder, "layout")
        source.write_text("\n".join(lines + ["return 0;", "}"]))
        subprocess.run(["cc", "-std=c11", "-o", program, source], check=True)
        output = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    result = {"functions": functions, "structs": {}, "constants": {}, "callbacks": callbacks, "opaque": sorted(set(opaque) - set(structs))}
    for line in output.splitlines():
        kind, *words = line.split()
        if kind == "constant":
            result["constants"][words[0]] = int(words[1])
        elif kind == "struct":
            result["structs"][words[0]] = {"size": int(words[1]), "fields": {}}
        else:
            kind_of_field = dict(structs[words[0]])[words[1]]
            result["structs"][words[0]]["fields"][words[1]] = [int(words[2]), int(words[3]), kind_of_field]
    return result


def code(kind: str, opaque: list[str]) -> str:
    """One letter for a C type: how a foreign-function interface has to pass it."""
    kind = kind.strip()
    handle = re.fullmatch(r"(?:const )?(?:struct )?(alpaca_\w+) \*", kind)
    if handle and handle[1] in opaque:
        return {"alpaca_model": "M", "alpaca_tokenizer": "T", "alpaca_session": "S", "alpaca_string": "X"}[handle[1]]
    if kind.endswith("*") or kind.endswith("_callback"):
        return "p"
    return {"void": "v", "int32_t": "i", "uint32_t": "u", "size_t": "z", "alpaca_status": "e", "float": "f", "double": "d",
            "uint64_t": "q"}[kind]


def as_c(data: dict) -> str:
    lines = ["/* Made by describe.py from the header. Letters: v void, i int32_t, u uint32_t, z size_t, e an enum, p pointer,",
             " * M T S X a handle of a model, tokenizer, session, string. The first one is the result's. */",
             "static struct function { const char *name, *signature; void *address; long calls; } functions[] = {"]
    for name, f in data["functions"].items():
        letters = code(f["returns"], data["opaque"]) + "".join(code(kind, data["opaque"]) for _, kind in f["arguments"])
        lines.append(f'    {{"{name}", "{letters}", 0, 0}},')
    lines.append("};")
    for name, value in data["constants"].items():
        lines.append(f"#define {name} {value}ull")
    for name, struct in data["structs"].items():
        lines.append(f"#define SIZE_{name} {struct['size']}")
        for field, (offset, size, _) in struct["fields"].items():
            lines.append(f"#define AT_{name}_{field} {offset}")
    return "\n".join(lines) + "\n"


def differences(old: dict, new: dict) -> list[str]:
    found = []
    for name, function in old["functions"].items():
        now = new["functions"].get(name)
        if now is None:
            found.append(f"{name} is gone")
        elif [kind for _, kind in now["arguments"]] != [kind for _, kind in function["arguments"]] or now["returns"] != function["returns"]:
            found.append(f"{name}: was {function}, is {now}")
    for name, struct in old["structs"].items():
        now = new["structs"].get(name)
        if now is None:
            found.append(f"{name} is gone")
            continue
        # An element of an array can't grow: only structs that begin with their size may.
        grows = "struct_size" in struct["fields"]
        if now["size"] < struct["size"] or (now["size"] != struct["size"] and not grows):
            found.append(f"{name}: had {struct['size']} bytes, has {now['size']}")
        for field, layout in struct["fields"].items():
            if now["fields"].get(field) != layout:
                found.append(f"{name}.{field}: was {layout}, is {now['fields'].get(field)}")
    for name, value in old["constants"].items():
        version = name.startswith("ALPACA_VERSION_") or name == "ALPACA_ABI_VERSION"
        if new["constants"].get(name) != value and not version:
            found.append(f"{name}: was {value}, is {new['constants'].get(name)}")
    for name, kind in old["callbacks"].items():
        if new["callbacks"].get(name) != kind:
            found.append(f"{name}: was {kind}, is {new['callbacks'].get(name)}")
    return found


def main() -> None:
    data = json.loads(json.dumps(describe()))
    if sys.argv[1:2] == ["--c"]:
        print(as_c(data), end="")
    elif sys.argv[1:2] == ["--check"]:
        old = json.loads(pathlib.Path(sys.argv[2]).read_text())
        found = differences(old, data)
        # The check itself: what it must find is found.
        broken = json.loads(json.dumps(data))
        del broken["functions"]["alpaca_version"]
        broken["structs"]["alpaca_candidate"]["size"] = 12
        broken["structs"]["alpaca_progress"]["fields"]["done"][0] = 32
        broken["constants"]["ALPACA_BUSY"] = 99
        if len(differences(data, broken)) != 4 or differences(data, data):
            found.append("the comparison misses differences")
        for line in found:
            print(f"error: {line}")
        count = len(old["functions"]) + len(old["structs"]) + len(old["constants"])
        print(f"ABI baseline: {count - len(found)} passed, {len(found)} failed")
        sys.exit(1 if found else 0)
    else:
        print(json.dumps(data, indent=1))


main()
