"""Answers: question, caller, observation, answer. Run with `python -m biotool_lib.answers --run runs/laptop`.

The same questions are answered under several conditions that differ in what the answerer gets to see: nothing (`no_call`), a response
of the same function to another call (`by_lot`), the response to the call of each caller, and that to the gold call (`oracle`). Offline the
answerer is `reader-v1`, which picks a value of the response; it is scored by accuracy on the known answer and by nothing else.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..calls import call_id
from ..common.llm import BadAnswer, ChatModel, RequestRefused, clean
from ..common.runner import Run, dumps
from ..common.stats import bootstrap_columns, paired_bootstrap
from ..errors import InvalidParameter, MissingArtefact, Problem, did_you_mean
from ..evaluation import settle
from ..evaluation.answers import frozen_answers, known_answers
from ..questions.lexicon import literal
from .checks import equal, groundedness, present
from .reader import NAME, Reader

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CONDITIONS", "METRICS", "Answerer", "ChatAnswerer", "ReaderAnswerer", "answer_questions", "answer_table", "artefact", "compare", "default_callers",
    "equal", "groundedness", "outcomes", "present",
]

PROMPTS = Path(__file__).parent / "prompts"
CONDITIONS = ("no_call", "by_lot", "in_context", "fine_tuned", "oracle")  # in this order in tables and figures
IN_CONTEXT = ("in_context", "retrieval_template", "template", "retrieval")  # the first of these that was scored shows what examples alone give
METRICS = ("accuracy", "present", "right_call", "answered", "grounded")
MOST_TEXT = 2000
_SCHEMA = {
    "type": "object", "additionalProperties": False, "required": ["answer", "text"],
    "properties": {"answer": {"type": ["string", "number", "boolean", "array", "null"], "items": {"type": ["string", "number", "boolean"]}},
                   "text": {"type": "string"}},
}
Row = dict[str, Any]


class Answerer(Protocol):
    """What answers a question from a response, or without one; `settings` are what its answers depend on."""

    name: str
    settings: dict[str, Any]
    workers: int

    def answer(self, question: str, summary: Any) -> Row:
        """{"answer": the bare value or None, "text": a sentence or the value}, perhaps with more."""


class ReaderAnswerer:
    """`reader-v1` as an answerer: no sentence, only the value. Example: `ReaderAnswerer(Reader.load(run)).answer(question, summary)`"""

    name, workers = NAME, 1

    def __init__(self, reader: Reader) -> None:
        self.reader, self.settings = reader, {"answerer": NAME}

    def answer(self, question: str, summary: Any) -> Row:
        """The value that the reader picks; without a response it abstains."""
        found = self.reader.read(question, summary)
        return {"answer": None, "text": ""} if found is None else {"answer": found.value, "text": literal(found.value)[:MOST_TEXT], "path": found.path}


class ChatAnswerer:
    """A language model behind any OpenAI-compatible endpoint, hosted or on one's own machine.

    A text that stays malformed, or a refusal by the server, is no answer, and says so in `problem`.
    Example: `ChatAnswerer(ChatModel("qwen3:4b", "http://127.0.0.1:11434/v1", meter)).answer(question, summary)`
    """

    def __init__(self, model: ChatModel) -> None:
        self.model, self.workers = model, model.workers
        self.prompt = (PROMPTS / "answer.md").read_text(encoding="utf-8").strip()
        digest = hashlib.sha256(dumps([self.prompt, _SCHEMA]).encode()).hexdigest()[:8]
        self.name = f"chat/{model.model}/answer-v1-{digest}"
        self.settings = {"answerer": self.name, **model.settings}

    def answer(self, question: str, summary: Any) -> Row:
        """The model's answer. Raises ChatFailed or BudgetSpent, which end the work."""
        response = "No database was asked." if summary is None else f"Response of the database:\n{dumps(summary)}"
        messages = [{"role": "system", "content": self.prompt}, {"role": "user", "content": f"Question: {question}\n\n{response}"}]
        try:
            value, _ = self.model.ask(messages, _SCHEMA)
        except (BadAnswer, RequestRefused) as wrong:
            return {"answer": None, "text": "", "problem": clean(str(wrong), 200)}
        return {"answer": value["answer"], "text": clean(value["text"], MOST_TEXT)}


