"""Studies: every arm is trained or asked once, scored, and written down with what was not run."""

from __future__ import annotations

import json

import pytest

from biotool_lib import experiments as e
from biotool_lib.errors import InvalidParameter

FEW = ["lookup_by_symbol", "get_keyword_by_id", "get_taxonomy_by_id", "search_keywords"]
TINY = {"base": "scratch", "tokenizer_vocab": 400, "made_up_rows": 0, "fewest_rows": 0, "max_new_tokens": 8, "batch_size": 4, "architecture": {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 32,
    "max_position_embeddings": 2048, "tie_word_embeddings": True}}


def test_an_unknown_study_is_one_clear_error_and_nothing_is_written(tmp_path):
    with pytest.raises(InvalidParameter, match="did you mean 'seeds'"):
        e.experiments(tmp_path / "runs", ["seed"], target=tmp_path / "found.json")
    assert not list(tmp_path.iterdir())


def test_a_study_scores_every_arm_and_seed_and_names_what_was_not_run(tmp_path, monkeypatch, capsys):
    arms = {"trained": e.Arm(TINY, seeds=(0, 1)), "half": e.Arm({**TINY, "share": 0.5}), "asked, not trained": e.Arm(TINY, trained=False)}
    monkeypatch.setattr(e, "STUDIES", {"small": e.Study("Does it run?", arms, scheme="entity"), "other": e.Study("And this?", {})})
    target = tmp_path / "results/found.json"
    found = e.experiments(tmp_path / "runs", ["small"], target=target, max_steps=2, functions=FEW)
    assert found == json.loads(target.read_text()) and found["not_run"] == ["other"]
    study = found["studies"]["small"]
    assert set(study["models"]) == {"trained-0", "trained-1", "half-0", "asked-not-trained"} and study["scheme"] == "entity"
    for model in study["models"].values():
        score = model["scores"]["exact_match"]
        assert score["n"] > 0 and score["low"] <= score["value"] <= score["high"]
    assert study["models"]["half-0"]["rows"] < study["models"]["trained-0"]["rows"] and study["models"]["asked-not-trained"]["seed"] is None
    assert study["manifest"]["dataset"]["sha256"] and study["manifest"]["versions"]
    table = e.table(target)
    assert len(table) == 2 * len(study["models"]) and set(table["study"]) == {"small"} and table["value"].between(0, 1).all()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("model.safetensors")}
    e.experiments(tmp_path / "runs", ["small"], target=target, max_steps=2, functions=FEW)
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("model.safetensors")}, "nothing is trained twice"
