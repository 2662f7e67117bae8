"""Judges that read: a language model sees question, call and response. Run with `python -m biotool_lib.judges --run runs/laptop`.

Two independent judges differ in model or in prompt; how far they agree is reported beside their verdicts, and how good
each of them is stands in the calibration (`judges.calibration`).
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..catalogue import tools
from ..common.llm import BadAnswer, ChatModel, RequestRefused, clean
from ..common.runner import dumps
from ..common.stats import bootstrap
from ..errors import InvalidParameter, Problem, did_you_mean
from ..filters import judge as rules
from ..questions.lexicon import literal

if TYPE_CHECKING:
    import pandas as pd

PROMPTS = Path(__file__).parent / "prompts"
POINTS = ("call_fits", "entity_fits", "response_fits", "answerable")
UNDECIDED = "no usable verdict"
TRIES = 2
_SCHEMA = {
    "type": "object", "additionalProperties": False, "required": [*POINTS, "accept", "reason"],
    "properties": {**{point: {"type": "boolean"} for point in (*POINTS, "accept")}, "reason": {"type": "string"}},
}


class Judge(Protocol):
    """Whatever gives a verdict on a question with its call and response; `by` names it in every verdict."""

    by: str
    workers: int

    def judge(self, question: Mapping[str, Any], call: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether to accept, and why."""


class RuleJudge:
    """The rules of `filters.judge` behind the interface of the judges. Example: `RuleJudge().judge(question, call)`"""

    by, workers = "rules-v2", 1

    def judge(self, question: Mapping[str, Any], call: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether to accept, and why."""
        return rules(question, call)


class ChatJudge:
    """A language model as a judge, with one of the prompts in `judges/prompts`; raises InvalidParameter for another one.

    A row is accepted only if the model says so and finds none of the four points lacking. An answer that stays malformed is
    no verdict: the row is not kept, and its reason begins with `UNDECIDED`. Example: `ChatJudge(model, "call_first").judge(q, call)`
    """

    def __init__(self, model: ChatModel, prompt: str = "call_first") -> None:
        known = sorted(path.stem for path in PROMPTS.glob("*.md"))
        if prompt not in known:
            raise InvalidParameter("chat judge", [Problem("prompt", prompt, did_you_mean(prompt, known))])
        self.model, self.workers = model, model.workers
        self.prompt = (PROMPTS / f"{prompt}.md").read_text(encoding="utf-8").strip()
        digest = hashlib.sha256(dumps([self.prompt, _SCHEMA]).encode()).hexdigest()[:8]
        self.by = f"{model.model}/{prompt}-v1-{digest}"
        self.settings = {**model.settings, "by": self.by}

    def judge(self, question: Mapping[str, Any], call: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether to accept, and why. Raises ChatFailed or BudgetSpent, which end the work."""
        messages = [{"role": "system", "content": self.prompt}, {"role": "user", "content": describe(question, call)}]
        problem = ""
        for attempt in range(TRIES):
            try:
                value, _ = self.model.ask(messages, _SCHEMA, attempt=attempt)
            except (BadAnswer, RequestRefused) as wrong:
                problem = str(wrong)
            else:
                failed = [point for point in POINTS if not value[point]]
                why = clean(value["reason"], 300) or "no reason given"
                return value["accept"] and not failed, f"{', '.join(failed)}: {why}" if failed else why
        return False, f"{UNDECIDED}: {clean(problem, 200)}"


def describe(question: Mapping[str, Any], call: Mapping[str, Any]) -> str:
    """A row as the model reads it: question, call with its description, response, and the answer on record."""
    tool = tools()[call["name"]]
    return "\n".join([
        f"Question: {question['question']}", f"Call: {dumps({'name': call['name'], 'arguments': call['arguments']})}",
        f"What the function does: {tool.description}", "Response:", json.dumps(call["observation"]["summary"], ensure_ascii=False),
        f"Answer on record: {question['answer_path']} = {literal(question['answer_value'])}",
    ])


def agreement(verdicts: Iterable[Mapping[str, Any]], groups: Mapping[str, str] | None = None, draws: int = 1000,
              layer: str = "judge") -> pd.DataFrame:
    """How far each two judges agree on the rows that both decided: share and Cohen's kappa, each with n and an interval.

    `layer` names whose verdicts are compared, and `accept` of a verdict may be any label. `groups` maps a question to its call,
    whose rows are drawn together. Kappa is None where both judges gave one and the same verdict throughout: nothing is left to
    agree on beyond chance. Example: `agreement(run.read("verdicts.jsonl"))`
    """
    import pandas as pd

    said: dict[str, dict[str, Any]] = {}
    for row in verdicts:
        if row["layer"] == layer and not row["reason"].startswith(UNDECIDED):
            said.setdefault(row["by"], {})[row["question_id"]] = row["accept"]
    rows = []
    for one, other in combinations(sorted(said), 2):
        both = sorted(said[one].keys() & said[other].keys())
        if not both:
            continue
        a, b = ([said[judge][question] for question in both] for judge in (one, other))
        names = [groups[question] if groups else question for question in both]
        share = bootstrap([float(x == y) for x, y in zip(a, b, strict=True)], names, draws=draws)
        low, high = _kappa_interval(a, b, names, draws)
        rows.append({"judge": one, "other": other, "n": len(both), "agreement": share["value"], "agreement_low": share["low"],
                     "agreement_high": share["high"], "kappa": kappa(a, b), "kappa_low": low, "kappa_high": high})
    return pd.DataFrame(rows, columns=["judge", "other", "n", "agreement", "agreement_low", "agreement_high", "kappa", "kappa_low", "kappa_high"])


def kappa(a: Sequence[Any], b: Sequence[Any]) -> float | None:
    """Cohen's kappa of two lists of verdicts or labels; None where it is not defined. Example: `kappa([True, False], [True, False])`"""
    from sklearn.metrics import cohen_kappa_score

    if len({*a, *b}) < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = float(cohen_kappa_score(a, b))
    return None if np.isnan(value) else round(value, 6)


def _kappa_interval(a: Sequence[Any], b: Sequence[Any], groups: list[str], draws: int) -> tuple[float | None, float | None]:
    """The percentile bootstrap over groups; groups with the same table of counts are drawn as one kind, which is the same and cheap."""
    names = np.unique(np.asarray(groups), return_inverse=True)[1]
    place = {label: i for i, label in enumerate(sorted({*a, *b}))}
    many = len(place)
    counts = np.zeros((names.max() + 1, many * many))
    np.add.at(counts, (names, [many * place[x] + place[y] for x, y in zip(a, b, strict=True)]), 1)
    kinds, often = np.unique(counts, axis=0, return_counts=True)
    tables = (np.random.default_rng(0).multinomial(len(counts), often / len(counts), size=draws) @ kinds).reshape(draws, many, many)
    total = tables.sum(axis=(1, 2))
    seen = np.trace(tables, axis1=1, axis2=2) / total
    chance = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1) / total**2
    values = (seen - chance)[chance < 1] / (1 - chance[chance < 1])
    if not values.size or kappa(a, b) is None:
        return None, None
    low, high = np.quantile(values, [0.025, 0.975])
    return round(float(low), 6), round(float(high), 6)
