"""Floors and other people's models: the grammar read backwards, examples in the prompt, menus, hosted models and what they cost."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from chat_server import model, serving

import biotool_lib as bt
from biotool_lib import calls, evaluation
from biotool_lib.common.exchanges import BudgetSpent
from biotool_lib.evaluation import baselines, commands
from biotool_lib.evaluation.inverse import InverseGrammar, grammar
from biotool_lib.questions import grammar as forwards

FUNCTIONS = ["lookup_by_symbol", "get_homology_by_symbol", "search_keywords", "get_taxonomy_by_id", "get_sequence_by_region"]


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    """Rows with two questions a call, of which the first half of each function's calls is for training."""
    client, found = bt.Client(), []
    proposed = calls.propose(client, 0, FUNCTIONS, 0.3)
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
    assert len(familiar) > 20 and right[True] > 0.9 * len(familiar), right
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


@pytest.fixture
def small(tmp_path, rows) -> bt.Run:
    """A few rows of their own, for models that are asked one by one."""
    run = bt.Run(tmp_path / "r")
    run.write("dataset/train.jsonl", rows[8:])
    run.write("dataset/test.jsonl", rows[:8])
    return run


def obliging(body):
    """Calls the first offered function with arguments that no function has, or refuses where nothing is offered."""
    if not body.get("tools"):
        return "No function fits this question."
    name = body["tools"][0]["function"]["name"]
    return {"content": None, "tool_calls": [{"id": "1", "type": "function", "function": {"name": name, "arguments": json.dumps({"odd": 1})}}]}


def test_a_hosted_model_gets_the_menu_as_tools_and_its_cost_is_counted(small, tmp_path):
    with serving(obliging) as server:
        chat = model(server, tmp_path, prices={"test-model": {"input": 1.0, "output": 10.0}})
        found = evaluation.hosted(small, chat, shots=2, menu=8, name="hosted")
        asked = server.bodies
    assert len(found) == 8 == len(asked) and all(len(body["tools"]) == 8 and body["tool_choice"] == "auto" for body in asked)
    by_question = {body["messages"][-1]["content"]: body for body in asked}
    for row, line in zip(small.read("dataset/test.jsonl"), found.to_dict("records"), strict=True):
        body = by_question[row["question"]]
        assert row["function"] in [t["function"]["name"] for t in body["tools"]] and line["menu_size"] == 8
        assert line["call"] == {"name": body["tools"][0]["function"]["name"], "arguments": {"odd": 1}}
        assert body["messages"][0]["content"].count("\nQuestion: ") == 2 and row["question"] not in body["messages"][0]["content"]
    stamp = small.manifest["stages"]["predict/hosted"]
    assert stamp["cost"] == pytest.approx(8 * (100 * 1 + 20 * 10) / 1e6) and (stamp["menu"], stamp["shots"], stamp["not_run"]) == (8, 2, 0)
    evaluation.evaluate(small, ["hosted"], client=bt.Client())
    curve = evaluation.menu_curve(small)
    assert curve[["model", "menu", "functions", "shots", "n", "not_run"]].values.tolist() == [["hosted", "8", 8.0, 2, 8, 0]]


def test_a_hosted_model_goes_on_where_its_budget_ended_and_is_never_asked_twice(small, tmp_path):
    with serving(obliging) as server:
        server.usage = (4000, 20)
        with pytest.raises(BudgetSpent):
            evaluation.hosted(small, model(server, tmp_path, budget_tokens=12_000, workers=1), name="hosted")
        before = len(server.bodies)
        assert 0 < before < 8 and not (small.path / "predictions/hosted.jsonl").exists()
        found = evaluation.hosted(small, model(server, tmp_path), name="hosted")
        assert len(server.bodies) == 8 and len(found) == 8 and max(server.asked.values()) == 1
        evaluation.hosted(small, model(server, tmp_path), name="hosted")
        assert len(server.bodies) == 8


