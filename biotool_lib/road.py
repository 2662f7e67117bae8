"""The whole road in one command, without notebooks: calls, questions, filters, dataset, training, predictions, scores.

Run with `python -m biotool_lib.road --run runs/replay --backend replay --recordings FOLDER`; interrupted, it resumes.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from . import calls, dataset, evaluation, filters, questions
from .common.exchanges import Exchanges, Meter, load_prices
from .common.llm import KEY_VARIABLE, ChatModel
from .common.runner import Run
from .errors import RESUMES, InvalidParameter, Problem, status_of
from .judges import ChatJudge
from .notebooks import share_cores
from .questions.chat import ChatWriter
from .training import load_recipe, make_untrained, train, with_menu

SAID = 200  # letters: longer facts of a stage stand in the manifest
STAGES = ("calls", "questions", "filters", "dataset", "training", "evaluation")


JUDGE_PROMPTS = ("call_first", "answer_first")


def travel(run: Run, recipe_name: str = "laptop", until: str = "evaluation", max_steps: int = -1,
           writer: Any = None, judges: list[ChatJudge] | None = None, no_call: float = 0.0) -> None:
    """Do every stage up to `until` that is not done yet, saying what each left behind; `no_call` is as in `dataset.build`."""
    recipe = load_recipe(recipe_name, max_steps=max_steps)
    steps = {
        "calls": lambda: calls.enumerate_calls(run),
        "questions": lambda: questions.write_questions(run, writer),
        "filters": lambda: filters.apply_filters(run, judges=judges),
        "dataset": lambda: dataset.build(run, no_call),
        "training": lambda: (make_untrained(run, recipe), train(run, recipe, on_log=_say)),
        "evaluation": lambda: _evaluate(run, recipe),
    }
    for name in STAGES[: STAGES.index(until) + 1]:
        print(f"{name} …", flush=True)
        steps[name]()
        for stage, stamp in run.manifest["stages"].items():
            if stage.split("/")[0] == {"training": "model"}.get(name, name):
                facts = {k: v for k, v in stamp.items() if k not in ("sha256", "key", "seconds", "rows", "functions") and len(str(v)) <= SAID}
                print(f"  {stage}: {stamp['rows']} rows in {stamp['seconds']} s {facts or ''}", flush=True)


def _evaluate(run: Run, recipe) -> None:
    make_untrained(run, with_menu(recipe, 1), "in_context")
    names = ["untrained", "in_context", "retrieval", "grammar", recipe.name]
    evaluation.predict_all(run, names)
    table = evaluation.evaluate(run, names)
    print(table[table.part == "overall"].to_string(index=False))


def _say(entry) -> None:
    if "loss" in entry:
        print(f"  step {entry['step']} of {entry['steps']}: loss {float(entry['loss']):.3f}", flush=True)


def add_chat_options(parser: argparse.ArgumentParser) -> None:
    """The options of every command that may ask a language model."""
    chat = parser.add_argument_group("language models", "any OpenAI-compatible endpoint; the key comes from the environment only")
    chat.add_argument("--writer", choices=("grammar", "chat"), help="who writes the questions (default: as the run has it, else the grammar)")
    chat.add_argument("--model", help="the writer's model, as its server names it")
    chat.add_argument("--judge", action="append", default=[], metavar="MODEL[@PROMPT]",
                      help=f"a model that reads what the rules accept; give two (prompts: {', '.join(JUDGE_PROMPTS)}, taken in turn)")
    chat.add_argument("--no-judge", action="store_true", help="do without the language models that judged this run before")
    chat.add_argument("--base-url", help="such as http://127.0.0.1:8000/v1")
    chat.add_argument("--key-variable", default=KEY_VARIABLE, help="environment variable that holds the key (default: %(default)s)")
    chat.add_argument("--temperature", type=float, help="sent only where it is given")
    chat.add_argument("--max-tokens", type=int, default=1024, help="the longest answer, reasoning included (default: %(default)s)")
    chat.add_argument("--workers", type=int, default=4, help="requests at a time (default: %(default)s)")
    chat.add_argument("--timeout", type=float, default=120.0, help="seconds without a byte (default: %(default)s)")
    chat.add_argument("--deadline", type=float, default=600.0, help="seconds for a request with its repetitions (default: %(default)s)")
    chat.add_argument("--budget-tokens", type=int, help="stop a stage before it takes more")
    chat.add_argument("--budget-money", type=float, help="stop a stage before it costs more, at the given prices")
    chat.add_argument("--prices", help="YAML file {model: {input: …, output: …}}, money per million tokens")


def chat_model(run: Run, options: argparse.Namespace, model: str | None, stage: str) -> ChatModel:
    """A model as the options describe it; its exchanges are kept in `exchanges/<stage>.sqlite` of the run."""
    missing = [Problem(f"--{name}", None, "is needed with a language model") for name, value in
               (("model", model), ("base-url", options.base_url)) if not value]
    if missing:
        raise InvalidParameter("options", missing)
    meter = Meter(Exchanges(run.path / f"exchanges/{stage}.sqlite"), load_prices(options.prices) if options.prices else None,
                  budget_tokens=options.budget_tokens, budget_money=options.budget_money)
    return ChatModel(str(model), options.base_url, meter, key_variable=options.key_variable, max_tokens=options.max_tokens,
                     temperature=options.temperature, timeout=options.timeout, deadline=options.deadline, workers=options.workers)


def chat_writer(run: Run, options: argparse.Namespace) -> Any:
    """The writer that the options name, or None."""
    return ChatWriter(chat_model(run, options, options.model, "questions")) if options.writer == "chat" else options.writer


def chat_judges(run: Run, options: argparse.Namespace, stage: str = "filters") -> list[ChatJudge] | None:
    """The judges that the options name; None where they name none."""
    if not options.judge:
        return [] if options.no_judge else None
    judges: list[ChatJudge] = []
    for number, named in enumerate(options.judge):
        model, _, prompt = named.partition("@")
        chat = chat_model(run, options, model, stage)
        if judges:
            chat.meter = judges[0].model.meter  # one budget for all judges
        judges.append(ChatJudge(chat, prompt or JUDGE_PROMPTS[number % len(JUDGE_PROMPTS)]))
    twice = [judge.by for judge in judges if [other.by for other in judges].count(judge.by) > 1]
    if twice:
        raise InvalidParameter("options", [Problem("--judge", twice[0], "is named twice: two judges differ in model or in prompt")])
    return judges


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
    parser.add_argument("--no-call", type=float, default=0.0, metavar="SHARE", help="share of rows on which not to call is right, 0 to 0.5")
    add_chat_options(parser)
    options = parser.parse_args(arguments)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    share_cores()
    def work() -> int:
        run = Run(Path(options.run), profile=options.profile, backend=options.backend, recordings=options.recordings, seed=options.seed)
        travel(run, options.recipe, options.until, options.max_steps, chat_writer(run, options), chat_judges(run, options),
               options.no_call)
        return 0

    return status_of(work, RESUMES)


if __name__ == "__main__":
    sys.exit(main())
