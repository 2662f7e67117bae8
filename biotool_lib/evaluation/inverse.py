"""The grammar read backwards: a floor that knows the phrasings of training by heart and nothing else.

Each phrasing of a family that training has becomes a pattern; a question that fits one gives the call back, one that fits none gives none.
What it reaches is what the questions give away by being made from phrasings; on phrasings held out of training it can know nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ..calls.strata import settle
from ..catalogue import InvalidArguments, Tool, canonical, tools
from ..common.chat import render_call
from ..common.runner import Run
from ..generation import prediction
from ..questions.grammar import _pattern as slot_pattern
from ..questions.grammar import family, phrasebook, technical
from ..questions.lexicon import literal, species_words, taxon_words
from .distance import read_split

if TYPE_CHECKING:
    import pandas as pd

_SLOT = re.compile(r"\{(\w+)\}")
_SPECIES = ("species", "target_species", "organism_species")
_TAXA = ("taxon_id", "organism_id", "taxonId", "taxonomy_id")


@dataclass(frozen=True)
class Phrasing:
    """A phrasing as a pattern without its options, which stand before `tail`; `fixed` is a part that a fitting question holds."""

    function: str
    pattern: re.Pattern[str]
    tail: str | None
    fixed: str
    weight: int
    when: Mapping[str, Any]


class InverseGrammar:
    """Reads questions with the phrasings of given rows. Example: `InverseGrammar(run.read("dataset/train.jsonl")).read(question)`"""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        rows = [row for row in rows if row["call"] is not None]
        known = {(row["function"], (row.get("phrasing") or "/").split("/", 1)[1]) for row in rows}
        self.phrasings = [
            _phrasing(function, phrasing) for function, entry in phrasebook().items() for phrasing in entry["phrasings"]
            if (function, family(phrasing)) in known
        ]
        self.phrasings.sort(key=lambda phrasing: -phrasing.weight)  # the more particular first
        self._quoted = _learn_quotes(rows, self.phrasings)

    def read(self, question: str) -> dict[str, Any] | None:
        """The call that the most particular fitting phrasing says, or None."""
        bodies: list[tuple[str, dict[str, Any]]]
        options: dict[tuple[str, str], list[tuple[str, dict[str, Any]]]] = {}
        for phrasing in self.phrasings:
            if phrasing.fixed not in question:
                continue
            if phrasing.tail is None:
                bodies = [(question, {})]
            elif question.endswith(phrasing.tail):
                body = question[: len(question) - len(phrasing.tail)]
                key = (phrasing.function, body)
                if key not in options:
                    options[key] = list(_without_options(phrasing.function, body))
                bodies = options[key]
            else:
                continue
            for body, said in bodies:
                found = phrasing.pattern.fullmatch(body)
                call = self._call(phrasing, found.groupdict(), said) if found else None
                if call is not None:
                    return call
        return None

    def _call(self, phrasing: Phrasing, slots: Mapping[str, str], options: Mapping[str, Any]) -> dict[str, Any] | None:
        """The call in canonical form, or None where what stands in the slots is none."""
        tool = tools()[phrasing.function]
        values = {name: _meant(tool, name, text) for name, text in slots.items()}
        arguments: dict[str, Any] = {name: value for name, value in values.items() if name in tool.parameters and name not in phrasing.when}
        for name, pattern in phrasing.when.items():
            if name in values:  # said as a whole; its pattern is a condition
                if pattern is None or not slot_pattern(str(pattern)).fullmatch(literal(values[name])):
                    return None
                arguments[name] = values[name]
            elif pattern is not None:
                counts = {slot: self._quoted[tool.name, str(pattern), slot, " " in value] for slot, value in values.items()}
                written = {slot: f'"{value}"' if counts[slot] > 0 else value for slot, value in values.items()}
                arguments[name] = settle(str(pattern).format_map(written)) if _SLOT.search(str(pattern)) else pattern
        try:
            return canonical(tool.name, {**options, **arguments})
        except (InvalidArguments, KeyError):
            return None


def _learn_quotes(rows: Sequence[Mapping[str, Any]], phrasings: Sequence[Phrasing]) -> Counter[tuple[str, str, str, bool]]:
    """How much more often than not training writes a slot of a query in quotation marks, with and without a blank in it."""
    patterns = {(p.function, name, str(pattern)) for p in phrasings for name, pattern in p.when.items() if pattern is not None and _SLOT.search(str(pattern))}
    of_function: dict[str, list[tuple[str, str]]] = {}
    for function, name, text in sorted(patterns):
        of_function.setdefault(function, []).append((name, text))
    counts: Counter[tuple[str, str, str, bool]] = Counter()
    for call in {row["group"]: row["call"] for row in rows}.values():
        for name, text in of_function.get(call["name"], ()):
            found = slot_pattern(text).fullmatch(literal(call["arguments"].get(name, "")))
            for slot, value in (found.groupdict() if found else {}).items():
                counts[call["name"], text, slot, " " in value] += 1 if value.startswith('"') else -1
    return counts


def grammar(run: Run, split: str = "test", name: str = "grammar") -> pd.DataFrame:
    """The inverse grammar's predictions of a split, from the phrasings of training alone; writes predictions/<name>.jsonl.

    Raises MissingArtefact before the dataset. Example: `grammar(Run("runs/laptop"))`
    """
    import pandas as pd

    artefact = f"predictions/{name}.jsonl"
    stage = run.stage(f"predict/{name}", reads=["dataset/train.jsonl", f"dataset/{split}.jsonl"], writes=[artefact])
    if not stage.done:
        reader = InverseGrammar(run.read("dataset/train.jsonl"))
        rows = read_split(run, split)
        run.write(artefact, [prediction(row["id"], render_call(reader.read(row["question"]))) for row in rows])
        stage.finish(len(rows), split=split, phrasings=len(reader.phrasings))
    return pd.DataFrame(run.read(artefact))


def _phrasing(function: str, phrasing: Mapping[str, Any]) -> Phrasing:
    text = " ".join(phrasing["text"].split())
    head, options, tail = text.partition("{options}")
    if _SLOT.search(tail):  # something is said behind the options: they stay unread
        head, options, tail = head + tail, "", ""
    parts = _SLOT.split(head)
    inner = [parts[0][1:], *parts[2::2]]  # the first letter of a question is a capital, that of a phrasing need not be
    return Phrasing(function, _pattern(head), tail if options else None, max(inner, key=len), sum(map(len, parts[::2])), phrasing.get("when") or {})


@cache
def _pattern(text: str, start: bool = True) -> re.Pattern[str]:
    """The pattern of a phrasing or clause; its slots become groups."""
    out, seen = [], set()
    for place, part in enumerate(_SLOT.split(text)):
        if place % 2 == 0:
            out.append(f"(?i:{re.escape(part[:1])}){re.escape(part[1:])}" if start and not place and part else re.escape(part))
        else:
            known = "|".join(map(re.escape, _names(species_words()))) if part in _SPECIES else ""
            out.append(f"(?P={part})" if part in seen else f"(?P<{part}>(?i:{known})|.+?)" if known else f"(?P<{part}>.+?)")
            seen.add(part)
    return re.compile("".join(out))


def _without_options(function: str, body: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """A question's body with each reading of its end as clauses of options, the longest such end first, and the whole body last."""
    for blank in re.finditer(" ", body):
        said = _options(function, body[blank.end():])
        if said:
            yield body[: blank.start()], said
    yield body, {}


