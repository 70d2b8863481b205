"""A conversation outlives what goes wrong in it."""
import json

import pytest
from conftest import MODEL, alpaca

QUESTION = "写一首五言绝句，题目是《秋夜》"


def chat(*lines, words=(), status=0):
    given = "".join(line + "\n" for line in lines)
    ended = alpaca("chat", MODEL, "--temperature", "0", *words, input=given.encode())
    assert ended.returncode == status, ended
    return ended.stdout.decode(), ended.stderr.decode()


def test_a_full_context_is_said_and_the_conversation_goes_on(tmp_path):
    file = tmp_path / "saved.json"
    answer, _ = chat(QUESTION)
    lines = [QUESTION] * 12
    said, complaints = chat(*lines, f"/save {file}", "/reset", QUESTION, words=["-c", "256"])
    assert "/reset begins anew, /save FILE keeps the conversation; --context-shift lets the oldest go" in complaints
    assert said.endswith(answer)
    # What was saved are the turns that came to something, and it can be gone on with.
    roles = [message["role"] for message in json.loads(file.read_text())]
    assert roles == ["user", "assistant"] * (len(roles) // 2) and 0 < len(roles) < 24
    longer, _ = chat(f"/load {file}", "/history", words=["-c", "512"])
    assert longer.count("user: ") == len(roles) // 2
    # The last turn tells the status.
    chat(*lines, words=["-c", "256"], status=1)


def test_a_conversation_may_outgrow_its_context():
    said, complaints = chat(*[QUESTION] * 12, "/history", words=["-c", "256", "--context-shift"])
    said, history = said[: said.index("user: ")], said[said.index("user: "):]
    assert history.count("user: ") == history.count("assistant: ") == 12
    assert history.replace(f"user: {QUESTION}\n", "").replace("assistant: ", "") == said
    assert "the model does not see the oldest" in complaints and "error" not in complaints


def test_a_turn_that_fails_leaves_the_messages_as_they_were():
    said, complaints = chat("你好", QUESTION * 200, "/history", words=["-c", "512", "-n", "8"], status=1)
    assert "do not fit" in complaints
    assert said.count("user: ") == 1 and "user: 你好\nassistant: " in said


def test_a_line_that_is_not_utf8():
    ended = alpaca("chat", MODEL, "-n", "2", input="你好\n".encode() + b"ab\xff\n" + b"/history\n")
    assert ended.returncode == 1
    assert ended.stderr == b"error: standard input, line 2: not UTF-8 at byte 2\n"
    assert ended.stdout.decode().count("user: ") == 1


def test_lines_of_windows_and_a_byte_order_mark():
    want, _ = chat(QUESTION, "/history")
    ended = alpaca("chat", MODEL, "--temperature", "0", input=b"\xef\xbb\xbf" + f"{QUESTION}\r\n/history\r\n/quit\r\n".encode())
    assert ended.stdout.decode() == want and ended.returncode == 0
    two, _ = chat("一行\\", "两行", "/history", words=["-n", "1"])
    windows = alpaca("chat", MODEL, "--temperature", "0", "-n", "1", input="一行\\\r\n两行\r\n/history\r\n".encode())
    assert windows.stdout.decode() == two and "user: 一行\n两行\n" in two
    # Without an end, the last line is a line.
    assert alpaca("chat", MODEL, "--temperature", "0", input=QUESTION.encode()).stdout.decode() + want[want.index("user: "):] == want


def test_the_system_text():
    said, complaints = chat("/system", "/system 你是诗人。", "/system", "你好", "/reset", "/history", words=["-n", "2"])
    assert complaints == "no system text\n你是诗人。\n" and said.endswith("\nsystem: 你是诗人。\n")
    given, _ = chat("你好", words=["-n", "8", "--system", "你是诗人。"])
    assert chat("/system 你是诗人。", "你好", words=["-n", "8"])[0] == given


def test_saved_conversations(tmp_path):
    file, text, other = tmp_path / "a.json", tmp_path / "a.txt", tmp_path / "notes.txt"
    other.write_text("my notes")
    said, complaints = chat(
        "/system 系统", QUESTION, f"/save {file}", f"/save {text}", f"/save {file}", f"/save {text}", "/save", "/load", f"/load {text}",
        f"/load {tmp_path}/none.json", f"/save {other}", f"/save {tmp_path}", "/history", status=1)
    messages = json.loads(file.read_text(encoding="utf-8"))
    assert [message["role"] for message in messages] == ["system", "user", "assistant"]
    assert messages[1]["content"] == QUESTION and said.startswith(messages[2]["content"])
    assert text.read_text(encoding="utf-8") == f"system: 系统\nuser: {QUESTION}\nassistant: {messages[2]['content']}\n"
    assert said.endswith(text.read_text(encoding="utf-8"))
    assert complaints.count("saved to ") == 4 and other.read_text() == "my notes"
    for message in ["/save needs a file's name", "/load needs a file's name", "a.txt: found something else, expected a JSON list of messages",
                    "none.json: cannot open: No such file or directory", "notes.txt: there is something else than a saved conversation",
                    f"{tmp_path}: there is something else"]:
        assert f"error: {message}" in complaints or message in complaints, message
    # The next answer is the same as without a pause.
    both, _ = chat("/system 系统", QUESTION, "再写一首")
    loaded, _ = chat(f"/load {file}", "再写一首")
    assert both.endswith(loaded) and len(loaded) > 2
    # The form of OpenAI's interface, and what is none.
    file.write_text(json.dumps({"messages": messages, "model": "x"}))
    assert chat(f"/load {file}", "再写一首")[0] == loaded
    for wrong in ['[{"role": "robot", "content": "x"}]', '[{"role": "user"}]', "[", '"x"', '[{"role": "user", "content": 3}]',
                  '[{"role": "user", "content": "x", "tool_calls": [1]}]']:
        file.write_text(wrong)
        said, complaints = chat("你好", f"/load {file}", "/history", words=["-n", "1"], status=1)
        assert f"error: {file}: " in complaints and said.count("user: 你好") == 1


def test_messages_that_look_like_commands():
    said, complaints = chat("/wrong", " /wrong", "/etc/passwd", "/history", words=["-n", "1"])
    assert complaints == "/wrong is not a command; /help shows them\n"
    assert "user:  /wrong\n" in said and "user: /etc/passwd\n" in said


def test_a_conversation_that_can_not_go_on_is_not_loaded(tmp_path):
    bad = tmp_path / "bad.json"
    bad.write_text('[{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]')
    said, complaints = chat("你好", f"/load {bad}", "/history", words=["-n", "4"], status=1)
    assert "a system message must be the first" in complaints
    assert said.count("user: ") == 1 and "user: 你好\n" in said
