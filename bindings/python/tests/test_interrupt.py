"""Ctrl-C: heard by every call that can last, whatever it does, with and without a function that is told of progress."""

import pathlib
import signal
import subprocess
import sys
import textwrap

import pytest

from conftest import REPOSITORY

MODEL = REPOSITORY / "models/mini/chinese-alpaca-mini-f16.gguf"

#: What each call is, as Python code; `model` and `folder` are there. Each would last for many seconds.
CALLS = {
    "append": "model.session(n_ctx=131072, n_threads=1).append([270] * 120000)",
    "append, one by one": "one_by_one(model.session(n_ctx=131072, n_threads=1))",
    "step": "alpaca.step([(model.session(n_ctx=65536), [270] * 60000), (model.session(n_ctx=65536), [270] * 60000)])",
    "perplexity": "model.perplexity('the rain. ' * 60000, n_ctx=65536, n_threads=1)",
    "perplexity, told": "model.perplexity('the rain. ' * 60000, n_ctx=4096, n_threads=1, progress=told)",
    "verify": "alpaca.verify(*[folder / 'zeros'] * 20, n_threads=1)",
    "verify, told": "alpaca.verify(*[folder / 'zeros'] * 20, n_threads=1, progress=told)",
    "convert": "alpaca.convert(LARGE, folder / 'out.gguf', quantization='q4_k_m', n_threads=1)",
    "convert, told": "alpaca.convert(LARGE, folder / 'out.gguf', quantization='q4_k_m', n_threads=1, progress=told)",
    "bench": "model.bench(repetitions=1000)",
    "bench, told": "model.bench(repetitions=1000, progress=told)",
    "encode": "model.tokenizer.encode('the rain and 山水 ' * 4000000)",
    "read": "model.generate('the rain. ' * 60000, n_ctx=1 << 20).read()",
    "next": "next(model.generate('the rain. ' * 60000, n_ctx=1 << 20))",
    "loop": "sum(len(piece) for piece in model.generate('a', **ENDLESS))",
    "send": "model.chat(n_ctx=1 << 20).send('the rain. ' * 60000)",
    "agenerate": "asyncio.run(read(model.agenerate('the rain. ' * 60000, n_ctx=1 << 20)))",
    "agenerate, writing": "asyncio.run(read(model.agenerate('a', **ENDLESS)))",
    "append in a coroutine": "asyncio.run(blocking(lambda: model.session(n_ctx=131072, n_threads=1).append([270] * 120000)))",
    "read in a coroutine": "asyncio.run(blocking(model.generate('the rain. ' * 60000, n_ctx=1 << 20).read))",
    "verify in a coroutine": "asyncio.run(blocking(lambda: alpaca.verify(*[folder / 'zeros'] * 20, n_threads=1)))",
    "asend": "asyncio.run(model.chat(n_ctx=1 << 20).asend('the rain. ' * 60000))",
}

PROGRAM = """
import asyncio, os, pathlib, signal, sys, threading, time
import alpaca, numpy

folder = pathlib.Path(sys.argv[1])
model = alpaca.Model(sys.argv[2])
ENDLESS = dict(max_new_tokens=0, ignore_eos=True, context_shift=True)
with open(folder / "zeros", "wb") as file:
    file.truncate(1 << 30)

def told(*step):
    pass

def one_by_one(session):
    while True:
        session.append([270])

def large():
    # Zeros in a sparse file: what takes long to quantize, made in no time.
    import gguf
    width, ff, layers, vocabulary = 4096, 11008, 24, model.info["n_vocab"]
    writer = gguf.GGUFWriter(folder / "large.gguf", "llama")
    changed = {"embedding_length": width, "feed_forward_length": ff, "block_count": layers, "attention.head_count": 32,
               "attention.head_count_kv": 32, "rope.dimension_count": width // 32}
    for field in gguf.GGUFReader(sys.argv[2]).fields.values():
        name, kind = field.name, field.types[0]
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        value = changed.get(name.removeprefix("llama."), field.contents())
        writer.add_key_value(name, value, kind, field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)
    shapes = {"token_embd": (vocabulary, width), "output": (vocabulary, width), "output_norm": (width,)}
    for layer in range(layers):
        shapes |= {f"blk.{layer}.attn_{name}": (width, width) for name in ("q", "k", "v", "output")}
        shapes |= {f"blk.{layer}.ffn_gate": (ff, width), f"blk.{layer}.ffn_up": (ff, width), f"blk.{layer}.ffn_down": (width, ff)}
        shapes |= {f"blk.{layer}.attn_norm": (width,), f"blk.{layer}.ffn_norm": (width,)}
    size = 0
    for name, shape in shapes.items():
        kind = numpy.float16 if len(shape) == 2 else numpy.float32
        count = int(numpy.prod(shape)) * numpy.dtype(kind).itemsize
        size += count + -count % 32
        writer.add_tensor_info(name + ".weight", shape, numpy.dtype(kind), count)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    path = folder / "large.gguf"
    os.truncate(path, path.stat().st_size + 64 + size)
    return path

async def read(pieces):
    async for _ in pieces:
        pass

async def blocking(call):
    call()

def interrupt():
    time.sleep(0.4)
    interrupt.began = time.monotonic()
    os.kill(os.getpid(), signal.SIGINT)

LARGE = large() if len(sys.argv) > 3 else None
threading.Thread(target=interrupt, daemon=True).start()
try:
    WHAT
    print("ended before it was interrupted")
except KeyboardInterrupt:
    print(f"{time.monotonic() - interrupt.began:.3f}")
# All works as before.
print(model.session().append([1, 300]).position, sorted(path.name for path in folder.iterdir() if "out" in path.name))
"""


