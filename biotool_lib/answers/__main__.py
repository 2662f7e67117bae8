"""`python -m biotool_lib.answers --run RUN`: the stages `answers` and `chains`; `quality` where judges are named. See `--help`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from biotool_lib.answers import Answerer, ChatAnswerer, answer_questions, default_callers
from biotool_lib.answers.chains import default_planners, make_chains, solve_chains
from biotool_lib.answers.planners import ChatPlanner
from biotool_lib.answers.quality import QualityJudge, judge_quality
from biotool_lib.answers.reader import NAME
from biotool_lib.common.runner import Run
from biotool_lib.errors import RESUMES, InvalidParameter, Problem, status_of
from biotool_lib.notebooks import share_cores
from biotool_lib.road import add_chat_options, chat_model
from biotool_lib.training import load_recipe

STAGES = ("answers", "chains")


def main(arguments: list[str] | None = None) -> int:
    """Command line; interrupted, the same command goes on."""
    parser = argparse.ArgumentParser(prog="python -m biotool_lib.answers", description=__doc__)
    parser.add_argument("--run", default="runs/laptop", help="run folder, evaluated")
    parser.add_argument("--stage", choices=STAGES, action="append", help="only this one (may be given twice; default: both)")
    parser.add_argument("--recipe", default="laptop", help="recipe of the fine-tuned caller")
    parser.add_argument("--caller", action="append", default=[], metavar="CONDITION=MODEL",
                        help="a scored model as a caller (default: in_context and fine_tuned, as the run has them)")
    parser.add_argument("--most", type=int, help="answer the questions of this many calls only")
    add_chat_options(parser)
    options = parser.parse_args(arguments)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    share_cores()
    def work() -> int:
        run = Run.existing(Path(options.run))
        stages = options.stage or STAGES
        if "answers" in stages:
            _answers(run, options)
        if "chains" in stages:
            _chains(run, options)
        return 0

    return status_of(work, RESUMES)


def _answers(run: Run, options: argparse.Namespace) -> None:
    wrong = [Problem("--caller", text, "give CONDITION=MODEL, such as fine_tuned=laptop") for text in options.caller if "=" not in text]
    if wrong:
        raise InvalidParameter("options", wrong)
    callers = dict(text.split("=", 1) for text in options.caller) or default_callers(run, load_recipe(options.recipe).name)
    by: Answerer | None = ChatAnswerer(chat_model(run, options, options.model, "answers")) if options.model else None
    print(answer_questions(run, callers, by, most=options.most).to_string(index=False))
    if options.judge:
        judges = [QualityJudge(chat_model(run, options, model, "quality")) for model in options.judge]
        for judge in judges[1:]:
            judge.model.meter = judges[0].model.meter  # one budget for all judges
        print(judge_quality(run, by.name if by else NAME, judges).to_string(index=False))


def _chains(run: Run, options: argparse.Namespace) -> None:
    recipe = load_recipe(options.recipe)
    make_chains(run)
    planners = default_planners(run, recipe)
    if options.model:
        model = chat_model(run, options, options.model, "chains")
        planners[f"chat {options.model}"] = lambda: ChatPlanner(model)
    print(solve_chains(run, planners, [f"models/{recipe.name}"]).to_string(index=False))


if __name__ == "__main__":
    sys.exit(main())
