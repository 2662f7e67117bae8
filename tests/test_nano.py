"""The nano base: what it is made from, what ships, and that it can be made anew."""

from __future__ import annotations

import json
import random
import re

import pytest

from biotool_lib.catalogue import tools
from biotool_lib.common.chat import encode_prompt, parse, render_call, render_prompt
from biotool_lib.generation import generate
from biotool_lib.nano import BASE, TRAIN, UNSEEN, Words, made_up_row, make_tokenizer
from biotool_lib.nano.__main__ import main, make_base
from biotool_lib.training.recipe import load_recipe

ROWS = 1500


@pytest.fixture(scope="module")
def rows():
    rng = random.Random(3)
    return [made_up_row(rng) for _ in range(ROWS)]


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(BASE)


def test_made_up_rows_hold_all_that_their_call_needs(rows):
    menus = [row for row in rows if row["tools"]]
    assert len(menus) > ROWS / 2 and any(row["call"] is None for row in menus)
    for row in rows:
        if row["call"] is None:
            continue
        shown = row["question"] + "\n" + "\n".join(tool["function"] for tool in row["tools"])
        assert row["call"]["name"] in shown
        for name, value in row["call"]["arguments"].items():
            assert name in shown or name.capitalize() in shown
            if isinstance(value, str):
                # A sentence begins with a capital, also where it begins with a value.
                assert all(part in shown or part[:1].upper() + part[1:] in shown for part in value.split(",")), (row["question"], value)
            elif not isinstance(value, bool):
                assert str(value) in shown
        assert list(row["call"]["arguments"]) == sorted(row["call"]["arguments"]), "in the order of canonical calls"


def test_made_up_rows_know_none_of_our_functions(rows):
    ours = set(tools())
    named = {row["call"]["name"] for row in rows if row["call"]} | {t["function"].partition("(")[0] for row in rows for t in row["tools"]}
    assert not named & ours


def test_functions_to_be_measured_on_have_nouns_that_training_never_has(rows):
    assert not set(TRAIN.nouns) & set(UNSEEN.nouns)
    held_out = re.compile(rf"(?:^|_)(?:{'|'.join(UNSEEN.nouns)})s?(?:_|$)")
    names = {row["call"]["name"].partition("_by_")[0] for row in rows if row["call"] and row["tools"]}  # what is looked up by is no noun of a function
    assert not [name for name in names if held_out.search(name)]


def test_the_tokenizer_writes_a_value_alike_in_question_and_call(tokenizer):
    for value in ("BRCA1", "rs113993960", "Homo sapiens", "7:140424943-140624564", "ENSG00000157764", "10.1194/jlr.m003061", "GO:0006915", "NM_000546.6"):
        ids = tokenizer(value, add_special_tokens=False)["input_ids"]
        for text in (f"What about {value}?", render_call({"name": "x", "arguments": {"y": value}})):
            found = tokenizer(text, add_special_tokens=False)["input_ids"]
            assert any(found[i:i + len(ids)] == ids for i in range(len(found))), (value, text)
            assert tokenizer.decode(found) == text


def test_a_compact_schema_stands_in_the_prompt_as_one_line(tokenizer):
    schema = tools()["lookup_by_symbol"].json_schema(compact=True)
    prompt = render_prompt(tokenizer, "Where is BRCA1?", [schema])
    assert prompt == f"<|tools|>{tools()['lookup_by_symbol'].signature()}\n<|user|>Where is BRCA1?<|assistant|>"
    full = render_prompt(tokenizer, "Where is BRCA1?", [tools()["lookup_by_symbol"].json_schema()])
    assert '"description"' in full, "a full schema stands there as JSON"


def test_the_base_that_ships_is_small_safe_and_its_card_says_what_was_measured():
    size = sum(path.stat().st_size for path in BASE.iterdir())
    assert size <= 10_000_000 and (BASE / "model.safetensors").is_file()
    assert not [path for path in BASE.iterdir() if path.suffix in (".bin", ".pt", ".pkl", ".py")]
    facts, card = json.loads((BASE / "scores.json").read_text()), (BASE / "README.md").read_text()
    for arm, measured in facts["scores"].items():
        found = measured["exact_match"]
        assert found["n"] >= 500 and found["low"] <= found["value"] <= found["high"]
        assert f"| {arm} | {found['value']:.3f} |" in card


def test_the_base_follows_a_schema_that_it_has_not_seen(tokenizer):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(BASE)
    rng, asked = random.Random("test"), []
    while len(asked) < 40:
        row = made_up_row(rng, Words(UNSEEN.nouns))
        if row["call"] and len(row["tools"]) == 1:
            asked.append(row)
    prompts = [encode_prompt(tokenizer, row["question"], row["tools"]) for row in asked]
    written = [parse(text).call for _, text in sorted(generate(model, tokenizer, prompts, max_new_tokens=96, batch_size=40))]
    assert sum(call == row["call"] for call, row in zip(written, asked, strict=True)) >= 20, "half of them, whatever machine computes"


def test_a_base_is_made_measured_and_saved_and_a_broken_one_is_not_left(tmp_path, monkeypatch):
    tiny = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8,
            "intermediate_size": 32, "max_position_embeddings": 512, "tie_word_embeddings": True}
    recipe = load_recipe("nano_base", architecture=tiny, made_up_rows=64, batch_size=16, checkpoint_every=2)
    rng = random.Random(0)
    small = make_tokenizer([made_up_row(rng)["question"] for _ in range(100)], 400)
    monkeypatch.setattr("biotool_lib.nano.__main__.base_tokenizer", lambda: small)
    monkeypatch.setattr("biotool_lib.nano.__main__.TEST_ROWS", 4)
    scores = make_base(tmp_path / "base", tmp_path / "work", recipe)
    assert set(scores) == {"gold schema", "menu of 4"} and scores["menu of 4"]["exact_match"]["n"] == 4
    assert {"model.safetensors", "README.md", "scores.json", "training_log.jsonl", "tokenizer.json"} <= {p.name for p in (tmp_path / "base").iterdir()}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["base"], "neither checkpoints nor a half-written base are left"


def test_the_command_line_refuses_an_unknown_recipe(capsys):
    assert main(["--recipe", "nano_bas"]) == 2
    assert "did you mean 'nano_base'" in capsys.readouterr().err
