"""Messages of a conversation, as the library takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import _abi, _calls, _checks, options as _options
from ._abi import lib
from ._errors import InvalidArgumentError

if TYPE_CHECKING:
    from .model import Model

_ROLES = {"system": 0, "user": 1, "assistant": 2, "tool": 3}


def conversation(messages: Any, options: Mapping[str, Any], model: "Model") -> "tuple[Any, ...]":
    """The function for a conversation, and its arguments that the messages are."""
    expected = 'a list of dicts with "role" and "content"'
    listed = _checks.several("messages", messages, expected)
    takes_all = _takes_all(options, model)
    if not takes_all or all(isinstance(message, Mapping) and _is_plain(message) for message in listed):
        array = message_array(listed, options, takes_all)
        return lib.alpaca_session_chat, array, len(array)
    for i, message in enumerate(listed):
        if not isinstance(message, Mapping):
            raise _checks.wrong_type(f"messages[{i}]", message, "a dict with 'role' and 'content'")
        if "role" not in message:
            raise InvalidArgumentError(f"messages[{i}]: found {_checks.shown(dict(message))}, expected a 'role' in it")
        _checks.text(f"messages[{i}]: role", message["role"])  # which ones there are, the template says
    if listed[0]["role"] == "system" and options.get("system") is not None:
        raise InvalidArgumentError("system: found a text beside the system message of the conversation, expected one of them")
    raw = _options.json_bytes("messages", listed)
    return lib.alpaca_session_chat_json, raw, len(raw)


def _is_plain(message: Mapping[str, Any]) -> bool:
    if message.keys() != {"role", "content"} or not isinstance(message["role"], str):
        return False
    return message["role"] in _ROLES and isinstance(message["content"], str)


def _takes_all(options: Mapping[str, Any], model: "Model") -> bool:
    """Whether the template is one that may know more than a role and a text."""
    if options.get("chat_template") is not None:
        return True
    name = options.get("template")
    if name is None or str(name).lower() == "auto":
        return options.get("tools") is not None or model._template_name == "jinja"
    return str(name).lower() != "none" and not str(name).lower().startswith("alpaca")


def message_array(messages: Any, options: Mapping[str, Any], tools: bool = False) -> Any:
    """The messages of a conversation for the library.

    :param tools: whether the template may have a place for what tools answer.
    """
    roles = [role for role in _ROLES if tools or role != "tool"]
    expected = 'a list of dicts with "role" and "content"'
    listed = _checks.several("messages", messages, expected)
    array = (_abi.Message * len(listed))()
    for i, message in enumerate(listed):
        name = f"messages[{i}]"
        if not isinstance(message, Mapping):
            raise _checks.wrong_type(name, message, 'a dict with "role" and "content"')
        for key in ("role", "content"):
            if key not in message:
                raise InvalidArgumentError(f"{name}: found {_checks.shown(dict(message))}, expected a {key!r} in it")
        others = [str(key) for key in message if key not in ("role", "content")]
        if others:
            _calls.warn(f"{name}: {', '.join(sorted(others))} has no effect; a message has role and content")
        role = _checks.choice(f"{name}: role", message["role"], roles)
        content = _checks.text(f"{name}: content", message["content"])
        array[i] = _abi.Message(_ROLES[role], 0, content, len(content))
    if listed and array[0].role == _ROLES["system"] and options.get("system") is not None:
        raise InvalidArgumentError("system: found a text beside the system message of the conversation, expected one of them")
    return array
