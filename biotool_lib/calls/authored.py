"""Questions written by hand, without the phrasings, each with its call: never trained on."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..catalogue import InvalidArguments, canonical, tools
from ..errors import InvalidParameter, Problem
from .strata import settle, stratum

PATH = Path(__file__).parents[1] / "questions/authored.tsv"
COLUMNS = ("id", "function", "arguments", "asker", "question")
WRITER = "authored"


def read(path: Path | None = None) -> list[dict[str, Any]]:
    """The rows of the file as {id, name, arguments (canonical), asker, question, answer_path}; none where there is no file.

    `answer_path` is blank, for the response as a whole, where the file has no such column.

    Raises InvalidParameter for a row that lacks a column, repeats an id or has a call that the catalogue refuses.
    """
    path = path or PATH
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as handle:
        # Questions hold quotation marks as they are, and so does the JSON of the arguments.
        listed = list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    rows, problems = [], []
    for number, line in enumerate(listed, 2):
        missing = [column for column in COLUMNS if not (line.get(column) or "").strip()]
        if missing:
            problems.append(Problem(f"line {number}", line.get("id"), f"has no {', '.join(missing)}"))
            continue
        try:
            arguments = json.loads(line["arguments"])
            call = canonical(line["function"], {**arguments, **_settled(line["function"], arguments)})
        except (ValueError, KeyError, TypeError, InvalidArguments) as wrong:
            problems.append(Problem(f"line {number}", line["arguments"], str(wrong)))
            continue
        rows.append({"id": line["id"], **call, "asker": line["asker"], "question": " ".join(line["question"].split()),
                     "answer_path": (line.get("answer_path") or "").strip()})
    twice = [name for name, count in Counter(row["id"] for row in rows).items() if count > 1]
    problems += [Problem("id", name, "stands twice: each question needs its own") for name in twice]
    if problems:
        raise InvalidParameter(path.name, problems)
    return rows


def questions(calls: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The authored questions of executed calls, as they stand in questions.jsonl.

    Who asks stands as the family. Questions of a call that was not answered are left out.
    """
    from ..questions.grammar import look_up
    from . import call_id

    answered = {call["id"]: call for call in calls if call.get("authored") and call["outcome"] == "ok"}
    found = []
    for row in read():
        call = answered.get(call_id(row))
        if call is not None:
            found.append({
                "id": f"authored-{row['id']}", "call_id": call["id"], "writer": WRITER, "style": WRITER, "stratum": stratum(call),
                "held_out": False, "question": row["question"], "family": row["asker"], "answer_path": row["answer_path"],
                "answer_value": look_up(call["observation"]["summary"], row["answer_path"]),
            })
    return found


def unanswered(calls: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Authored questions whose call the backend could not answer: id, function, reason."""
    from . import call_id

    failed = {call["id"]: call for call in calls if call.get("authored") and call["outcome"] != "ok"}
    return [{"id": row["id"], "function": row["name"], "reason": failed[call_id(row)]["error"] or failed[call_id(row)]["outcome"]}
            for row in read() if call_id(row) in failed]


def trained_on(calls: Iterable[Mapping[str, Any]]) -> list[str]:
    """Ids of authored questions that are left out because their call is one of the few of its function, from which training learns it."""
    from . import call_id

    unmarked = {call["id"] for call in calls if not call.get("authored")}
    return [row["id"] for row in read() if call_id(row) in unmarked]


def _settled(name: str, arguments: Mapping[str, Any]) -> dict[str, str]:
    """Entrez queries in the spelling that the calls of this book have."""
    return {key: settle(value) for key, value in arguments.items()
            if key in tools()[name].parameters and tools()[name].parameters[key].kind == "entrez_term" and isinstance(value, str)}
