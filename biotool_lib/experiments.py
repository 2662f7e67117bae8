"""All arms and seeds of the laptop model, resumably. Run with `python -m biotool_lib.experiments`; writes `results/laptop_experiments.json`.

Each study is a run folder (`runs/experiments/<dataset>`) and some models in it. A model that is trained or scored is not made again, and
the file is written after each study, so that it always says which studies have been run and which have not. Nothing is chosen here by
a score: every arm is reported.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import calls, dataset, evaluation, filters, questions
from .common.runner import Run, write_atomically
from .errors import RESUMES, InvalidParameter, Problem, did_you_mean, status_of
from .notebooks import project_root, share_cores
from .training import load_recipe, make_untrained, train

if TYPE_CHECKING:
    import pandas as pd

RESULTS = "results/laptop_experiments.json"
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Arm:
    """One model of a study: what it changes in the laptop recipe, and whether it is trained at all."""

    changes: dict[str, Any] = field(default_factory=dict)
    seeds: Sequence[int] = (0,)
    trained: bool = True


@dataclass(frozen=True)
class Study:
    """A question, the dataset on which it is asked, and the arms that answer it."""

    asks: str
    arms: dict[str, Arm]
    scheme: str = "call"
    no_call: float = 0.0


_IN_CONTEXT = {
    "base, no schema": Arm(trained=False),
    "base, schema of the right function": Arm({"menu": "compact", "menu_size": 1, "max_length": 2048}, trained=False),
    "base, menu of 8": Arm({"menu": "compact", "menu_size": 8, "max_length": 2048}, trained=False),
}
STUDIES = {
    "seeds": Study("What does fine-tuning reach on unseen calls, and how much does the seed matter?", {"fine-tuned": Arm(seeds=SEEDS), **_IN_CONTEXT}),
    "entities": Study("And on calls about entities that training has never named?", {"fine-tuned": Arm(seeds=SEEDS)}, scheme="entity"),
    "data": Study("What do more training calls bring?", {"a quarter": Arm({"share": 0.25}), "half": Arm({"share": 0.5}), "fine-tuned": Arm()}),
    "base": Study("What is the base worth?", {"fine-tuned": Arm(), "from random weights": Arm({
        "base": "scratch", "architecture": load_recipe("nano_base").architecture, "made_up_rows": 12000, "scramble": 0.6})}),
    "functions": Study(
        "Can a function be called that training has never shown, without its schema and with it?",
        {"fine-tuned without schemas": Arm(), "fine-tuned with menus of 2": Arm({"menu": "compact", "max_length": 640}),
         "base, menu of 2": Arm({"menu": "compact", "max_length": 2048}, trained=False)},
        scheme="function"),
    "no_call": Study(
        "Does a caller learn to call always, and is it cured by rows on which not to call is right?",
        {"without such rows": Arm({"no_call_rows": False}), "with such rows": Arm()}, no_call=0.1),
}


def experiments(folder: Path, only: Sequence[str] = (), target: Path | None = None, max_steps: int = -1,
                functions: list[str] | None = None) -> dict[str, Any]:
    """Run the studies (all, or those named) and return what stands in the results file `target`.

    `max_steps` and `functions` make everything smaller, to try it out.

    Raises InvalidParameter for an unknown study. Example: `experiments(Path("runs/experiments"), ["seeds"])`
    """
    unknown = [name for name in only if name not in STUDIES]
    if unknown:
        raise InvalidParameter("experiments", [Problem("study", name, did_you_mean(name, STUDIES)) for name in unknown])
    target = target or project_root() / RESULTS
    found: dict[str, Any] = json.loads(target.read_text(encoding="utf-8")) if target.is_file() else {"studies": {}}
    for name in only or STUDIES:
        found["studies"][name] = _study(name, STUDIES[name], folder, max_steps, functions)
        found["command"], found["not_run"] = "make experiments", [other for other in STUDIES if other not in found["studies"]]
        write_atomically(target, json.dumps(found, indent=1, sort_keys=True) + "\n")
    return found


def _study(name: str, study: Study, folder: Path, max_steps: int, functions: list[str] | None) -> dict[str, Any]:
    run = Run(folder / f"{study.scheme}{f'-no-call-{study.no_call:g}' if study.no_call else ''}")
    calls.enumerate_calls(run, functions=functions)
    questions.write_questions(run)
    filters.apply_filters(run)
    dataset.build(run, no_call=study.no_call, scheme=study.scheme)
    models: dict[str, dict[str, Any]] = {}
    for arm, how in study.arms.items():
        recipe = load_recipe("laptop", max_steps=max_steps, **how.changes)
        for seed in how.seeds:
            model = "-".join([*arm.replace(",", "").split(), str(seed)]) if how.trained else "-".join(arm.replace(",", "").split())
            print(f"{name}: {model} …", flush=True)
            if how.trained:
                train(run, recipe, model, seed=seed)
            else:
                make_untrained(run, recipe, model)
            stamp = run.manifest["stages"][f"model/{model}"]
            models[model] = {"arm": arm, "seed": seed if how.trained else None, "changes": how.changes,
                             **{key: stamp[key] for key in ("rows", "steps", "seconds", "parameters") if key in stamp and how.trained}}
    evaluation.predict_all(run, list(models))
    evaluation.evaluate(run, list(models))
    scores = json.loads((run.path / "scores.json").read_text(encoding="utf-8"))
    for model in models:
        models[model]["scores"] = scores[model]["test"]
    data = run.manifest["stages"]["dataset"]
    return {
        "asks": study.asks, "models": models, "scheme": study.scheme, "no_call": study.no_call, "settings": scores["_settings"],
        "manifest": {key: run.manifest[key] for key in ("profile", "backend", "seed", "versions", "created_at")}
        | {"dataset": {key: data[key] for key in ("rows", "sha256", "calls", "functions", "rows_per_split") if key in data}},
    }


def table(path: Path | None = None, metrics: Sequence[str] = ("exact_match", "schema_valid")) -> pd.DataFrame:
    """The studies that have been run, a line for each model and metric: study, arm, seed, scheme, metric, value, low, high, n.

    Empty where none has been run. Example: `table().query("study == 'seeds'")`
    """
    import pandas as pd

    path = path or project_root() / RESULTS
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"studies": {}}
    lines = [{"study": name, "arm": model["arm"], "seed": model["seed"], "scheme": study["scheme"], "metric": metric,
              **{key: model["scores"][metric][key] for key in ("value", "low", "high", "n")}}
             for name, study in found["studies"].items() for model in study["models"].values() for metric in metrics]
    return pd.DataFrame(lines, columns=["study", "arm", "seed", "scheme", "metric", "value", "low", "high", "n"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m biotool_lib.experiments", description=__doc__)
    parser.add_argument("--run", default="runs/experiments", help="folder of the studies' runs")
    parser.add_argument("--only", nargs="+", default=[], metavar="STUDY", help=f"some of {', '.join(STUDIES)}")
    options = parser.parse_args(arguments)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    share_cores()
    def work() -> int:
        experiments(project_root() / options.run, options.only)
        return 0

    return status_of(work, RESUMES)


if __name__ == "__main__":
    sys.exit(main())
