"""The writer that asks a language model: two questions for a call, each checked against the response before it counts.

Run with `python -m biotool_lib.questions --run runs/laptop --writer chat --model NAME --base-url http://127.0.0.1:8000/v1`.
What the model writes is foreign text: it is limited, cleaned and refused where it holds anything but a plain sentence.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..catalogue import tools
from ..common.llm import BadAnswer, ChatModel, RequestRefused, clean
from ..common.runner import dumps
from ..files import read_yaml
from .grammar import _clauses, look_up, phrasebook
from .lexicon import literal, words

PROMPTS = Path(__file__).parent / "prompts"
FEWEST_WORDS, MOST_WORDS, MOST_CHARACTERS = 5, 60, 400
MOST_PATHS, LONGEST_ANSWER = 80, 200
TRIES = 2  # fresh starts after an answer that a repair did not save
_MARKUP = re.compile(r"<[A-Za-z/!?|]|&#?\w+;|`|\$[^$]*\$|\]\(|\{\{|https?:|javascript:|data:\w+/", re.IGNORECASE)
_QUESTION = {
    "type": "object", "additionalProperties": False, "required": ["question", "answer_path", "answer_value"],
    "properties": {key: {"type": "string"} for key in ("question", "answer_path", "answer_value")},
}
SCHEMA = {"type": "object", "additionalProperties": False, "required": ["plain", "expert"], "properties": {"plain": _QUESTION, "expert": _QUESTION}}


class ChatWriter:
    """Writes with a model behind an OpenAI-compatible endpoint; the same interface as the grammar's.

    Example: `write_questions(run, ChatWriter(ChatModel("qwen3:4b", "http://127.0.0.1:11434/v1", meter)))`
    """

    resumable = True

    def __init__(self, model: ChatModel) -> None:
        self.model, self.workers = model, model.workers
        self.prompt, self.examples = _prompt(), _examples()
        digest = hashlib.sha256(dumps([self.prompt, self.examples, SCHEMA]).encode()).hexdigest()[:8]
        self.name = f"chat/{model.model}/write-v1-{digest}"
        self.settings = {"writer": "chat", **model.settings, "prompt": digest}

    def write(self, call: Mapping[str, Any], seed: int = 0) -> dict[str, dict[str, Any]]:
        """A question of each style as {question, family, answer_path, answer_value}, or {"refused": reason}.

        Each entry says in `malformed` how many unusable texts came before. Raises ChatFailed or BudgetSpent, which end the work.
        """
        malformed, problem = 0, ""
        for attempt in range(TRIES):
            try:
                value, before = self.model.ask(self.messages(call), SCHEMA, attempt=seed * TRIES + attempt)
            except BadAnswer as wrong:
                malformed, problem = malformed + 2, str(wrong)
            except RequestRefused as wrong:
                return {style: {"refused": f"the server refused the request: {wrong}", "malformed": malformed} for style in ("plain", "expert")}
            else:
                found = {style: {**_checked(value[style], call), "malformed": malformed + before} for style in ("plain", "expert")}
                texts = [found[style].get("question", style).casefold() for style in ("plain", "expert")]
                if texts[0] == texts[1]:
                    found["expert"] = {"refused": "the same words as the plain question", "malformed": malformed + before}
                return found
        return {style: {"refused": f"no usable answer in {TRIES} tries: {problem}", "malformed": malformed} for style in ("plain", "expert")}

    def report(self) -> dict[str, Any]:
        """Tokens and cost, for the manifest."""
        return {"usage": self.model.meter.summary()}

    def messages(self, call: Mapping[str, Any]) -> list[dict[str, str]]:
        """The whole request: the prompt, the worked examples as turns of their own, and the call to write about."""
        said = [{"role": "system", "content": self.prompt}]
        for example in self.examples:
            if (example["name"], example["arguments"]) != (call["name"], call["arguments"]):
                said.append({"role": "user", "content": describe(example["name"], example["arguments"], example["response"])})
                said.append({"role": "assistant", "content": json.dumps(example["questions"], ensure_ascii=False)})
        return [*said, {"role": "user", "content": describe(call["name"], call["arguments"], call["observation"]["summary"])}]


def describe(name: str, arguments: Mapping[str, Any], response: Any) -> str:
    """A call, the ways of saying its arguments, its response and the paths that an answer may have, as the model reads them."""
    tool, options = tools()[name], phrasebook().get(name, {}).get("options") or {}
    lines = [f"Function: {name}", f"What it does: {tool.description}", "Arguments:"]
    for key, value in arguments.items():
        parameter = tool.parameters[key]
        ways = list(dict.fromkeys([*words(tool, key, value), *(c.replace("{" + key + "}", literal(value)) for c in _clauses(options, key, value) or [])]))
        lines.append(f"- {key} = {json.dumps(value, ensure_ascii=False)} ({parameter.description}) Say it as: {' | '.join(ways)}")
    lines += [] if arguments else ["- none"]
    lines += ["Response:", json.dumps(response, ensure_ascii=False), "Paths that an answer may have:"]
    paths = list(answers(response, arguments))
    lines += [f"- {path} = {literal(value)}" for path, value in paths[:MOST_PATHS]]
    if len(paths) > MOST_PATHS:
        lines.append(f"- and {len(paths) - MOST_PATHS} more, named in the same way")
    return "\n".join(lines)


def answers(response: Any, arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Paths and values of a response that a question can be about: short single values that are not an argument said back."""
    given = {literal(value).casefold() for value in arguments.values()}
    for path, value in _leaves(response, ""):
        text = literal(value)
        if text.strip() and len(text) <= LONGEST_ANSWER and text.casefold() not in given and look_up(response, path) == value:
            yield path, value


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in ("shown", "format"):
                yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{path}.{number}" if path else str(number))
    elif value is not None:
        yield path, value


