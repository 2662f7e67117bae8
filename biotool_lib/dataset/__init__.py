"""The dataset: kept questions with their calls, split, measured and exported. Run with `python -m biotool_lib.dataset --run runs/laptop`.

>>> from biotool_lib import dataset
>>> sorted(dataset.SCHEMES)
['call', 'database', 'entity', 'function', 'sample']
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from ..catalogue import tools
from ..common.review import accepted, fixed_questions
from ..common.runner import Run, write_atomically
from .formats import export, hf_messages, provenance, push_to_hub, read_messages, read_parquet, read_sharegpt, sharegpt, write_card
from .menus import MENU, MENUS, menu, menu_table, rank, retriever_recall, with_menus
from .no_call import KINDS, add_no_call, out_of_scope
from .published import HUB, Published, load_published, violation_table
from .splits import (
    SCHEMES,
    SHARES,
    SPLITS,
    common_entities,
    entities,
    measure_leakage,
    near_twins,
    split_by,
    split_by_call,
    split_by_sample,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "HUB", "KINDS", "MENU", "MENUS", "SCHEMES", "SHARES", "SPLITS", "Published", "build", "common_entities", "entities", "export",
    "hf_messages", "leakage", "load_published", "measure_leakage", "menu", "menu_table", "near_twins", "out_of_scope", "provenance",
    "push_to_hub", "rank", "read_messages", "read_parquet", "read_sharegpt", "retriever_recall", "sharegpt", "split_by",
    "split_by_call", "split_by_sample", "violation_table", "with_menus",
]


def build(run: Run, no_call: float = 0.0) -> pd.DataFrame:
    """Join calls, questions and verdicts into typed rows, split them by call, and write the exports.

    `no_call` is the share of rows on which not to call is right. Writes dataset/{train,validation,test}.jsonl,
    dataset/splits/<scheme>.json (ids only), leakage.jsonl, exports/, a card and checksums. Returns all rows with their split.
    Raises MissingArtefact before the filters have run. Example: `build(Run("runs/laptop"))`
    """
    import pandas as pd

    files = [*(f"{split}.jsonl" for split in SPLITS), "splits", "exports", "leakage.jsonl", "README.md", "SHA256SUMS"]
    stage = run.stage("dataset", reads=["calls.jsonl", "questions.jsonl", "verdicts.jsonl"], writes=[f"dataset/{name}" for name in files],
                      settings={"no_call": no_call})
    if not stage.done:
        rows = _rows(run)
        rows = add_no_call(rows, no_call, sorted({row["function"] for row in rows}), run.seed)
        schemes = {scheme: split_by(scheme, rows, run.seed) for scheme in SCHEMES}
        for split in SPLITS:
            run.write(f"dataset/{split}.jsonl", [r for r in rows if schemes["call"][r["id"]] == split])
        for scheme, parts in schemes.items():
            listed = {split: [r["id"] for r in rows if parts[r["id"]] == split] for split in SPLITS}
            write_atomically(run.path / f"dataset/splits/{scheme}.json", json.dumps(listed, indent=0) + "\n")
        measured = measure_leakage(rows, schemes, run.seed).astype(object)
        leaks = measured.where(measured.notna(), None).to_dict("records")  # a split without rows has no share
        run.write("dataset/leakage.jsonl", leaks)
        export(run, rows, schemes["call"])
        facts = {
            "rows_per_split": dict(Counter(schemes["call"].values())), "calls": len({r["group"] for r in rows}),
            "functions": len({r["function"] for r in rows} & set(tools())), "kinds": dict(sorted(Counter(r["kind"] for r in rows).items())),
            "leakage_by_call": {scheme: {"value": _rounded(leaks, scheme), "n": _size(leaks, scheme)} for scheme in ("call", "sample")},
        }
        write_card(run, rows, schemes["call"], leaks)
        stage.finish(len(rows), **facts)
    frames = [pd.DataFrame(run.read(f"dataset/{split}.jsonl")).assign(split=split) for split in SPLITS]
    return pd.concat(frames, ignore_index=True)


def leakage(run: Run) -> pd.DataFrame:
    """How much of its test split training has seen, for every scheme: scheme, kind, share, n, low, high.

    Measured when the dataset was built; raises MissingArtefact before. Example: `leakage(Run("runs/laptop"))`
    """
    import pandas as pd

    return pd.DataFrame(run.read("dataset/leakage.jsonl"))[["scheme", "kind", "share", "n", "low", "high"]]


def _rows(run: Run) -> list[dict[str, Any]]:
    calls = {call["id"]: call for call in run.read("calls.jsonl")}
    verdicts = run.read("verdicts.jsonl")
    keep, fixed = accepted(verdicts), fixed_questions(verdicts)
    names = sorted({call["name"] for call in calls.values()})
    rows = []
    for question in run.read("questions.jsonl"):
        if question["id"] not in keep:
            continue
        call = calls[question["call_id"]]
        tool = tools()[call["name"]]
        rows.append({
            "id": question["id"], "group": call["id"], "question": fixed.get(question["id"], question["question"]),
            "call": {"name": call["name"], "arguments": call["arguments"]}, "kind": "call",
            "observation": call["observation"]["summary"], "answer_path": question["answer_path"],
            "answer_value": question["answer_value"], "database": tool.database, "function": tool.name,
            "subfield": tool.subfield, "tools": menu(tool.name, names, f"{run.seed}:{question['id']}"),
            "writer": question["writer"], "phrasing": f"{question['style']}/{question['family']}",
        })
    return rows


def _of(leaks: list[dict[str, Any]], scheme: str) -> dict[str, Any]:
    return next(line for line in leaks if line["scheme"] == scheme and line["kind"] == "call")


def _rounded(leaks: list[dict[str, Any]], scheme: str) -> float | None:
    share = _of(leaks, scheme)["share"]
    return None if share is None else round(share, 4)


def _size(leaks: list[dict[str, Any]], scheme: str) -> int:
    return _of(leaks, scheme)["n"]
