"""The whole road in one command, without notebooks: calls, questions, filters, dataset, training, predictions, scores.

Run with `python -m biotool_lib.road --run runs/replay --backend replay --recordings FOLDER`; interrupted, it resumes.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from . import calls, dataset, evaluation, filters, generation, questions
from .common.runner import Run
from .errors import BioToolError
from .notebooks import share_cores
from .training import load_recipe, make_untrained, train

STAGES = ("calls", "questions", "filters", "dataset", "training", "evaluation")


def travel(run: Run, recipe_name: str = "laptop", until: str = "evaluation", max_steps: int = -1) -> None:
    """Do every stage up to `until` that is not done yet, saying what each left behind."""
    recipe = load_recipe(recipe_name, max_steps=max_steps)
    steps = {
        "calls": lambda: calls.enumerate_calls(run),
        "questions": lambda: questions.write_questions(run),
        "filters": lambda: filters.apply_filters(run),
        "dataset": lambda: dataset.build(run),
        "training": lambda: (make_untrained(run, recipe), train(run, recipe, on_log=_say)),
        "evaluation": lambda: _evaluate(run, recipe),
    }
    for name in STAGES[: STAGES.index(until) + 1]:
        print(f"{name} …", flush=True)
        steps[name]()
        for stage, stamp in run.manifest["stages"].items():
            if stage.split("/")[0] == {"training": "model"}.get(name, name):
                facts = {k: v for k, v in stamp.items() if k not in ("sha256", "key", "seconds", "rows", "functions")}
                print(f"  {stage}: {stamp['rows']} rows in {stamp['seconds']} s {facts or ''}", flush=True)


def _evaluate(run: Run, recipe) -> None:
    names = ["untrained", recipe.name]
    for name in names:
        generation.predict(run, run.path / "models" / name, recipe)
    generation.retrieve(run)
    table = evaluation.evaluate(run, ["untrained", "retrieval", recipe.name])
    print(table[table.part == "overall"].to_string(index=False))


def _say(entry) -> None:
    if "loss" in entry:
        print(f"  step {entry['step']} of {entry['steps']}: loss {float(entry['loss']):.3f}", flush=True)


def main(arguments: list[str] | None = None, stage: str | None = None) -> int:
    """Command line; each stage's own `python -m biotool_lib.<stage>` comes here and stops after itself."""
    parser = argparse.ArgumentParser(prog=f"python -m biotool_lib.{stage or 'road'}", description=__doc__)
    parser.add_argument("--run", default="runs/laptop", help="run folder")
    parser.add_argument("--profile", default="laptop")
    parser.add_argument("--backend", default="atlas", help="atlas, replay or live")
    parser.add_argument("--recordings", help="folder of recordings with an index.jsonl (replay)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", default="laptop")
    parser.add_argument("--max-steps", type=int, default=-1, help="stop training early (for trying things out)")
    parser.add_argument("--until", choices=STAGES, default=stage or "evaluation", help="the last stage to do")
    options = parser.parse_args(arguments)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    share_cores()
    try:
        run = Run(Path(options.run), profile=options.profile, backend=options.backend, recordings=options.recordings, seed=options.seed)
        travel(run, options.recipe, options.until, options.max_steps)
    except BioToolError as wrong:
        print(f"error: {wrong}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
