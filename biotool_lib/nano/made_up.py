"""Made-up functions and questions about them: what the nano base learns from.

Nothing here is biomedical. A row holds a question, a menu of made-up functions (or none) and the call; everything that the call
needs stands in the question or in the menu, so that what can be learned is to read, to follow a schema, to copy and to write JSON.
"""

from __future__ import annotations

import random
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..catalogue import Parameter, Tool
from ..files import read_yaml

_LISTS = read_yaml(Path(__file__).parent / "words.yaml")
VERBS: dict[str, tuple[str, ...]] = {verb: tuple(said) for verb, said in _LISTS["verbs"].items()}
NOUNS, TRAITS, FLAGS, CHOICES, _SYLLABLES = (tuple(_LISTS[key].split()) for key in ("nouns", "traits", "flags", "choices", "syllables"))
FILLER, OPENERS = tuple(_LISTS["filler"]), tuple(_LISTS["openers"])
HELD_OUT = frozenset(NOUNS[::5])  # nouns of functions that no training row has


@dataclass(frozen=True)
class Words:
    """What a generator may draw on: nouns for functions, and pieces of the tokenizer's vocabulary to be copied."""

    nouns: tuple[str, ...]
    pieces: tuple[str, ...] = ()


TRAIN = Words(tuple(noun for noun in NOUNS if noun not in HELD_OUT))
UNSEEN = Words(tuple(sorted(HELD_OUT)))


def made_up_row(rng: random.Random, words: Words = TRAIN, most_tools: int = 4) -> dict[str, Any]:
    """One made-up row {"id", "question", "call" or None, "tools": compact schemas}.

    Half of the rows show a menu of up to `most_tools` functions and ask in sentences; the others name function and
    parameters in the question. Example: `made_up_row(random.Random(0))["question"]`
    """
    kind = rng.random()
    if kind < 0.25:
        return _row(*_named_in_question(rng, words), [])
    if kind < 0.40:
        return _row(*_drill(rng, words), [])
    gold = _function(rng, words)
    size = rng.choice((1, 1, 2, 3, most_tools))
    menu = [gold, *(_unlike(gold, rng, words) for _ in range(size - 1))]
    arguments, said = _arguments(gold, rng, words)
    if rng.random() < 0.04:  # nothing on the menu does what is asked
        menu[0] = _unlike(gold, rng, words)
        rng.shuffle(menu)
        return _row(_sentence(gold, said, rng, words), None, menu)
    rng.shuffle(menu)
    return _row(_sentence(gold, said, rng, words), {"name": gold["name"], "arguments": arguments}, menu)


def _row(question: str, call: dict[str, Any] | None, menu: Sequence[dict[str, Any]]) -> dict[str, Any]:
    if call is not None:
        call = {"name": call["name"], "arguments": dict(sorted(call["arguments"].items()))}
    return {"id": question, "question": question, "call": call, "tools": [_schema(function) for function in menu]}


def _schema(function: dict[str, Any]) -> dict[str, Any]:
    """The compact schema, written by what writes those of real functions."""
    parameters = {p["name"]: Parameter(p["name"], "", p["type"], "query", p["name"], p["required"], enum=tuple(p.get("enum", ())) or None)
                  for p in function["parameters"]}
    nowhere = ("",) * 7  # such a function has no database, no documentation and no path
    return Tool(function["name"], *nowhere, parameters=parameters).json_schema(compact=True)


