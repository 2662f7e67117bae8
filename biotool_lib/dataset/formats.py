"""The forms in which other software reads the dataset, each with its reader; card, checksums and the way to the hub."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from ..catalogue import tools
from ..common.chat import parse, render_call
from ..common.hub import upload
from ..common.runner import Run, dumps, file_digest, write_atomically
from ..errors import MissingArtefact
from .splits import SPLITS

# Columns of the Parquet files that hold JSON texts: a column of mixed objects would fill absent keys with nulls.
_AS_JSON = ("call", "observation", "answer_value", "tools", "held_out", "provenance")
COLUMNS = (
    "id", "group", "kind", "question", "call", "tools", "observation", "answer_path", "answer_value", "database", "function", "subfield",
    "writer", "phrasing", "stratum", "held_out", "provenance",
)


def sharegpt(row: Mapping[str, Any]) -> dict[str, Any]:
    """One row as LLaMA-Factory reads it: a question and the call, or the refusal, that answers it.

    The observation stays out, as in the published dataset: LLaMA-Factory skips conversations with an odd number of turns.
    """
    call = row["call"]
    turn, said = ("function_call", json.dumps(call, ensure_ascii=False)) if call else ("gpt", render_call(None))
    return {
        "conversations": [{"from": "human", "value": row["question"]}, {"from": turn, "value": said}],
        "tools": _schemas(row["tools"], whole=False),
    }


def read_sharegpt(item: Mapping[str, Any]) -> dict[str, Any]:
    """Question, call (None where the model is to refuse) and menu of a ShareGPT conversation; the inverse of `sharegpt`.

    Raises ValueError where no question or no answer is in it. Example: `read_sharegpt(sharegpt(row))["call"]`
    """
    turns = {turn["from"]: turn["value"] for turn in item["conversations"]}
    if "human" not in turns or not {"function_call", "gpt"} & set(turns):
        raise ValueError(f"a conversation needs a human turn and a function_call or gpt turn, not {sorted(turns)}")
    return {
        "question": turns["human"], "call": json.loads(turns["function_call"]) if "function_call" in turns else None,
        "tools": [tool.get("function", tool)["name"] for tool in json.loads(item.get("tools") or "[]")],
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
        "tools": _schemas(row["tools"], whole=True),
    }


def read_messages(item: Mapping[str, Any]) -> dict[str, Any]:
    """Question, call and menu of a row in `messages`/`tools` form; the inverse of `hf_messages`."""
    said = {message["role"]: message["content"] for message in item["messages"]}
    return {
        "question": said["user"], "call": parse(said["assistant"]).call,
        "tools": [tool["function"]["name"] for tool in json.loads(item["tools"])],
    }


def read_parquet(path: str | Path) -> list[dict[str, Any]]:
    """The rows of an exported Parquet file as they stand in the JSONL file, with `provenance` beside them."""
    import pandas as pd

    rows = pd.read_parquet(path).astype(object).to_dict("records")
    return [
        {key: json.loads(value) if key in _AS_JSON else None if value is None or value != value else value for key, value in row.items()}
        for row in rows
    ]


def provenance(run: Run) -> dict[str, dict[str, Any]]:
    """Where each question of a run comes from: request, receipt of the body, source, writer, and every verdict with its reason."""
    calls = {call["id"]: call for call in run.read("calls.jsonl")}
    verdicts: dict[str, list[dict[str, Any]]] = {}
    for verdict in run.read("verdicts.jsonl"):
        verdicts.setdefault(verdict["question_id"], []).append({key: verdict[key] for key in ("layer", "accept", "reason", "by")})
    found = {}
    for question in run.read("questions.jsonl"):
        call = calls[question["call_id"]]
        found[question["id"]] = {
            "call_id": call["id"], "url": call["observation"]["url"], "status": call["observation"]["status"],
            "sha256": call["observation"]["sha256"], "source": call["source"], "writer": question["writer"],
            "verdicts": verdicts.get(question["id"], []),
        }
    return found


def export(run: Run, rows: Sequence[Mapping[str, Any]], split: Mapping[str, str]) -> None:
    """Write every split as ShareGPT, as messages and as Parquet, with the schemas of every function that occurs and their places."""
    import pandas as pd

    folder = run.path / "dataset/exports"
    origin = provenance(run)
    for part in SPLITS:
        chosen = [row for row in rows if split[row["id"]] == part]
        conversations = [sharegpt(r) for r in chosen]
        write_atomically(folder / f"sharegpt_{part}.json", json.dumps(conversations, ensure_ascii=False, indent=0) + "\n")
        write_atomically(folder / f"messages_{part}.jsonl", "".join(dumps(hf_messages(r)) + "\n" for r in chosen))
        # A no-call row carries the provenance of the question it was made from.
        full = [{**row, "provenance": origin.get(row["id"]) or origin.get(row["id"].rsplit("-", 1)[0])} for row in chosen]
        table = [{key: dumps(row[key]) if key in _AS_JSON else row[key] for key in COLUMNS} for row in full]
        pd.DataFrame(table, columns=list(COLUMNS), dtype="str").to_parquet(folder / f"{part}.parquet", index=False)
    names = sorted({row["function"] for row in rows} & set(tools()))
    write_atomically(folder / "tools.json", json.dumps([tools()[n].json_schema() for n in names], ensure_ascii=False, indent=1) + "\n")
    mapping = {name: {"database": tools()[name].database, "tool": tools()[name].group} for name in names}
    write_atomically(folder / "function_mapping.json", json.dumps(mapping, indent=1) + "\n")
    # LLaMA-Factory finds a dataset through this file.
    info = {
        f"biotool_book_{part}": {"file_name": f"sharegpt_{part}.json", "formatting": "sharegpt",
                                 "columns": {"messages": "conversations", "tools": "tools"}}
        for part in SPLITS
    }
    write_atomically(folder / "dataset_info.json", json.dumps(info, indent=1) + "\n")


def write_card(run: Run, rows: Sequence[Mapping[str, Any]], split: Mapping[str, str], leaks: Sequence[Mapping[str, Any]]) -> None:
    """Write the dataset's card from the manifest and what was measured, and then the checksums of all its files."""
    verdicts = run.read("verdicts.jsonl")
    reviewed = {v["question_id"] for v in verdicts if v["layer"] == "human" and v["accept"]} & {row["id"] for row in rows}
    counts = Counter((split[row["id"]], row["database"]) for row in rows)
    databases = sorted({row["database"] for row in rows})
    sizes = [[part, *(f"{counts[part, name]:,}" for name in databases)] for part in SPLITS]
    manifest = run.manifest
    text = Template((Path(__file__).parent / "card.md").read_text(encoding="utf-8")).substitute(
        rows=f"{len(rows):,}", calls=f"{len({r['group'] for r in rows if r['call']}):,}",
        functions=len({r["function"] for r in rows} & set(tools())), size_category=_size_category(len(rows)),
        backend=manifest["backend"], profile=manifest["profile"], seed=manifest["seed"], version=manifest["versions"]["biotool_lib"],
        sizes=_markdown(["split", *databases], sizes),
        kinds=_markdown(["kind", "rows"], [[kind, f"{n:,}"] for kind, n in sorted(Counter(row["kind"] for row in rows).items())]),
        leakage=_markdown(["scheme", "kind", "share of test rows", "95 % interval", "n"], [_leak(line) for line in leaks]),
        reviewed="No row is human-verified: there are no signed reviewers' records." if not reviewed
        else f"{len(reviewed):,} of {len(rows):,} rows were accepted by people, in signed records; the others are not human-verified.",
    )
    folder = run.path / "dataset"
    write_atomically(folder / "README.md", text)
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "SHA256SUMS" and not p.name.startswith("."))
    write_atomically(folder / "SHA256SUMS", "".join(f"{file_digest(p)}  {p.relative_to(folder).as_posix()}\n" for p in files))