def run(program: str, folder: pathlib.Path, *more: str) -> "subprocess.CompletedProcess[str]":
    arguments = [sys.executable, "-W", "ignore", "-c", program, str(folder), str(MODEL), *more]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("name", CALLS)
def test_ctrl_c_is_heard(name: str, tmp_path: pathlib.Path) -> None:
    what = CALLS[name]
    done = run(PROGRAM.replace("WHAT", what), tmp_path, *(["large"] if "LARGE" in what else []))
    assert done.returncode == 0, done.stderr
    late, after = done.stdout.splitlines()
    # 0.1 and what a machine takes that does other things at the same time.
    assert float(late) < 0.5, late
    assert after == "2 []", "it can be used as before, and nothing is left behind"
    assert done.stderr == ""


def test_a_handler_that_does_not_raise_lets_the_call_go_on(tmp_path: pathlib.Path) -> None:
    """As PEP 475 has it: the call is not cut off. The handler runs while the call lasts."""
    program = """
    import os, signal, sys, threading, time
    import alpaca
    model = alpaca.Model(sys.argv[2])
    heard = []
    signal.signal(signal.SIGINT, lambda *_: heard.append(time.monotonic()))
    signal.signal(signal.SIGUSR1, lambda *_: heard.append(time.monotonic()))
    session = model.session(n_ctx=16384, n_threads=1)
    def interrupt():
        for number in (signal.SIGINT, signal.SIGUSR1):
            time.sleep(0.05)
            os.kill(os.getpid(), number)
    threading.Thread(target=interrupt, daemon=True).start()
    session.append([270] * 3000)
    end = time.monotonic()
    print(session.position, len(heard), all(moment < end for moment in heard))
    """
    done = run(textwrap.dedent(program), tmp_path)
    assert (done.stdout, done.stderr) == ("3000 2 True\n", "")


def test_a_handler_that_raises_something_else(tmp_path: pathlib.Path) -> None:
    program = """
    import signal, sys, time
    import alpaca
    class Late(Exception): pass
    def handler(*_):
        raise Late
    signal.signal(signal.SIGALRM, handler)
    model = alpaca.Model(sys.argv[2])
    began = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        model.perplexity("the rain. " * 60000, n_ctx=65536)
    except Late:
        print(time.monotonic() - began < 1.0)
    """
    done = run(textwrap.dedent(program), tmp_path)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_calls_of_other_threads_go_on(tmp_path: pathlib.Path) -> None:
    """Ctrl-C is the main thread's; what another thread's call does is not touched."""
    program = """
    import os, signal, sys, threading, time
    import alpaca
    model = alpaca.Model(sys.argv[2])
    session = model.session(n_ctx=16384, n_threads=1)
    thread = threading.Thread(target=lambda: session.append([270] * 3000))
    thread.start()
    time.sleep(0.05)
    try:
        os.kill(os.getpid(), signal.SIGINT)
        thread.join()
    except KeyboardInterrupt:
        thread.join()
        print(session.position)
    """
    done = run(textwrap.dedent(program), tmp_path)
    assert (done.stdout, done.stderr) == ("3000\n", "")


def test_a_child_of_a_fork_hears_it_too(tmp_path: pathlib.Path) -> None:
    program = """
    import os, signal, sys, threading, time
    import alpaca
    model = alpaca.Model(sys.argv[2])
    session = model.session(n_ctx=131072, n_threads=1).append([1])
    if os.fork() == 0:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            session.append([270] * 120000)
        except KeyboardInterrupt:
            os._exit(7)
        os._exit(1)
    print(os.waitstatus_to_exitcode(os.wait()[1]), session.append([2]).position)
    """
    done = run(textwrap.dedent(program), tmp_path)
    assert (done.stdout, done.stderr) == ("7 2\n", "")


def test_ctrl_c_from_a_terminal(tmp_path: pathlib.Path) -> None:
    """The process ends as Python's do, by SIGINT, with a thread in the library."""
    program = "import alpaca, sys; s = alpaca.Model(sys.argv[2]).session(n_ctx=131072); print('begins', flush=True); s.append([270] * 120000)"
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program, str(tmp_path), str(MODEL)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "begins\n"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == -signal.SIGINT and told.rstrip().endswith("KeyboardInterrupt"), told
