"""The road in small: calls to scores over a few functions, interrupted and resumed, and the command lines."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import run_up_to_the_dataset

import biotool_lib as bt
from biotool_lib import calls, dataset, evaluation, filters, generation, notebooks, questions
from biotool_lib.common.chat import encode, encode_prompt, render_call
from biotool_lib.questions.grammar import phrasebook, write
from biotool_lib.training import load_recipe, make_untrained, train
from biotool_lib.training.rows import scramble

FEW = ["lookup_by_symbol", "get_keyword_by_id", "get_taxonomy_by_id", "einfo", "get_info_ping"]
TINY = {
    "base": "scratch",
    "architecture": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16,
                     "intermediate_size": 64, "max_position_embeddings": 512, "tie_word_embeddings": True},
    "tokenizer_vocab": 400, "max_length": 400, "max_new_tokens": 24, "batch_size": 4, "checkpoint_every": 4, "made_up_rows": 12, "fewest_rows": 0,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> bt.Run:
    return run_up_to_the_dataset(tmp_path_factory.mktemp("runs") / "small", FEW)


def test_every_function_that_is_asked_has_phrasings_in_both_styles():
    for name in bt.tools():
        if name in questions.NO_QUESTIONS:
            continue
        styles = [p["style"] for p in phrasebook()[name]["phrasings"]]
        assert styles.count("plain") >= 3 and styles.count("expert") >= 3, name


def test_calls_are_proposed_alike_for_a_seed_and_are_canonical():
    client = bt.Client()
    first, again = calls.propose(client, 3, FEW, 0.2), calls.propose(client, 3, FEW, 0.2)
    assert first == again and first != calls.propose(client, 4, FEW, 0.2)
    assert all(bt.canonical(c["name"], c["arguments"])["arguments"] == c["arguments"] for c in first)
    assert len({c["id"] for c in first}) == len(first)


def test_questions_state_every_argument_and_hold_a_true_answer(run):
    loaded = bt.load_run(run.path)
    by_id = loaded["calls"].set_index("id")
    assert set(loaded["questions"].groupby("call_id").size()) == {2}
    for row in loaded["questions"].to_dict("records"):
        call = {**by_id.loc[row["call_id"]].to_dict(), "id": row["call_id"]}
        assert filters.unrecoverable(row["question"], call) == []
        assert filters.look_up(call["observation"]["summary"], row["answer_path"]) == row["answer_value"]


def test_a_question_is_only_asked_where_the_answer_is():
    call = {"id": "c", "name": "get_info_ping", "arguments": {}, "observation": {"summary": {}}}
    assert write(call, "plain") is None


@pytest.mark.parametrize(("change", "layer", "says"), [
    ({"question": "Where is it?"}, "judge", "words long"),
    ({"question": "On which chromosome does this gene of interest lie in the genome?"}, "judge", "does not say"),
    ({"question": "Please use lookup_by_symbol for BRCA1 in human and tell me the chromosome"}, "judge", "names the function"),
    ({"answer_value": "18"}, "execution", "is '17' now"),
])
def test_filters_reject_with_a_reason(change, layer, says):
    client = bt.Client()
    seen = client.call("lookup_by_symbol", {"species": "human", "symbol": "BRCA1"})
    call = calls.row({"id": "c1"}, seen)
    question = {"question": "On which chromosome is the human gene BRCA1 found?", "answer_path": "seq_region_name", "answer_value": "17", **change}
    accept, reason = filters.execution(question, call, seen) if layer == "execution" else filters.judge(question, call)
    assert not accept and says in reason
    good = {**question, "question": "On which chromosome is the human gene BRCA1 found?", "answer_value": "17"}
    assert filters.judge(good, call)[0] and filters.execution(good, call, seen)[0]


def test_splits_are_grouped_by_call_and_the_published_scheme_leaks(run):
    rows = pd.concat([bt.load_run(run.path)[s].assign(split=s) for s in dataset.SPLITS])
    assert (rows.groupby("group")["split"].nunique() == 1).all()
    facts = run.manifest["stages"]["dataset"]["leakage_by_call"]
    assert facts["call"]["value"] == 0 and facts["sample"]["value"] > 0.4
    assert not rows["question"].duplicated().any()
    assert (rows["tools"].map(len) == dataset.MENU).all() and all(f in t for f, t in zip(rows["function"], rows["tools"], strict=True))
    assert len({t.index(f) for f, t in zip(rows["function"], rows["tools"], strict=True)}) == 2  # gold is not always first


def test_exports_are_what_other_tools_read(run):
    folder = run.path / "dataset/exports"
    published = json.loads((folder / "sharegpt_train.json").read_text())
    rows = run.read("dataset/train.jsonl")
    assert len(published) == len(rows)
    for row, twin in zip(rows, published, strict=True):
        assert [c["from"] for c in twin["conversations"]] == ["human", "function_call"]
        assert json.loads(twin["conversations"][1]["value"]) == row["call"]
        assert {t["name"] for t in json.loads(twin["tools"])} == set(row["tools"])
    for line in (folder / "messages_train.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert row["messages"][1]["content"].startswith("<tool_call>") and json.loads(row["tools"])[0]["type"] == "function"


def test_two_runs_write_the_same_bytes(run, tmp_path):
    again = run_up_to_the_dataset(tmp_path / "again", FEW)
    for name in ("calls.jsonl", "questions.jsonl", "verdicts.jsonl", "dataset/train.jsonl", "dataset/exports/tools.json"):
        assert (again.path / name).read_bytes() == (run.path / name).read_bytes(), name


def test_scrambled_rows_change_question_and_call_alike():
    import random

    row = {"question": "Where is ENSG00000012048 of BRCA1?", "call": {"name": "x", "arguments": {"id": "ENSG00000012048", "symbol": "BRCA1", "n": 3}}}
    other = scramble(row, random.Random(1))
    made_up = other["call"]["arguments"]
    assert made_up["id"] != "ENSG00000012048" and made_up["id"].startswith("ENSG") and len(made_up["id"]) == 15
    assert made_up["id"] in other["question"] and made_up["symbol"] in other["question"] and made_up["n"] == 3


@pytest.fixture(scope="module")
def trained(run):
    recipe = load_recipe("laptop", epochs=1, **TINY)
    make_untrained(run, recipe)
    return recipe, train(run, recipe, "tiny")


def test_training_saves_model_tokenizer_card_and_log(run, trained):
    _, folder = trained
    assert {"model.safetensors", "tokenizer.json", "README.md", "training_log.jsonl", "recipe.json"} <= {p.name for p in folder.iterdir()}
    log = [json.loads(line) for line in (folder / "training_log.jsonl").read_text().splitlines()]
    losses = [entry["loss"] for entry in log if "loss" in entry]
    assert losses[-1] < losses[0]
    assert str(run.path) not in (folder / "README.md").read_text()


def test_served_prompt_is_the_beginning_of_the_trained_text_and_labels_are_the_call(run, trained):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(trained[1])
    for row in run.read("dataset/train.jsonl")[:20]:
        for tools in (None, [bt.tools()[name].json_schema() for name in row["tools"]]):
            whole, prompt = encode(tokenizer, row["question"], row["call"], tools), encode_prompt(tokenizer, row["question"], tools)
            assert whole["input_ids"][: len(prompt)] == prompt and set(whole["labels"][: len(prompt)]) == {-100}
            learned = [t for t in whole["labels"] if t != -100]
            assert tokenizer.decode(learned) == render_call(row["call"]) + tokenizer.eos_token


def test_a_row_that_does_not_fit_is_reported_and_left_out(run, trained):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(trained[1])
    lengths = sorted(len(encode(tokenizer, r["question"], r["call"])["input_ids"]) for r in run.read("dataset/train.jsonl"))
    middle = lengths[len(lengths) // 2]
    folder = train(run, load_recipe("laptop", epochs=1, **{**TINY, "max_length": middle}), "short")
    stamp = run.manifest["stages"]["model/short"]
    assert stamp["left_out"] > 0 and stamp["rows"] + stamp["left_out"] == len(run.read("dataset/train.jsonl"))
    assert f"{middle} tokens" in (folder / "README.md").read_text()


def test_an_interrupted_training_ends_where_an_uninterrupted_one_ends(run, trained, tmp_path):
    from safetensors.torch import load_file

    recipe, folder = trained

    def stop(entry):
        if entry["step"] >= 6 and "loss" in entry:
            raise KeyboardInterrupt

    copy = bt.Run(tmp_path / "copy")
    for name in ("calls.jsonl", "dataset/train.jsonl", "dataset/validation.jsonl"):
        (copy.path / name).parent.mkdir(parents=True, exist_ok=True)
        (copy.path / name).write_bytes((run.path / name).read_bytes())
    with pytest.raises(KeyboardInterrupt):
        train(copy, recipe, "tiny", on_log=stop)
    assert list((copy.path / ".checkpoints").rglob("checkpoint-4"))
    resumed = load_file(train(copy, recipe, "tiny") / "model.safetensors")
    whole = load_file(folder / "model.safetensors")
    assert all((resumed[k] - whole[k]).abs().max() < 1e-4 for k in whole)


def test_batched_generation_gives_what_one_by_one_gives(run, trained):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(trained[1]), AutoModelForCausalLM.from_pretrained(trained[1])
    prompts = [encode_prompt(tokenizer, row["question"]) for row in run.read("dataset/train.jsonl")[:12]]
    batched = dict(generation.generate(model, tokenizer, prompts, max_new_tokens=12, batch_size=6))
    single = dict(generation.generate(model, tokenizer, prompts, max_new_tokens=12, batch_size=1))
    assert batched == single and len(batched) == 12


def test_predictions_and_scores_of_three_models(run, trained):
    recipe, folder = trained
    predicted = generation.predict(run, folder, recipe, progress=False)
    generation.predict(run, run.path / "models/untrained", recipe, progress=False)
    generation.retrieve(run)
    assert list(predicted["id"]) == [row["id"] for row in run.read("dataset/test.jsonl")]
    table = evaluation.evaluate(run, ["untrained", "retrieval", "tiny"])
    overall = table[table["part"] == "overall"].set_index(["model", "metric"])
    assert overall.loc[("untrained", "exact_match"), "value"] == 0
    assert overall.loc[("retrieval", "api_success"), "value"] == 1
    assert (table["n"] > 0).all() and (table["low"] <= table["value"]).all() and (table["value"] <= table["high"]).all()
    assert list(table.columns) == ["model", "part", "metric", "value", "low", "high", "n"]
    written = json.loads((run.path / "scores.json").read_text())
    assert written["_settings"]["menu"] == {"untrained": "none", "retrieval": None, "tiny": "none"}
    nested = written["retrieval"]["test"]["biotool_score"]
    assert set(nested) == {"value", "n", "low", "high"} and 0 < nested["value"] <= 1


def test_recipes_are_checked_key_by_key(tmp_path):
    for path in (Path(bt.__file__).parent / "training/recipes").glob("*.yaml"):
        assert load_recipe(path.stem).name == path.stem
        assert path.read_text().startswith(("# python -m biotool_lib.training --run", "# python -m biotool_lib.nano\n"))
    with pytest.raises(bt.InvalidParameter, match="did you mean 'laptop'"):
        load_recipe("labtop")
    with pytest.raises(bt.InvalidParameter, match="did you mean 'learning_rate'"):
        load_recipe("laptop", learning_rat=1)
    with pytest.raises(bt.InvalidParameter, match="one of full, lora"):
        load_recipe("laptop", tuning="half")


def test_a_misspelt_notebook_parameter_is_one_clear_error(tmp_path, capsys):
    (tmp_path / "p.yaml").write_text("backnd: replay\n")
    with pytest.raises(bt.InvalidParameter, match="did you mean 'backend'"):
        notebooks.read_parameters(tmp_path / "p.yaml")
    assert notebooks.main(["--parameter", "sede", "3"]) == 2
    assert "did you mean 'seed'" in capsys.readouterr().err


def test_a_rerun_gives_widgets_the_same_ids():
    text = (Path(__file__).parents[1] / "notebooks/workshop/call_explorer.ipynb").read_text(encoding="utf-8")
    ids = sorted(json.loads(text)["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"])
    assert len(ids) > 20 and notebooks.number_widgets(text) == text.rstrip()
    other = text
    for number, model in enumerate(ids):
        other = other.replace(model, f"{(number * 7919 + 13) % 1009 + 10**6:032x}")
    assert other != text and notebooks.number_widgets(other) == text.rstrip()


@pytest.mark.parametrize("module", ["road", "calls", "questions", "filters", "dataset", "training", "evaluation", "notebooks", "experiments", "atlas"])
def test_every_command_has_help(module):
    done = subprocess.run([sys.executable, "-m", f"biotool_lib.{module}", "--help"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "usage" in done.stdout


def test_the_snippet_of_the_readme_prints_what_the_readme_says():
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    said = [line.removeprefix("# ") for line in code.rstrip().splitlines() if line.startswith("# ok")]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert said and done.stdout.splitlines() == said, done.stderr


def test_the_command_line_says_what_is_wrong_in_one_line(tmp_path):
    done = subprocess.run([sys.executable, "-m", "biotool_lib.road", "--run", str(tmp_path / "r"), "--backend", "replay", "--recordings", str(tmp_path)],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and done.stderr.startswith("error: ") and "index.jsonl" in done.stderr and "Traceback" not in done.stderr
