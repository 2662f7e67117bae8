"""Three filters in a row: execution, judge, human. Run with `python -m biotool_lib.filters --run runs/laptop`.

Every question carries a verdict and a reason from each layer that saw it. Nothing is called human-verified
without the reviewers' signed records.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .calls import digest, run_client
from .calls.authored import WRITER
from .catalogue import tools
from .common.review import ReviewBook, accepted, verdict
from .common.runner import Run, track
from .errors import InvalidParameter, Problem
from .gateway import Client, Observation
from .questions.grammar import look_up
from .questions.lexicon import literal
from .questions.recover import fold, unrecoverable

if TYPE_CHECKING:
    import pandas as pd

    from .judges import ChatJudge

RULES = "rules-v2"  # the name of the rule-based judge; another number where it judges otherwise
FEWEST_WORDS, MOST_WORDS = 5, 120
_BLANK: tuple[Any, ...] = (None, "", [], {})
_NAME = re.compile(r"\b[a-z]+(?:_[a-z0-9]+)+\b")


def execution(question: Mapping[str, Any], call: Mapping[str, Any], seen: Observation) -> tuple[bool, str]:
    """Whether the call, made once more as `seen`, still answers the question as it did when the question was written."""
    if seen.outcome != "ok":
        return False, f"the call's outcome is {seen.outcome}"
    if not informative(seen.summary):
        return False, "the response holds no value"
    value = look_up(seen.summary, question["answer_path"])
    if value in _BLANK:
        return False, f"the response has nothing at {question['answer_path']}"
    if value != question["answer_value"]:
        return False, f"{question['answer_path']} is {value!r} now"
    return True, "same body" if digest(seen.data) == call["observation"]["sha256"] else "same answer, changed body"


def informative(summary: Any) -> bool:
    """Whether a summary holds anything besides zeros, blanks and names of keys."""
    if isinstance(summary, Mapping):
        return any(informative(value) for key, value in summary.items() if key not in ("shown", "format"))
    if isinstance(summary, list):
        return any(informative(item) for item in summary)
    return summary not in (None, "", 0, False)


def judge(question: Mapping[str, Any], call: Mapping[str, Any]) -> tuple[bool, str]:
    """The rule-based judge: sees question, call and response, and says why it rejects."""
    text = question["question"]
    count = len(text.split())
    fewest = FEWEST_WORDS if question.get("writer") != WRITER else 2  # people are short with a search box
    if not fewest <= count <= MOST_WORDS:
        return False, f"{count} words long"
    unsaid = unrecoverable(text, call, question.get("family"))
    if unsaid:
        return False, f"does not say {', '.join(unsaid)}"
    if re.search(rf"\b{call['name']}\b", text) or any(name in tools() for name in _NAME.findall(text)):
        return False, "names the function"
    answer = question["answer_value"]
    offers = re.search(r"\bor\b", text)  # "a gene or a transcript?" holds its answer as one of two
    if isinstance(answer, str) and len(answer) > 3 and answer.lower() in text.lower() and not (offers or _given(answer, call)):
        return False, "holds its own answer"
    if answer in _BLANK or look_up(call["observation"]["summary"], question["answer_path"]) != answer:
        return False, "the response does not hold the answer"
    return True, "states every argument; the response answers it"


def _given(answer: str, call: Mapping[str, Any]) -> bool:
    return any(answer.lower() in literal(value).lower() or literal(value).lower() in answer.lower() for value in call["arguments"].values())


def apply_filters(run: Run, client: Client | None = None, judges: Sequence[ChatJudge] | None = None) -> pd.DataFrame:
    """Pass every question through execution, judge and, where records exist, the human layer; writes `verdicts.jsonl`.

    `judges` are language models (`ChatJudge`) that read what the rules accept; one rejection is enough. Without any, verdicts
    that such judges gave in this run stay. Raises InvalidParameter where they would be dropped unasked. Returns one row a
    verdict. Example: `apply_filters(Run("runs/laptop"))`
    """
    import pandas as pd

    people = ReviewBook(run.path / "human.jsonl", head=run.manifest["stages"].get("filters", {}).get("human_head", ""))
    reads = ["calls.jsonl", "questions.jsonl", *(["human.jsonl"] if people.records else [])]
    settings: Any = [judge.settings for judge in judges] if judges else None
    stamp = run.manifest["stages"].get("filters", {})
    if judges is None and "settings" in stamp:
        settings = stamp["settings"]
    stage = run.stage("filters", reads=reads, writes=["verdicts.jsonl"], settings=settings)
    if not stage.done:
        if judges is None and settings is not None:
            raise InvalidParameter("apply_filters", [Problem(
                "judges", [s["by"] for s in settings], "judged this run, and its questions or the code have changed since: name them again to "
                "go on (what they have answered is not asked again), or name none, as `judges=()`, to do without")])
        client = client or run_client(run)
        calls = {call["id"]: call for call in run.read("calls.jsonl")}
        written = [{**question, "call": calls[question["call_id"]]} for question in run.read("questions.jsonl")]
        questions = people.corrected(written)  # a person's correction is read by every filter, like any other question
        rows, texts = [], Counter(fold(q["question"]) for q in questions)
        again: dict[str, Observation] = {}
        sound = []
        for question in track(questions, "filters"):
            call = question["call"]
            if call["id"] not in again:
                again = {call["id"]: client.call(call["name"], call["arguments"])}  # questions of a call stand together
            accept, reason = execution(question, call, again[call["id"]])
            rows.append(verdict(question["id"], "execution", accept, reason, run.manifest["backend"]))
            if accept:
                accept, reason = judge(question, call)
                if accept and texts[fold(question["question"])] > 1:
                    accept, reason = False, "the same words ask for another call, too"
                rows.append(verdict(question["id"], "judge", accept, reason, RULES))
            if accept:
                sound.append(question)
        facts: dict[str, Any] = {}
        if judges:
            read = _read_by(run, stage, judges, sound, calls)
            rows += read
            meters = {id(judge.model.meter): judge.model.meter for judge in judges}
            facts = {"settings": settings, "judges": _judges_facts(read, {q["id"]: q["call_id"] for q in sound}),
                     "usage": [meter.summary() for meter in meters.values()]}
        rows += people.verdicts(written)
        facts |= {"human_head": people.head} if people.records else {}
        run.write("verdicts.jsonl", rows)
        stage.finish(len(rows), kept=len(accepted(rows)), **facts)
        run.tidy(stage)
    return pd.DataFrame(run.read("verdicts.jsonl"))


def _read_by(run: Run, stage: Any, judges: Sequence[ChatJudge], questions: list[dict[str, Any]],
             calls: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The verdicts of the language models, each kept as it comes."""
    by = {judge.by: judge for judge in judges}
    tasks = [{"id": f"{question['id']}|{name}", "by": name, "question": question} for question in questions for name in by]

    def work(task: dict[str, Any]) -> dict[str, Any]:
        accept, reason = by[task["by"]].judge(task["question"], calls[task["question"]["call_id"]])
        return {"id": task["id"], **verdict(task["question"]["id"], "judge", accept, reason, task["by"])}

    done = run.resume(stage, tasks, work, label="judges", workers=max(judge.workers for judge in judges))
    return [{key: value for key, value in row.items() if key != "id"} for row in done]


