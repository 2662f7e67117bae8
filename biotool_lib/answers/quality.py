"""How good are answers in sentences? Language models as judges: blind marks from 1 to 10, and blind comparisons in both orders.

Records of comparisons have the form in which people's preferences are kept (question_id, item, left, right, winner, by), so that win rates
of people and of models come from one formula. Nothing here applies to `reader-v1`, which writes no sentences.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..common.llm import BadAnswer, ChatModel, RequestRefused, clean
from ..common.runner import Run, dumps
from ..common.stats import DRAWS, bootstrap
from ..errors import InvalidParameter, Problem, did_you_mean
from . import PROMPTS, artefact, read_answers
from .reader import NAME

if TYPE_CHECKING:
    import pandas as pd

LOWEST, HIGHEST = 1, 10
TIE = "tie"
SILENCE = "I do not know."
# What a summary of the paper reports for GPT-5.1 with biologists as raters on 1,048 test questions; its formula is not among our sources.
REPORTED = {"fine_tuned": 0.69, "oracle": 0.884}
_MARK = {"type": "object", "additionalProperties": False, "required": ["quality", "reason"],
         "properties": {"quality": {"type": "integer", "minimum": LOWEST, "maximum": HIGHEST}, "reason": {"type": "string"}}}
_CHOICE = {"type": "object", "additionalProperties": False, "required": ["better", "reason"],
           "properties": {"better": {"enum": ["A", "B", TIE]}, "reason": {"type": "string"}}}
Row = dict[str, Any]


class QualityJudge:
    """A language model that marks and compares answers without knowing where they come from; it sees the gold response as a reference.

    Example: `QualityJudge(ChatModel("judge", "http://127.0.0.1:8000/v1", meter)).mark("Where is TP53?", {"chr": "17"}, "On 17.")`
    """

    def __init__(self, model: ChatModel) -> None:
        self.model, self.workers = model, model.workers
        self.prompts = {name: (PROMPTS / f"{name}.md").read_text(encoding="utf-8").strip() for name in ("rate", "compare")}
        digest = hashlib.sha256(dumps([self.prompts, _MARK, _CHOICE]).encode()).hexdigest()[:8]
        self.by = f"{model.model}/quality-v1-{digest}"
        self.settings = {**model.settings, "by": self.by}

    def mark(self, question: str, reference: Any, text: str) -> Row:
        """{"mark": 1 to 10 or None, "reason"}; None where the model gave no usable one. Raises ChatFailed or BudgetSpent."""
        said = self._ask("rate", question, reference, f"Answer: {text or SILENCE}", _MARK)
        return {"mark": said["quality"] if said.get("quality") else None, "reason": said["reason"]}

    def prefer(self, question: str, reference: Any, left: str, right: str) -> Row:
        """{"decision": left, right, tie or None, "reason"} for two texts in this order. Raises ChatFailed or BudgetSpent."""
        said = self._ask("compare", question, reference, f"Answer A: {left or SILENCE}\n\nAnswer B: {right or SILENCE}", _CHOICE)
        return {"decision": {"A": "left", "B": "right", TIE: TIE}.get(said.get("better", "")), "reason": said["reason"]}

    def _ask(self, prompt: str, question: str, reference: Any, answers: str, schema: Mapping[str, Any]) -> Row:
        text = f"Question: {question}\n\nReference:\n{dumps(reference)}\n\n{answers}"
        try:
            value, _ = self.model.ask([{"role": "system", "content": self.prompts[prompt]}, {"role": "user", "content": text}], schema)
        except (BadAnswer, RequestRefused) as wrong:
            return {"reason": clean(str(wrong), 200)}
        return {**value, "reason": clean(value["reason"], 300)}


def judge_quality(run: Run, answerer: str, judges: Sequence[QualityJudge], baseline: str = "no_call", most: int = 200, split: str = "test",
                  progress: bool | None = None) -> pd.DataFrame:
    """Marks for every condition and comparisons of each with the baseline, in both orders; writes the answers' file with -quality and
    returns `quality_table`. `most` questions are drawn by the run's seed.

    Raises InvalidParameter for `reader-v1`, whose values are no answers in sentences, and for a baseline that was not answered.
    Example: `judge_quality(run, answerer.name, [QualityJudge(model)])`
    """
    answers = read_answers(run, answerer)
    problems = [Problem("answerer", answerer, "writes no sentences, so that there is no quality to judge: name a language model's")] if answerer == NAME else []
    known = sorted(answers["condition"].unique())
    problems += [] if baseline in known else [Problem("baseline", baseline, did_you_mean(baseline, known))]
    problems += [] if judges else [Problem("judges", [], "at least one")]
    if problems:
        raise InvalidParameter("judge_quality", problems)
    written = quality_artefact(answerer)
    stage = run.stage(f"quality/{answerer}", reads=[artefact(answerer), f"dataset/{split}.jsonl"], writes=[written],
                      settings={"judges": [judge.settings for judge in judges], "baseline": baseline, "most": most})
    if not stage.done:
        responses = {row["id"]: row["observation"] for row in run.read(f"dataset/{split}.jsonl")}
        asked = answers[answers["scorable"]]
        chosen = sorted(asked["question_id"].unique())
        chosen = random.Random(f"{run.seed}:quality").sample(chosen, min(most, len(chosen)))
        by = {judge.by: judge for judge in judges}
        tasks: list[Row] = [{**task, "id": f"{task['id']}|{name}", "by": name} for question in chosen
                 for task in _tasks(asked[asked["question_id"] == question].to_dict("records"), baseline) for name in by]

        def work(task: Row) -> Row:
            judge, reference = by[task["by"]], responses[task["item"]]
            said = (judge.mark(task["question"], reference, task["texts"][0]) if task["kind"] == "mark"
                    else judge.prefer(task["question"], reference, *task["texts"]))
            record: Row = {key: task[key] for key in ("id", "kind", "item", "group", "by", "question_id", "condition", "left", "right") if key in task}
            winner = {"left": task.get("left"), "right": task.get("right"), TIE: TIE}.get(said.get("decision") or "")
            return {**record, **said, **({"winner": winner} if task["kind"] == "preference" else {})}

        rows = run.resume(stage, tasks, work, label="quality", workers=max(judge.workers for judge in judges), progress=progress)
        run.write(written, rows)
        meters = {id(judge.model.meter): judge.model.meter for judge in judges}
        stage.finish(len(rows), judges=sorted(by), usage=[meter.summary() for meter in meters.values()])
        run.tidy(stage)
    return quality_table(run.read(written), baseline)


def quality_artefact(answerer: str) -> str:
    """Where the marks and comparisons of an answerer's answers lie in a run."""
    return artefact(answerer).removesuffix(".jsonl") + "-quality.jsonl"