def artefact(answerer: str) -> str:
    """Where an answerer's answers lie in a run. Example: `artefact("reader-v1")`"""
    return f"answers/{re.sub(r'[^A-Za-z0-9.]+', '_', answerer).strip('_.') or 'answerer'}.jsonl"


def default_callers(run: Run, trained: str = "laptop") -> dict[str, str]:
    """Which predictions of a run stand for the callers: {condition: model}. The laptop profile has no model that reads examples in its
    prompt; the retrieval baseline, which repeats the call of the nearest example, stands in its place there.

    Raises MissingArtefact where neither was scored. Example: `default_callers(run)`
    """
    there = {path.stem for path in run.path.glob("evaluation/*.jsonl")}
    shown = [name for name in IN_CONTEXT if name in there][:1]
    callers = {"in_context": shown[0]} if shown else {}
    callers |= {"fine_tuned": trained} if trained in there else {}
    if not callers:
        raise MissingArtefact(f"{run.path / 'evaluation'} has no scored caller such as {trained!r}: run the evaluation first")
    return callers


def answer_questions(run: Run, callers: Mapping[str, str] | None = None, answerer: Answerer | None = None, split: str = "test",
                     most: int | None = None, progress: bool | None = None) -> pd.DataFrame:
    """Answer a split's questions under every condition; writes answers/<answerer>.jsonl and returns `answer_table`.

    `callers` maps a condition to the model whose predictions and executed responses are taken from the evaluation; nothing is called
    here. `most` takes that many calls' questions, drawn by the run's seed (a language model costs money). The same question with the same
    response is answered once. Raises MissingArtefact where a caller was not evaluated, InvalidParameter for a reserved condition.
    Example: `answer_questions(run, {"fine_tuned": "laptop"})`
    """
    callers = default_callers(run) if callers is None else dict(callers)
    wrong = [Problem(name, model, "a condition of its own: give the caller another name") for name, model in callers.items()
             if name in ("no_call", "by_lot", "oracle")]
    if wrong:
        raise InvalidParameter("answer_questions", wrong)
    by = answerer or ReaderAnswerer(Reader.load(run))
    written = artefact(by.name)
    # What came back for each call stands in the evaluation's file, whose digest every scored model's rows depend on.
    reads = [f"dataset/{split}.jsonl", *(f"{kind}/{model}.jsonl" for model in callers.values() for kind in ("predictions", "evaluation"))]
    stage = run.stage(f"answers/{by.name}", reads=reads, writes=[written],
                      settings={"callers": callers, "split": split, "most": most, **by.settings})
    if not stage.done:
        gold = _drawn(run.read(f"dataset/{split}.jsonl"), most, run.seed)
        shown = _shown(run, gold, callers)
        tasks = {f"{row['id']}|{seen['key']}": {"id": f"{row['id']}|{seen['key']}", "question": row["question"], "summary": seen["summary"]}
                 for row, conditions in zip(gold, shown, strict=True) for seen in conditions.values()}

        def work(task: Row) -> Row:
            return {"id": task["id"], **by.answer(task["question"], task["summary"])}

        done = {row["id"]: row for row in run.resume(stage, list(tasks.values()), work, label="answers", workers=by.workers, progress=progress)}
        rows = [_row(row, condition, seen, done[f"{row['id']}|{seen['key']}"], by.name)
                for row, conditions in zip(gold, shown, strict=True) for condition, seen in conditions.items()]
        run.write(written, rows)
        stage.finish(len(rows), answered=len(tasks), callers=callers, **({"usage": by.model.meter.summary()} if isinstance(by, ChatAnswerer) else {}))
        run.tidy(stage)
    return answer_table(run, by.name)


