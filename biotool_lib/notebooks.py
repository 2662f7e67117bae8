"""How notebooks start, and how they are run: in book order, with checked parameters, outputs written back.

Run with `python -m biotool_lib.notebooks --params notebooks/params/laptop.yaml`.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .common.runner import Run, write_atomically
from .errors import InvalidParameter, Problem, did_you_mean
from .files import read_yaml
from .training.recipe import Recipe, load_recipe

PARAMETERS = ("profile", "run", "backend", "recordings", "seed", "recipe", "max_steps")


@dataclass(frozen=True)
class Setup:
    """What a notebook works with: the run it belongs to and the recipe of its model."""

    run: Run
    recipe: Recipe

    def __repr__(self) -> str:
        m = self.run.manifest
        return f"run {self.run.path.name} · profile {m['profile']} · backend {m['backend']} · seed {m['seed']} · recipe {self.recipe.name}"


def start(*, profile: str = "laptop", run: str = "runs/laptop", backend: str = "atlas", recordings: str | None = None,
          seed: int = 0, recipe: str = "laptop", max_steps: int = -1) -> Setup:
    """Open the notebook's run. The file named by the environment variable BIOTOOL_PARAMS, if any, overrides the parameters.

    Raises InvalidParameter for a parameter that does not exist or does not fit. Example: `start(run="runs/laptop")`
    """
    values: dict[str, Any] = {"profile": profile, "run": run, "backend": backend, "recordings": recordings, "seed": seed,
                              "recipe": recipe, "max_steps": max_steps}
    if os.environ.get("BIOTOOL_PARAMS"):
        values |= read_parameters(project_root() / os.environ["BIOTOOL_PARAMS"])
    os.environ.setdefault("HF_HUB_OFFLINE", "1" if load_recipe(values["recipe"]).base == "scratch" else "0")
    share_cores()
    folder = project_root() / values["run"]
    opened = Run(folder, profile=values["profile"], backend=values["backend"], recordings=values["recordings"], seed=values["seed"])
    return Setup(opened, load_recipe(values["recipe"], max_steps=values["max_steps"]))


def share_cores() -> None:
    """Let torch's threads sleep while they wait for each other; to be called before torch is imported.

    By default they spin, and any other program on a machine with few cores slows a training down several times.
    Source: https://gcc.gnu.org/onlinedocs/libgomp/OMP_005fWAIT_005fPOLICY.html
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def project_root() -> Path:
    """The folder that notebooks' relative paths are meant from: the nearest one above with a _config.yml, else the current."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "_config.yml").is_file()), here)


def read_parameters(path: Path, known: Mapping[str, Any] | tuple[str, ...] = PARAMETERS) -> dict[str, Any]:
    """A profile's parameters from its YAML file; a misspelt one is an error that names it."""
    if not path.is_file():
        raise InvalidParameter("profile", [Problem("params", str(path), "no such file; profiles lie in notebooks/params/")])
    values = read_yaml(path)
    refuse_unknown(values, known, path.name)
    return values


def refuse_unknown(values: Mapping[str, Any], known: Any, subject: str) -> None:
    """Raise InvalidParameter for every name that is not among the known ones."""
    problems = [Problem(key, value, f"no such parameter; {did_you_mean(key, known)}") for key, value in values.items() if key not in known]
    if problems:
        raise InvalidParameter(subject, problems)


def book_order(root: Path) -> list[Path]:
    """The notebooks that the table of contents names, in its order."""
    toc = read_yaml(root / "_toc.yml")
    files = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    files += [section["file"] for part in toc["parts"] for chapter in part["chapters"] for section in chapter.get("sections", [])]
    return sorted((root / f"{f}.ipynb" for f in files if f.startswith("notebooks/")), key=lambda p: ("workshop" in p.parts, p.name))


def execute(path: Path, values: Mapping[str, Any], root: Path) -> None:
    """Run one notebook with Papermill and write its outputs back, without paths or times of this machine.

    Only parameters that differ from the notebook's own are passed; on a failing cell the notebook keeps its former outputs.
    """
    import nbformat
    import papermill

    drop_injected(path)
    has = papermill.inspect_notebook(str(path))
    chosen = {key: value for key, value in values.items() if key in has}
    part = path.with_name(f".{path.stem}.part.ipynb")
    try:
        changed = {key: value for key, value in chosen.items() if ast.literal_eval(has[key]["default"]) != value}
        papermill.execute_notebook(str(path), str(part), parameters=changed, cwd=str(root), progress_bar=False, kernel_name="python3")
        notebook = nbformat.read(part, as_version=4)
        write_atomically(path, number_widgets(nbformat.writes(clean(notebook))) + "\n")
    finally:
        part.unlink(missing_ok=True)


def drop_injected(path: Path) -> None:
    """Remove the parameters that an earlier run with another profile left in a notebook."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    kept = [cell for cell in notebook.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    if len(kept) < len(notebook.cells):
        notebook.cells = kept
        write_atomically(path, nbformat.writes(notebook) + "\n")


def clean(notebook: Any) -> Any:
    """Remove what Papermill and the kernel stamp in: absolute paths and times."""
    notebook.metadata.pop("papermill", None)
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
    return notebook


def number_widgets(text: str) -> str:
    """A notebook's JSON with its widgets' random ids replaced by numbers, so that a rerun changes nothing.

    Numbers follow the outputs and, from widget to widget, what refers to what. Example: `number_widgets(path.read_text())`
    """
    import nbformat

    notebook = nbformat.reads(text, as_version=4)
    states = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
    order: dict[str, int] = {}

    def number(model: str) -> None:
        if model in states and model not in order:
            order[model] = len(order) + 1
            for part in re.findall(r"IPY_MODEL_(\w+)", json.dumps(states[model], sort_keys=True)):
                number(part)

    for model in re.findall(r'"model_id": "(\w+)"', json.dumps(notebook.cells)):
        number(model)
    inner = set(re.findall(r"IPY_MODEL_(\w+)", json.dumps(states)))
    for model in sorted(states, key=lambda m: (m in inner, re.sub(r"IPY_MODEL_\w+", "", json.dumps(states[m], sort_keys=True)))):
        number(model)
    for model, place in order.items():
        text = text.replace(model, f"{place:032x}")
    return nbformat.writes(nbformat.reads(text, as_version=4))


def main(arguments: list[str] | None = None) -> int:
    """Command line: run the book's notebooks in order with one profile."""
    parser = argparse.ArgumentParser(prog="python -m biotool_lib.notebooks", description=main.__doc__)
    parser.add_argument("--params", default="notebooks/params/laptop.yaml", help="profile: a YAML file of parameters")
    parser.add_argument("-p", "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="change one parameter")
    parser.add_argument("--only", default="", help="only notebooks whose name contains this text")
    parser.add_argument("--list", action="store_true", help="print the notebooks in book order and do nothing")
    options = parser.parse_args(arguments)
    root = project_root()
    if options.list:
        print("\n".join(str(path.relative_to(root)) for path in book_order(root)))
        return 0
    try:
        values = read_parameters(root / options.params)
        values |= {name: yaml.safe_load(value) for name, value in options.parameter}
        refuse_unknown(values, PARAMETERS, "parameters")
    except InvalidParameter as wrong:
        print(f"error: {wrong}", file=sys.stderr)
        return 2
    for path in book_order(root):
        if options.only in path.name:
            started = time.monotonic()
            print(f"{path.relative_to(root)} …", end=" ", flush=True)
            execute(path, values, root)
            print(f"{time.monotonic() - started:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
