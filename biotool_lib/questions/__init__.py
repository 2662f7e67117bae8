"""Questions, written from the responses of executed calls. Run with `python -m biotool_lib.questions --run runs/laptop`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ..common.runner import Run
from ..errors import InvalidParameter, Problem, did_you_mean
from . import grammar

if TYPE_CHECKING:
    import pandas as pd

WRITERS = {"grammar": grammar.write}
STYLES = ("plain", "expert")
NO_QUESTIONS = frozenset({"blast_retrieve"})  # a fetch by request identifier, which nobody asks for in words


def write_questions(run: Run, writer: str = "grammar") -> pd.DataFrame:
    """Two questions for every call that was answered: one plain, one as a biologist would say it.

    Writes `questions.jsonl`; calls that no phrasing fits are counted in the manifest. Raises InvalidParameter for an
    unknown writer. Example: `write_questions(Run("runs/laptop"))`
    """
    import pandas as pd

    if writer not in WRITERS:
        raise InvalidParameter("write_questions", [Problem("writer", writer, did_you_mean(writer, WRITERS))])
    stage = run.stage("questions", reads=["calls.jsonl"], writes=["questions.jsonl"], settings={"writer": writer})
    if not stage.done:
        rows: list[dict[str, Any]] = []
        silent: Counter[str] = Counter()
        for call in run.read("calls.jsonl"):
            if call["outcome"] != "ok" or call["name"] in NO_QUESTIONS:
                continue
            for style in STYLES:
                written = WRITERS[writer](call, style, run.seed)
                if written is None:
                    silent[call["name"]] += 1
                else:
                    rows.append({"id": f"{call['id']}-{style}", "call_id": call["id"], "writer": writer, "style": style, **written})
        run.write("questions.jsonl", rows)
        stage.finish(len(rows), without_phrasing=dict(sorted(silent.items())))
    return pd.DataFrame(run.read("questions.jsonl"))
