"""All arms and seeds of the laptop model, resumably. Run with `python -m biotool_lib.experiments`; writes `results/laptop_seeds.json`.

The dataset is that of one seed; what varies is the seed of the weights and the order of training. Validation is not used to
choose anything here: every arm and seed is reported.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from . import calls, dataset, evaluation, filters, generation, questions
from .common.runner import Run, write_atomically
from .notebooks import project_root, share_cores
from .training import load_recipe, make_untrained, train

ARMS = {"plain": {"scramble": 0.0}, "scrambled": {}}
SEEDS = (0, 1, 2)


def experiments(run: Run, seeds: tuple[int, ...] = SEEDS, recipe_name: str = "laptop", max_steps: int = -1) -> dict[str, Any]:
    """Train and score every arm with every seed; returns what is written to results/.

    A model that is already trained or scored is not made again.
    """
    calls.enumerate_calls(run)
    questions.write_questions(run)
    filters.apply_filters(run)
    dataset.build(run)
    models = ["untrained", "retrieval"]
    base = load_recipe(recipe_name, max_steps=max_steps)
    generation.predict(run, make_untrained(run, base), base)
    generation.retrieve(run)
    for arm, changes in ARMS.items():
        recipe = load_recipe(recipe_name, max_steps=max_steps, **changes)
        for seed in seeds:
            name = f"{arm.replace(' ', '_')}-{seed}"
            print(f"{name} …", flush=True)
            generation.predict(run, train(run, recipe, name, seed=seed), recipe)
            models.append(name)
    table = evaluation.evaluate(run, models)
    overall = table[table["part"] == "overall"]
    return {
        "models": {
            m: {r["metric"]: {k: r[k] for k in ("value", "low", "high", "n")} for r in overall[overall["model"] == m].to_dict("records")}
            for m in models
        },
        "manifest": {k: run.manifest[k] for k in ("profile", "backend", "seed", "versions", "created_at")}
        | {"dataset": {k: v for k, v in run.manifest["stages"]["dataset"].items() if k in ("rows", "sha256", "calls", "functions", "rows_per_split")},
           "command": "make experiments", "recipe": recipe_name, "seeds": list(seeds), "arms": ARMS},
    }


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m biotool_lib.experiments", description=__doc__)
    parser.add_argument("--run", default="runs/experiments", help="run folder")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    options = parser.parse_args(arguments)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    share_cores()
    root = project_root()
    found = experiments(Run(root / options.run), tuple(options.seeds))
    write_atomically(root / "results/laptop_seeds.json", json.dumps(found, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