def _checked(written: Mapping[str, str], call: Mapping[str, Any]) -> dict[str, Any]:
    """A model's question with its answer as the response has it, or the reason why it is refused."""
    question, problem = plain_sentence(written["question"])
    if problem:
        return {"refused": problem}
    path = written["answer_path"].strip()
    value = look_up(call["observation"]["summary"], path)
    if isinstance(value, Mapping | list) or value is None or not literal(value).strip():
        return {"refused": f"the response has no single value at {clean(path, 80)!r}"}
    claimed = written["answer_value"]
    if " ".join(literal(value).split()).casefold() != " ".join(claimed.split()).casefold():
        return {"refused": f"{path} is {clean(literal(value), 80)!r}, not {clean(claimed, 80)!r}"}
    return {"question": question, "family": "chat", "answer_path": path, "answer_value": value}


def plain_sentence(text: str) -> tuple[str, str | None]:
    """A foreign text on one line and None, or an empty text and what forbids it as a question.

    Example: `plain_sentence("Where is <b>BRCA1</b>?")[1]`
    """
    hidden = sorted({f"U+{ord(c):04X}" for c in text if unicodedata.category(c)[0] == "C" and c not in "\n\r\t"})
    if hidden:
        return "", f"holds control or invisible characters: {', '.join(hidden[:5])}"
    text = " ".join(text.split())
    markup = _MARKUP.search(text)
    if markup:
        return "", f"holds markup: {clean(markup[0], 20)!r}"
    if len(text) > MOST_CHARACTERS or not FEWEST_WORDS <= len(text.split()) <= MOST_WORDS:
        return "", f"{len(text.split())} words and {len(text)} characters long"
    return text, None


@cache
def _prompt() -> str:
    return (PROMPTS / "write.md").read_text(encoding="utf-8").strip()


@cache
def _examples() -> list[dict[str, Any]]:
    return read_yaml(PROMPTS / "examples.yaml")
