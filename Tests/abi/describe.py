"""What include/alpaca.h promises, as data: functions, structs, constants; with a library also the versions of its symbols.

    describe.py [--header FILE] [--library FILE]    prints it as JSON, as it is kept for each version (Tests/abi/1.0/abi.json)
    describe.py [--header FILE] --c                 prints it as C tables, for the harness that calls everything by libffi

Declarations come from clang's syntax tree, layouts and values from a program that the compiler makes of them, versions from the symbols.
"""
import argparse
import json
import pathlib
import re
import subprocess
import tempfile

HEADER = pathlib.Path(__file__).resolve().parents[2] / "include" / "alpaca.h"


def declarations(header: pathlib.Path) -> dict:
    """Functions, fields, names of constants, callbacks and opaque types as clang sees them."""
    dump = subprocess.run(
        ["clang", "-x", "c", "-std=c11", "-fsyntax-only", "-Xclang", "-ast-dump=json", str(header)],
        check=True, capture_output=True, text=True).stdout
    functions, structs, constants, opaque, callbacks = {}, {}, [], [], {}
    for node in json.loads(dump)["inner"]:
        name = node.get("name", "")
        kind = node["kind"]
        if kind == "FunctionDecl" and name.startswith("alpaca_"):
            arguments = [[p.get("name", ""), p["type"]["qualType"]] for p in node.get("inner", []) if p["kind"] == "ParmVarDecl"]
            functions[name] = {"returns": node["type"]["qualType"].split("(")[0].strip(), "arguments": arguments}
        elif kind == "RecordDecl" and name.startswith("alpaca_"):
            if node.get("completeDefinition"):
                structs[name] = {f["name"]: f["type"]["qualType"] for f in node["inner"] if f["kind"] == "FieldDecl"}
            elif name not in structs:
                opaque.append(name)
        elif kind == "EnumDecl" and name.startswith("alpaca_"):
            constants += [e["name"] for e in node["inner"] if e["kind"] == "EnumConstantDecl"]
        elif kind == "TypedefDecl" and name.endswith("_callback"):
            callbacks[name] = node["type"]["qualType"]
    constants += re.findall(r"^#define (ALPACA_\w+) \S", header.read_text(), re.M)
    return {"functions": functions, "structs": structs, "constants": constants, "callbacks": callbacks,
            "opaque": sorted(set(opaque) - set(structs))}


def describe(header: pathlib.Path = HEADER) -> dict:
    data = declarations(header)
    lines = [f'#include "{header}"', "#include <stdio.h>", "int main(void) {"]
    lines += [f'printf("constant {name} %llu\\n", (unsigned long long){name});' for name in data["constants"]]
    for name, fields in data["structs"].items():
        lines.append(f'printf("struct {name} %zu\\n", sizeof({name}));')
        lines += [f'printf("field {name} {f} %zu %zu\\n", offsetof({name}, {f}), sizeof((({name} *)0)->{f}));' for f in fields]
    with tempfile.TemporaryDirectory() as folder:
        source, program = pathlib.Path(folder, "layout.c"), pathlib.Path(folder, "layout")
        source.write_text("\n".join(lines + ["return 0;", "}"]))
        subprocess.run(["cc", "-std=c11", "-o", program, source], check=True)
        output = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    result = data | {"structs": {}, "constants": {}}
    for line in output.splitlines():
        kind, *words = line.split()
        if kind == "constant":
            result["constants"][words[0]] = int(words[1])
        elif kind == "struct":
            result["structs"][words[0]] = {"size": int(words[1]), "fields": {}}
        else:
            type_of_field = data["structs"][words[0]][words[1]]
            result["structs"][words[0]]["fields"][words[1]] = [int(words[2]), int(words[3]), type_of_field]
    return result


def symbols(library: pathlib.Path) -> dict[str, str]:
    """The functions that a library exports, each with the version that programs are linked against."""
    output = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    return dict(re.findall(r" [TW] (\w+)@@(\S+)$", output, re.M))