def _tasks(rows: Sequence[Row], baseline: str) -> list[Row]:
    """The marks and comparisons of one question: each condition marked, and held against the baseline on both sides."""
    text = {row["condition"]: row["text"] for row in rows}
    tasks = []
    for row in rows:
        name, shared = row["condition"], {"item": row["question_id"], "group": row["group"], "question": row["question"]}
        tasks.append({**shared, "kind": "mark", "id": f"{row['question_id']}|{name}", "condition": name, "texts": [text[name]]})
        if name != baseline:
            key = "|".join([row["question_id"], *sorted((name, baseline))])
            tasks += [{**shared, "kind": "preference", "id": f"{key}|{left} left", "question_id": key, "left": left, "right": right,
                       "texts": [text[left], text[right]]} for left, right in ((name, baseline), (baseline, name))]
    return tasks


def win_rate(records: Sequence[Mapping[str, Any]], first: str, second: str) -> Row:
    """How often `first` is preferred to `second`, a tie counting half: {value, n, low, high, items, records, swayed}.

    Several records of one judge on one item (both orders) are averaged first; n counts those. The interval is drawn over calls, or items.
    `swayed` is the share of items on which a judge's two orders name opposite winners. Example: `win_rate(records, "oracle", "no_call")`
    """
    both = [r for r in records if {r.get("left"), r.get("right")} == {first, second} and r.get("winner") is not None]
    points: dict[tuple[str, str], list[float]] = {}
    group: dict[tuple[str, str], str] = {}
    for r in both:
        points.setdefault((r["item"], r["by"]), []).append(0.5 if r["winner"] == TIE else float(r["winner"] == first))
        group[r["item"], r["by"]] = r.get("group", r["item"])
    twice = [found for found in points.values() if len(found) > 1]
    return {**bootstrap([float(np.mean(found)) for found in points.values()], [group[key] for key in points]),
            "items": len({item for item, _ in points}), "records": len(both),
            "swayed": round(sum({0.0, 1.0} <= set(found) for found in twice) / len(twice), 4) if twice else None}


