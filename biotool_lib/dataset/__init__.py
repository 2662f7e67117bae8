"""The dataset: kept questions with their calls, split, measured and exported. Run with `python -m biotool_lib.dataset --run runs/laptop`.

>>> from biotool_lib import dataset
>>> sorted(dataset.SCHEMES)
['call', 'database', 'entity', 'function', 'sample']
"""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

from ..calls.authored import WRITER
from ..calls.strata import MOST_TECHNICAL
from ..catalogue import tools
from ..common.review import accepted, fixed_questions
from ..common.runner import Run, write_atomically
from ..errors import InvalidParameter, Problem, did_you_mean
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


def build(run: Run, no_call: float = 0.0, scheme: str = "call") -> pd.DataFrame:
    """Join calls, questions and verdicts into typed rows, split them by call (or another scheme), and write the exports.

    `no_call` is the share of rows on which not to call is right. Technical calls above a tenth of all are left out, by seed, and counted.
    Writes dataset/{train,validation,test}.jsonl, dataset/splits/<scheme>.json (ids only), leakage.jsonl, exports/, a card and checksums;
    authored questions go to authored.jsonl, those that a filter rejected to authored_rejected.jsonl, and their calls nowhere else.
    Returns the rows of the three splits with their split.
    Raises MissingArtefact before the filters have run, InvalidParameter for an unknown scheme. Example: `build(Run("runs/laptop"))`
    """
    import pandas as pd

    if scheme not in SCHEMES:
        raise InvalidParameter("build", [Problem("scheme", scheme, did_you_mean(scheme, SCHEMES))])
    parts = [*SPLITS, "authored", "authored_rejected"]
    files = [*(f"{part}.jsonl" for part in parts), "splits", "exports", "leakage.jsonl", "README.md", "SHA256SUMS"]
    stage = run.stage("dataset", reads=["calls.jsonl", "questions.jsonl", "verdicts.jsonl"], writes=[f"dataset/{name}" for name in files],
                      settings={"no_call": no_call, "scheme": scheme})
    if not stage.done:
        rows, authored_rows = _rows(run)
        rows, dropped = _without_surplus(rows, run.seed)
        rows = add_no_call(rows, no_call, sorted({row["function"] for row in rows}), run.seed)
        schemes = {name: split_by(name, rows, run.seed) for name in SCHEMES}
        split_of = schemes[scheme]
        split_rows = [r for r in rows if r["id"] in split_of]
        for split in SPLITS:
            run.write(f"dataset/{split}.jsonl", [r for r in split_rows if split_of[r["id"]] == split])
        for name, place in schemes.items():
            listed = {split: [r["id"] for r in rows if place.get(r["id"]) == split] for split in SPLITS}
            listed["left_out"] = [r["id"] for r in rows if r["id"] not in place]
            write_atomically(run.path / f"dataset/splits/{name}.json", json.dumps(listed, indent=0) + "\n")
        measured = measure_leakage(rows, schemes, run.seed).astype(object)
        leaks = measured.where(measured.notna(), None).to_dict("records")  # a split without rows has no share
        run.write("dataset/leakage.jsonl", leaks)
        run.write("dataset/authored.jsonl", authored_rows)
        rejected = _rejected(run)
        run.write("dataset/authored_rejected.jsonl", rejected)
        export(run, split_rows, split_of)
        facts = {
            "scheme": scheme, "rows_per_split": dict(Counter(split_of.values())), "calls": len({r["group"] for r in rows}),
            "functions": len({r["function"] for r in rows} & set(tools())), "kinds": dict(sorted(Counter(r["kind"] for r in rows).items())),
            "strata": dict(sorted(Counter(r["stratum"] for r in rows).items())), "technical_left_out": dropped,
            "held_out": sum(r["held_out"] for r in rows), "authored": len(authored_rows),
            "authored_rejected": dict(sorted(Counter(r["layer"] for r in rejected).items())),
            "leakage_by_call": {name: {"value": _rounded(leaks, name), "n": _size(leaks, name)} for name in ("call", "sample")},
        }
        write_card(run, split_rows, split_of, leaks)
        stage.finish(len(rows), **facts)
    frames = [pd.DataFrame(run.read(f"dataset/{split}.jsonl")).assign(split=split) for split in SPLITS]
    return pd.concat(frames, ignore_index=True)


def leakage(run: Run) -> pd.DataFrame:
    """How much of its test split training has seen, for every scheme: scheme, kind, share, n, low, high.

    Measured when the dataset was built; raises MissingArtefact before. Example: `leakage(Run("runs/laptop"))`
    """
    import pandas as pd

    return pd.DataFrame(run.read("dataset/leakage.jsonl"))[["scheme", "kind", "share", "n", "low", "high"]]


def _rows(run: Run) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The kept questions as typed rows: those to be split, and the authored ones."""
    calls = {call["id"]: call for call in run.read("calls.jsonl")}
    verdicts = run.read("verdicts.jsonl")
    keep, fixed = accepted(verdicts), fixed_questions(verdicts)
    names = sorted({call["name"] for call in calls.values()})
    rows: list[dict[str, Any]] = []
    written: list[dict[str, Any]] = []
    for question in run.read("questions.jsonl"):
        call = calls[question["call_id"]]
        if question["id"] not in keep or (call["authored"] and question["writer"] != WRITER):
            continue
        tool = tools()[call["name"]]
        (written if call["authored"] else rows).append({
            "id": question["id"], "group": call["id"], "question": fixed.get(question["id"], question["question"]),
            "call": {"name": call["name"], "arguments": call["arguments"]}, "kind": "call",
            "observation": call["observation"]["summary"], "answer_path": question["answer_path"],
            "answer_value": question["answer_value"], "database": tool.database, "function": tool.name,
            "subfield": tool.subfield, "tools": menu(tool.name, names, f"{run.seed}:{question['id']}"),
            "writer": question["writer"], "phrasing": f"{question['style']}/{question['family']}",
            "stratum": question["stratum"], "held_out": question["held_out"],
        })
    return rows, written


def _without_surplus(rows: list[dict[str, Any]], seed: int) -> tuple[list[dict[str, Any]], int]:
    """The rows without as many technical calls as there are above a tenth of all calls, and how many calls that were."""
    technical = sorted({row["group"] for row in rows if row["stratum"] == "technical"})
    ordinary = len({row["group"] for row in rows if row["stratum"] == "ordinary"})
    most = int(ordinary * MOST_TECHNICAL / (1 - MOST_TECHNICAL))
    random.Random(f"{seed}:technical").shuffle(technical)
    surplus = set(technical[most:])
    return [row for row in rows if row["group"] not in surplus], len(surplus)


def _rejected(run: Run) -> list[dict[str, Any]]:
    """Authored questions that did not pass a filter: id, question, layer, by, reason."""
    asked = {question["id"]: question["question"] for question in run.read("questions.jsonl") if question["writer"] == WRITER}
    return [{"id": v["question_id"], "question": asked[v["question_id"]], **{key: v[key] for key in ("layer", "by", "reason")}}
            for v in run.read("verdicts.jsonl") if v["question_id"] in asked and not v["accept"]]


def _of(leaks: list[dict[str, Any]], scheme: str) -> dict[str, Any]:
    return next(line for line in leaks if line["scheme"] == scheme and line["kind"] == "call")


def _rounded(leaks: list[dict[str, Any]], scheme: str) -> float | None:
    share = _of(leaks, scheme)["share"]
    return None if share is None else round(share, 4)


def _size(leaks: list[dict[str, Any]], scheme: str) -> int:
    return _of(leaks, scheme)["n"]