def _drawn(gold: list[Row], most: int | None, seed: int) -> list[Row]:
    groups = sorted({row["group"] for row in gold})
    if most is None or most >= len(groups):
        return gold
    kept = set(random.Random(f"{seed}:answers").sample(groups, most))
    return [row for row in gold if row["group"] in kept]


def _shown(run: Run, gold: Sequence[Row], callers: Mapping[str, str]) -> list[dict[str, Row]]:
    """For every row and condition what the answerer is shown: {key, call, outcome, summary}."""
    nothing = {"key": "none", "call": None, "outcome": None, "summary": None}
    predicted = {model: {row["id"]: row for row in run.read(f"predictions/{model}.jsonl")} for model in callers.values()}
    known: Mapping[str, Mapping[str, Any]] = {**frozen_answers(run), **known_answers(run)}
    missing: set[str] = set()
    shown: list[dict[str, Row]] = []
    for row, stranger in zip(gold, _strangers(gold, run.seed), strict=True):
        right = None if row["call"] is None else {"key": call_id(row["call"]), "call": row["call"], "outcome": "ok", "summary": row["observation"]}
        seen = {"no_call": nothing, "by_lot": nothing if stranger is None else
                {"key": call_id(stranger["call"]), "call": stranger["call"], "outcome": "ok", "summary": stranger["observation"]}}
        for condition, model in callers.items():
            call = settle(predicted[model].get(row["id"], {}).get("call"))[0]
            if call is None or (right and right["key"] == call_id(call)):
                seen[condition] = right if call is not None and right else nothing
            elif row["call"] is None:
                seen[condition] = {**nothing, "key": "uncalled", "call": call}  # nobody asks a database where no function fits
            elif call_id(call) in known:
                answer = known[call_id(call)]
                seen[condition] = {"key": call_id(call), "call": call, "outcome": answer["outcome"],
                                   "summary": answer["summary"] if answer["outcome"] == "ok" else None}
            else:
                missing.add(model)
        shown.append({**seen, "oracle": right or nothing})
    if missing:
        raise MissingArtefact(f"the responses to the calls of {', '.join(sorted(missing))} are not in {run.path}: run the evaluation of "
                              "these models first, with this version of the library")
    return shown


def _strangers(gold: Sequence[Row], seed: int) -> list[Row | None]:
    """For each row another one of the same function and another call, by lot; None where there is none."""
    by_function: dict[str, list[Row]] = {}
    for row in gold:
        if row["call"] is not None and row["observation"] is not None:
            by_function.setdefault(row["call"]["name"], []).append(row)
    found: list[Row | None] = []
    for row in gold:
        others = [other for other in by_function.get(row["call"]["name"], []) if other["group"] != row["group"]] if row["call"] else []
        found.append(random.Random(f"{seed}:lot:{row['id']}").choice(others) if others else None)
    return found


def _row(row: Row, condition: str, seen: Row, answered: Row, by: str) -> Row:
    scorable = row["call"] is not None and row["observation"] is not None
    given = answered["answer"]
    named = groundedness(answered["text"], seen["summary"], row["question"]) if answered["text"] and seen["summary"] is not None else None
    return {
        "id": f"{row['id']}|{condition}", "question_id": row["id"], "question": row["question"], "group": row["group"], "condition": condition,
        "answerer": by, "database": row["database"], "function": row["function"], "stratum": row.get("stratum"), "held_out": row.get("held_out"),
        "scorable": scorable, "outcome": seen["outcome"], "wanted": row["answer_value"] if scorable else None, "answer": given,
        "text": answered["text"], "path": answered.get("path"), "problem": answered.get("problem"),
        "accuracy": equal(given, row["answer_value"]) if scorable else None,
        "present": seen["summary"] is not None and present(row["answer_value"], seen["summary"]) if scorable else None,
        "right_call": seen["call"] is not None and call_id(seen["call"]) == call_id(row["call"]) if scorable else None,
        "answered": given is not None, "grounded": None if named is None else not named["unfounded"], "unfounded": named["unfounded"] if named else [],
    }