def _options(function: str, text: str) -> dict[str, Any] | None:
    """The optional arguments that a row of clauses says, or None where it says something else."""
    if not text:
        return {}
    parts = text.split(", ")
    for many in range(1, len(parts) + 1):
        head, rest = ", ".join(parts[:many]), ", ".join(parts[many:])
        for found in _clause(function, head):
            others = _options(function, rest)
            if others is not None and not set(found) & set(others):
                return {**found, **others}
    return None


def _clause(function: str, text: str) -> Iterable[dict[str, Any]]:
    tool = tools()[function]
    for name, value, clause in _clauses(function):
        found = _pattern(clause, start=False).fullmatch(text)
        if found:
            slots = {slot: _meant(tool, slot, said) for slot, said in found.groupdict().items()}
            if value is not None:
                yield {name: value}
            elif name in slots:
                yield {name: slots[name]}


@cache
def _clauses(function: str) -> Sequence[tuple[str, Any, str]]:
    """Every way of saying an optional argument as (name, value or None where a slot says it, clause); fixed values first."""
    found = []
    own = phrasebook()[function].get("options") or {}
    shared = {name: listed for name, listed in technical().items() if name in tools()[function].parameters}
    for name, listed in {**shared, **own}.items():
        for value, said in listed.items() if isinstance(listed, Mapping) else [("*", listed)]:
            found += [(name, None if value == "*" else value, clause) for clause in ([said] if isinstance(said, str) else said)]
    return sorted(found, key=lambda clause: (clause[1] is None, clause[0], clause[2]))


def _meant(tool: Tool, name: str, text: str) -> str:
    """The value for which words stand: `questions.lexicon.words` backwards."""
    kind = tool.parameters[name].kind if name in tool.parameters else None
    if kind == "species" or name in _SPECIES:
        return _names(species_words()).get(text.lower(), text)
    if kind == "taxon_id" or name in _TAXA:
        return _names(taxon_words()).get(text.lower(), text.removeprefix("taxon "))
    return text


def _names(words: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {word.lower(): value for value, said in words.items() for word in said}
