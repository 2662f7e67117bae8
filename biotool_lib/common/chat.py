"""One renderer and one parser: the text that is trained on is the text that is served."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

OPEN, CLOSE = "<tool_call>", "</tool_call>"


def messages(question: str, system: str | None = None) -> list[dict[str, str]]:
    """A question as chat messages."""
    start = [{"role": "system", "content": system}] if system else []
    return [*start, {"role": "user", "content": question}]


def render_prompt(tokenizer, question: str, tools: Sequence[Mapping[str, Any]] | None = None, system: str | None = None) -> str:
    """The prompt of a question through the model's own chat template: what training and serving both use."""
    return tokenizer.apply_chat_template(
        messages(question, system), tools=list(tools) if tools else None, tokenize=False, add_generation_prompt=True
    )


def render_call(call: Mapping[str, Any] | None) -> str:
    """What the model is to write: one call in Hermes form, or a short refusal where no function fits."""
    if call is None:
        return "No function fits this question."
    body = json.dumps({"name": call["name"], "arguments": call["arguments"]}, ensure_ascii=False)
    return f"{OPEN}{body}{CLOSE}"


def encode(tokenizer, question: str, call: Mapping[str, Any] | None, tools=None, system: str | None = None) -> dict[str, list[int]]:
    """Token ids of prompt and completion with labels on the completion alone (-100 elsewhere)."""
    prompt = encode_prompt(tokenizer, question, tools, system)
    completion = tokenizer(render_call(call), add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
    return {"input_ids": prompt + completion, "labels": [-100] * len(prompt) + completion}


def encode_prompt(tokenizer, question: str, tools=None, system: str | None = None) -> list[int]:
    """Token ids of the prompt; `encode` begins with exactly these."""
    return tokenizer(render_prompt(tokenizer, question, tools, system), add_special_tokens=False)["input_ids"]


@dataclass(frozen=True)
class Parsed:
    """What a model wrote: its first call (None if there is none), the form it had, and how many calls there were."""

    call: dict[str, Any] | None
    form: str
    calls: int = 0


_HERMES = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|$)", re.DOTALL)
_XML_CALL = re.compile(r"<function=([\w.\-]+)>(.*?)(?:</function>|$)", re.DOTALL)
_XML_ARGUMENT = re.compile(r"<parameter=([\w.\-]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
_REACT = re.compile(r"Action:[ \t]*`?([\w.\-]+)`?\s*Action Input:[ \t]*", re.IGNORECASE)
_FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)
MAX_TEXT = 200_000


def parse(text: Any) -> Parsed:
    """The call in a model's text, in whichever known form it stands; never raises.

    Forms: hermes, qwen_xml, react, openai, json, fenced, embedded, none.
    Example: `parse('<tool_call>{"name": "einfo", "arguments": {}}</tool_call>').call`
    """
    if not isinstance(text, str):
        calls = _openai(text)
        return Parsed(calls[0], "openai", len(calls)) if calls else Parsed(None, "none")
    text = text[:MAX_TEXT]
    for form, find in (
        ("hermes", _hermes), ("qwen_xml", _qwen_xml), ("react", _react), ("json", _whole), ("fenced", _fenced), ("embedded", _embedded),
    ):
        calls = find(text)
        if calls:
            return Parsed(calls[0], form, len(calls))
    return Parsed(None, "none")


def as_call(value: Any) -> dict[str, Any] | None:
    """A decoded JSON value as {"name", "arguments"}, if it is one under any of the known spellings."""
    if not isinstance(value, dict):
        return None
    inner = value.get("function")
    if isinstance(inner, dict):
        value = inner
    name = value.get("name") if not isinstance(inner, str) else inner
    arguments = value.get("arguments", value.get("parameters"))
    if arguments is None and "name" in value and set(value) <= {"name", "id", "type"}:
        arguments = {}
    if isinstance(arguments, str):
        arguments = _loads(arguments)
    if not isinstance(name, str) or not name or not isinstance(arguments, dict):
        return None
    return {"name": name, "arguments": arguments}


def _loads(text: str) -> Any:
    try:
        return json.loads(text, strict=False, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None


def _decode_from(text: str, start: int) -> Any:
    try:
        return json.JSONDecoder(strict=False, parse_constant=lambda _: None).raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return None


def _calls(values: Any) -> list[dict[str, Any]]:
    found = values if isinstance(values, list) else [values]
    return [call for call in map(as_call, found) if call]


def _hermes(text: str) -> list[dict[str, Any]]:
    return [call for body in _HERMES.findall(text) for call in _calls(_decode_from(body, 0) if body else None)]


def _qwen_xml(text: str) -> list[dict[str, Any]]:
    calls = []
    for name, body in _XML_CALL.findall(text):
        arguments = {}
        for key, value in _XML_ARGUMENT.findall(body):
            decoded = _loads(value)
            arguments[key] = value if decoded is None and value.strip() != "null" else decoded
        calls.append({"name": name, "arguments": arguments})
    return calls


def _react(text: str) -> list[dict[str, Any]]:
    calls = []
    for found in _REACT.finditer(text):
        start = text.find("{", found.end())
        if start >= 0 and not text[found.end():start].strip("` \n\t").removeprefix("json").strip():
            arguments = _decode_from(text, start)
            if isinstance(arguments, dict):
                calls.append({"name": found[1], "arguments": arguments})
    return calls


def _whole(text: str) -> list[dict[str, Any]]:
    value = _loads(text.strip())
    return _openai(value) or _calls(value)


def _openai(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, Mapping) and isinstance(value.get("tool_calls"), list):
        return _calls(value["tool_calls"])
    return _calls(value) if isinstance(value, list) else []


def _fenced(text: str) -> list[dict[str, Any]]:
    return [call for body in _FENCE.findall(text) for call in _calls(_loads(body.strip()))]


def _embedded(text: str) -> list[dict[str, Any]]:
    calls, start, tries = [], text.find("{"), 0
    while start >= 0 and tries < 50:
        value = _decode_from(text, start)
        found = _calls(value)
        calls += found
        tries += 1
        start = text.find("{", start + (len(json.dumps(value)) if found else 1))
    return calls
