"""Floors and other people's models: the grammar read backwards, examples in the prompt, menus, hosted models and what they cost."""

from __future__ import annotations

import json
from collections import Counter

import pytest

import biotool_lib as bt
from biotool_lib import calls, evaluation
from biotool_lib.evaluation.inverse import InverseGrammar, grammar
from biotool_lib.questions import grammar as forwards

FUNCTIONS = ["lookup_by_symbol", "get_homology_by_symbol", "esearch", "search_keywords", "search_uniprotkb", "get_taxonomy_by_id", "get_sequence_by_region"]


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    """Rows with two questions a call, of which the first half of each function's calls is for training."""
    client, found = bt.Client(), []
    proposed = [c for c in calls.propose(client, 0, FUNCTIONS, 0.3)]
    done = [calls.row(c, client.call(c["name"], c["arguments"])) for c in proposed]
    for call in done:
        for style in ("plain", "expert"):
            said = forwards.write(call, style) if call["outcome"] == "ok" else None
            if said:
                tool = bt.tools()[call["name"]]
                found.append({
                    "id": f"{call['id']}-{style}", "group": call["id"], "question": said["question"], "phrasing": f"{style}/{said['family']}", "kind": "call",
                    "call": {"name": call["name"], "arguments": call["arguments"]}, "observation": call["observation"]["summary"], "function": call["name"],
                    "database": tool.database, "subfield": tool.subfield, "tools": [call["name"], "einfo"]})
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory, rows) -> bt.Run:
    run, groups = bt.Run(tmp_path_factory.mktemp("floors") / "r"), {}
    for row in rows:
        groups.setdefault(row["function"], {}).setdefault(row["group"], []).append(row)
    parts = {"train": [], "test": []}
    for function in groups.values():
        for i, both in enumerate(function.values()):
            parts["train" if i % 2 else "test"] += both
    for name, part in parts.items():
        run.write(f"dataset/{name}.jsonl", part)
    return run


def test_the_inverse_grammar_reads_what_the_grammar_wrote(run):
    train, test = run.read("dataset/train.jsonl"), run.read("dataset/test.jsonl")
    known = {(r["function"], r["phrasing"].split("/")[1]) for r in train}
    familiar = [r for r in test if (r["function"], r["phrasing"].split("/")[1]) in known]
    reader = InverseGrammar(train)
    right = Counter((reader.read(r["question"]) == r["call"]) for r in familiar)
    assert len(familiar) > 40 and right[True] > 0.9 * len(familiar), right
    assert reader.read("What is the meaning of life?") is None and reader.read("") is None


def test_the_inverse_grammar_knows_no_family_that_training_has_not(run):
    test = run.read("dataset/test.jsonl")
    hidden = test[0]["phrasing"].split("/")[1]
    asked = [r for r in test if r["function"] == test[0]["function"] and r["phrasing"].split("/")[1] == hidden]
    reader = InverseGrammar([r for r in run.read("dataset/train.jsonl") if r["function"] != test[0]["function"] or r["phrasing"].split("/")[1] != hidden])
    assert all(not p.pattern.fullmatch(asked[0]["question"]) or p.function != test[0]["function"] for p in reader.phrasings)
    assert InverseGrammar([]).read(asked[0]["question"]) is None


def test_the_inverse_grammar_is_a_model_like_the_others(run):
    found = grammar(run)
    assert list(found["id"]) == [r["id"] for r in run.read("dataset/test.jsonl")] and set(found["form"]) <= {"hermes", "none"}
    table = evaluation.evaluate(run, ["grammar"], client=bt.Client()).set_index(["part", "metric"])
    assert table.loc[("overall", "exact_match"), "value"] > 0.5