def push_to_hub(run: Run, repo_id: str, *, private: bool = True, message: str = "The dataset of a BioTool Book run") -> str:
    """Upload a run's dataset folder as it is to a dataset repository of the Hugging Face hub; returns the address.

    The token comes from the environment variable HF_TOKEN and from nowhere else. Raises InvalidParameter without one or for an
    impossible name, MissingArtefact before the dataset is built. Example: `push_to_hub(run, "somebody/biotool-book")`
    """
    if not (run.path / "dataset/SHA256SUMS").is_file():
        raise MissingArtefact(f"{run.path / 'dataset'} is not there yet: build the dataset first")
    return upload(run.path / "dataset", repo_id, "dataset", private=private, message=message)


def _schemas(names: Sequence[str], whole: bool) -> str:
    """The schemas of a menu as one JSON text, with or without the wrapping that says that they are functions."""
    return "[" + ", ".join(_schema(name, whole) for name in names) + "]"


@cache
def _schema(name: str, whole: bool) -> str:
    schema = tools()[name].json_schema()
    return json.dumps(schema if whole else schema["function"], ensure_ascii=False)


def _leak(line: Mapping[str, Any]) -> list[Any]:
    if line["share"] is None:
        return [line["scheme"], line["kind"], "no test rows", "", 0]
    return [line["scheme"], line["kind"], f"{line['share']:.1%}", f"{line['low']:.1%} to {line['high']:.1%}", line["n"]]


def _size_category(rows: int) -> str:
    limits = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))
    return next((word for limit, word in limits if rows < limit), "100K<n<1M")


def _markdown(header: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    table = [list(header), ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in table)