def test_a_question_that_the_endpoint_refuses_is_not_run(small, tmp_path):
    too_long = (400, {}, json.dumps({"error": {"message": "maximum context length exceeded"}}))
    with serving(obliging) as server:
        server.faults = [None, too_long]
        found = evaluation.hosted(small, model(server, tmp_path, workers=1), name="hosted", menu="none")
    assert found["form"].tolist().count("not_run") == 1 and "context length" in found["why"].dropna().iloc[0]
    evaluation.evaluate(small, ["hosted"], client=bt.Client())
    scores = json.loads((small.path / "scores.json").read_text())["hosted"]["test"]
    assert scores["not_run"] == 1 and scores["exact_match"]["n"] == 7 and scores["no_call_precision"]["n"] == 7


def test_the_commands_predict_and_score(small, tmp_path, capsys):
    with serving(obliging) as server:
        given = ["--run", str(small.path), "--model", "m", "--base-url", server.url, "--menu", "all", "--retriever", "bm25", "--name", "other"]
        assert commands.main(["hosted", *given]) == 0
    assert "8 questions, 0 of them not run, 8 calls" in capsys.readouterr().out
    assert commands.main(["score", "--run", str(small.path)]) == 0 and "exact_match" in capsys.readouterr().out
    state = evaluation.arms(bt.Run.existing(small.path)).set_index("arm")["state"]
    assert state["other"] == "scored" and state["biotool-published"] == state["gpt"] == state["claude"] == state["gemini"] == "not run"
    assert commands.main(["score", "--run", str(tmp_path / "nowhere")]) == 2 and "no run folder" in capsys.readouterr().err


@pytest.fixture(scope="module")
def tiny(tmp_path_factory, rows):
    """A model of random weights with a chat template, and room for 2,000 tokens."""
    from biotool_lib.nano import make_model, make_tokenizer

    folder = tmp_path_factory.mktemp("tiny") / "tiny"
    tokenizer = make_tokenizer([row["question"] for row in rows], 400)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 16,
             "max_position_embeddings": 2000, "tie_word_embeddings": True}
    tokenizer.save_pretrained(folder)
    make_model(shape, tokenizer).save_pretrained(folder)
    return folder


def test_examples_and_menus_stand_in_the_prompt_and_what_does_not_fit_is_not_run(small, tiny, monkeypatch):
    prompts, really = [], baselines.generate
    monkeypatch.setattr(baselines, "generate", lambda *given, **options: prompts.extend(given[2]) or really(*given, **options))
    short = evaluation.in_context(small, tiny, shots=2, menu="none", max_new_tokens=4)
    assert (short["form"] != "not_run").sum() == len(prompts) == 8 and short["menu_size"].tolist() == [0] * 8
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    row = small.read("dataset/test.jsonl")[0]
    said = tokenizer.decode(prompts[0])
    shots = baselines.nearest(small.read("dataset/train.jsonl"), [row], 2)[0]
    assert all(part in said for part in (row["question"], shots[0]["question"], shots[1]["question"])) and said.index(shots[1]["question"]) < said.index(row["question"])
    long = evaluation.in_context(small, tiny, shots=2, menu="all", max_new_tokens=4)
    assert (long["form"] == "not_run").all() and len(prompts) == 8 and long["why"].str.contains("1996 fit").all()
    assert set(long["menu_size"]) == {len(bt.tools())}


def test_a_killed_prediction_in_context_goes_on(small, tiny, monkeypatch):
    really, asked = baselines.generate, []

    def once(model, tokenizer, prompts, **options):
        asked.append(len(prompts))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return really(model, tokenizer, prompts, **options)

    monkeypatch.setattr(baselines, "generate", once)
    ask = {"shots": 0, "menu": "none", "max_new_tokens": 4, "batch_size": 2}
    with pytest.raises(KeyboardInterrupt):
        evaluation.in_context(small, tiny, **ask)
    assert len(evaluation.in_context(small, tiny, **ask)) == 8 and len(asked) == 5


def test_an_unknown_menu_or_retriever_is_an_error(small, tiny):
    with pytest.raises(bt.InvalidParameter, match="'none' or 'all'"):
        evaluation.in_context(small, tiny, menu="some")
    with pytest.raises(bt.InvalidParameter, match="retriever"):
        evaluation.in_context(small, tiny, menu=2, retriever="bm26")
