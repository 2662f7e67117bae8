"""One renderer and one parser: the text that is trained on is the text that is served."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidParameter, Problem

OPEN, CLOSE = "<tool_call>", "</tool_call>"
NO_CALL = "No function fits this question."


def messages(question: str, system: str | None = None) -> list[dict[str, Any]]:
    """A question as chat messages."""
    start = [{"role": "system", "content": system}] if system else []
    return [*start, {"role": "user", "content": question}]


def render_prompt(tokenizer, question: str, tools: Sequence[Mapping[str, Any]] | None = None, system: str | None = None) -> str:
    """The prompt of a question through the model's own chat template: what training and serving both use."""
    return _template(tokenizer, messages(question, system), tools, add_generation_prompt=True)


def render_call(call: Mapping[str, Any] | None) -> str:
    """One call in Hermes form, or a short refusal where no function fits."""
    if call is None:
        return NO_CALL
    body = json.dumps({"name": call["name"], "arguments": call["arguments"]}, ensure_ascii=False)
    return f"{OPEN}{body}{CLOSE}"


def render_completion(tokenizer, question: str, call: Mapping[str, Any] | None, tools: Sequence[Mapping[str, Any]] | None = None,
                      system: str | None = None) -> str:
    """What the model is to write after its prompt, up to and with its end token: the call as its own template writes one.

    A template that knows no calls (nano) gets the Hermes form. Raises InvalidParameter for a template whose answer does not begin
    where its prompt ends, since training would then differ from serving.
    """
    end = tokenizer.eos_token
    if call is None or "tool_calls" not in (tokenizer.chat_template or ""):
        return render_call(call) + end
    turn = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": dict(call)}]}
    prompt = render_prompt(tokenizer, question, tools, system)
    whole = _template(tokenizer, [*messages(question, system), turn], tools, add_generation_prompt=False)
    written = whole[len(prompt):].rstrip()
    if not whole.startswith(prompt) or not written.endswith(end):
        remedy = "a template in which the answer follows the generation prompt and ends with the tokenizer's eos_token"
        raise InvalidParameter("chat template", [Problem("answer", whole[-200:], remedy)])
    return written


def encode(tokenizer, question: str, call: Mapping[str, Any] | None, tools=None, system: str | None = None) -> dict[str, list[int]]:
    """Token ids of prompt and completion with labels on the completion alone (-100 elsewhere)."""
    prompt = encode_prompt(tokenizer, question, tools, system)
    completion = tokenizer(render_completion(tokenizer, question, call, tools, system), add_special_tokens=False)["input_ids"]
    return {"input_ids": prompt + completion, "labels": [-100] * len(prompt) + completion}


def encode_prompt(tokenizer, question: str, tools=None, system: str | None = None) -> list[int]:
    """Token ids of the prompt; `encode` begins with exactly these."""
    return tokenizer(render_prompt(tokenizer, question, tools, system), add_special_tokens=False)["input_ids"]


def _template(tokenizer, turns: list[dict[str, Any]], tools: Sequence[Mapping[str, Any]] | None, add_generation_prompt: bool) -> str:
    """Templates that can think first are asked not to; the others do not know the word."""
    return tokenizer.apply_chat_template(
        turns, tools=list(tools) if tools else None, tokenize=False, add_generation_prompt=add_generation_prompt, enable_thinking=False
    )


@dataclass(frozen=True)
class Parsed:
    """What a model wrote: its first call (None if there is none), the form it had, and how many calls there were."""

    call: dict[str, Any] | None
    form: str
    calls: int = 0


_REACT = re.compile(r"Action:[ \t]*`?([\w.\-]+)`?\s*Action Input:[ \t]*", re.IGNORECASE)
_NAME = re.compile(r"[\w.\-]+")
_NUMBER = re.compile(r"-?[0-9]{1,300}(\.[0-9]{1,300})?")
_MARK = re.compile(r"<\|[a-z_]{1,40}\|>\s*\Z")
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
MAX_TEXT = 2**20  # characters; what a model writes beyond them is not read
MOST_CALLS = 50


