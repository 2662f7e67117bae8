"""How good is a judge? Rows of a run are spoiled on purpose, in ways that are known, and every judge reads them.

Run with `python -m biotool_lib.judges --run runs/laptop`. Four faults are planted, each so that the row stays consistent in
itself and only reading tells: the words of another call's question (wrong call), a call about another entity, another
call's response, and a question to which the response has no answer. Untouched rows lie among them. The execution filter
reads them, too: what a judge does not see, it may. Everything is written to `calibration/` of the run and is no part of its
dataset.
"""

from __future__ import annotations

import argparse
import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..calls import run_client
from ..catalogue import tools
from ..common.review import verdict
from ..common.runner import Run, dumps
from ..common.stats import bootstrap
from ..errors import RESUMES, status_of
from ..filters import execution
from ..questions.grammar import look_up, unanswered
from ..questions.lexicon import literal
from . import UNDECIDED, Judge, RuleJudge

if TYPE_CHECKING:
    import pandas as pd

FAULTS = ("wrong_call", "wrong_entity", "wrong_response", "unanswerable")
UNTOUCHED = "untouched"
PER_FAULT = 200
Row = dict[str, Any]
# Arguments that say where to look or how to answer, not about what.
_MANNER = frozenset({"db", "dbfrom", "fields", "sort", "rettype", "retmode", "format", "target_species", "external_db"})


def calibrate(run: Run, judges: Sequence[Judge] = (), per_fault: int = PER_FAULT) -> pd.DataFrame:
    """Let every judge read the planted and the untouched rows; execution and the rules are always among them.

    Writes `calibration/cases.jsonl` and `calibration/verdicts.jsonl`. Returns for each judge the share of each fault that it
    rejects (sensitivity) and the share of untouched rows that it rejects (false_reject), with n and 95 % interval over calls.
    Interrupted, it goes on. Example: `calibrate(Run.existing("runs/laptop"))`
    """
    readers: list[Judge] = [ExecutionCheck(run), RuleJudge(), *judges]
    named = {judge.by: judge for judge in readers}
    writes = ["calibration/cases.jsonl", "calibration/verdicts.jsonl"]
    stage = run.stage("calibration", reads=["calls.jsonl", "questions.jsonl", "verdicts.jsonl"], writes=writes,
                      settings={"judges": [getattr(judge, "settings", judge.by) for judge in named.values()], "per_fault": per_fault})
    if not stage.done:
        cases = plant(run.read("calls.jsonl"), run.read("questions.jsonl"), run.read("verdicts.jsonl"), run.seed, per_fault)
        tasks = [{"id": f"{case['id']}|{by}", "by": by, "case": case} for case in cases for by in named]

        def work(task: Row) -> Row:
            case = task["case"]
            accept, reason = named[task["by"]].judge(case["question"], case["call"])
            layer = "execution" if isinstance(named[task["by"]], ExecutionCheck) else "judge"
            return {"id": task["id"], **verdict(case["id"], layer, accept, reason, task["by"])}

        done = run.resume(stage, tasks, work, label="calibration", workers=max(judge.workers for judge in named.values()))
        run.write("calibration/cases.jsonl", cases)
        run.write("calibration/verdicts.jsonl", [{key: value for key, value in row.items() if key != "id"} for row in done])
        stage.finish(len(cases))
        run.tidy(stage)
    return table(run.read("calibration/cases.jsonl"), run.read("calibration/verdicts.jsonl"))


