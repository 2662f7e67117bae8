"""Rows on which the right answer is not to call: out of scope, missing information, wrong tool on the menu.

Two of the three are made from the run's own questions, so that nothing but the missing thing gives them away.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ..catalogue import tools
from ..errors import InvalidParameter, Problem
from ..filters import unrecoverable
from ..questions.lexicon import literal, species_words
from .menus import MENU, menu, menu_without

KINDS = ("out_of_scope", "missing_information", "wrong_tool")
_NO_ANSWER = {"call": None, "observation": None, "answer_path": None, "answer_value": None}

# What a value is called where a sentence speaks of it without naming it.
_NOUNS = {
    "gene_symbol": "gene", "gene_id": "gene", "variant_id": "variant", "accession": "protein", "protein_id": "protein",
    "transcript_id": "transcript", "any_ensembl_id": "identifier", "region": "region", "disease_id": "disease", "keyword_id": "keyword",
    "location_id": "location", "proteome_id": "proteome", "citation_id": "publication", "pmid": "publication", "ontology_id": "term",
    "uniref_id": "cluster", "upi": "sequence", "database_id": "database", "entrez_id": "record", "taxon_id": "taxon",
}
_SAID = "|".join(sorted({
    *_NOUNS.values(), "ID", "entry", "symbol", "accession", "article", "paper", "citation", "variation", "chromosome", "assembly",
}, key=len, reverse=True))
# Words after which "this gene" can stand; after any other word ("the name", "the label") the sentence would break.
_BEFORE = "|".join((
    "of", "for", "in", "by", "to", "from", "on", "with", "about", "at", "against", "and", "does", "do", "did", "is", "are", "was", "has",
    "have", "can", "carries", "encode", "overlap", "overlaps", "contain", "fetch", "download", "retrieve", "find", "report", "show", "list",
    "map", "convert",
))
_MODIFIER = rf"(?!(?:the|an?|this|that|name|pair|{_BEFORE})\b)[\w\-]+\s+"
_HOLE = "\0"  # stands for the value, so that the patterns are the same for every value
_NAMED = re.compile(
    rf"(?:\b(?:the|an?)\s+|(?<![^ ])(?=(?:{_BEFORE})\s)(\w+)\s+)((?:{_MODIFIER}){{0,3}}?(?:{_SAID}))\s+{_HOLE}", re.IGNORECASE
)
_ALONE = re.compile(rf"\b(?:{_BEFORE})\s+{_HOLE}", re.IGNORECASE)
_SPECIES = re.compile(rf"\b({'|'.join(re.escape(word) for words in species_words().values() for word in words)})\s+{_HOLE}")
_BROKEN = re.compile(r"\b(\w+) \1\b|\b(?:the|an?|this|each|every|which|what) this\b|\bthis \w+ this\b|\b(\w+) is this \2\b", re.IGNORECASE)


def add_no_call(rows: Sequence[dict[str, Any]], share: float, names: Sequence[str], seed: int) -> list[dict[str, Any]]:
    """The rows with so many no-call rows among them that those make up `share`, in equal parts where the material allows it.

    A wrong-tool row takes the place of the row whose question it has, since one question must not have two answers; a
    missing-information row stands beside its source, in the same group, so that splits keep the two together. Authored questions
    out of scope are few: what they lack comes from the other two kinds. Raises InvalidParameter for a share outside 0 to 0.5.
    """
    if not 0 <= share <= 0.5:
        raise InvalidParameter("build", [Problem("no_call", share, "a share of all rows, from 0 to 0.5")])
    if share == 0:
        return list(rows)
    rng = random.Random(f"{seed}:no call")
    order = rng.sample(range(len(rows)), len(rows))
    # In equal parts, x of each kind: wrong-tool rows replace calls and the others add to them, so share = 3x / (rows + 2x).
    third = round(share * len(rows) / (3 - 2 * share))
    authored = [_out_of_scope(text, names, seed) for text in rng.sample(out_of_scope(), min(third, len(out_of_scope())))]
    gaps: list[dict[str, Any]] = []
    texts = {row["question"].casefold() for row in rows}
    for row in (rows[i] for i in reversed(order)):
        if len(gaps) >= 2 * third - len(authored):
            break
        gap = without_entity(row)
        if gap and gap.casefold() not in texts:
            texts.add(gap.casefold())
            gaps.append(_row(row, "missing_information", gap, menu(row["function"], names, f"{seed}:{row['id']}-gap", MENU), "gap"))
    added = len(authored) + len(gaps)
    taken = set(order[: round(share * (len(rows) + added)) - added])
    changed = [_wrong_tool(row, names, seed) if i in taken else row for i, row in enumerate(rows)]
    return changed + gaps + authored


@cache
def out_of_scope() -> tuple[str, ...]:
    """The authored questions that no function of the catalogue answers."""
    lines = (Path(__file__).parent / "out_of_scope.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def without_entity(row: Mapping[str, Any]) -> str | None:
    """A row's question with a required entity left unnamed ("this gene"), or None where that cannot be said or still be guessed.

    The filters' own check decides: the value must not be recoverable from what remains.
    """
    call, question = row["call"], row["question"]
    for value, name in _required_texts(call):
        if question.count(value) != 1:
            continue
        noun = _NOUNS.get(tools()[call["name"]].parameters[name].kind or "")
        gap = _unname(question.replace(value, _HOLE).replace(f"taxon {_HOLE}", _HOLE), noun)
        if gap and name in unrecoverable(gap, call):
            return gap
    return None


def _required_texts(call: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    tool = tools()[call["name"]]
    needed = {name for group in tool.needs for name in group}
    for name, value in call["arguments"].items():
        parameter = tool.parameters[name]
        if not isinstance(value, str) or parameter.enum or parameter.kind in ("species", "entrez_db"):
            continue
        if parameter.required or name in needed:
            yield literal(value), name


def _unname(question: str, noun: str | None) -> str | None:
    """The sentence with "the human gene TP53", "human TP53" or "TP53" turned into "this human gene" or "this gene"; None where it
    would read badly."""
    if re.search(rf"\w{_HOLE}|{_HOLE}\w", question):
        return None
    if _NAMED.search(question):
        text = _NAMED.sub(lambda found: f"{found[1]} this {found[2]}" if found[1] else f"this {found[2]}", question)
    elif noun and _SPECIES.search(question):
        text = _SPECIES.sub(rf"this \1 {noun}", question)
    elif noun and _ALONE.search(question):
        text = question.replace(_HOLE, f"this {noun}")
    else:
        return None
    return None if _BROKEN.search(text) else text[0].upper() + text[1:]


def _row(source: Mapping[str, Any], kind: str, question: str, offered: list[str], mark: str) -> dict[str, Any]:
    return {**source, **_NO_ANSWER, "id": f"{source['id']}-{mark}", "kind": kind, "question": question, "tools": offered}


def _wrong_tool(row: Mapping[str, Any], names: Sequence[str], seed: int) -> dict[str, Any]:
    return _row(row, "wrong_tool", row["question"], menu_without(row["function"], names, f"{seed}:{row['id']}-wrong"), "wrong")


def _out_of_scope(text: str, names: Sequence[str], seed: int) -> dict[str, Any]:
    name = "o" + hashlib.sha256(text.encode()).hexdigest()[:12]
    offered = random.Random(f"{seed}:{name}").sample(sorted(names), min(MENU, len(names)))
    return {
        **_NO_ANSWER, "id": name, "group": name, "question": text, "kind": "out_of_scope", "database": "none", "function": "none",
        "subfield": "none", "tools": offered, "writer": "authored", "phrasing": "authored/out_of_scope", "stratum": "ordinary", "held_out": False,
    }
