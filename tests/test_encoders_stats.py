"""Encoders with weights, on a tiny random network; intervals and tests against slow or closed forms."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import biotool_lib as bt
from biotool_lib import evaluation
from biotool_lib.common import encoders
from biotool_lib.common.stats import bootstrap, bootstrap_columns, mcnemar, over_seeds, paired_bootstrap, smallest_difference
from biotool_lib.errors import MissingEncoder

WORDS = ["gene", "protein", "chromosome", "human", "mouse", "17", "43044295", "ENSG00000012048", "BRCA1", "the", "of", "in", "kinase"]
TEXTS = [" ".join(WORDS[(i * k) % len(WORDS)] for k in range(1, 2 + 7 * i % 90)) for i in range(60)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder as BIOTOOL_ENCODERS names one, with a random network of BERT's build in it."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("weights")
    (root / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz0123456789", *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz0123456789")]))
    shape = BertConfig(vocab_size=77, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, max_position_embeddings=128)
    for name in ("MedCPT-Query-Encoder", "MedCPT-Article-Encoder"):
        BertModel(shape).save_pretrained(root / name)
        BertTokenizerFast(vocab_file=str(root / "vocab.txt"), do_lower_case=True).save_pretrained(root / name)
    return root


@pytest.fixture
def weights(folder, monkeypatch):
    monkeypatch.setenv(encoders.FOLDERS, str(folder))
    return encoders.model("medcpt-query")


def one_by_one(model, text: str) -> np.ndarray:
    import torch

    with torch.inference_mode():
        given = model.tokenizer(text, truncation=True, max_length=128, return_tensors="pt")
        return model.network(**given).last_hidden_state[0, 0].numpy()


def test_batches_give_what_one_text_at_a_time_gives(weights):
    texts = [*TEXTS, "word " * 5000]
    found = weights.vectors(texts)
    wanted = np.stack([one_by_one(weights, t) for t in texts])
    assert np.abs(found - wanted).max() < 1e-5
    cosines = encoders.similarity(texts[1:], texts[:-1], "medcpt-query")
    by_hand = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(wanted[1:], wanted[:-1], strict=True)]
    assert np.abs(cosines - by_hand).max() < 1e-5 and (np.abs(cosines) <= 1).all()
    assert encoders.similarity(["", "gene"], ["gene", ""], "medcpt-query").tolist() == [0, 0]


def test_each_distinct_text_is_encoded_once_and_kept_in_a_file(weights, tmp_path, monkeypatch):
    encoded = []

    def fresh():
        again = encoders.Model("medcpt-query", weights.tokenizer, weights.network)
        forward = again._encode
        monkeypatch.setattr(again, "_encode", lambda texts: encoded.extend(texts.values()) or forward(texts))
        return again

    store, model = tmp_path / "vectors.sqlite", fresh()
    first = model.vectors(["gene", "kinase", "gene"], store)
    assert sorted(encoded) == ["gene", "kinase"] and (first[0] == first[2]).all()
    model.vectors(["kinase", "human"])
    assert sorted(encoded) == ["gene", "human", "kinase"]
    assert (fresh().vectors(["kinase", "gene"], store) == first[[1, 0]]).all() and len(encoded) == 3


def test_missing_weights_are_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv(encoders.FOLDERS, str(tmp_path))
    with pytest.raises(MissingEncoder, match=r"hf download ncbi/MedCPT-Article-Encoder.*BIOTOOL_ENCODERS"):
        encoders.similarity(["a"], ["b"], "medcpt-article")
    monkeypatch.delenv(encoders.FOLDERS)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(MissingEncoder, match="ncbi/MedCPT-Query-Encoder"):
        encoders.model("medcpt-query")


def test_the_encoder_and_its_weights_are_part_of_the_score(weights, tmp_path, monkeypatch):
    run = bt.Run(tmp_path / "r")
    call = {"name": "lookup_by_symbol", "arguments": {"species": "homo_sapiens", "symbol": "BRCA1"}}
    row = {"id": "q", "group": "c", "question": "?", "database": "ensembl", "function": "lookup_by_symbol", "subfield": "genomics", "call": call,
           "observation": {"id": "ENSG00000012048"}}
    run.write("dataset/test.jsonl", [row])
    run.write("predictions/m.jsonl", [{"id": "q", "call": {**call, "arguments": {"species": "human", "symbol": "BRAF"}}}])
    found = {}
    for encoder in encoders.ENCODERS:
        table = evaluation.evaluate(run, ["m"], encoder=encoder)
        found[encoder] = table.set_index(["part", "metric"]).loc[("overall", "biotool_score"), "value"]
        stamp = json.loads((run.path / "scores.json").read_text())["_settings"]
        assert stamp["encoder"] == encoder and stamp["encoder_weights"] == encoders.weights(encoder)
    monkeypatch.setenv(encoders.FOLDERS, str(tmp_path))  # the finished one can be read where the weights are not, and no other one is made
    again = evaluation.evaluate(run, ["m"], encoder="medcpt-article").set_index(["part", "metric"])
    assert again.loc[("overall", "biotool_score"), "value"] == found["medcpt-article"]
    with pytest.raises(MissingEncoder):
        evaluation.evaluate(run, ["m"], encoder="medcpt-query")
    monkeypatch.undo()
    assert len(set(found.values())) == 3 and stamp["encoder_weights"] not in (None, weights.digest)


def slow_bootstrap(values, groups, seed, draws=1000):
    """The same draws, summed one by one."""
    names = sorted(set(groups))
    rng, means = np.random.default_rng(seed), []
    for pick in rng.integers(0, len(names), size=(draws, len(names))):
        drawn = [v for i in pick for v, g in zip(values, groups, strict=True) if g == names[i] and not math.isnan(v)]
        if drawn:
            means.append(np.mean(drawn))
    return np.quantile(means, [0.025, 0.975])


def test_intervals_of_several_columns_are_those_of_the_slow_way_and_leave_gaps_out():
    rng = np.random.default_rng(1)
    groups = [f"g{i}" for i in rng.integers(0, 12, 30)]
    full, gaps = rng.random(30), np.where(rng.random(30) < 0.4, np.nan, rng.random(30))
    found = bootstrap_columns({"full": full, "gaps": gaps, "none": [None] * 30}, groups, seed=3)
    assert found["full"] == bootstrap(full, groups, seed=3) and found["gaps"]["n"] == int((~np.isnan(gaps)).sum())
    assert found["gaps"]["value"] == pytest.approx(np.nanmean(gaps), abs=1e-6) and found["none"] == {"value": None, "n": 0, "low": None, "high": None}
    for name, values in (("full", full), ("gaps", gaps)):
        assert (found[name]["low"], found[name]["high"]) == pytest.approx(slow_bootstrap(values, groups, 3), abs=1e-6)


def test_pairs_see_a_difference_that_two_intervals_hide():
    rng = np.random.default_rng(0)
    first = rng.random(400) < 0.6
    second = first | (rng.random(400) < 0.12)
    alone = bootstrap(first), bootstrap(second)
    assert alone[0]["high"] > alone[1]["low"]
    found = paired_bootstrap(first, second)
    assert found["low"] > 0 and found["p"] < 0.01 and found["value"] == pytest.approx(second.mean() - first.mean(), abs=1e-6)
    assert paired_bootstrap(first, first)["p"] == 1 and paired_bootstrap([math.nan], [1])["n"] == 0
    assert paired_bootstrap(second, first)["high"] < 0
    with pytest.raises(ValueError, match="pairs of the same rows"):
        paired_bootstrap([1], [1, 2])


def test_mcnemar_is_the_exact_binomial_test():
    first, second = [True] * 12 + [False] * 3 + [True] * 20, [False] * 12 + [True] * 3 + [True] * 20
    exact = 2 * sum(math.comb(15, k) for k in range(4)) / 2**15
    assert mcnemar(first, second) == {"only_first": 12, "only_second": 3, "n": 35, "p": pytest.approx(exact)}
    assert mcnemar(first, first)["p"] == 1


def test_over_seeds_and_the_smallest_difference():
    found = over_seeds([0.5, 0.6, 0.7])
    half = 4.302653 * 0.1 / math.sqrt(3)  # Student's t, 2 degrees of freedom, 97.5 %
    assert (found["value"], found["sd"], found["n"]) == (0.6, 0.1, 3) and (found["low"], found["high"]) == pytest.approx((0.6 - half, 0.6 + half), abs=1e-5)
    assert over_seeds([0.5])["low"] is None and over_seeds([])["n"] == 0
    assert smallest_difference(392) == pytest.approx(0.1, abs=1e-3) and smallest_difference(4) > 0.9 and smallest_difference(0) is None


ODD_TEXTS = ["", " ", "a", "ab", "A \t b\n\nc", "naïve Καλημέρα 日本", "x" * 3000, '{"id": "ENSG00000012048", "gene": "β-globin"}', "\x00 \x1c\x85", "ſtraße İ"]


def test_the_hash_encoder_gives_the_numbers_of_sklearns_vectorizer():
    from sklearn.feature_extraction.text import HashingVectorizer

    slow = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), n_features=2**18, alternate_sign=False)
    texts = [*TEXTS, *ODD_TEXTS]
    together = encoders.encode(texts)
    assert abs(together - slow.transform(texts)).max() < 1e-12
    assert max(abs(encoders.encode([text]) - together[i]).max() for i, text in enumerate(texts)) < 1e-12
    assert encoders.encode([]).shape == (0, 2**18) and np.isfinite(encoders.encode(["\ud800 x"]).sum())


def test_each_pair_is_compared_once_and_answered_in_its_place():
    left, right = ["gene one", "gene two", "gene one", ""], ["gene two", "gene two", "gene two", "x"]
    found = encoders.similarity(left, right)
    assert found.tolist() == [encoders.similarity([a], [b])[0] for a, b in zip(left, right, strict=True)]
    assert found[0] == found[2] and found[1] == pytest.approx(1) and found[3] == 0