def code(kind: str, opaque: list[str]) -> str:
    """One letter for a C type: how a foreign-function interface has to pass it."""
    kind = kind.strip()
    handle = re.fullmatch(r"(?:const )?(?:struct )?(alpaca_\w+) \*", kind)
    if handle and handle[1] in opaque:
        return {"alpaca_model": "M", "alpaca_tokenizer": "T", "alpaca_session": "S", "alpaca_string": "X"}[handle[1]]
    if kind.endswith("*") or kind.endswith("_callback"):
        return "p"
    if kind.startswith("char["):
        return "c"
    return {"void": "v", "int32_t": "i", "uint32_t": "u", "size_t": "z", "alpaca_status": "e", "float": "f", "double": "d",
            "uint64_t": "q", "int64_t": "q"}[kind]


def callback_letters(kind: str, opaque: list[str]) -> str:
    """Result and parameters of a callback's type, "int32_t (*)(const alpaca_progress *, void *)"."""
    result, parameters = re.fullmatch(r"(.*?) \(\*\)\((.*)\)", kind).groups()
    return code(result, opaque) + "".join(code(parameter, opaque) for parameter in parameters.split(","))


def as_c(data: dict) -> str:
    opaque = data["opaque"]
    arguments = [len(f["arguments"]) for f in data["functions"].values()]
    arguments += [len(callback_letters(kind, opaque)) - 1 for _, kind in data["callbacks"].items()]
    fields = [len(struct["fields"]) for struct in data["structs"].values()]
    lines = ["/* Made by describe.py from the header. Letters: v void, i int32_t, u uint32_t, z size_t, q 64 bits, e an enum, f float,",
             " * d double, c an array of char, p pointer, M T S X a handle of a model, tokenizer, session, string. A signature begins with",
             " * the result. The tables end with an entry without a name. */",
             "#include <stddef.h>",
             f"enum {{ MOST_ARGUMENTS = {max(arguments)}, MOST_FIELDS = {max(fields)} }};",
             "struct function { const char *name, *signature; void *address; long calls; };",
             "struct field { const char *name; size_t at, size; char letter; };",
             "struct structure { const char *name; size_t size; int grows; struct field fields[MOST_FIELDS + 1]; };",
             "struct callback { const char *name, *signature, *type; };",
             "extern struct function functions[];",
             "extern const struct structure structures[];",
             "extern const struct callback callbacks[];",
             "#ifdef DEFINE_SIGNATURES",
             "struct function functions[] = {"]
    for name, f in data["functions"].items():
        letters = code(f["returns"], opaque) + "".join(code(kind, opaque) for _, kind in f["arguments"])
        lines.append(f'    {{"{name}", "{letters}", 0, 0}},')
    lines += ["    {0, 0, 0, 0},", "};", "const struct structure structures[] = {"]
    for name, struct in data["structs"].items():
        fields = ", ".join(f'{{"{f}", {at}, {size}, \'{code(kind, opaque)}\'}}' for f, (at, size, kind) in struct["fields"].items())
        lines.append(f'    {{"{name}", {struct["size"]}, {int("struct_size" in struct["fields"])}, {{{fields}}}}},')
    lines += ["    {0, 0, 0, {{0, 0, 0, 0}}},", "};", "const struct callback callbacks[] = {"]
    lines += [f'    {{"{name}", "{callback_letters(kind, opaque)}", "{kind}"}},' for name, kind in data["callbacks"].items()]
    lines += ["    {0, 0, 0},", "};", "#endif"]
    lines += [f"#define {name} {value}" + ("ull" if value > 0x7FFFFFFF else "") for name, value in data["constants"].items()]
    for name, struct in data["structs"].items():
        lines.append(f"#define SIZE_{name} {struct['size']}")
        lines += [f"#define AT_{name}_{field} {at}" for field, (at, *_) in struct["fields"].items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--header", type=pathlib.Path, default=HEADER)
    parser.add_argument("--library", type=pathlib.Path)
    parser.add_argument("--c", action="store_true")
    arguments = parser.parse_args()
    data = describe(arguments.header.resolve())
    if arguments.library:
        data["symbols"] = symbols(arguments.library)
    print(as_c(data) if arguments.c else json.dumps(data, indent=1) + "\n", end="")


if __name__ == "__main__":
    main()
