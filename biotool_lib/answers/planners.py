"""Planners: whatever says the next call of a chain, from the question and the responses seen so far.

A small model that learned single calls cannot read a response. `Decomposed` lets it take part all the same: it is asked one step's question
at a time, and the loop puts into it what the response before holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from ..calls import fill
from ..catalogue import tools
from ..common.chat import as_call, encode_prompt, parse
from ..common.llm import BadAnswer, ChatModel, RequestRefused
from ..common.runner import as_they_come, dumps
from ..dataset.menus import rank
from ..files import read_yaml
from ..generation import generate
from ..questions.grammar import look_up
from ..questions.lexicon import literal
from ..training.recipe import Recipe
from ..training.rows import schemas
from .reader import Reader

PROMPT = Path(__file__).parent / "prompts/plan.md"
MENU = 12  # functions that a planner with a menu in its prompt is offered, found by BM25 for the question
Row = dict[str, Any]
Step = Row  # {call, outcome, summary}
Asked = tuple[str, list[Step]]
Caller = Callable[[Sequence[str]], "list[Row | None]"]  # questions to calls


@cache
def templates() -> dict[str, Row]:
    """The chain templates of chains.yaml, by name."""
    return read_yaml(Path(__file__).parent / "chains.yaml")


def fill_in(template: Any, values: Mapping[str, Any]) -> Any:
    """A text or a mapping of arguments with its slots filled. Example: `fill_in({"id": "{gene}"}, {"gene": "ENSG00000139618"})`"""
    if isinstance(template, Mapping):
        return {key: fill_in(value, values) for key, value in template.items()}
    return literal(fill(template, values)) if isinstance(template, str) and "{" in template else template


class Planner(Protocol):
    """Whatever says the next call. `given_plan`: it was told the steps, so that stopping in time is no merit of its own."""

    name: str
    given_plan: bool

    def propose(self, asked: Sequence[Asked]) -> list[Row | None]:
        """For each question with the steps so far the next call {"name", "arguments"}, or None if it is done."""

    def last_asked(self, question: str, history: Sequence[Step]) -> str:
        """What the last response is to be read for: the whole question, or that of its step."""


class OneStep:
    """A caller of single calls, asked the whole question at every step: it has no way to see the responses.

    The loop ends when it repeats itself. Example: `OneStep("laptop", caller)`
    """

    given_plan = False

    def __init__(self, name: str, caller: Caller) -> None:
        self.name, self.caller = f"{name}, whole question", caller

    def propose(self, asked: Sequence[Asked]) -> list[Row | None]:
        """The caller's call for each whole question."""
        return self.caller([question for question, _ in asked])

    def last_asked(self, question: str, history: Sequence[Step]) -> str:
        """The whole question."""
        return question


class _Planned:
    given_plan = True

    def __init__(self, chains: Sequence[Mapping[str, Any]]) -> None:
        self.of = {chain["question"]: chain for chain in chains}

    def _values(self, question: str, history: Sequence[Step]) -> dict[str, Any] | None:
        """What the slots hold after the steps so far, by the responses that were really seen; None where one has nothing there."""
        values: dict[str, Any] = dict(self.of[question]["slots"])
        for step, seen in zip(templates()[self.of[question]["template"]]["steps"], history, strict=False):
            for slot, path in step.get("take", {}).items():
                value = self._take(fill_in(step["ask"], values), path, seen["summary"])
                if value is None or isinstance(value, list | Mapping):
                    return None
                values[slot] = value
        return values

    def _take(self, ask: str, path: str, summary: Any) -> Any:
        return look_up(summary, path)

    def _next(self, asked: Asked) -> tuple[Row, dict[str, Any]] | None:
        question, history = asked
        steps, values = templates()[self.of[question]["template"]]["steps"], self._values(question, history)
        return None if values is None or len(history) >= len(steps) else (steps[len(history)], values)

    def last_asked(self, question: str, history: Sequence[Step]) -> str:
        """The question of the last step that was made."""
        steps, values = templates()[self.of[question]["template"]]["steps"], self._values(question, history[:-1])
        return question if values is None or not history else fill_in(steps[len(history) - 1]["ask"], values)


class GoldPlanner(_Planned):
    """The template itself as a planner: what the loop and the reader reach with nothing but right calls. Example: `GoldPlanner(chains)`"""

    name = "gold calls"

    def propose(self, asked: Sequence[Asked]) -> list[Row | None]:
        """The next call of each chain, its slots filled from what was seen."""
        found = [self._next(one) for one in asked]
        return [step and {"name": step[0]["call"], "arguments": fill_in(step[0]["arguments"], step[1])} for step in found]