def _function(rng: random.Random, words: Words) -> dict[str, Any]:
    """A function with a verb, a noun and one to four parameters, the required ones first."""
    verb, noun = rng.choice(tuple(VERBS)), rng.choice(words.nouns) if rng.random() < 0.8 else _word(rng)
    names = rng.sample(TRAITS, rng.randint(1, 3)) if rng.random() < 0.8 else [_word(rng) for _ in range(rng.randint(1, 3))]
    parameters = [{"name": name, "type": rng.choice(("string", "string", "string", "integer")), "required": i == 0 or rng.random() < 0.3}
                  for i, name in enumerate(dict.fromkeys(names))]
    for parameter in parameters:
        if parameter["type"] == "string" and rng.random() < 0.2:
            parameter["enum"] = rng.sample(CHOICES, rng.randint(2, 4))
    if rng.random() < 0.35:
        parameters.append({"name": rng.choice(FLAGS), "type": "boolean", "required": False})
    parameters.sort(key=lambda p: not p["required"])
    name = rng.choice((f"{verb}_{noun}", f"{verb}_{noun}_by_{parameters[0]['name']}", f"{noun}_{verb}", f"{verb}_{noun}s"))
    return {"name": name, "verb": verb, "noun": noun, "parameters": parameters}


def _unlike(gold: dict[str, Any], rng: random.Random, words: Words) -> dict[str, Any]:
    while True:
        other = _function(rng, words)
        if other["noun"] != gold["noun"]:
            return other


def _arguments(function: dict[str, Any], rng: random.Random, words: Words) -> tuple[dict[str, Any], list[str]]:
    """Values for the required and some optional parameters, and the phrases that say them."""
    arguments: dict[str, Any] = {}
    said = []
    texts = [p for p in function["parameters"] if p["type"] == "string" and "enum" not in p and p["required"]]
    for parameter in function["parameters"]:
        if not parameter["required"] and rng.random() < 0.55:
            continue
        name = parameter["name"]
        if parameter["type"] == "boolean":
            arguments[name] = rng.random() < 0.8
            said.append(rng.choice(("with {0}", "including {0}", "and I want {0}")).format(name) if arguments[name] else f"without {name}")
        elif "enum" in parameter:
            arguments[name] = value = rng.choice(parameter["enum"])
            said.append(rng.choice(("in {0} {1}", "with {1} {0}", "{0} {1}", "{1}: {0}")).format(value, name))
        elif parameter["type"] == "integer":
            arguments[name] = value = int(_digits(rng, 1, rng.choice((2, 4, 6))).lstrip("0") or "0")
            said.append(rng.choice(("{1} {0}", "with a {1} of {0}", "{1} = {0}", "{0} as {1}")).format(value, name))
        else:
            shown, value = _text(rng, words)
            arguments[name] = value
            lone = len(texts) == 1 and parameter["required"]
            forms = ("{1} {0}", "with {1} {0}", "whose {1} is {0}", "{0} as {1}", "the {1} {0}", "{1}: {0}")
            said.append(rng.choice(("for {0}", "of {0}", "in {0}", "about {0}", *forms) if lone else forms).format(shown, name))
    rng.shuffle(said)
    return arguments, said


def _sentence(function: dict[str, Any], said: Sequence[str], rng: random.Random, words: Words) -> str:
    verb = rng.choice(VERBS[function["verb"]])
    parts = [f"{rng.choice(OPENERS)}{verb} the {function['noun']}{rng.choice(('', '', 's'))}", *said]
    if rng.random() < 0.2:  # arguments before the wish
        parts = [*said, parts[0]]
    glue = rng.choice((" ", " ", ", ", " and "))
    text = glue.join(parts)
    if rng.random() < 0.25:
        filler = rng.choice(FILLER).format(n=rng.choice(words.nouns), n2=rng.choice(words.nouns))
        text = f"{text}, {filler}" if rng.random() < 0.5 else f"{filler}. {text[:1].upper()}{text[1:]}"
    return text[:1].upper() + text[1:] + rng.choice(("?", ".", ".", ""))


def _named_in_question(rng: random.Random, words: Words) -> tuple[str, dict[str, Any]]:
    """A question that names its function and parameters, as a small model is asked that has no menu."""
    name = f"{_word(rng)}_{_word(rng)}" if rng.random() < 0.6 else f"{rng.choice(tuple(VERBS))}_{rng.choice(words.nouns)}"
    pairs = {_word(rng) if rng.random() < 0.6 else rng.choice(TRAITS): _text(rng, words) for _ in range(rng.choice((1, 1, 2, 2, 3)))}
    parts = [f"{key} {shown}" for key, (shown, _) in pairs.items()] + [_word(rng) for _ in range(rng.randint(0, 3))]
    rng.shuffle(parts)
    return f"{name}: {'; '.join(parts)}?", {"name": name, "arguments": {key: value for key, (_, value) in pairs.items()}}


