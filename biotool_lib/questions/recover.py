"""Whether a question says every argument of a call: literally, in listed words, or in words that stand for it.

Values are looked for as whole words, so that BRCA1 does not stand in BRCA12 nor 5 in 50; a search query is taken clause by clause.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache, reduce
from pathlib import Path
from typing import Any, NamedTuple

from ..catalogue import tools
from ..files import read_yaml
from .grammar import _clauses, phrasebook
from .lexicon import literal, taxon_words, words

_JOINTS = tuple(".:/-")
_QUERIES = {"uniprot_query", "entrez_term"}
_ORGANISM = {"organism_id", "taxonomy_id", "organism_name", "orgn", "parent", "txid"}


class Clause(NamedTuple):
    """One condition of a search query: field (blank where there is none), value, and whether it is negated."""

    field: str
    value: str
    negated: bool = False


def unrecoverable(text: str, call: Mapping[str, Any], family: str | None = None) -> list[str]:
    """Arguments of a call whose value the question does not say; for a query with the clause that is missing.

    Example: `unrecoverable("Where is TP53?", {"name": "lookup_by_symbol", "arguments": {"species": "homo_sapiens", "symbol": "TP53"}})`
    """
    folded = fold(text)
    return [name for name, value in call["arguments"].items() if not _said(folded, call, name, value) or _shared(folded, call, name, value)]


def _shared(text: str, call: Mapping[str, Any], name: str, value: Any) -> bool:
    """Whether a value stands twice in a call and only once in the question, as where a species and its target are the same."""
    tool = tools()[call["name"]]
    first = next(key for key, given in call["arguments"].items() if given == value and tool.parameters[key].kind == tool.parameters[name].kind)
    if first == name or tool.parameters[name].kind not in ("species", "assembly"):
        return False
    return sum(text.count(fold(word)) for word in dict.fromkeys(words(tool, name, value))) < 2


def _said(text: str, call: Mapping[str, Any], name: str, value: Any) -> bool:
    tool = tools()[call["name"]]
    parameter = tool.parameters[name]
    options = phrasebook().get(tool.name, {}).get("options") or {}
    values = {key: literal(given) for key, given in call["arguments"].items()}
    if any(holds(text, _filled(clause, values)) for clause in _clauses(options, name, value) or []):
        return True
    cue = _cues()["options"].get(name)
    if cue == "number":
        others = sorted((fold(given) for key, given in values.items() if key != name), key=len, reverse=True)
        return holds(reduce(lambda rest, given: rest.replace(given, " "), others, text), literal(value))
    if cue is not None:
        pattern = cue.get(value, cue.get(literal(value))) if isinstance(cue, dict) else cue
        if pattern is not None and not (isinstance(cue, dict) and holds(text, literal(value))):
            return re.search(pattern.replace("{}", re.escape(fold(literal(value)))), text, re.IGNORECASE) is not None
    if isinstance(value, bool):
        return False  # "true" is not said by itself, and "false" is the default of all but a few
    if parameter.kind in _QUERIES:
        return holds(text, literal(value)) or all(_clause_said(text, clause) for clause in clauses(literal(value)))
    if any(holds(text, word) for word in words(tool, name, value)):
        return True
    parts = [part for part in re.split(r"[|\r\n,]+", literal(value)) if part.strip()]
    return len(parts) > 1 and isinstance(value, str | list) and all(holds(text, part) for part in parts if not re.fullmatch(r"Art\d+", part))


def _filled(clause: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda slot: values.get(slot[1], slot[0]), clause)


def clauses(query: str) -> list[Clause]:
    """The conditions of a search query of Entrez or UniProt, in their order.

    >>> clauses("TP53[gene] AND NOT human[orgn]")
    [Clause(field='gene', value='TP53', negated=False), Clause(field='orgn', value='human', negated=True)]
    """
    found, negated = [], False
    for piece in re.split(r"\b(AND|OR|NOT)\b", query):
        if piece in ("AND", "OR"):
            negated = False
        elif piece == "NOT":
            negated = True
        else:
            found += list(_conditions(piece.strip(" ()"), negated))
    return found


def _conditions(piece: str, negated: bool) -> Iterator[Clause]:
    tagged = re.fullmatch(r"(.+?)\[([^\]]+)\]", piece)
    named = re.fullmatch(r"(\w+):(.+)", piece, re.DOTALL)
    if named and not re.fullmatch(r"\d+", named[1]):
        value = named[2].strip('"')
        span = re.fullmatch(r"\[(\S+) TO (\S+)\]", value)
        for part in (span[1], span[2]) if span else [value]:
            yield Clause(named[1].lower(), part, negated)
    elif tagged:
        yield Clause(tagged[2].strip().lower(), tagged[1].strip(' "'), negated)
    elif piece:
        yield Clause("", piece.strip('"'), negated)


def _clause_said(text: str, clause: Clause) -> bool:
    cues = _cues()
    if clause.negated and not re.search(cues["not"], text, re.IGNORECASE):
        return False
    cue = cues["fields"].get(clause.field)
    if isinstance(cue, dict):
        return re.search(cue[clause.value], text, re.IGNORECASE) is not None if clause.value in cue else False
    if cue is not None and not re.search(cue, text, re.IGNORECASE):
        return False
    if clause.value == "*":
        return True
    ways = [clause.value, *cues["values"].get(clause.value, ())]
    if clause.field in _ORGANISM:
        ways += taxon_words().get(clause.value, ())
    if clause.field == "xref":
        database, _, linked = clause.value.partition("-")
        return holds(text, clause.value) or (holds(text, linked or database) and (not linked or holds(text, database)))
    return any(holds(text, way) for way in ways) or all(holds(text, part) for part in re.split(r"[:\s]+", clause.value))


def fold(text: str) -> str:
    """A text in lower case without quotation marks, underscores and commas, with single blanks."""
    return " ".join(re.sub(r"[\s\"'’“”_,]+", " ", text.lower()).split())


def holds(text: str, phrase: str) -> bool:
    """Whether a folded text holds a phrase as whole words; a plural s may follow a word of letters."""
    wanted = fold(phrase)
    start = text.find(wanted) if wanted else -1
    while start >= 0:
        if _bounded(text, start, start + len(wanted), any(map(str.isdigit, wanted))):
            return True
        start = text.find(wanted, start + 1)
    return False


def _bounded(text: str, start: int, end: int, identifier: bool) -> bool:
    """Whether a stretch of a text is made of whole words; characters are looked at one by one, since thousands of phrases are tried."""
    before, after = text[max(0, start - 2):start], text[end:end + 3]
    if before[-1:].isalnum():
        return False
    if identifier:
        # Dots, dashes, colons and slashes join the parts of an identifier, so that NM_000546 does not stand in NM_000546.6.
        joined = before[-1:] in _JOINTS and before[-2:-1].isalnum()
        return not (joined or after[:1].isalnum() or (after[:1] in _JOINTS and after[1:2].isalnum()))
    return any(after.startswith(ending) and not after[len(ending):len(ending) + 1].isalnum() for ending in ("", "s", "es"))


@cache
def _cues() -> dict[str, Any]:
    found = read_yaml(Path(__file__).parent / "cues.yaml")
    return {**found, "fields": {key: {str(k): v for k, v in cue.items()} if isinstance(cue, dict) else cue for key, cue in found["fields"].items()}}
