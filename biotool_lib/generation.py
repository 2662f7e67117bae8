"""Predictions: a model's text for every question of a split, and the call in it; from weights here or from a server.

The road predicts the test split of every model before it scores them: `python -m biotool_lib.evaluation --run runs/laptop`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common.chat import encode, messages, parse, render_call
from .common.llm import ChatModel, RequestRefused
from .common.runner import Run, dumps, intact_rows, track
from .errors import InvalidParameter, Problem
from .training.recipe import Recipe, system_prompt
from .training.rows import prompt_ids, schemas
from .training.train import quiet

if TYPE_CHECKING:
    import pandas as pd

MARGIN = 16  # tokens that an answer may be longer, beside its question, than any of the training split
CONSTRAINED_PROMPT = Path(__file__).parent / "constrained_prompt.txt"


def generate(model, tokenizer, prompts: Sequence[Sequence[int]], *, max_new_tokens: int | Sequence[int], batch_size: int) -> Iterator[tuple[int, str]]:
    """Greedy continuations of tokenised prompts as (index, text), in left-padded batches of similar length.

    A batch ends when all its rows have ended; `max_new_tokens` may be one number or one a prompt. Example:
    `dict(generate(model, tokenizer, [prompt], max_new_tokens=64, batch_size=1))[0]`
    """
    for i, tokens in continuations(model, tokenizer, prompts, max_new_tokens, batch_size):
        yield i, _text(tokenizer, tokens)


def _text(tokenizer, tokens: Sequence[int]) -> str:
    return tokenizer.decode([t for t in tokens if t != tokenizer.pad_token_id])


def continuations(model, tokenizer, prompts: Sequence[Sequence[int]], max_new_tokens: int | Sequence[int],
                  batch_size: int) -> Iterator[tuple[int, list[int]]]:
    """As `generate`, as (index, token ids) without the end token."""
    import torch

    limits = [max_new_tokens] * len(prompts) if isinstance(max_new_tokens, int) else list(max_new_tokens)
    order = sorted(range(len(prompts)), key=lambda i: (len(prompts[i]), limits[i]))
    model.eval()
    for start in range(0, len(order), batch_size):
        batch = order[start:start + batch_size]
        width = max(len(prompts[i]) for i in batch)
        ids = torch.tensor([[tokenizer.pad_token_id] * (width - len(prompts[i])) + list(prompts[i]) for i in batch])
        mask = torch.tensor([[0] * (width - len(prompts[i])) + [1] * len(prompts[i]) for i in batch])
        with torch.inference_mode():
            out = model.generate(
                input_ids=ids.to(model.device), attention_mask=mask.to(model.device), max_new_tokens=max(limits[i] for i in batch),
                do_sample=False, temperature=None, top_p=None, top_k=None, pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
        for i, tokens in zip(batch, out[:, width:].tolist(), strict=True):
            end = tokens.index(tokenizer.eos_token_id) if tokenizer.eos_token_id in tokens else len(tokens)
            yield i, tokens[: min(end, limits[i])]


def limits(tokenizer, rows: Sequence[Mapping[str, Any]], known: Sequence[Mapping[str, Any]], recipe: Recipe) -> list[int]:
    """How many tokens each row's answer may have: a call says little more than its question does, and models that have not
    learned to stop would otherwise go on to the recipe's limit."""
    def lengths(row: Mapping[str, Any]) -> tuple[int, int]:
        learned = sum(token != -100 for token in encode(tokenizer, row["question"], row["call"])["labels"])
        return len(tokenizer(row["question"], add_special_tokens=False)["input_ids"]), learned

    more = max((answer - question for question, answer in map(lengths, known)), default=recipe.max_new_tokens)
    return [min(recipe.max_new_tokens, max(1, lengths({**row, "call": None})[0] + more + MARGIN)) for row in rows]


def predict(run: Run, folder: str | Path, recipe: Recipe, split: str = "test", name: str | None = None,
            progress: bool | None = None) -> pd.DataFrame:
    """Predict a split with a saved model; writes predictions/<name>.jsonl with id, text, call, form and token counts of each row.

    Batches append as they come, so that an interrupted prediction goes on. Example: `predict(run, run.path / "models/laptop", recipe)`
    """
    import pandas as pd

    folder = Path(folder)
    name = name or folder.name
    artefact = f"predictions/{name}.jsonl"
    model_at = str(folder.relative_to(run.path))
    stage = run.stage(f"predict/{name}", reads=[f"dataset/{split}.jsonl", "dataset/train.jsonl", model_at], writes=[artefact],
                      settings={"split": split, "max_new_tokens": recipe.max_new_tokens, "menu": recipe.menu, "menu_size": recipe.menu_size,
                                "system_prompt": system_prompt(recipe)})
    if not stage.done:
        rows = run.read(f"dataset/{split}.jsonl")
        found = _predict_rows(run, stage, folder, rows, recipe, progress)
        run.write(artefact, [found[row["id"]] for row in rows])
        stage.finish(len(rows), split=split, **_tokens(found.values()))
        run.tidy(stage)
    return pd.DataFrame(run.read(artefact))