def _drill(rng: random.Random, words: Words) -> tuple[str, dict[str, Any]]:
    """Something long to be copied, between words that are not: pieces of the vocabulary, letters, numbers."""
    if words.pieces and rng.random() < 0.7:
        shown = "".join(rng.choice(words.pieces) + rng.choice((" ", " ", " ", "", "-", ", ")) for _ in range(rng.randint(2, 8))).strip(" -,")
    else:
        shown = rng.choice((_capitals(rng, 12, 40), " ".join(_text(rng, words)[0] for _ in range(rng.randint(2, 4)))))
    key, name = _word(rng), f"{_word(rng)}_{_word(rng)}"
    around = [_word(rng) for _ in range(rng.randint(0, 4))]
    return f"{name} {' '.join(around)} {key}: {shown}?", {"name": name, "arguments": {key: shown}}


def _text(rng: random.Random, words: Words) -> tuple[str, str]:
    """A value as the question shows it and as the call holds it; they differ in quotes and in lists only."""
    kind = rng.random()
    if kind < 0.06:
        several = [_value(rng) for _ in range(rng.randint(2, 4))]
        return f"{', '.join(several[:-1])} and {several[-1]}", ",".join(several)
    if kind < 0.12:
        value = _value(rng)
        return f'"{value}"', value
    if kind < 0.35 and words.pieces:
        value = rng.choice((" ", " ", "-")).join(rng.choice(words.pieces) for _ in range(rng.randint(1, 4)))
        return value, value
    value = _value(rng)
    return value, value


def _value(rng: random.Random) -> str:
    """An identifier, a number, a range, a name or a few words, each of a shape that many values have."""
    noun = rng.choice(NOUNS)
    shapes = (
        lambda: _capitals(rng, 2, 4) + _digits(rng, 5, 11), lambda: _word(rng)[:2] + _digits(rng, 4, 9), lambda: _capitals(rng, 2, 5) + _digits(rng, 0, 2),
        lambda: f"{_digits(rng, 1, 2)}:{_digits(rng, 5, 9)}-{_digits(rng, 5, 9)}", lambda: _digits(rng, 3, 9), lambda: _digits(rng, 6, 9),
        lambda: f"{_capitals(rng, 1, 1)}{_digits(rng, 1, 1)}{_capitals(rng, 1, 3)}{_digits(rng, 1, 2)}",
        lambda: f"{_capitals(rng, 2, 2)}_{_digits(rng, 5, 9)}.{_digits(rng, 1, 1)}", lambda: f"{_capitals(rng, 2, 3)}:{_digits(rng, 5, 7)}",
        lambda: f"{_digits(rng, 1, 2)}.{_digits(rng, 3, 4)}/{_word(rng)}.{_digits(rng, 3, 7)}", lambda: f"{_capitals(rng, 2, 2)}-{_digits(rng, 3, 5)}",
        lambda: f"{_word(rng).capitalize()} {_word(rng)}", lambda: f"{_word(rng).capitalize()} {_capitals(rng, 1, 2)}", lambda: _word(rng),
        lambda: f"{noun} {rng.choice(NOUNS)}", lambda: f"{_word(rng)}-{noun} {_word(rng)}", lambda: f"{_word(rng).capitalize()} {noun} {_digits(rng, 1, 2)}",
    )
    return rng.choice(shapes)()


def _word(rng: random.Random) -> str:
    return "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(1, 3)))


def _digits(rng: random.Random, low: int, high: int) -> str:
    return "".join(rng.choices(string.digits, k=rng.randint(low, high)))


def _capitals(rng: random.Random, low: int, high: int) -> str:
    return "".join(rng.choices(string.ascii_uppercase, k=rng.randint(low, high)))
