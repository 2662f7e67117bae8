"""The offline writer: phrasings of our own, filled from the call, asked only where the response holds the answer.

A phrasing says every argument of its call, so that the call can be recovered from the question.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ..calls.strata import settle
from ..catalogue import tools
from ..catalogue.tool import DATABASES
from ..files import read_yaml
from .lexicon import literal, words

_SLOT = re.compile(r"\{(\w+)\}")
_BLANK: tuple[Any, ...] = (None, "", [], {})


Fit = tuple[Mapping[str, Any], dict[str, str], Any]  # a phrasing, the words of its slots, and the answer in the response


@cache
def phrasebook() -> dict[str, dict[str, Any]]:
    """Phrasings and option clauses of every function."""
    merged: dict[str, dict[str, Any]] = {}
    for database in DATABASES:
        merged |= read_yaml(Path(__file__).parent / f"{database}.yaml")
    return merged


def write(call: Mapping[str, Any], style: str, seed: int = 0, among: Sequence[Fit] | None = None,
          without: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """One question for an executed call as {question, family, answer_path, answer_value, text (its phrasing)}; None if none fits.

    `among` are the phrasings to choose from, by default all that fit; `without` is a question whose phrasing is taken only if there is
    no other. Example: `write(call, "plain")`
    """
    among = fits(call) if among is None else among
    fitting = preferred(among, style)
    if without is not None:
        other = [fit for fit in among if fit[0]["text"] != without["text"]]
        fitting = preferred(other, style) or fitting
    if not fitting:
        return None
    rng = random.Random(f"{seed}:{call['id']}:{style}")
    phrasing, slots, value = rng.choice(fitting)
    return {
        "question": _sentence(phrasing, slots, phrasebook()[call["name"]].get("options") or {}, call, rng), "family": family(phrasing),
        "answer_path": phrasing["asks"], "answer_value": value, "text": phrasing["text"],
    }


def fits(call: Mapping[str, Any]) -> list[Fit]:
    """Every phrasing that says all arguments of a call and whose answer the response holds.

    Where some are made for this very kind of argument, only those: they say better what the others quote.
    """
    entry = phrasebook().get(call["name"])
    found = [] if entry is None else list(_fitting(entry, call))
    return [fit for fit in found if any(v is not None for v in (fit[0].get("when") or {}).values())] or found


def preferred(fitting: Sequence[Fit], style: str) -> list[Fit]:
    """Of some phrasings those of a style, where it has any."""
    return [fit for fit in fitting if fit[0]["style"] == style] or list(fitting)


def family(phrasing: Mapping[str, Any]) -> str:
    """The family of a phrasing within its function: what it is about, and what of the response it asks for."""
    return f"{phrasing['family']}:{phrasing['asks']}"


def unanswered(call: Mapping[str, Any], seed: int = 0) -> str | None:
    """A question about an executed call to which its response has no answer, in the words of a family none of whose phrasings it answers."""
    entry = phrasebook().get(call["name"]) or {"phrasings": []}
    rng = random.Random(f"{seed}:{call['id']}:unanswered")
    answered = {phrasing["family"] for phrasing, _, _ in _fitting(entry, call)}
    asked = [f for f in _sayable(entry, call) if f[2] in _BLANK and f[0]["family"] not in answered]
    if not asked:
        return None
    phrasing, slots, _ = rng.choice(asked)
    return _sentence(phrasing, slots, entry.get("options") or {}, call, rng)


def _fitting(entry: Mapping[str, Any], call: Mapping[str, Any]) -> Iterator[Fit]:
    """Phrasings that say every argument of the call and whose answer the response holds, and the question does not give away."""
    said = {literal(value).casefold() for value in call["arguments"].values()}
    return (found for found in _sayable(entry, call)
            if found[2] not in _BLANK and not (isinstance(found[2], str) and found[2].casefold() in said))


def _sayable(entry: Mapping[str, Any], call: Mapping[str, Any]) -> Iterator[Fit]:
    """Phrasings that say every argument of the call, with what the response holds in their place."""
    tool, options = tools()[call["name"]], entry.get("options") or {}
    for phrasing in entry["phrasings"]:
        slots = _match(phrasing.get("when") or {}, call["arguments"])
        if slots is None:
            continue
        said = set(_SLOT.findall(phrasing["text"]))
        needed = (said & set(tool.parameters)) - set(slots)
        if not needed <= set(call["arguments"]) or (said - {"options"} - set(slots) - set(tool.parameters)):
            continue
        unsaid = set(call["arguments"]) - said - set(phrasing.get("when") or {})
        if any(tool.parameters[name].required for name in unsaid) or (unsaid and "options" not in said):
            continue
        if any(_clauses(options, name, call["arguments"][name]) is None for name in unsaid):
            continue
        yield phrasing, slots, look_up(call["observation"]["summary"], phrasing["asks"])


def _match(when: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, str] | None:
    """The named slots of the patterns, or None if an argument does not fit its pattern."""
    slots: dict[str, str] = {}
    for name, pattern in when.items():
        if pattern is None:
            if name in arguments:
                return None
            continue
        if name not in arguments:
            return None
        found = _pattern(str(pattern)).fullmatch(literal(arguments[name]))
        if found is None:
            return None
        slots |= {key: value.strip('"') for key, value in found.groupdict().items()}
    return slots


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    pattern = settle(pattern)  # a phrasing may spell a field tag in another way than the calls do
    parts, seen, end = [], set(), 0
    for slot in _SLOT.finditer(pattern):
        parts.append(re.escape(pattern[end:slot.start()]))
        parts.append(f"(?P={slot[1]})" if slot[1] in seen else f'(?P<{slot[1]}>"[^"]+"|[^"\\s:\\[\\]()]+(?: [^"\\s:\\[\\]()]+)*?)')
        seen.add(slot[1])
        end = slot.end()
    return re.compile("".join(parts) + re.escape(pattern[end:]))


@cache
def technical() -> dict[str, Any]:
    """Clauses for parameters that people do not say, whatever the function."""
    return read_yaml(Path(__file__).parent / "technical.yaml")


def _clauses(options: Mapping[str, Any], name: str, value: Any) -> list[str] | None:
    """The ways of saying one optional argument; None where the phrasebook has none."""
    listed = options.get(name, technical().get(name))
    if isinstance(listed, Mapping):
        by_text = {literal(key).lower(): said for key, said in listed.items()}
        found = by_text.get(literal(value).lower(), by_text.get("*"))
        return [found] if isinstance(found, str) else found
    return [listed] if isinstance(listed, str) else listed


def _sentence(phrasing: Mapping[str, Any], slots: Mapping[str, str], options: Mapping[str, Any],
              call: Mapping[str, Any], rng: random.Random) -> str:
    tool = tools()[call["name"]]
    said = set(_SLOT.findall(phrasing["text"])) | set(phrasing.get("when") or {})
    values = {name: _say(tool, name, value, rng) for name, value in {**call["arguments"], **slots}.items()}
    clauses = []
    for name, value in call["arguments"].items():
        if name not in said:
            clauses.append(rng.choice(_clauses(options, name, value) or []).format_map(values))
    values["options"] = (" " + ", ".join(clauses)) if clauses else ""
    text = " ".join(phrasing["text"].format_map(values).split())
    text = text.replace("taxon taxon ", "taxon ")  # an identifier is said as "taxon 9785", and some phrasings say the word already
    return text[:1].upper() + text[1:]


def _say(tool: Any, name: str, value: Any, rng: random.Random) -> str:
    said = words(tool, name, value)
    return rng.choice(said[:-1]) if len(said) > 1 else said[0]


def look_up(summary: Any, path: str) -> Any:
    """The value at a dotted path of a summary (`items.0.id`), or None; the empty path stands for the whole summary."""
    if not path:
        return summary
    for step in path.split("."):
        if isinstance(summary, Mapping):
            summary = summary.get(step)
        elif isinstance(summary, list) and step.isdigit() and int(step) < len(summary):
            summary = summary[int(step)]
        else:
            return None
    return summary