def quality_gain(records: Sequence[Mapping[str, Any]], condition: str, baseline: str = "no_call", draws: int = DRAWS) -> Row:
    """Normalised quality gain, by our own definition: the mean mark of a condition over that of the baseline, minus one.

    Over items and judges that marked both: {value, n, low, high, mean, baseline_mean}; the interval draws whole calls. All but n are None
    where nothing was marked. Example: `quality_gain(records, "oracle")`
    """
    marks: dict[tuple[str, str], dict[str, float]] = {}
    group: dict[tuple[str, str], str] = {}
    for r in records:
        if r.get("mark") is not None and r["condition"] in (condition, baseline):
            marks.setdefault((r["item"], r["by"]), {})[r["condition"]] = r["mark"]
            group[r["item"], r["by"]] = r.get("group", r["item"])
    pairs = {key: found for key, found in marks.items() if len(found) == len({condition, baseline})}
    if not pairs:
        return {"value": None, "n": 0, "low": None, "high": None, "mean": None, "baseline_mean": None}
    place = np.unique([group[key] for key in pairs], return_inverse=True)[1]
    sums = np.zeros((place.max() + 1, 2))
    np.add.at(sums, place, [[found[condition], found[baseline]] for found in pairs.values()])
    drawn = sums[np.random.default_rng(0).integers(0, len(sums), size=(draws, len(sums)))].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1] - 1, [0.025, 0.975])
    whole = sums.sum(axis=0)
    return {"value": round(float(whole[0] / whole[1] - 1), 6), "n": len(pairs), "low": round(float(low), 6), "high": round(float(high), 6),
            "mean": round(float(whole[0]) / len(pairs), 6), "baseline_mean": round(float(whole[1]) / len(pairs), 6)}


def quality_table(records: Sequence[Mapping[str, Any]], baseline: str = "no_call") -> pd.DataFrame:
    """Per condition the win rate against the baseline and the gain, and what was reported elsewhere: condition, win_rate, win_low, win_high,
    swayed, gain, gain_low, gain_high, n, reported_elsewhere (as reported; other questions, answerer, raters and formula)."""
    import pandas as pd

    lines = []
    for name in dict.fromkeys(r["condition"] for r in records if r.get("kind") == "mark" and r["condition"] != baseline):
        won, gain = win_rate(records, name, baseline), quality_gain(records, name, baseline)
        lines.append({"condition": name, "win_rate": won["value"], "win_low": won["low"], "win_high": won["high"], "swayed": won["swayed"],
                      "gain": gain["value"], "gain_low": gain["low"], "gain_high": gain["high"], "n": gain["n"], "reported_elsewhere": REPORTED.get(name)})
    return pd.DataFrame(lines)


def preference_items(run: Run, answerer: str, conditions: Sequence[str], most: int = 20) -> list[Row]:
    """Answers for people to compare, drawn by the run's seed: {id, question, answers: {condition: text}}.

    Example: `preference_items(run, answerer.name, ["no_call", "fine_tuned"])`
    """
    answers = read_answers(run, answerer)
    chosen = answers[answers["scorable"] & answers["condition"].isin(conditions)]
    names = sorted(chosen["question_id"].unique())
    picked = random.Random(f"{run.seed}:people").sample(names, min(most, len(names)))
    return [{"id": name, "question": rows[0]["question"], "answers": {row["condition"]: row["text"] or SILENCE for row in rows}}
            for name in picked for rows in [chosen[chosen["question_id"] == name].to_dict("records")]]
