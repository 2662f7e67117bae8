"""`python -m biotool_lib.evaluation hosted` and `in-context`: models that were not trained here, on a run's questions.

    python -m biotool_lib.evaluation hosted --run RUN --model NAME --base-url http://127.0.0.1:8000/v1 --menu 8
    python -m biotool_lib.evaluation in-context --run RUN --folder FOLDER --shots 4 --menu 8

Both write predictions/<name>.jsonl; `python -m biotool_lib.evaluation score --run RUN` then scores all predictions of the run together.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

from ..common.exchanges import Exchanges, Meter, load_prices
from ..common.llm import KEY_VARIABLE, ChatModel
from ..common.runner import Run
from ..errors import RESUMES, InvalidParameter, Problem, status_of
from . import evaluate
from .baselines import hosted, in_context

COMMANDS = ("hosted", "in-context", "score")


def main(arguments: list[str]) -> int:
    """Command line: the first argument is one of COMMANDS."""
    command = arguments[0]
    parser = argparse.ArgumentParser(prog=f"python -m biotool_lib.evaluation {command}", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default="runs/laptop", help="run folder with a dataset")
    if command != "score":
        parser.add_argument("--name", help="name of the predictions (default: model, examples and menu)")
        parser.add_argument("--split", default="test", help="test, or authored with --name NAME-authored")
        parser.add_argument("--menu", default="2", help="functions in the prompt: a number, none or all (default: %(default)s)")
        parser.add_argument("--retriever", choices=("bm25", "embedding"), help="offer the best found ones instead of drawn ones with the right one")
        parser.add_argument("--shots", type=int, default=0, help="solved training questions in the prompt (default: %(default)s)")
    if command == "hosted":
        parser.add_argument("--model", required=True, help="as its server names it")
        parser.add_argument("--base-url", required=True, help="such as http://127.0.0.1:8000/v1")
        parser.add_argument("--tool-choice", choices=("auto", "required"), default="auto", help="required: the model must call (default: %(default)s)")
        parser.add_argument("--key-variable", default=KEY_VARIABLE, help="environment variable that holds the key (default: %(default)s)")
        parser.add_argument("--temperature", type=float, help="sent only where it is given")
        parser.add_argument("--max-tokens", type=int, default=1024, help="the longest answer, reasoning included (default: %(default)s)")
        parser.add_argument("--workers", type=int, default=4, help="requests at a time (default: %(default)s)")
        parser.add_argument("--budget-tokens", type=int, help="stop before it takes more")
        parser.add_argument("--budget-money", type=float, help="stop before it costs more, at the given prices")
        parser.add_argument("--prices", help="YAML file {model: {input: …, output: …}}, money per million tokens")
    if command == "in-context":
        parser.add_argument("--folder", required=True, help="folder with model and tokenizer")
        parser.add_argument("--max-new-tokens", type=int, default=160)
        parser.add_argument("--batch-size", type=int, default=16)
    options = parser.parse_args(arguments[1:])
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    def work() -> int:
        return _do(command, Run.existing(options.run), options)

    return status_of(work, RESUMES)


def _do(command: str, run: Run, options: argparse.Namespace) -> int:
    if command == "score":
        models = sorted(path.stem for path in (run.path / "predictions").glob("*.jsonl") if not path.stem.endswith("-authored"))
        if not models:
            raise InvalidParameter("score", [Problem("--run", options.run, "has no predictions yet: predict first")])
        table = evaluate(run, models)
        print(table[table["part"] == "overall"].drop(columns="part").to_string(index=False))
        return 0
    chosen: dict[str, Any] = {"shots": options.shots, "menu": _menu(options.menu), "retriever": options.retriever, "split": options.split, "name": options.name}
    if command == "in-context":
        found = in_context(run, options.folder, max_new_tokens=options.max_new_tokens, batch_size=options.batch_size, **chosen)
    else:
        meter = Meter(Exchanges(run.path / "exchanges/evaluation.sqlite"), load_prices(options.prices) if options.prices else None,
                      budget_tokens=options.budget_tokens, budget_money=options.budget_money)
        chat = ChatModel(options.model, options.base_url, meter, key_variable=options.key_variable, max_tokens=options.max_tokens,
                         temperature=options.temperature, workers=options.workers)
        found = hosted(run, chat, tool_choice=options.tool_choice, **chosen)
        print(f"taken so far: {meter.summary()}")
    print(f"{len(found)} questions, {int((found['form'] == 'not_run').sum())} of them not run, {int(found['call'].notna().sum())} calls")
    return 0


def _menu(text: str) -> int | str:
    return int(text) if text.isdigit() else text
