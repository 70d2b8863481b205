"""The documentation against the code: its programs are compiled and run, its tables are compared with what is there."""

import inspect
import os
import pathlib
import re
import subprocess

import gguf
import pytest

import alpaca
from alpaca import _abi, _errors, options, session

from conftest import REPOSITORY

DOCS = REPOSITORY / "docs"
MODEL = "models/mini/chinese-alpaca-mini-q8_0.gguf"
HEADER = (REPOSITORY / "include" / "alpaca.h").read_text()


def blocks(language: str) -> list[str]:
    found = []
    for page in sorted(DOCS.rglob("*.md")):
        found += re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), flags=re.S | re.M)
    return found


def table(page: str, heading: str) -> list[list[str]]:
    """The rows of the table whose head begins with the cells in `heading`, one a line of it."""
    rows = []
    for text in (DOCS / page).read_text().split("\n\n"):
        lines = text.splitlines()
        if lines and lines[0].startswith(heading):
            rows += [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]
    assert rows, heading
    return rows


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A current folder with the files that the examples open."""
    (tmp_path / "model.gguf").symlink_to(REPOSITORY / MODEL)
    (tmp_path / "text.txt").symlink_to(REPOSITORY / "Tests/Goldens/mini/heldout_poems.txt")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_examples() -> None:
    assert [len(blocks(language)) >= 3 for language in ("c", "python", "swift", "sh")] == [True] * 4


@pytest.mark.parametrize("code", blocks("python"))
def test_python(code: str, folder: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(code, "example", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("code", blocks("c"))
def test_c(code: str, folder: pathlib.Path) -> None:
    (folder / "example.c").write_text(code)
    library = REPOSITORY / "build" / "lib"
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{REPOSITORY}/include"]
    subprocess.run(["cc", *flags, "-o", "example", "example.c", f"-L{library}", "-lalpaca", f"-Wl,-rpath,{library}"], check=True)
    result = subprocess.run(["./example"], capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.strip()


def test_swift() -> None:
    """The Swift examples are compiled and run with the tests of the engine."""
    example = REPOSITORY / "Tests" / "AlpacaEngineTests" / "Generation" / "DocumentationExamples.swift"
    have = [line.strip() for line in example.read_text().splitlines()]
    for code in blocks("swift"):
        lines = [line.strip() for line in code.replace("model.gguf", MODEL).splitlines()]
        assert lines[:2] == ["import AlpacaEngine", ""]
        lines = lines[2:]
        assert any(have[i : i + len(lines)] == lines for i in range(len(have))), code


def test_commands(folder: pathlib.Path) -> None:
    environment = {**os.environ, "PATH": f"{REPOSITORY}/build/bin:{os.environ['PATH']}"}
    lines = [line for block in blocks("sh") for line in block.splitlines() if re.search(r"(^|\| )alpaca ", line)]
    assert len(lines) >= 6
    for line in lines:
        result = subprocess.run(line, shell=True, env=environment, capture_output=True, text=True, timeout=120)
        assert result.returncode == 0, line + "\n" + result.stderr
        assert result.stdout.strip(), line


def test_links_lead_somewhere() -> None:
    for page in DOCS.rglob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if not target.startswith("https://"):
                assert (page.parent / target).exists(), f"{page}: {target}"


def test_names_of_c() -> None:
    """The table has each function and struct of the header, and no name that is not there."""
    code = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.S)
    rows = table("names.md", "| what | C |") + table("names.md", "| what | C `")
    named = {word for row in rows for word in words(row[1])}
    assert set(_abi.FUNCTIONS) - named == set()
    assert set(_abi.STRUCTS) - named - {"alpaca_generation_params"} == set()  # that one is in a table's head
    assert {word for word in named if not re.search(rf"\b{word}\b", code)} == set()
    fields = {field for struct in ("alpaca_session_params", "alpaca_generation_params") for field, *_ in _abi.STRUCTS[struct]._fields_}
    assert fields - named == {"struct_size", "reserved", "reserved2"}


def test_names_of_python() -> None:
    rows = table("names.md", "| what | C |") + table("names.md", "| what | C `")
    keywords = set(options.GENERATION_NAMES)
    functions = (
        alpaca.Model.__init__, alpaca.Model.bench, alpaca.Model.imatrix, alpaca.Session.__init__, alpaca.Tokenizer.encode, alpaca.convert, alpaca.verify,
    )
    for function in functions:
        keywords |= set(inspect.signature(function).parameters)
    others = set(inspect.signature(alpaca.Model.apply_chat_template).parameters)  # transformers', which have their names there
    fields = {"Token": alpaca.Token, "Stream": alpaca.Stream}
    for name in (word for row in rows for word in words(row[2])):
        if name.startswith("{") or name in keywords | others or name in ("str", "str(error)"):
            continue
        owner, _, member = name.partition(".")
        if owner in fields:
            assert re.search(rf"\b{member}\b", inspect.getsource(fields[owner])), name
        elif member:
            assert hasattr(getattr(alpaca, owner), member), name
        else:
            assert hasattr(alpaca, owner), name
    assert keywords - {word for row in rows for word in words(row[2])} - {"self", "model", "path", "paths", "text"} == set()


def test_names_of_swift() -> None:
    rows = table("names.md", "| what | C |") + table("names.md", "| what | C `")
    sources = "\n".join(path.read_text() for path in (REPOSITORY / "Sources" / "AlpacaEngine").rglob("*.swift"))
    public = set(re.findall(r"\bpublic [^={(\n]*?\b(?:func|struct|class|enum|typealias) (\w+)", sources)) | {"init", "String"}
    for names in re.findall(r"\bpublic (?:static |internal\(set\) )?(?:let|var) ([\w, ]+)", sources):
        public |= set(names.strip().split(", "))
    labels = set(re.findall(r"\b(add[BE]OS|parseSpecial): Bool", sources))
    for row in rows:
        for name in words(row[3]):
            for part in re.sub(r"\(.*", "", name).split("."):
                assert part in public | labels or part == "sampling", name


def test_names_of_the_command() -> None:
    rows = table("names.md", "| what | C |") + table("names.md", "| what | C `")
    command = REPOSITORY / "build" / "bin" / "alpaca"
    helps = ""
    subcommands = "generate chat tokenize template inspect perplexity imatrix bench convert verify merge-tokenizer"
    for name in subcommands.split():
        helps += subprocess.run([command, "help", name], capture_output=True, text=True, check=True).stdout
    for name in (word for row in rows for word in words(row[4])):
        subcommand, _, option = name.rpartition(" ")
        if option.startswith("-"):
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", helps), name
        else:
            assert f"alpaca {option}" in helps, name
        assert not subcommand or f"alpaca {subcommand}" in helps, name


def test_sizes() -> None:
    info = alpaca.Model(REPOSITORY / MODEL).info
    swift = (REPOSITORY / "Sources/AlpacaEngine/Architecture/ModelConfiguration.swift").read_text()
    keys = (REPOSITORY / "Sources/AlpacaEngine/Formats/GGUF/GGUFKey.swift").read_text()
    for row in table("names.md", "| what | C, Python, JSON |"):
        (name,), (property,), (key,) = words(row[1]), words(row[2]), words(row[3])
        assert name in info
        assert re.search(rf"public (let|(private\(set\) )?var) {property}:", swift)
        assert f"\\(architecture).{key}\"" in keys


def test_errors() -> None:
    rows = table("embedding.md", "| number | C |")
    swift = (REPOSITORY / "Sources/AlpacaEngine/Support/AlpacaError.swift").read_text()
    declared = dict(re.findall(r"(ALPACA_[A-Z_]+) = (\d+)", re.search(r"enum alpaca_status {(.*?)}", HEADER, flags=re.S).group(1)))  # type: ignore[union-attr]
    assert {words(row[1])[0]: row[0] for row in rows} == declared
    assert {f"ALPACA_{status.name}": str(int(status)) for status in alpaca.Status} == declared
    for number, _, code, name in rows[1:]:
        assert f"case {words(code)[0]} = {number}\n" in swift
        assert words(name)[0] == type(_errors.make_error(int(number), "")).__name__


def test_generation_parameters() -> None:
    """Names and defaults, as the library fills them in."""
    params = options.generation_params({})
    rows = table("generation.md", "| name | default |")
    named = set()
    for row in rows:
        (name,) = words(row[0])
        named.add(name)
        if re.fullmatch(r"-?[\d.]+", row[1]):
            assert getattr(params, name) == pytest.approx(float(row[1])), name
        elif row[1] == "off":
            assert getattr(params, name) == 0, name
    assert named == options.GENERATION_NAMES


def test_finish_reasons() -> None:
    assert [words(row[1])[0] for row in table("generation.md", "| `finish_reason` |")] == list(session.FINISH_REASONS)


def test_templates() -> None:
    """Each template of the table exists, and a session reads the very text that the table shows."""
    model = alpaca.Model(REPOSITORY / "models/mini/chinese-alpaca-mini-f16.gguf")
    preamble = re.search(r"^> (Below.*)$", (DOCS / "generation.md").read_text(), flags=re.M)
    system = re.search(r"another is given: `([^`]+)`", (DOCS / "generation.md").read_text())
    assert preamble is not None and system is not None
    for row in table("generation.md", "| template |"):
        (name,) = words(row[0])
        if name == "alpaca-3":
            continue  # its tokens are not in this vocabulary
        text = words(row[1])[0].replace("⏎", "\n").replace("S1", preamble.group(1))
        text = text.replace("{system}", system.group(1)).replace("{q}", "你好")
        with model.session() as one:
            one.generate("你好", template=name, max_new_tokens=1).read()
            assert one.tokens == model.tokenizer.encode(text, add_bos=True), name


def test_tensor_types() -> None:
    rows = table("formats/tensor-types.md", "| type | number |")
    assert sorted(row[0] for row in rows) == sorted(alpaca.build_info()["types"])
    for name, number, weights, size, bits, *_ in rows:
        kind = gguf.GGMLQuantizationType[name]
        assert (int(number), (int(weights), int(size))) == (kind.value, gguf.GGML_QUANT_SIZES[kind])
        assert float(bits) == int(size) * 8 / int(weights)


def test_tensor_names() -> None:
    """Against the names that gguf, ggml's Python package, has for the architecture."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 1)
    for row in table("formats/gguf.md", "| GGUF | shape"):
        ours = words(row[0])[0].replace(".N.", ".0.").removesuffix(".weight")
        for other in (word for cell in row[2:] for word in words(cell)):
            other = other.replace(".N.", ".0.").replace(".experts.E.", ".experts.").removesuffix(".weight")
            assert names.get_name(other) == ours, other


def test_gguf_keys() -> None:
    keys = (REPOSITORY / "Sources/AlpacaEngine/Formats/GGUF/GGUFKey.swift").read_text()
    known = {key.replace("\\(architecture)", "llama") for key in re.findall(r'"([^"]+)"', keys)}
    named = set()
    for row in table("formats/gguf.md", "| key | needed |"):
        first, *others = words(row[0])
        named |= {first} | {other if "." in other else f"{first.rpartition('.')[0]}.{other}" for other in others}
    assert named - known == set()


def test_inspect_keys() -> None:
    text = (DOCS / "embedding.md").read_text().split("## What is in a file?")[1]
    found = alpaca.inspect(REPOSITORY / MODEL)
    named = set(words(text))
    for part in (found, found["hyperparameters"], found["tensor_types"][0]):
        assert set(part) - named == set()