def _predict_rows(run: Run, stage, folder: Path, rows: list[dict[str, Any]], recipe: Recipe, progress: bool | None) -> dict[str, dict[str, Any]]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    quiet()
    part = run.part(stage)
    found = intact_rows(part, "id")
    todo = [row for row in rows if row["id"] not in found]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", use_safetensors=True).to("cuda" if torch.cuda.is_available() else "cpu")
    prompts = [prompt_ids(tokenizer, row, recipe) for row in todo]
    most = limits(tokenizer, todo, run.read("dataset/train.jsonl"), recipe)
    answers = continuations(model, tokenizer, prompts, most, recipe.predict_batch)
    with part.open("a", encoding="utf-8") as handle:
        bar = track(range(len(todo)), stage.name, progress, done=len(rows) - len(todo))
        for _, (i, tokens) in zip(bar, answers, strict=True):
            row = {**prediction(todo[i]["id"], _text(tokenizer, tokens)), "prompt_tokens": len(prompts[i]), "new_tokens": len(tokens)}
            found[row["id"]] = row
            handle.write(dumps(row) + "\n")
            handle.flush()
    return found


def predict_with(run: Run, model: ChatModel, recipe: Recipe, split: str = "test", name: str | None = None, *, constrained: bool = False,
                 progress: bool | None = None) -> pd.DataFrame:
    """Predict a split with a model behind an OpenAI-compatible server; writes predictions/<name>.jsonl as `predict` does.

    The row's schemas are sent as `tools`, whole, whatever the form in the recipe, and the server renders them with its model's template.
    `constrained` sends them in the prompt instead and has the server keep to a JSON Schema of the calls that they allow, where it can.
    A request that the server refuses, as one too long for its model, is a row of the form "not_run", counted in the manifest. Every
    exchange is kept, so that an interrupted prediction goes on. Raises ChatFailed or BudgetSpent. Example:
    `predict_with(run, ChatModel("qwen3:4b", "http://127.0.0.1:11434/v1", meter), recipe)`
    """
    import pandas as pd

    name = name or model.model.replace("/", "_").replace(":", "_")
    if not name.strip(".") or set(name) & set("/\\:"):
        raise InvalidParameter("predict_with", [Problem("name", name, "a file name")])
    artefact, system = f"predictions/{name}.jsonl", system_prompt(recipe)
    settings = {**model.settings, "split": split, "menu": recipe.menu != "none", "menu_size": recipe.menu_size, "system_prompt": system,
                "constrained": constrained}
    stage = run.stage(f"predict/{name}", reads=[f"dataset/{split}.jsonl"], writes=[artefact], settings=settings)
    if not stage.done:
        rows = run.read(f"dataset/{split}.jsonl")

        def work(row: dict[str, Any]) -> dict[str, Any]:
            tools = schemas(row, recipe, form="none" if recipe.menu == "none" else "full") or []
            try:
                if constrained:
                    asked = messages(row["question"], f"{system or ''}\n{constrained_prompt(tools)}".strip())
                    answer = model.say(asked, calls_allowed(tools))
                else:
                    answer = model.say(messages(row["question"], system), tools=tools or None)
            except RequestRefused as refused:
                return {"id": row["id"], "text": str(refused), "call": None, "form": "not_run"}
            return prediction(row["id"], answer.text)

        found = run.resume(stage, rows, work, progress=progress, tally="form", workers=model.workers)
        run.write(artefact, found)
        stage.finish(len(rows), split=split, not_run=sum(row["form"] == "not_run" for row in found), **model.meter.summary())
        run.tidy(stage)
    return pd.DataFrame(run.read(artefact))


def constrained_prompt(tools: Sequence[Mapping[str, Any]]) -> str:
    """The instructions for an answer that is one JSON object, with the schemas in them."""
    return CONSTRAINED_PROMPT.read_text(encoding="utf-8").replace("{functions}", "\n".join(json.dumps(tool["function"], ensure_ascii=False) for tool in tools))


def calls_allowed(tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A JSON Schema of every call that a menu allows, and of the answer that none fits: {"name": null, "arguments": {}}.

    Example: `calls_allowed([bt.tools()["einfo"].json_schema()])`
    """
    def one(name: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {"type": "object", "properties": {"name": dict(name), "arguments": dict(arguments)}, "required": ["name", "arguments"],
                "additionalProperties": False}

    none = one({"type": "null"}, {"type": "object", "properties": {}, "additionalProperties": False})
    return {"anyOf": [*(one({"const": tool["function"]["name"]}, tool["function"]["parameters"]) for tool in tools), none]}


def _tokens(rows) -> dict[str, int]:
    rows = list(rows)
    return {key: sum(row.get(key, 0) for row in rows) for key in ("prompt_tokens", "new_tokens")}


def prediction(question_id: str, text: str) -> dict[str, Any]:
    """A predictions row from a model's text."""
    parsed = parse(text)
    return {"id": question_id, "text": text, "call": parsed.call, "form": parsed.form}


def retrieve(run: Run, split: str = "test", name: str = "retrieval") -> pd.DataFrame:
    """The retrieval baseline: the call of the training question that is nearest in words (TF-IDF), unchanged.

    What it reaches is what a lookup without any learning reaches. Example: `retrieve(Run("runs/laptop"))`
    """
    import pandas as pd
    from sklearn.feature_extraction.text import TfidfVectorizer

    artefact = f"predictions/{name}.jsonl"
    stage = run.stage(f"predict/{name}", reads=["dataset/train.jsonl", f"dataset/{split}.jsonl"], writes=[artefact])
    if not stage.done:
        known = run.read("dataset/train.jsonl")
        asked = run.read(f"dataset/{split}.jsonl")
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
        index = vectorizer.fit_transform([row["question"] for row in known])
        nearest = (vectorizer.transform([row["question"] for row in asked]) @ index.T).tocsr()
        rows = [prediction(row["id"], render_call(known[int(nearest[i].toarray().argmax())]["call"])) for i, row in enumerate(asked)]
        run.write(artefact, rows)
        stage.finish(len(rows), split=split)
    return pd.DataFrame(run.read(artefact))