def parse(text: Any) -> Parsed:
    """The first call in a model's text or OpenAI-style message, in whichever known form it stands; never raises.

    Forms: hermes, qwen_xml, llama, llama_tag, react, openai, json, fenced, embedded, none. What stands in a think block is no answer.
    Time grows with the length of the text, whatever it holds. Example: `parse('<tool_call>{"name": "einfo", "arguments": {}}</tool_call>').call`
    """
    if not isinstance(text, str):
        calls = _openai(text)
        return Parsed(calls[0], "openai", len(calls)) if calls else Parsed(None, "none")
    answer = _said(text[:MAX_TEXT])
    for form, find in _FORMS:
        calls = find(answer)
        if calls:
            return Parsed(calls[0], form, len(calls))
    return Parsed(None, "none")


def as_call(value: Any) -> dict[str, Any] | None:
    """A decoded JSON value as {"name", "arguments"}, if it is one under any of the known spellings."""
    if not isinstance(value, Mapping):
        return None
    inner = value.get("function")
    if isinstance(inner, Mapping):
        value = inner
    name = value.get("name") if not isinstance(inner, str) else inner
    arguments = value.get("arguments", value.get("parameters"))
    if arguments is None and "name" in value and set(value) <= {"name", "id", "type"}:
        arguments = {}
    if isinstance(arguments, str):
        arguments = _loads(arguments)
    if not isinstance(name, str) or not name or not isinstance(arguments, Mapping):
        return None
    if arguments.get("type") == "object" and isinstance(arguments.get("properties"), Mapping):
        return None  # a schema, repeated from the prompt
    return {"name": _clean(name), "arguments": {_clean(str(key)): _clean(item) for key, item in arguments.items()}}


def _clean(value: Any) -> Any:
    """Halves of a surrogate pair, which no file can hold, become the replacement character."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.loads(_SURROGATE.sub("\ufffd", json.dumps(value, ensure_ascii=False)))
    except (TypeError, ValueError, RecursionError):
        return None
    return value


def _said(text: str) -> str:
    """The answer without its thinking and without the model's end mark."""
    before, closed, after = text.rpartition("</think>")
    answer = after if closed else before or text
    return _MARK.sub("", answer.partition("<think>")[0]).strip()


def _finite(number: str) -> float | None:
    value = float(number)
    return value if math.isfinite(value) else None


_DECODER = json.JSONDecoder(strict=False, parse_constant=lambda _: None, parse_float=_finite)


