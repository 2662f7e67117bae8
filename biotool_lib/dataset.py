"""The dataset: kept questions with their calls, split by call, exported. Run with `python -m biotool_lib.dataset --run runs/laptop`."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .catalogue import tools
from .common.chat import render_call
from .common.review import accepted
from .common.runner import Run, dumps, write_atomically

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "validation", "test")
SHARES = {"validation": 0.08, "test": 0.16}
MENU = 2  # as in the published dataset: the right function and one other, here shuffled and drawn per row


def build(run: Run) -> pd.DataFrame:
    """Join calls, questions and verdicts into typed rows, split them by call, and write the exports.

    Writes dataset/{train,validation,test}.jsonl, dataset/splits/*.json and dataset/exports/. Returns all rows with their
    split. Example: `build(Run("runs/laptop"))`
    """
    import pandas as pd

    writes = [f"dataset/{split}.jsonl" for split in SPLITS] + ["dataset/splits", "dataset/exports"]
    stage = run.stage("dataset", reads=["calls.jsonl", "questions.jsonl", "verdicts.jsonl"], writes=writes)
    if not stage.done:
        rows = _rows(run)
        by_call, by_sample = split_by_call(rows, run.seed), split_by_sample(rows, run.seed)
        for split in SPLITS:
            run.write(f"dataset/{split}.jsonl", [r for r in rows if by_call[r["id"]] == split])
        for scheme, parts in (("call", by_call), ("sample", by_sample)):
            listed = {split: [r["id"] for r in rows if parts[r["id"]] == split] for split in SPLITS}
            write_atomically(run.path / f"dataset/splits/{scheme}.json", json.dumps(listed, indent=0) + "\n")
        export(run, rows, by_call)
        stage.finish(
            len(rows), rows_per_split=dict(Counter(by_call.values())), calls=len({r["group"] for r in rows}),
            functions=len({r["function"] for r in rows}),
            leakage_by_call={"call": leakage(rows, by_call), "sample": leakage(rows, by_sample)},
        )
    frames = [pd.DataFrame(run.read(f"dataset/{split}.jsonl")).assign(split=split) for split in SPLITS]
    return pd.concat(frames, ignore_index=True)


def _rows(run: Run) -> list[dict[str, Any]]:
    calls = {call["id"]: call for call in run.read("calls.jsonl")}
    keep = accepted(run.read("verdicts.jsonl"))
    names = sorted({call["name"] for call in calls.values()})
    rows = []
    for question in run.read("questions.jsonl"):
        if question["id"] not in keep:
            continue
        call = calls[question["call_id"]]
        tool = tools()[call["name"]]
        rows.append({
            "id": question["id"], "group": call["id"], "question": question["question"],
            "call": {"name": call["name"], "arguments": call["arguments"]}, "kind": "call",
            "observation": call["observation"]["summary"], "answer_path": question["answer_path"],
            "answer_value": question["answer_value"], "database": tool.database, "function": tool.name,
            "subfield": tool.subfield, "tools": menu(tool.name, names, f"{run.seed}:{question['id']}"),
            "writer": question["writer"], "phrasing": f"{question['style']}/{question['family']}",
        })
    return rows


def menu(gold: str, names: Sequence[str], seed: str, size: int = MENU) -> list[str]:
    """The functions offered with a question: the right one at a random place among others, its own group's first."""
    rng = random.Random(seed)
    group = tools()[gold].group
    near = [n for n in names if n != gold and tools()[n].group == group]
    far = [n for n in names if n != gold and tools()[n].group != group]
    rng.shuffle(near)
    rng.shuffle(far)
    offered = [gold, *(near + far)[: size - 1]]
    rng.shuffle(offered)
    return offered


def split_by_call(rows: Iterable[Mapping[str, Any]], seed: int) -> dict[str, str]:
    """Question id to split, with all questions of one call in the same split, function by function.

    A function's calls are ordered by a hash, so that a call keeps its place when others come or go; functions with few
    calls give none to test before they have two for training.
    """
    groups: dict[str, set[str]] = defaultdict(set)
    rows = list(rows)
    for row in rows:
        groups[row["function"]].add(row["group"])
    place: dict[str, str] = {}
    for calls in groups.values():
        order = sorted(calls, key=lambda call: hashlib.sha256(f"{seed}:{call}".encode()).hexdigest())
        test = round(SHARES["test"] * len(order)) if len(order) >= 3 else 0
        validation = round(SHARES["validation"] * len(order)) if len(order) >= 6 else 0
        for i, call in enumerate(order):
            place[call] = "test" if i < test else "validation" if i < test + validation else "train"
    return {row["id"]: place[row["group"]] for row in rows}


def split_by_sample(rows: Iterable[Mapping[str, Any]], seed: int) -> dict[str, str]:
    """The published scheme, for comparison: samples shuffled, the first 80 % train, the rest test; nothing groups them."""
    ids = [row["id"] for row in rows]
    random.Random(seed).shuffle(ids)
    cut = int(0.8 * len(ids))
    return {name: "train" if i < cut else "test" for i, name in enumerate(ids)}


def leakage(rows: Iterable[Mapping[str, Any]], split: Mapping[str, str]) -> dict[str, Any]:
    """How many test rows have their very call in the training split: {"value", "n"}."""
    rows = list(rows)
    trained = {row["group"] for row in rows if split[row["id"]] == "train"}
    test = [row for row in rows if split[row["id"]] == "test"]
    return {"value": round(sum(r["group"] in trained for r in test) / len(test), 4) if test else None, "n": len(test)}


def sharegpt(row: Mapping[str, Any]) -> dict[str, Any]:
    """One row as the published dataset has it: conversations ending in a function call and its observation."""
    return {
        "conversations": [
            {"from": "human", "value": row["question"]},
            {"from": "function_call", "value": json.dumps(row["call"], ensure_ascii=False)},
            {"from": "observation", "value": json.dumps(row["observation"], ensure_ascii=False)},
        ],
        "tools": json.dumps([tools()[name].json_schema()["function"] for name in row["tools"]], ensure_ascii=False),
    }


def hf_messages(row: Mapping[str, Any]) -> dict[str, Any]:
    """One row in the `messages`/`tools` form of TRL; arguments and tools are JSON texts, since a table of mixed objects
    would fill absent keys with nulls."""
    call = row["call"]
    return {
        "messages": [
            {"role": "user", "content": row["question"]},
            {"role": "assistant", "content": render_call(call)},
        ],
        "tools": json.dumps([tools()[name].json_schema() for name in row["tools"]], ensure_ascii=False),
    }


def export(run: Run, rows: Sequence[Mapping[str, Any]], split: Mapping[str, str]) -> None:
    """Write the ShareGPT and messages forms of each split, and the schemas of every function that occurs."""
    folder = run.path / "dataset/exports"
    for part in SPLITS:
        chosen = [row for row in rows if split[row["id"]] == part]
        write_atomically(folder / f"sharegpt_{part}.json", json.dumps([sharegpt(r) for r in chosen], ensure_ascii=False, indent=0) + "\n")
        write_atomically(folder / f"messages_{part}.jsonl", "".join(dumps(hf_messages(r)) + "\n" for r in chosen))
    names = sorted({row["function"] for row in rows})
    write_atomically(folder / "tools.json", json.dumps([tools()[n].json_schema() for n in names], ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    import sys

    from biotool_lib.road import main

    sys.exit(main(stage="dataset"))