def _judges_facts(rows: list[dict[str, Any]], groups: Mapping[str, str]) -> dict[str, Any]:
    """Counts of each judge and how far they agree, for the manifest."""
    from .judges import UNDECIDED, agreement

    undecided = Counter(row["by"] for row in rows if row["reason"].startswith(UNDECIDED))
    counts = {by: {"accepted": sum(r["accept"] for r in rows if r["by"] == by), "undecided": undecided[by],
                   "read": sum(r["by"] == by for r in rows)} for by in sorted({row["by"] for row in rows})}
    table = agreement(rows, groups)
    return {"counts": counts, "agreement": table.astype(object).where(table.notna(), None).to_dict("records")}


def funnel(run: Run) -> pd.DataFrame:
    """Counts at each step from proposed calls to kept questions: step, unit, count, and what was lost to what."""
    import pandas as pd

    calls, questions, verdicts = run.read("calls.jsonl"), run.read("questions.jsonl"), run.read("verdicts.jsonl")
    seen = {v["question_id"] for v in verdicts if v["layer"] == "human"}
    rows = [
        {"step": "proposed", "unit": "calls", "count": len(calls)},
        {"step": "answered with content", "unit": "calls", "count": sum(c["outcome"] == "ok" for c in calls)},
        {"step": "written", "unit": "questions", "count": len(questions)},
    ]
    for layer in ("execution", "judge"):
        rows.append({"step": f"accepted by {layer}", "unit": "questions",
                     "count": sum(v["accept"] for v in verdicts if v["layer"] == layer)})
    rows.append({"step": "seen by a human", "unit": "questions", "count": len(seen)})
    rows.append({"step": "kept", "unit": "questions", "count": len(accepted(verdicts))})
    return pd.DataFrame(rows)


if __name__ == "__main__":
    import sys

    from biotool_lib.road import main

    sys.exit(main(stage="filters"))
