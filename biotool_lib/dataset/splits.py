"""Ways of holding rows back, and a measure of what each of them lets through.

A scheme maps rows to `train`, `validation` or `test`. Which scheme is right depends on what a score is to say: `call` asks for
unseen calls, `entity` for unseen genes, proteins, variants and taxa, `function` and `database` for functions that training
never named; `sample` is the published way, kept for comparison. Rows whose question is from a held-out family stand in test or,
where a scheme would place them elsewhere, in no split of it.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ..catalogue import tools
from ..common.stats import bootstrap
from ..errors import InvalidParameter, Problem, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

Rows = Sequence[Mapping[str, Any]]
SPLITS = ("train", "validation", "test")
SHARES = {"validation": 0.08, "test": 0.16}
NEAR = 0.8  # shared part of the two-word runs of two questions from which on they count as near-duplicates

# Kinds of parameters whose values are shared by everybody: they name where to look, not what is looked for.
_EVERYBODYS = {"species", "entrez_db", "fields", "assembly", "population"}
_EVERYBODYS_FIELDS = {"organism_id", "organism_name", "taxonomy_id", "reviewed", "orgn", "organism", "properties", "prop"}
_COMMON = 0.02  # an entity in more than this share of the calls (and in more than 20) ties everything together: it is exempt


def split_by_call(rows: Iterable[Mapping[str, Any]], seed: int) -> dict[str, str]:
    """Question id to split, with all questions of one call in the same split, function by function.

    A function's calls are ordered by a hash, so that a call keeps its place when others come or go; functions with few
    calls give none to test before they have two for training. Calls asked in held-out families come to test besides.
    """
    groups: dict[str, set[str]] = defaultdict(set)
    rows = list(rows)
    place: dict[str, str] = {}
    for row in rows:
        if row.get("held_out"):
            place[row["group"]] = "test"
        else:
            groups[row["function"]].add(row["group"])
    for calls in groups.values():
        order = sorted(calls, key=lambda call: _hash(seed, call))
        test = round(SHARES["test"] * len(order)) if len(order) >= 3 else 0
        validation = round(SHARES["validation"] * len(order)) if len(order) >= 6 else 0
        for i, call in enumerate(order):
            place[call] = "test" if i < test else "validation" if i < test + validation else "train"
    return {row["id"]: place[row["group"]] for row in rows}


def split_by_entity(rows: Rows, seed: int) -> dict[str, str]:
    """All rows that are tied by a shared entity, directly or through other rows, in the same split.

    Rows without an entity are kept together by call alone. See `entities` for what counts.
    """
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    exempt = common_entities(rows)
    for row in rows:
        root(row["group"])
        for entity in entities(row) - exempt:
            parent[root(f"entity {entity}")] = root(row["group"])
    return _place_blocks(rows, {row["id"]: root(row["group"]) for row in rows}, seed)


def split_by_function(rows: Rows, seed: int) -> dict[str, str]:
    """Whole functions held back, in every database some: what a model does with a function that it was never trained on."""
    place: dict[str, str] = {}
    for database in sorted({row["database"] for row in rows}):
        own = [row for row in rows if row["database"] == database]
        place |= _place_blocks(own, {row["id"]: row["function"] for row in own}, seed)
    return place


def split_by_database(rows: Rows, seed: int, held_out: str | None = None) -> dict[str, str]:
    """One database held back for testing, by default that with the fewest rows; validation is drawn by call from the others."""
    sizes = Counter(row["database"] for row in rows if row["database"] != "none")
    held_out = held_out or min(sizes, key=lambda name: (sizes[name], name))
    if held_out not in sizes:
        raise InvalidParameter("split_by_database", [Problem("held_out", held_out, did_you_mean(held_out, sizes))])
    inner = split_by_call([row for row in rows if row["database"] != held_out], seed)
    inner = {name: "train" if split == "test" else split for name, split in inner.items()}
    return {row["id"]: inner.get(row["id"], "test") for row in rows}


def split_by_sample(rows: Iterable[Mapping[str, Any]], seed: int) -> dict[str, str]:
    """The published scheme, for comparison: samples shuffled, the first 80 % train, the rest test; nothing groups them."""
    ids = [row["id"] for row in rows]
    random.Random(seed).shuffle(ids)
    cut = int(0.8 * len(ids))
    return {name: "train" if i < cut else "test" for i, name in enumerate(ids)}


SCHEMES: dict[str, Callable[[Rows, int], dict[str, str]]] = {
    "call": split_by_call, "entity": split_by_entity, "function": split_by_function, "database": split_by_database,
    "sample": split_by_sample,
}


def split_by(scheme: str, rows: Rows, seed: int) -> dict[str, str]:
    """Question id to split under a named scheme; rows of held-out families that it does not place in test have none.

    Raises InvalidParameter for an unknown one. Example: `split_by("entity", rows, seed=0)`
    """
    if scheme not in SCHEMES:
        raise InvalidParameter("split_by", [Problem("scheme", scheme, did_you_mean(scheme, SCHEMES))])
    held = {row["id"] for row in rows if row.get("held_out")}
    return {name: split for name, split in SCHEMES[scheme](rows, seed).items() if split == "test" or name not in held}


def entities(row: Mapping[str, Any]) -> set[str]:
    """What a row's call is about: the values of its required arguments that name a gene, protein, variant, taxon or the like.

    Species, databases, assemblies, populations, enumerated values, numbers that are no identifiers and options do not count.
    A search query counts clause by clause, without its field names. Values are compared as they stand: that a symbol and an
    accession mean the same gene is not known here. Example: `entities(row)`
    """
    call, found = row["call"], set()
    if call is None or call["name"] not in tools():
        return set()
    tool = tools()[call["name"]]
    needed = {name for group in tool.needs for name in group}
    for name, value in call["arguments"].items():
        parameter = tool.parameters.get(name)
        if parameter is None or parameter.enum or parameter.kind in _EVERYBODYS or not (parameter.required or name in needed):
            continue
        if parameter.kind in ("uniprot_query", "entrez_term"):
            parts = _clauses(str(value))
        elif parameter.kind == "entrez_id":
            parts = str(value).split(",")
        else:
            parts = [str(item) for item in (value if isinstance(value, list) else [value])]
        for part in parts:
            # A version or a cluster's prefix does not make another thing of it: NP_000537.3, UniRef90_P04637.
            word = " ".join(part.casefold().split())
            if re.search(r"[a-z]", word):
                word = re.sub(r"^uniref\d+_|(?<=\d)\.\d{1,2}$", "", word)
            # A bare number is an identifier only within its own database: 672 is a gene here and a taxon there.
            scope = call["arguments"].get("dbfrom") or call["arguments"].get("db") or parameter.kind or name
            found.add(f"{scope} {word}" if word.isdigit() else word)
    return found - {""}


def common_entities(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """Entities that so many calls share that grouping by them would tie nearly all rows together; they are exempt."""
    per_call = {row["group"]: entities(row) for row in rows}
    counts = Counter(entity for found in per_call.values() for entity in found)
    return {entity for entity, count in counts.items() if count > max(20, _COMMON * len(per_call))}


def _clauses(query: str) -> list[str]:
    """The values of a search query's clauses, without field names, tags, ranges and what everybody shares."""
    values = []
    for clause in re.split(r"\s+(?:AND|OR|NOT)\s+|[()]", re.sub(r"\[[^\]]*\bTO\b[^\]]*\]", "", query)):
        field, value = "", clause.strip()
        tagged = re.fullmatch(r"(.*?)\[([^\]]+)\]", value)
        named = re.fullmatch(r"(\w+):(.*)", value)
        if tagged:
            value, field = tagged[1], tagged[2]
        elif named:
            field, value = named[1], named[2]
        if field.lower() not in _EVERYBODYS_FIELDS:
            value = value.strip(' "')
            values.append(f"{field} {value}" if value.isdigit() else value)
    return [value for value in values if value not in ("", "*", "true", "false", "AND", "OR", "NOT")]