class Decomposed(_Planned):
    """A caller of single calls that is asked one step's question at a time; the loop fills its slots from what came back.

    With a `reader` the slots are filled by what it reads for the step's question, else by the declared path: then all that is tested is
    the caller. Example: `Decomposed("laptop", caller, chains)`
    """

    def __init__(self, name: str, caller: Caller, chains: Sequence[Mapping[str, Any]], reader: Reader | None = None) -> None:
        super().__init__(chains)
        self.name, self.caller, self.reader = f"{name}, step by step" + (", slots read" if reader else ""), caller, reader

    def propose(self, asked: Sequence[Asked]) -> list[Row | None]:
        """The caller's call for the question of each next step; None where the plan is over or a slot cannot be filled."""
        found = [self._next(one) for one in asked]
        texts = [fill_in(step[0]["ask"], step[1]) for step in found if step]
        calls = iter(self.caller(texts) if texts else [])
        return [next(calls) if step else None for step in found]

    def _take(self, ask: str, path: str, summary: Any) -> Any:
        if self.reader is None:
            return look_up(summary, path)
        found = self.reader.read(ask, summary)
        value = found.value if found else None
        return value[0] if isinstance(value, list) and len(value) == 1 else value


class ChatPlanner:
    """A language model with functions: it reads question and responses and writes the next call, or says that it is done.

    Its menu is retrieved for the question once and stays. A text that stays malformed ends the chain.
    Example: `ChatPlanner(ChatModel("qwen3:4b", "http://127.0.0.1:11434/v1", meter))`
    """

    given_plan = False
    _schema = {  # noqa: RUF012
        "type": "object", "additionalProperties": False, "required": ["done", "name", "arguments"],
        "properties": {"done": {"type": "boolean"}, "name": {"type": "string"}, "arguments": {"type": "object"}},
    }

    def __init__(self, model: ChatModel, menu: int = MENU) -> None:
        self.model, self.menu, self.name = model, menu, f"{model.model}, with functions"
        self.prompt = PROMPT.read_text(encoding="utf-8").strip()

    def propose(self, asked: Sequence[Asked]) -> list[Row | None]:
        """The model's next call for each chain; raises ChatFailed or BudgetSpent, which end the work."""
        menus = rank([question for question, _ in asked])
        done = as_they_come(lambda i: (i, self._one(asked[i][0], asked[i][1], menus[i][: self.menu])), range(len(asked)), self.model.workers)
        return [call for _, call in sorted(done, key=lambda pair: pair[0])]

    def _one(self, question: str, history: Sequence[Step], menu: Sequence[str]) -> Row | None:
        offered = "\n".join(dumps(tools()[name].json_schema()["function"]) for name in menu)
        said = [{"role": "system", "content": self.prompt}, {"role": "user", "content": f"Functions:\n{offered}\n\nQuestion: {question}"}]
        for step in history:
            call = step["call"] or {"name": "", "arguments": {}}
            said.append({"role": "assistant", "content": dumps({"done": False, "name": call["name"], "arguments": call["arguments"]})})
            said.append({"role": "user", "content": f"Outcome: {step['outcome']}\nResponse: {dumps(step['summary'])}"})
        try:
            value, _ = self.model.ask(said, self._schema)
        except (BadAnswer, RequestRefused):
            return None
        return None if value["done"] else as_call({"name": value["name"], "arguments": value["arguments"]})

    def last_asked(self, question: str, history: Sequence[Step]) -> str:
        """The whole question."""
        return question


class ModelCaller:
    """A trained model of a run as a caller of single calls; each distinct question is generated once.

    Where the recipe puts a menu into the prompt, it is retrieved for the question. Example: `ModelCaller(run.path / "models/laptop", recipe)`
    """

    def __init__(self, folder: str | Path, recipe: Recipe) -> None:
        self.folder, self.recipe, self.known = Path(folder), recipe, dict[str, "Row | None"]()
        self._loaded: tuple[Any, Any] | None = None

    def __call__(self, questions: Sequence[str]) -> list[Row | None]:
        """The model's call for each question, None where its text holds none."""
        todo = [question for question in dict.fromkeys(questions) if question not in self.known]
        if todo:
            model, tokenizer = self._load()
            menus = rank(todo) if self.recipe.menu == "full" else [[] for _ in todo]
            prompts = [encode_prompt(tokenizer, question, schemas({"tools": menu[:MENU]}, self.recipe)) for question, menu in zip(todo, menus, strict=True)]
            for i, text in generate(model, tokenizer, prompts, max_new_tokens=self.recipe.max_new_tokens, batch_size=self.recipe.predict_batch):
                self.known[todo[i]] = parse(text).call
        return [self.known[question] for question in questions]

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer

            from ..training.train import quiet

            quiet()
            where = "cuda" if torch.cuda.is_available() else "cpu"
            model = AutoModelForCausalLM.from_pretrained(self.folder, dtype="auto", use_safetensors=True).to(where)
            self._loaded = model, AutoTokenizer.from_pretrained(self.folder)
        return self._loaded
