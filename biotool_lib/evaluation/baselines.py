"""Models that were not trained here, through one interface: with examples in the prompt, with menus of any size, hosted or on this machine.

Each writes predictions/<name>.jsonl like any other model and says in the manifest which menu and how many examples stood in its prompts.
A row whose prompt does not fit is not run: it is counted apart and never cut.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..catalogue import tools
from ..common.chat import messages, render_call
from ..common.llm import ChatModel, RequestRefused
from ..common.runner import Run
from ..dataset import with_menus
from ..files import read_yaml
from ..generation import generate, prediction, retrieve
from ..generation import predict as generate_predictions
from ..training import recipe_of
from .compare import NOT_RUN
from .distance import read_split
from .inverse import grammar

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path(__file__).parent
Rows = list[dict[str, Any]]


def in_context(run: Run, folder: str | Path, *, shots: int = 4, menu: int | str = 2, retriever: str | None = None, split: str = "test",
               name: str | None = None, max_new_tokens: int = 160, batch_size: int = 16, progress: bool | None = None) -> pd.DataFrame:
    """Predict with a model in a folder that sees `shots` solved questions of training and a menu of functions before each question.

    The examples are the nearest training questions in words; the menu is drawn, or the best of a `retriever` ("bm25", "embedding").
    Batches append as they come. Rows that exceed the model's context are written as not run. Raises InvalidParameter for an unknown
    menu or retriever. Example: `in_context(run, run.path / "models/untrained", shots=2, menu=8)`
    """
    folder = Path(folder)
    label = _label(menu, retriever)
    name = name or f"{folder.name}-{shots}shot-menu{label}"
    settings = {"model": folder.name, "shots": shots, "menu": label, "split": split, "max_new_tokens": max_new_tokens}

    def predict(rows: Rows, examples: list[Rows]) -> Callable[[dict[str, Any]], dict[str, Any]]:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", use_safetensors=True).to("cuda" if torch.cuda.is_available() else "cpu")
        room = model.config.max_position_embeddings - max_new_tokens

        def work(batch: dict[str, Any]) -> dict[str, Any]:
            prompts = [tokenizer(_prompt(tokenizer, rows[i], examples[i]), add_special_tokens=False)["input_ids"] for i in batch["rows"]]
            fitting = [k for k, prompt in enumerate(prompts) if len(prompt) <= room]
            texts = dict(generate(model, tokenizer, [prompts[k] for k in fitting], max_new_tokens=max_new_tokens, batch_size=batch_size))
            said = {fitting[k]: text for k, text in texts.items()}
            return {"id": batch["id"], "rows": [_predicted(rows[i], said.get(k), f"{len(prompts[k])} tokens, {room} fit") for k, i in enumerate(batch["rows"])]}

        return work

    return _predict(run, name, settings, shots, menu, retriever, split, predict, batch_size, 1, progress)


def hosted(run: Run, chat: ChatModel, *, shots: int = 0, menu: int | str = 2, retriever: str | None = None, split: str = "test",
           name: str | None = None, tool_choice: str = "auto", progress: bool | None = None) -> pd.DataFrame:
    """Predict with a model behind an OpenAI-compatible endpoint, the functions of the menu as its tools; the meter counts and limits the cost.

    A question that the endpoint refuses, as too long for instance, is not run. Interrupted, out of budget or without answer, the same
    command goes on, and what was answered is not asked again. Raises ChatFailed, BudgetSpent and InvalidParameter.
    Example: `hosted(run, ChatModel("qwen3:4b", "http://127.0.0.1:11434/v1", meter), menu=8)`
    """
    label = _label(menu, retriever)
    name = name or f"{chat.model.replace('/', '_').replace(':', '_')}-{shots}shot-menu{label}"
    settings = {**chat.settings, "shots": shots, "menu": label, "split": split, "tool_choice": tool_choice}

    def predict(rows: Rows, examples: list[Rows]) -> Callable[[dict[str, Any]], dict[str, Any]]:
        def work(batch: dict[str, Any]) -> dict[str, Any]:
            (i,) = batch["rows"]
            asked = messages(rows[i]["question"], _system() + "".join(
                f"\nQuestion: {row['question']}\nCall: {json.dumps(row['call'], ensure_ascii=False)}" for row in examples[i]))
            try:
                answer = chat.say(asked, tools=_schemas(rows[i]), tool_choice=tool_choice)
            except RequestRefused as refusal:
                return {"id": batch["id"], "rows": [_predicted(rows[i], None, str(refusal)[:300])]}
            return {"id": batch["id"], "rows": [_predicted(rows[i], answer.text)]}

        return work

    return _predict(run, name, settings, shots, menu, retriever, split, predict, 1, chat.workers, progress, chat.meter.summary)


def _predict(run: Run, name: str, settings: dict[str, Any], shots: int, menu: int | str, retriever: str | None, split: str,
             predict: Callable[[Rows, list[Rows]], Callable[[dict[str, Any]], dict[str, Any]]], batch_size: int, workers: int,
             progress: bool | None, report: Callable[[], dict[str, Any]] = dict) -> pd.DataFrame:
    """Do batches of rows once each, resumably, and write their predictions in the order of the rows."""
    import pandas as pd

    artefact = f"predictions/{name}.jsonl"
    stage = run.stage(f"predict/{name}", reads=["dataset/train.jsonl", f"dataset/{split}.jsonl"], writes=[artefact], settings=settings)
    if not stage.done:
        rows = with_menus(read_split(run, split), menu, run.seed, retriever=retriever)
        work = predict(rows, nearest(run.read("dataset/train.jsonl"), rows, shots))
        batches = [{"id": str(start), "rows": list(range(start, min(start + batch_size, len(rows))))} for start in range(0, len(rows), batch_size)]
        done = run.resume(stage, batches, work, label=name, progress=progress, workers=workers)
        found = [row for batch in done for row in batch["rows"]]
        run.write(artefact, found)
        stage.finish(len(rows), split=split, menu=settings["menu"], shots=shots, not_run=sum(row["form"] == NOT_RUN for row in found), **report())
        run.tidy(stage)
    return pd.DataFrame(run.read(artefact))


def predict_all(run: Run, models: Sequence[str], progress: bool | None = None) -> None:
    """Predictions of the floors `retrieval` and `grammar` and of models in models/, of the test split and of the authored questions.

    Each model is asked as its own recipe says. What is there already is not made again.
    Example: `predict_all(run, ["untrained", "retrieval", "grammar", "laptop"])`
    """
    authored = run.path / "dataset/authored.jsonl"
    splits = {"test": "", **({"authored": "-authored"} if authored.is_file() and authored.stat().st_size else {})}
    for split, mark in splits.items():
        for model in models:
            if model == "retrieval":
                retrieve(run, split, model + mark)
            elif model == "grammar":
                grammar(run, split, model + mark)
            else:
                folder = run.path / "models" / model
                generate_predictions(run, folder, recipe_of(folder), split, model + mark, progress)


def nearest(known: Sequence[Mapping[str, Any]], asked: Sequence[Mapping[str, Any]], shots: int) -> list[Rows]:
    """For each question the `shots` training rows nearest in words (TF-IDF), one a call, nearest last, where it is next to the question.

    Example: `nearest(train, test, 4)[0][-1]["question"]`
    """
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not shots or not asked:
        return [[] for _ in asked]
    known = list({row["group"]: row for row in known if row["call"] is not None}.values())
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    index = vectorizer.fit_transform([row["question"] for row in known]).T.tocsr()
    vectors = vectorizer.transform([row["question"] for row in asked])
    return [[dict(known[j]) for j in np.argsort(-(vector @ index).toarray()[0], kind="stable")[:shots][::-1]] for vector in vectors]


def _prompt(tokenizer, row: Mapping[str, Any], examples: Rows) -> str:
    turns = [turn for shot in examples for turn in (*messages(shot["question"]), {"role": "assistant", "content": render_call(shot["call"])})]
    offered = _schemas(row)
    return tokenizer.apply_chat_template([*turns, *messages(row["question"])], tools=offered or None, tokenize=False, add_generation_prompt=True)


def _schemas(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [tools()[name].json_schema() for name in row["tools"]]


@cache
def _system() -> str:
    return (FOLDER / "prompts/hosted.md").read_text(encoding="utf-8").strip()


def _predicted(row: Mapping[str, Any], text: str | None, why: str = "") -> dict[str, Any]:
    """A predictions row with the size of its menu; without a text the row was not run."""
    made = {"id": row["id"], "text": None, "call": None, "form": NOT_RUN, "why": why} if text is None else prediction(row["id"], text)
    return {**made, "menu_size": len(row["tools"])}


def _label(menu: int | str, retriever: str | None) -> int | str:
    return menu if retriever is None else f"{retriever}-{menu}"


def menu_curve(run: Run, metric: str = "exact_match", split: str = "test") -> pd.DataFrame:
    """Scores against the menu in the prompt, of all scored models that had one: model, menu, functions, shots, value, low, high, n, not_run.

    `functions` is how many were offered (the mean); no rows where no such model was scored. Example: `menu_curve(run)`
    """
    import pandas as pd

    from .tables import read_rows, read_scores

    scores, lines = read_scores(run, split), []
    for model in scored_models(scores):
        menu = menu_of(run, model)
        if menu not in (None, "none") and metric in scores[model][split]:
            found, rows = scores[model][split][metric], read_rows(run, model)
            lines.append({"model": model, "menu": str(menu), "functions": round(float(rows.loc[rows["scorable"], "menu_size"].mean()), 1),
                          "shots": run.manifest["stages"].get(f"predict/{model}", {}).get("shots", 0),
                          **{key: found[key] for key in ("value", "low", "high", "n")}, "not_run": scores[model][split]["not_run"]})
    lines.sort(key=lambda line: (line["functions"], line["model"]))
    return pd.DataFrame(lines, columns=["model", "menu", "functions", "shots", "value", "low", "high", "n", "not_run"])


def menu_of(run: Run, model: str) -> str | int | None:
    """The menu of tools that stood in a model's prompts, from the stamp of its predictions or its recipe; None for one without a prompt."""
    stamp = run.manifest["stages"].get(f"predict/{model}", {})
    if "menu" in stamp:
        return stamp["menu"]
    recipe = run.path / "models" / model / "recipe.json"
    return json.loads(recipe.read_text(encoding="utf-8"))["menu"] if recipe.is_file() else None


def arms(run: Run) -> pd.DataFrame:
    """Every arm that the book speaks of, with its state in this run: arm, state (scored, predicted, not run), what, how.

    Example: `arms(run).query("state == 'not run'")`
    """
    import pandas as pd

    listed = read_yaml(FOLDER / "arms.yaml")
    scored = scored_models(json.loads((run.path / "scores.json").read_text(encoding="utf-8"))) if (run.path / "scores.json").is_file() else []
    lines = []
    for name in [*listed, *(model for model in scored if model not in listed)]:
        state = "scored" if name in scored else "predicted" if (run.path / f"predictions/{name}.jsonl").is_file() else "not run"
        lines.append({"arm": name, "state": state, **listed.get(name, {"what": "a model of this run", "how": ""})})
    return pd.DataFrame(lines)


def scored_models(scores: Mapping[str, Any]) -> list[str]:
    """The models that stand in scores.json."""
    return sorted(name for name in scores if not name.startswith("_"))