def near_twins(rows: Rows, threshold: float = NEAR) -> dict[str, set[str]]:
    """For each row the other rows whose question is nearly the same: Jaccard similarity of their two-word runs.

    Every pair is compared, exactly: one sparse product. On ten thousand questions MinHash took three times as long and missed
    a fifth of the pairs. Example: `near_twins(rows)[rows[0]["id"]]`
    """
    import numpy as np
    from sklearn.feature_extraction.text import CountVectorizer

    names = [row["id"] for row in rows]
    if not names:
        return {}
    runs = CountVectorizer(analyzer=_two_word_runs, binary=True, dtype=np.int32).fit_transform([row["question"] for row in rows])
    sizes = np.asarray(runs.sum(axis=1)).ravel()
    twins: dict[str, set[str]] = {name: set() for name in names}
    for start in range(0, len(names), 2_000):  # in blocks, so that memory grows with the number of rows and not with its square
        both = (runs[start:start + 2_000] @ runs.T).tocoo()
        left = both.row + start
        near = (both.data / (sizes[left] + sizes[both.col] - both.data) >= threshold) & (left != both.col)
        for i, j in zip(left[near].tolist(), both.col[near].tolist(), strict=True):
            twins[names[i]].add(names[j])
    return twins


def _two_word_runs(question: str) -> set[str]:
    words = re.findall(r"[\w.:\-]*\w", question.casefold())
    return {" ".join(pair) for pair in pairwise(words)} or set(words)