def _loads(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


def _decode_from(text: str, start: int) -> tuple[Any, int]:
    """The JSON value that begins at `start` and where it ends; None and `start` where none does."""
    try:
        return _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None, start


def _calls(values: Any) -> list[dict[str, Any]]:
    found = values if isinstance(values, list) else [values]
    return [call for call in map(as_call, found[:MOST_CALLS]) if call]


def _between(text: str, opening: str, closing: str) -> Iterator[str]:
    """What stands between two marks, found by plain search; an unclosed mark reaches to the end."""
    for _ in range(MOST_CALLS):
        _, found, rest = text.partition(opening)
        if not found:
            return
        body, _, text = rest.partition(closing)
        yield body


def _hermes(text: str) -> list[dict[str, Any]]:
    return [call for body in _between(text, OPEN, CLOSE) for call in _calls(_decode_from(body.strip(), 0)[0])]


def _functions(text: str) -> Iterator[tuple[str, str]]:
    for body in _between(text, "<function=", "</function>"):
        name, closed, rest = body.partition(">")
        if closed and _NAME.fullmatch(name.strip().strip('"')):
            yield name.strip().strip('"'), rest


def _qwen_xml(text: str) -> list[dict[str, Any]]:
    calls = []
    for name, body in _functions(text):
        arguments = {}
        for piece in body.split("<parameter=")[1:]:
            key, _, value = piece.partition(">")
            arguments[key.strip().strip('"')] = _plain(value.partition("</parameter>")[0])
        if arguments or not body.strip():
            calls.append({"name": name, "arguments": arguments})
    return _calls(calls)


def _plain(text: str) -> Any:
    """The value of a tag: a number, a word such as true or a JSON value where the text is one and means no more than it, else text."""
    text = text.removeprefix("\n").removesuffix("\n")
    bare = text.strip()
    if bare in _WORDS:
        return _WORDS[bare]
    if bare[:1] in ("[", "{", '"') or _NUMBER.fullmatch(bare):
        value = _loads(bare)
        if value is not None and (not isinstance(value, (int, float)) or str(value) == bare):
            return value
    return text


def _llama_tag(text: str) -> list[dict[str, Any]]:
    return _calls([{"name": name, "arguments": _decode_from(body.strip(), 0)[0]} for name, body in _functions(text)])


def _llama(text: str) -> list[dict[str, Any]]:
    """`{"name", "parameters"}`, alone or after the python tag, several with semicolons between them."""
    _, tag, rest = text.partition("<|python_tag|>")
    if not tag and not text.startswith("{"):
        return []
    rest, at = (rest if tag else text).strip(), 0
    calls: list[dict[str, Any]] = []
    while at < len(rest) and len(calls) < MOST_CALLS:
        value, end = _decode_from(rest, at)
        if end == at or not isinstance(value, Mapping) or not (tag or "parameters" in value):
            break
        calls += _calls(value)
        at = end
        while at < len(rest) and rest[at] in "; \n\t\r":
            at += 1
    return calls


def _react(text: str) -> list[dict[str, Any]]:
    calls = []
    for found in _REACT.finditer(text):
        start = text.find("{", found.end(), found.end() + 40)
        if start >= 0 and not text[found.end():start].strip("` \n\t").removeprefix("json").strip():
            calls.append({"name": found[1], "arguments": _decode_from(text, start)[0]})
        if len(calls) >= MOST_CALLS:
            break
    return _calls(calls)


def _whole(text: str) -> list[dict[str, Any]]:
    value = _loads(text)
    return [] if isinstance(value, Mapping) and "tool_calls" in value else _calls(value)


def _openai(value: Any) -> list[dict[str, Any]]:
    value = _loads(value) if isinstance(value, str) else value
    if isinstance(value, Mapping) and isinstance(value.get("choices"), list) and value["choices"]:
        first = value["choices"][0]
        value = first.get("message") if isinstance(first, Mapping) else None
    if isinstance(value, Mapping) and isinstance(value.get("tool_calls"), list):
        return _calls(value["tool_calls"])
    return _calls(value) if isinstance(value, list) else []


def _openai_text(text: str) -> list[dict[str, Any]]:
    return _openai(text) if text.startswith("{") else []


def _fenced(text: str) -> list[dict[str, Any]]:
    bodies = (body.partition("\n") for body in text.split("```")[1:2 * MOST_CALLS:2])
    values = (_loads(rest) if line.strip().isalpha() else _loads(line.removeprefix("json") + rest) for line, _, rest in bodies)
    return [call for value in values for call in _calls(value)]


def _embedded(text: str) -> list[dict[str, Any]]:
    calls, start = [], text.find("{")
    for _ in range(MOST_CALLS):
        if start < 0:
            break
        value, end = _decode_from(text, start)
        found = _calls(value)
        calls += found
        start = text.find("{", end if found else start + 1)
    return calls


_FORMS = (
    ("hermes", _hermes), ("qwen_xml", _qwen_xml), ("llama_tag", _llama_tag), ("llama", _llama), ("react", _react), ("openai", _openai_text),
    ("json", _whole), ("fenced", _fenced), ("embedded", _embedded),
)