def table(cases: Sequence[Mapping[str, Any]], verdicts: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Sensitivity by fault and false-reject rate of each judge; rows without a usable verdict are counted apart."""
    import pandas as pd

    of = {case["id"]: case for case in cases}
    rows = []
    for by in dict.fromkeys(v["by"] for v in verdicts):
        for fault in (*FAULTS, UNTOUCHED):
            read = [v for v in verdicts if v["by"] == by and of[v["question_id"]]["fault"] == fault]
            usable = [v for v in read if not v["reason"].startswith(UNDECIDED)]
            share = _share([float(not v["accept"]) for v in usable], [of[v["question_id"]]["source"] for v in usable])
            rows.append({"judge": by, "fault": fault, "metric": "false_reject" if fault == UNTOUCHED else "sensitivity", **share,
                         "undecided": len(read) - len(usable)})
    return pd.DataFrame(rows)


def missed(cases: Sequence[Mapping[str, Any]], verdicts: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Spoiled rows that every reader accepted: fault, question, call, answer on record. Example: `missed(cases, verdicts)`"""
    import pandas as pd

    caught = {v["question_id"] for v in verdicts if not v["accept"]}
    rows = [{"fault": case["fault"], "question": case["question"]["question"], "call": f"{case['call']['name']} {dumps(case['call']['arguments'])}",
             "answer on record": f"{case['question']['answer_path']} = {literal(case['question']['answer_value'])}"}
            for case in cases if case["fault"] != UNTOUCHED and case["id"] not in caught]
    return pd.DataFrame(rows, columns=["fault", "question", "call", "answer on record"])


def _share(values: list[float], groups: list[str], level: float = 0.95) -> dict[str, Any]:
    """A share with its interval; where it is 0 or 1, a bootstrap has no width, and the exact interval over calls stands instead.

    Source: Clopper and Pearson, Biometrika 26 (1934), 404, whose limits have a closed form in these two cases.
    """
    share = bootstrap(values, groups, level=level)
    edge = ((1 - level) / 2) ** (1 / len(set(groups))) if groups else 0.0
    if share["value"] == 0:
        share["high"] = round(1 - edge, 6)
    elif share["value"] == 1:
        share["low"] = round(edge, 6)
    return share


def plant(calls: Sequence[Row], questions: Sequence[Row], verdicts: Sequence[Row], seed: int = 0, per_fault: int = PER_FAULT) -> list[Row]:
    """Spoiled and untouched rows as {id, fault, source, question, call}, the same for the same run and seed.

    They are drawn from what execution accepted, not from what a judge accepted: that would flatter the judge (and so the
    false rejects of execution itself are none). Each question is used once. Where a run is too small for `per_fault` there
    are fewer, which the table's n tells.
    """
    passed = {v["question_id"] for v in verdicts if v["layer"] == "execution" and v["accept"]}
    of = {call["id"]: call for call in calls}
    pool = sorted((q for q in questions if q["id"] in passed), key=lambda q: _hash(seed, q["id"]))
    used: set[str] = set()
    spoil: dict[str, Callable[[Row, Row], Row | None]] = _Spoiler(calls, pool, seed).faults()
    cases = []
    # Round and round, so that a fault with few fitting rows is not starved by the others.
    waiting: dict[str, Iterator[Row]] = {fault: iter(pool) for fault in (*FAULTS, UNTOUCHED)}
    for _ in range(per_fault):
        for fault, rest in waiting.items():
            for question in rest:
                if question["id"] in used:
                    continue
                call = of[question["call_id"]]
                made = {"question": question, "call": call} if fault == UNTOUCHED else spoil[fault](question, call)
                if made is not None:
                    used.add(question["id"])
                    cases.append({"id": f"planted-{fault}-{question['id']}", "fault": fault, "source": call["id"],
                                  "question": _short(made["question"]), "call": _short_call(made["call"])})
                    break
    return sorted(cases, key=lambda case: _hash(seed, case["id"]))


class ExecutionCheck:
    """The execution filter behind the interface of the judges: makes the call again and looks for the answer on record."""

    by, workers = "execution", 1

    def __init__(self, run: Run) -> None:
        self._client, self._alone = run_client(run), threading.Lock()

    def judge(self, question: Mapping[str, Any], call: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether to accept, and why."""
        with self._alone:  # judges that wait for a server come in several threads
            seen = self._client.call(call["name"], call["arguments"])
        return execution(question, call, seen)


class _Spoiler:
    """The four ways of spoiling a row; each returns None for a row that it does not fit."""

    def __init__(self, calls: Sequence[Row], pool: Sequence[Row], seed: int) -> None:
        self.seed = seed
        self.calls = [call for call in calls if call["outcome"] == "ok"]
        self.asked: dict[str, list[Row]] = defaultdict(list)
        for question in pool:
            self.asked[question["call_id"]].append(question)
        self.same_function: dict[str, list[Row]] = defaultdict(list)
        self.same_entity: dict[str, list[Row]] = defaultdict(list)
        for call in self.calls:
            self.same_function[call["name"]].append(call)
            for value in _entities(call):
                self.same_entity[value].append(call)

    def faults(self) -> dict[str, Callable[[Row, Row], Row | None]]:
        return {fault: getattr(self, fault) for fault in FAULTS}

    def wrong_call(self, question: Row, call: Row) -> Row | None:
        """The question's words with another function's call on the same entity, its response and its answer."""
        others = {other["id"]: other for value in _entities(call) for other in self.same_entity[value]
                  if _plain_name(other) != _plain_name(call) and self.asked[other["id"]]}
        other = self._first(question, others.values())
        if other is None:
            return None
        twin = min(self.asked[other["id"]], key=lambda q: (q["style"] != question["style"], q["id"]))
        return {"question": {**twin, "question": question["question"]}, "call": other}

    def wrong_entity(self, question: Row, call: Row) -> Row | None:
        """The question's words with the same function's call on another entity, as like as there is, its response and its answer."""
        others = []
        for other in self.same_function[call["name"]]:
            changed = [key for key in call["arguments"] if other["arguments"].get(key) != call["arguments"][key]]
            if other["arguments"].keys() == call["arguments"].keys() and changed and set(changed) <= _entity_names(call):
                value = look_up(other["observation"]["summary"], question["answer_path"])
                if value not in (None, "", [], {}):
                    others.append({**other, "changed": len(changed), "value": value})
        fewest = min((other["changed"] for other in others), default=0)
        found = self._first(question, [other for other in others if other["changed"] == fewest])
        return None if found is None else {"question": {**question, "answer_value": found["value"]}, "call": found}

    def wrong_response(self, question: Row, call: Row) -> Row | None:
        """Question and call with the response to another call of the function, which has another answer in the same place."""
        others = []
        for other in self.same_function[call["name"]]:
            value = look_up(other["observation"]["summary"], question["answer_path"])
            if _entities(other).isdisjoint(_entities(call)) and value not in (None, "", [], {}, question["answer_value"]):
                others.append({**other, "value": value})
        found = self._first(question, others)
        if found is None:
            return None
        observation = {**call["observation"], "summary": found["observation"]["summary"]}
        return {"question": {**question, "answer_value": found["value"]}, "call": {**call, "observation": observation}}

    def unanswerable(self, question: Row, call: Row) -> Row | None:
        """A question that the function could answer, but this response does not; call, response and answer on record stay."""
        text = unanswered(call, self.seed)
        return None if text is None else {"question": {**question, "question": text}, "call": call}

    def _first(self, question: Row, others: Any) -> Row | None:
        return min(others, key=lambda other: _hash(self.seed, question["id"], other["id"]), default=None)


def _entity_names(call: Row) -> set[str]:
    """Arguments that say what a call is about: texts that are no choice from a list, and a species only where nothing else is named."""
    parameters = tools()[call["name"]].parameters
    texts = {name for name, value in call["arguments"].items()
             if isinstance(value, str) and not parameters[name].enum and name not in _MANNER}
    narrow = {name for name in texts if parameters[name].kind not in ("species", "taxon_id")}
    return narrow or texts


def _entities(call: Row) -> set[str]:
    return {literal(call["arguments"][name]).casefold() for name in _entity_names(call)}


def _plain_name(call: Row) -> str:
    """A function's name without the mark of its twin: search_ and stream_ functions send the same request."""
    return str(call["name"]).removeprefix("stream_").removeprefix("search_")


def _short(question: Row) -> Row:
    return {key: question.get(key) for key in ("question", "answer_path", "answer_value", "family", "style", "writer")}


def _short_call(call: Row) -> Row:
    return {"id": call["id"], "name": call["name"], "arguments": call["arguments"],
            "observation": {key: call["observation"][key] for key in ("summary", "sha256", "url")}}


def _hash(*parts: Any) -> str:
    return hashlib.sha256(":".join(map(str, parts)).encode()).hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    from ..road import add_chat_options, chat_judges

    parser = argparse.ArgumentParser(prog="python -m biotool_lib.judges", description=__doc__)
    parser.add_argument("--run", default="runs/laptop", help="run folder")
    parser.add_argument("--per-fault", type=int, default=PER_FAULT, help="rows of each kind (default: %(default)s)")
    add_chat_options(parser)
    options = parser.parse_args(arguments)

    def work() -> int:
        run = Run.existing(Path(options.run))
        print(calibrate(run, chat_judges(run, options, "calibration") or (), options.per_fault).to_string(index=False))
        return 0

    return status_of(work, RESUMES)