def measure_leakage(rows: Rows, splits: Mapping[str, Mapping[str, str]], seed: int = 0) -> pd.DataFrame:
    """How much of each scheme's test split training has seen: scheme, kind, share, n, low, high.

    Kinds: `call` (the very call is in training), `entity` (an entity of the call is, those that everybody shares left out),
    `question` (a nearly identical question is). 95 % bootstrap intervals by call.
    """
    import pandas as pd

    exempt, twins = common_entities(rows), near_twins(rows)
    about = {row["id"]: entities(row) - exempt for row in rows}
    lines = []
    for scheme, split in splits.items():
        trained = [row for row in rows if split.get(row["id"]) == "train"]
        calls, ids = {row["group"] for row in trained}, {row["id"] for row in trained}
        known = {entity for row in trained for entity in about[row["id"]]}
        test = [row for row in rows if split.get(row["id"]) == "test"]
        seen = {
            "call": [row["group"] in calls for row in test],
            "entity": [bool(about[row["id"]] & known) for row in test],
            "question": [bool(twins[row["id"]] & ids) for row in test],
        }
        for kind, values in seen.items():
            found = bootstrap([float(v) for v in values], [row["group"] for row in test], seed=seed)
            lines.append({"scheme": scheme, "kind": kind, "share": found["value"], **{key: found[key] for key in ("n", "low", "high")}})
    return pd.DataFrame(lines)


def _place_blocks(rows: Rows, block_of: Mapping[str, str], seed: int) -> dict[str, str]:
    """Whole blocks of rows to splits in the order of a hash; a block that does not fit into what test or validation still lack
    is trained on."""
    sizes = Counter(block_of[row["id"]] for row in rows)
    room = {split: SHARES[split] * len(rows) for split in ("test", "validation")}
    place = {}
    for block in sorted(sizes, key=lambda block: _hash(seed, block)):
        place[block] = next((split for split, left in room.items() if sizes[block] <= left), "train")
        if place[block] != "train":
            room[place[block]] -= sizes[block]
    return {row["id"]: place[block_of[row["id"]]] for row in rows}


def _hash(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()
