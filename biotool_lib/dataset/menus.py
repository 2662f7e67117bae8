"""Menus: which functions are offered together with a question, drawn at random or found by a retriever.

A menu of 8 holds the menu of 2 and four more besides the right function, drawn by the same seed of the same row, so that scores
with menus of different sizes differ by the size and not by luck.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..catalogue import tools
from ..common import encoders
from ..common.runner import Run
from ..common.stats import bootstrap
from ..errors import InvalidParameter, Problem, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

MENU = 2  # as in the published dataset: the right function and one other, here shuffled and drawn per row
MENUS = ("none", 2, 8, 32, "all")


def menu(gold: str, names: Sequence[str], seed: str, size: int | str = MENU) -> list[str]:
    """The functions offered with a question: the right one at a random place among others, its own group's first.

    `size` is a number, "none" or "all"; raises InvalidParameter for any other. Example:
    `menu("lookup_by_symbol", sorted(tools()), "0:q1", 8)`
    """
    count = _count(size, len({gold, *names}))
    if count == 0:
        return []
    rng = random.Random(seed)
    group = tools()[gold].group
    near = [n for n in names if n != gold and tools()[n].group == group]
    far = [n for n in names if n != gold and tools()[n].group != group]
    rng.shuffle(near)
    rng.shuffle(far)
    offered = [gold, *(near + far)[: count - 1]]
    rng.shuffle(offered)
    return offered


def menu_without(gold: str, names: Sequence[str], seed: str, size: int | str = MENU) -> list[str]:
    """A menu on which no function answers what `gold` answers.

    Left out are all functions of gold's database and of its subfield and those of NCBI, whose search and fetch functions
    answer questions of nearly every kind.
    """
    own = tools()[gold]
    foreign = [n for n in (*names, *sorted(tools())) if tools()[n].database not in (own.database, "ncbi")]
    within = [n for n in foreign if n in names and tools()[n].subfield != own.subfield]
    far = within or sorted({n for n in foreign if tools()[n].subfield != own.subfield})
    random.Random(seed).shuffle(far)
    return far[: _count(size, len(far))]


def with_menus(rows: Iterable[Mapping[str, Any]], size: int | str, seed: int, *, names: Sequence[str] | None = None,
               retriever: str | None = None, encoder: str = encoders.DEFAULT) -> list[dict[str, Any]]:
    """Copies of dataset rows with menus of another size, from all functions of the catalogue unless `names` are given.

    Drawn per row, or the best `size` functions of a `retriever` ("bm25", "embedding"), among which the right one may be missing.
    Example: `with_menus(run.read("dataset/test.jsonl"), 8, run.seed)`
    """
    rows, names = list(rows), sorted(names or tools())
    if retriever:
        ranked = rank([row["question"] for row in rows], names, retriever, encoder)
        return [{**row, "tools": found[: _count(size, len(names))]} for row, found in zip(rows, ranked, strict=True)]
    offered = []
    for row in rows:
        draw = menu_without if row["kind"] == "wrong_tool" else menu
        gold = row["function"] if row["function"] in tools() else random.Random(f"{seed}:{row['id']}").choice(names)
        offered.append({**row, "tools": draw(gold, names, f"{seed}:{row['id']}", size)})
    return offered


def menu_table(rows: Iterable[Mapping[str, Any]], seed: int, sizes: Sequence[int | str] = MENUS) -> pd.DataFrame:
    """What menus of each size are like: functions offered, mean place of the right one (0 first, 1 last), share of the others
    that are of its group, and characters of the schemas that a prompt would have to carry."""
    import json

    import pandas as pd

    length = {name: len(json.dumps(tool.json_schema())) for name, tool in tools().items()}
    rows, lines = [row for row in rows if row["kind"] == "call"], []
    for size in sizes:
        offered = [(row["function"], row["tools"]) for row in with_menus(rows, size, seed)]
        others = [float(tools()[n].group == tools()[gold].group) for gold, names in offered for n in names if n != gold]
        places = [names.index(gold) / (len(names) - 1) for gold, names in offered if len(names) > 1]
        characters = [float(sum(length[n] for n in names)) for _, names in offered]
        lines.append({
            "menu": size, "functions": max((len(names) for _, names in offered), default=0),
            "mean_place": round(_mean(places), 3) if places else None, "same_group": round(_mean(others), 3) if others else None,
            "schema_characters": round(_mean(characters)),
        })
    return pd.DataFrame(lines)


def rank(questions: Sequence[str], names: Sequence[str] | None = None, retriever: str = "bm25",
         encoder: str = encoders.DEFAULT) -> list[list[str]]:
    """For every question the functions in the order in which a retriever would offer them, read from their schemas alone.

    Raises InvalidParameter for an unknown retriever or encoder. Example: `rank(["Where is TP53?"], retriever="bm25")[0][:8]`
    """
    import numpy as np

    if retriever not in RETRIEVERS:
        raise InvalidParameter("rank", [Problem("retriever", retriever, did_you_mean(retriever, RETRIEVERS))])
    if encoder not in encoders.ENCODERS:
        raise InvalidParameter("rank", [Problem("encoder", encoder, did_you_mean(encoder, encoders.ENCODERS))])
    if not questions:
        return []
    names = sorted(names or tools())
    scores = RETRIEVERS[retriever](list(questions), [describe(name) for name in names], encoder)
    return [[names[i] for i in order] for order in np.argsort(-scores, axis=1, kind="stable")]


def describe(name: str) -> str:
    """A function as a text to be searched: its name in words, its description, its parameters and theirs."""
    tool = tools()[name]
    parameters = " ".join(f"{p.name} {p.description}" for p in tool.parameters.values())
    return f"{name.replace('_', ' ')} {tool.database} {tool.group.replace('_', ' ')}. {tool.description} {parameters}"


def _bm25(questions: list[str], texts: list[str], encoder: str) -> np.ndarray:
    """Okapi BM25 as bm25s computes it; words are lower case, with identifiers kept whole."""
    import bm25s
    import numpy as np

    index = bm25s.BM25()
    index.index([_words(text) for text in texts], show_progress=False)
    asked = [[word for word in _words(question) if word in index.vocab_dict] for question in questions]
    return np.stack([index.get_scores(known) if known else np.zeros(len(texts)) for known in asked])


def _embed(questions: list[str], texts: list[str], encoder: str) -> np.ndarray:
    """Inner products of the encodings of question and function."""
    import numpy as np
    from scipy.sparse import issparse

    vectors = encoders.encode(questions + texts, encoder)
    scores = vectors[: len(questions)] @ vectors[len(questions):].T
    return np.asarray(scores.todense()) if issparse(scores) else np.asarray(scores)


def _words(text: str) -> list[str]:
    return re.findall(r"[\w.:\-]*\w", text.casefold())


RETRIEVERS: dict[str, Callable[[list[str], list[str], str], np.ndarray]] = {"bm25": _bm25, "embedding": _embed}


def retriever_recall(run: Run, k: Sequence[int] = (1, 2, 5, 8, 16, 32), split: str = "test",
                     encoder: str = encoders.DEFAULT) -> pd.DataFrame:
    """How often the right function is among the first k of the whole catalogue: retriever, k, recall, n, low, high.

    Rows without a call are left out; 95 % bootstrap intervals by call. Example: `retriever_recall(run, k=(1, 8))`
    """
    import pandas as pd

    rows = [row for row in run.read(f"dataset/{split}.jsonl") if row["call"] is not None]
    lines = []
    for retriever in RETRIEVERS:
        ranked = rank([row["question"] for row in rows], None, retriever, encoder)
        places = [names.index(row["function"]) for row, names in zip(rows, ranked, strict=True)]
        for count in k:
            found = bootstrap([float(place < count) for place in places], [row["group"] for row in rows], seed=run.seed)
            name = retriever if retriever == "bm25" else f"{retriever} ({encoder})"
            lines.append({"retriever": name, "k": count, "recall": found["value"], **{key: found[key] for key in ("n", "low", "high")}})
    return pd.DataFrame(lines)


def _count(size: int | str, available: int) -> int:
    if size == "all":
        return available
    if size == "none" or (isinstance(size, int) and not isinstance(size, bool) and size >= 0):
        return 0 if size == "none" else min(int(size), available)
    raise InvalidParameter("menu", [Problem("size", size, "a number of functions, 'none' or 'all'")])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
