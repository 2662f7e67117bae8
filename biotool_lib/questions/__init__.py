"""Questions, written from the responses of executed calls. Run with `python -m biotool_lib.questions --run runs/laptop`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from ..calls import authored
from ..calls.strata import stratum
from ..common.runner import Run
from ..errors import InvalidParameter, Problem, did_you_mean
from . import grammar
from .held_out import STYLES, write_all

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NO_QUESTIONS", "STYLES", "GrammarWriter", "Writer", "write_questions"]
NO_QUESTIONS = frozenset({"blast_retrieve"})  # a fetch by request identifier, which nobody asks for in words


class Writer(Protocol):
    """What writes the questions of a call; `settings` are what they depend on, `resumable` says that each call's are worth keeping."""

    name: str
    settings: dict[str, Any]
    resumable: bool
    workers: int

    def write(self, call: Mapping[str, Any], seed: int = 0) -> dict[str, dict[str, Any]]:
        """For each style a question as {question, family, answer_path, answer_value}, or {"refused": reason}."""

    def report(self) -> dict[str, Any]:
        """What the manifest says of the work besides counts, such as its cost."""


class GrammarWriter:
    """Phrasings of our own, filled from the call; needs no model. Example: `GrammarWriter().write(call)`"""

    name, resumable, workers = "grammar", False, 1
    settings = {"writer": "grammar"}  # noqa: RUF012

    def write(self, call: Mapping[str, Any], seed: int = 0) -> dict[str, dict[str, Any]]:
        """A question of each style, of any family; a whole run's questions come from `held_out.write_all`."""
        return {style: grammar.write(call, style, seed) or {"refused": "no phrasing fits"} for style in STYLES}

    def report(self) -> dict[str, Any]:
        """Nothing: it costs nothing."""
        return {}


WRITERS = {"grammar": GrammarWriter}


def write_questions(run: Run, writer: str | Writer | None = None) -> pd.DataFrame:
    """Two questions for every call that was answered: one plain, one as a biologist would say it.

    `writer` is the name of one that needs no settings (`grammar`) or a writer of your own, such as `ChatWriter`; without
    one, questions that a model wrote into this run stay, and a run that has none gets the grammar's. Writes
    `questions.jsonl`, and `questions_refused.jsonl` where a model's questions did not pass; both are counted in the
    manifest. Raises InvalidParameter for an unknown writer, or where a model's questions would be written over unasked.
    Example: `write_questions(Run("runs/laptop"))`
    """
    import pandas as pd

    chosen = _writer(run, writer)
    if chosen is None:
        return pd.DataFrame(run.read("questions.jsonl"))
    writes = ["questions.jsonl", *(["questions_refused.jsonl"] if chosen.resumable else [])]
    stage = run.stage("questions", reads=["calls.jsonl"], writes=writes, settings=chosen.settings)
    if not stage.done:
        asked = [call for call in run.read("calls.jsonl") if call["outcome"] == "ok" and call["name"] not in NO_QUESTIONS]
        calls = [call for call in asked if not call.get("authored")]
        families: dict[str, list[str]] = {}
        if chosen.resumable:
            written = run.resume(stage, calls, lambda call: {"id": call["id"], "written": chosen.write(call, run.seed)}, workers=chosen.workers)
            of_call = {row["id"]: row["written"] for row in written}
        elif isinstance(chosen, GrammarWriter):
            of_call, families = write_all(calls, run.seed)
        else:
            of_call = {call["id"]: chosen.write(call, run.seed) for call in calls}
        rows: list[dict[str, Any]] = []
        refused: list[dict[str, Any]] = []
        silent: Counter[str] = Counter()
        malformed = 0
        for call in calls:
            malformed += max(question.get("malformed", 0) for question in of_call[call["id"]].values())
            for style in STYLES:
                question = of_call[call["id"]][style]
                row = {"id": f"{call['id']}-{style}", "call_id": call["id"], "writer": chosen.name, "style": style,
                       "stratum": stratum(call), "held_out": False}
                question = {key: value for key, value in question.items() if key not in ("malformed", "text")}
                (refused if "refused" in question else rows).append({**row, **question})
                if "refused" in question:
                    silent[call["name"]] += 1
        rows += authored.questions(asked)
        run.write("questions.jsonl", rows)
        facts: dict[str, Any] = {
            "held_out": {"families": families, "calls": len({row["call_id"] for row in rows if row["held_out"]})},
            "strata": dict(sorted(Counter(row["stratum"] for row in rows).items())),
            "authored": sum(row["writer"] == authored.WRITER for row in rows),
        }
        if chosen.resumable:
            run.write("questions_refused.jsonl", refused)
            facts |= {"writer": chosen.name, "settings": chosen.settings, "refused": len(refused), "malformed": malformed, **chosen.report()}
        stage.finish(len(rows), without_phrasing=dict(sorted(silent.items())), **facts)
        run.tidy(stage)
    return pd.DataFrame(run.read("questions.jsonl"))


def _writer(run: Run, writer: str | Writer | None) -> Writer | None:
    """The writer that is meant, or None where the run keeps what a model wrote into it."""
    stamp = run.manifest["stages"].get("questions", {})
    if writer is None and "settings" in stamp:
        written = ["questions.jsonl", "questions_refused.jsonl"]
        if run.stage("questions", reads=["calls.jsonl"], writes=written, settings=stamp["settings"]).done:
            return None
        raise InvalidParameter("write_questions", [Problem(
            "writer", stamp["writer"], "wrote this run's questions, from other calls or with other code: name it again with its model to "
            "go on (what it has answered is not asked again), or name the grammar to replace them")])
    if writer is None or isinstance(writer, str):
        name = writer or "grammar"
        if name not in WRITERS:
            raise InvalidParameter("write_questions", [Problem("writer", name, did_you_mean(name, WRITERS))])
        return WRITERS[name]()
    return writer