def read_answers(run: Run, answerer: str = NAME) -> pd.DataFrame:
    """One line per question and condition; raises MissingArtefact before the stage."""
    import pandas as pd

    return pd.DataFrame(run.read(artefact(answerer)))


def answer_table(run: Run, answerer: str = NAME, by: str | None = None) -> pd.DataFrame:
    """Per condition each of METRICS with n and a 95 % interval from whole calls: (by,) condition, metric, value, low, high, n.

    accuracy: the answer is the right one; present: the right one stands in the response; right_call: it is the response to the gold
    call; answered: an answer was given; grounded: of the answers to a response, those in which every number and identifier stands in it
    or in the question. Questions whose gold call has no answer are left out. `by` splits by database, function, stratum or held_out;
    raises InvalidParameter for another. Example: `answer_table(run, by="database")`
    """
    import pandas as pd

    allowed = ("database", "function", "stratum", "held_out")
    if by is not None and by not in allowed:
        raise InvalidParameter("answer_table", [Problem("by", by, did_you_mean(by, allowed))])
    rows = read_answers(run, answerer)
    rows, lines = rows[rows["scorable"]], []
    order = sorted(rows["condition"].unique(), key=lambda name: CONDITIONS.index(name) if name in CONDITIONS else 3)
    parts = [("", rows)] if by is None else [(name, part) for name, part in rows.groupby(by, sort=True)]
    for name, part in parts:
        for condition in order:
            chosen = part[part["condition"] == condition]
            columns = {metric: chosen[metric].astype(float).to_numpy() for metric in METRICS}
            for metric, found in bootstrap_columns(columns, chosen["group"].to_numpy(), seed=run.seed).items():
                lines.append({**({by: name} if by else {}), "condition": condition, "metric": metric, **found})
    return pd.DataFrame(lines)


def compare(run: Run, first: str, second: str, answerer: str = NAME, metric: str = "accuracy") -> dict[str, Any]:
    """A metric of the second condition minus that of the first, question by question: value, low, high, n, p.

    Raises InvalidParameter for an unknown condition or metric. Example: `compare(run, "in_context", "fine_tuned")`
    """
    rows = read_answers(run, answerer)
    known = sorted(rows["condition"].unique())
    problems = [Problem("condition", name, did_you_mean(name, known)) for name in (first, second) if name not in known]
    problems += [] if metric in METRICS else [Problem("metric", metric, did_you_mean(metric, METRICS))]
    if problems:
        raise InvalidParameter("compare", problems)
    a, b = (rows[rows["scorable"] & (rows["condition"] == name)].set_index("question_id") for name in (first, second))
    return dict(paired_bootstrap(a[metric].astype(float).to_numpy(), b[metric].astype(float).to_numpy(), a["group"].to_numpy(), seed=run.seed))


def outcomes(run: Run, condition: str, answerer: str = NAME) -> pd.DataFrame:
    """What became of the questions under one condition: how, n, share. From a call to a right answer there are several ways to fail."""
    import pandas as pd

    rows = read_answers(run, answerer)
    rows = rows[rows["scorable"] & (rows["condition"] == condition)]
    how = pd.Series("no response", index=rows.index).mask(rows["outcome"] == "ok", "another response without the answer")
    how = how.mask((rows["outcome"] == "ok") & rows["present"].eq(True), "another response with the answer, misread")
    how = how.mask(rows["right_call"].eq(True), "right response, misread").mask(rows["accuracy"].eq(True), "right answer from another response")
    how = how.mask(rows["accuracy"].eq(True) & rows["right_call"].eq(True), "right answer from the right response")
    how = how.mask(rows["accuracy"].eq(True) & (rows["outcome"] != "ok"), "right answer without a response")
    counts = how.value_counts()
    return pd.DataFrame({"how": counts.index, "n": counts.to_numpy(), "share": (counts / max(1, len(rows))).round(4).to_numpy()})
