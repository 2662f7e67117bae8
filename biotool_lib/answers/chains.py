"""Chains: questions that take several calls, made from executed ones, a loop that carries them out, and what each planner reaches in it.

A planner is asked, with the question and all that was seen so far, for the next call, and says None when it is done. The loop makes the
call, keeps the response, and stops at a limit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..calls import call_id, run_client
from ..common.runner import Run, track
from ..common.stats import bootstrap_columns
from ..errors import InvalidParameter, Problem
from ..evaluation import settle
from ..filters import informative
from ..gateway import Client
from ..questions.grammar import look_up
from ..questions.lexicon import literal
from ..training.recipe import Recipe
from .checks import equal, present
from .planners import Decomposed, GoldPlanner, ModelCaller, OneStep, Planner, Row, Step, fill_in, templates
from .reader import Reader

if TYPE_CHECKING:
    import pandas as pd

FILE = "chains.jsonl"
PER_TEMPLATE = 15
STEP_LIMIT = 4
_SLOT = re.compile(r"\{(\w+)\}")
def make_chains(run: Run, client: Client | None = None, per_template: int = PER_TEMPLATE, progress: bool | None = None) -> pd.DataFrame:
    """Chains from the run's own calls, each step executed; writes chains.jsonl and returns it.

    A row: id, template, group (the first call), question, slots, steps [{call, id, ask, take, seen_in_training}], answer_path,
    answer_value. What was tried and why chains were dropped is counted in the manifest. Example: `make_chains(Run("runs/laptop"))`
    """
    import pandas as pd

    stage = run.stage("chains", reads=["calls.jsonl", "dataset/train.jsonl", "dataset/validation.jsonl"], writes=[FILE],
                      settings={"per_template": per_template})
    if not stage.done:
        service, calls = client or run_client(run), run.read("calls.jsonl")
        trained = {call_id(row["call"]) for part in ("train", "validation") for row in run.read(f"dataset/{part}.jsonl") if row["call"]}
        rows: list[Row] = []
        counts: dict[str, dict[str, int]] = {}
        for name, template in track(list(templates().items()), "chains", progress):
            kept, tally = 0, counts.setdefault(name, {})
            # Calls that training has not seen come first, in the order of their ids, which is as good as by lot.
            starts = sorted(_starts(template, calls), key=lambda start: (start[0] in trained, start[0]))
            for _, slots in starts:
                if kept == per_template:
                    break
                made = build_chain(name, slots, service, trained)
                why = made if isinstance(made, str) else "kept"
                tally[why] = tally.get(why, 0) + 1
                if isinstance(made, dict):
                    kept += 1
                    rows.append(made)
        run.write(FILE, rows)
        stage.finish(len(rows), counts=counts)
    return pd.DataFrame(run.read(FILE))


def _starts(template: Row, calls: Sequence[Row]) -> Iterator[tuple[str, dict[str, str]]]:
    """The run's calls that fit a template's first step, with what stands in its slots."""
    first = template["steps"][0]
    for call in calls:
        if call["name"] == first["call"] and call["outcome"] == "ok" and set(call["arguments"]) == set(first["arguments"]):
            slots: dict[str, str] | None = {}
            for key, wanted in first["arguments"].items():
                found = _match(wanted, call["arguments"][key])
                slots = None if slots is None or found is None else slots | found
            if slots:
                yield call["id"], slots


def _match(wanted: Any, given: Any) -> dict[str, str] | None:
    if not isinstance(wanted, str) or not isinstance(given, str) or "{" not in wanted:
        return {} if wanted == given else None
    pattern = "".join(f"(?P<{part}>[^\\[\\]:\"]+)" if place % 2 else re.escape(part) for place, part in enumerate(_SLOT.split(wanted)))
    found = re.fullmatch(pattern, given)
    return found.groupdict() if found else None


def build_chain(name: str, slots: Mapping[str, str], client: Client, trained: set[str] | frozenset[str] = frozenset()) -> Row | str:
    """One chain of a template, executed from its first slots, or the reason why there is none.

    Example: `build_chain("symbol_to_band", {"symbol": "BRCA2"}, Client())`
    """
    template, values, steps, seen = templates()[name], dict(slots), [], []
    for number, step in enumerate(template["steps"], 1):
        observation = client.call(step["call"], fill_in(step["arguments"], values))
        if observation.outcome != "ok":
            return f"step {number}: {observation.outcome}"
        if any(look_up(observation.summary, path) != value for path, value in step.get("only", {}).items()):
            return f"step {number}: not the only one"
        ask, call = fill_in(step["ask"], values), {"name": observation.name, "arguments": dict(observation.arguments)}
        taken = {slot: look_up(observation.summary, path) for slot, path in step.get("take", {}).items()}
        if any(value is None or isinstance(value, list | Mapping) for value in taken.values()):
            return f"step {number}: nothing to go on with"
        values |= taken
        steps.append({"id": call_id(call), "call": call, "ask": ask, "take": taken, "seen_in_training": call_id(call) in trained})
        seen.append(observation.summary)
    answer, question = look_up(seen[-1], template["answer"]), fill_in(template["question"], slots)
    if not informative(answer):
        return "the last response has no answer"
    if any(present(answer, earlier) for earlier in seen[:-1]) or literal(answer).casefold() in question.casefold():
        return "the answer stands in the question or in an earlier response"
    return {"id": f"chain-{name}-{steps[0]['id']}", "template": name, "group": steps[0]["id"], "question": question, "slots": dict(slots),
            "steps": steps, "answer_path": template["answer"], "answer_value": answer}


def run_chain(question: str, planner: Planner, client: Client, limit: int = STEP_LIMIT) -> tuple[list[Step], str]:
    """One question through the loop: the steps made, and why it ended (done, repeated, limit). Example: `run_chain(q, planner, Client())`"""
    return run_chains([question], planner, client, limit)[0]


def run_chains(questions: Sequence[str], planner: Planner, client: Client, limit: int = STEP_LIMIT) -> list[tuple[list[Step], str]]:
    """`run_chain` for many questions side by side, so that a planner may work on all next steps at once.

    A call that was made before in the same chain ends it; one that fails does not, it is the planner's turn again. Raises
    InvalidParameter for a limit below 1.
    """
    if limit < 1:
        raise InvalidParameter("run_chains", [Problem("limit", limit, "1 or more")])
    history: list[list[Step]] = [[] for _ in questions]
    ended: dict[int, str] = {}
    known: dict[str, tuple[str, Any]] = {}
    for _ in range(limit):
        active = [i for i in range(len(questions)) if i not in ended]
        for i, raw in zip(active, planner.propose([(questions[i], history[i]) for i in active]) if active else [], strict=True):
            call = settle(raw)[0] if raw is not None else None
            if raw is None:
                ended[i] = "done"
            elif call is None:
                history[i].append({"call": None, "outcome": "invalid_arguments", "summary": None})
            elif any(step["call"] is not None and call_id(step["call"]) == call_id(call) for step in history[i]):
                ended[i] = "repeated"
            else:
                if call_id(call) not in known:
                    seen = client.call(call["name"], call["arguments"])
                    known[call_id(call)] = (seen.outcome, seen.summary if seen.ok else None)
                outcome, summary = known[call_id(call)]
                history[i].append({"call": call, "outcome": outcome, "summary": summary})
    active = [i for i in range(len(questions)) if i not in ended]
    if active and not planner.given_plan:  # one more word, so that stopping after the last allowed step is not held against it
        for i, raw in zip(active, planner.propose([(questions[i], history[i]) for i in active]), strict=True):
            ended[i] = "done" if raw is None else "limit"
    return [(steps, ended.get(i, "limit")) for i, steps in enumerate(history)]


def default_planners(run: Run, recipe: Recipe, model: str | None = None) -> dict[str, Callable[[], Planner]]:
    """What the book compares: gold calls; the trained model with the whole question, and with one step's question at a time, slots filled
    from the declared path or by the reader. Nothing is loaded before it is needed. Example: `default_planners(run, load_recipe("laptop"))`
    """
    chains, name = run.read(FILE), model or recipe.name
    caller = ModelCaller(run.path / "models" / name, recipe)
    return {
        "gold": lambda: GoldPlanner(chains), "whole": lambda: OneStep(name, caller), "steps": lambda: Decomposed(name, caller, chains),
        "steps, read": lambda: Decomposed(name, caller, chains, Reader.load(run)),
    }


def solve_chains(run: Run, planners: Mapping[str, Callable[[], Planner]], reads: Sequence[str] = (), client: Client | None = None,
                 limit: int = STEP_LIMIT, progress: bool | None = None) -> pd.DataFrame:
    """Every chain of the run through the loop with every planner; writes answers/chains.jsonl and returns `chain_table`.

    The answer is what `reader-v1` reads from the last response. `planners` are functions that make one, called only where the work is not
    done; `reads` names the artefacts that they depend on. Example: `solve_chains(run, default_planners(run, recipe), ["models/laptop"])`
    """
    written = "answers/chains.jsonl"
    stage = run.stage("solve_chains", reads=[FILE, "dataset/train.jsonl", *reads], writes=[written],
                      settings={"planners": list(planners), "limit": limit})
    if not stage.done:
        chains, service, reader = run.read(FILE), client or run_client(run), Reader.load(run)
        rows: list[Row] = []
        for make in track(list(planners.values()), "planners", progress):
            planner = make()
            solved = run_chains([chain["question"] for chain in chains], planner, service, limit)
            rows += [score_chain(chain, steps, why, planner, reader) for chain, (steps, why) in zip(chains, solved, strict=True)]
        run.write(written, rows)
        stage.finish(len(rows), planners=sorted({row["planner"] for row in rows}))
    return chain_table(run)


def score_chain(chain: Mapping[str, Any], steps: Sequence[Step], ended: str, planner: Planner, reader: Reader) -> Row:
    """What one chain through the loop is worth: id, planner, answer, accuracy, present, right (per gold step), steps_right, all_right,
    stopped (None where the plan was given), ended, calls."""
    last = next((step["summary"] for step in reversed(steps) if step["summary"] is not None), None)
    found = reader.read(planner.last_asked(chain["question"], steps), last) if last is not None else None
    made = [None if step["call"] is None else call_id(step["call"]) for step in steps]
    right = [place < len(made) and made[place] == step["id"] for place, step in enumerate(chain["steps"])]
    return {"id": chain["id"], "template": chain["template"], "group": chain["group"], "planner": planner.name, "question": chain["question"],
            "wanted": chain["answer_value"], "answer": found.value if found else None, "ended": ended, "right": right,
            "accuracy": found is not None and equal(found.value, chain["answer_value"]),
            "present": last is not None and present(chain["answer_value"], last), "steps_right": sum(right) / len(right), "all_right": all(right),
            "stopped": None if planner.given_plan else ended == "done" and len(steps) == len(chain["steps"]),
            "calls": [{"call": step["call"], "outcome": step["outcome"]} for step in steps]}


CHAIN_METRICS = ("accuracy", "present", "steps_right", "all_right", "stopped")


def chain_table(run: Run, by: str | None = None) -> pd.DataFrame:
    """Per planner (and template) the mean of CHAIN_METRICS with n and a 95 % interval from whole first calls.

    Example: `chain_table(run, by="template")`
    """
    import pandas as pd

    rows, lines = pd.DataFrame(run.read("answers/chains.jsonl")), []
    keys = ["planner"] + ([by] if by else [])
    for name, chosen in rows.groupby(keys, sort=False):
        columns = {metric: chosen[metric].astype(float).to_numpy() for metric in CHAIN_METRICS}
        for metric, found in bootstrap_columns(columns, chosen["group"].to_numpy(), seed=run.seed).items():
            lines.append({**dict(zip(keys, name, strict=True)), "metric": metric, **found})
    return pd.DataFrame(lines)


def step_table(run: Run) -> pd.DataFrame:
    """How right each step is: planner, step, right (share of all chains that have it), n, given (share of those right so far), n_given."""
    import pandas as pd

    lines = []
    for planner, rows in pd.DataFrame(run.read("answers/chains.jsonl")).groupby("planner", sort=False):
        for step in range(max(map(len, rows["right"]))):
            having = [right for right in rows["right"] if len(right) > step]
            so_far = [right for right in having if all(right[:step])]
            lines.append({"planner": planner, "step": step + 1, "right": sum(r[step] for r in having) / len(having), "n": len(having),
                          "given": sum(r[step] for r in so_far) / len(so_far) if so_far else None, "n_given": len(so_far)})
    return pd.DataFrame(lines)
