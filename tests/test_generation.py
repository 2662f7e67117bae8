"""Predictions: when they stop, what is counted, and models behind a server."""

from __future__ import annotations

import json

import jsonschema
import pytest
from chat_server import model, serving

import biotool_lib as bt
from biotool_lib import generation
from biotool_lib.common.chat import render_call
from biotool_lib.nano import make_model, make_tokenizer
from biotool_lib.training import load_recipe

CALL = {"name": "lookup_by_symbol", "arguments": {"species": "human", "symbol": "BRCA1"}}
ROW = {"id": "r0", "kind": "call", "question": "Where is BRCA1?", "function": "lookup_by_symbol", "tools": ["einfo", "lookup_by_symbol"], "call": CALL}
TINY = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": 16, "intermediate_size": 16,
        "max_position_embeddings": 512, "tie_word_embeddings": True}


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer([ROW["question"], render_call(CALL)], 400)


def test_an_answer_may_be_as_long_beside_its_question_as_any_that_was_learned(tokenizer):
    recipe = load_recipe("laptop", max_new_tokens=200)
    said = len(tokenizer(ROW["question"])["input_ids"])
    learned = len(tokenizer(render_call(CALL))["input_ids"]) + 1
    longer = {**ROW, "question": ROW["question"] * 3}
    assert generation.limits(tokenizer, [ROW, longer], [ROW], recipe) == [learned + generation.MARGIN, learned + 2 * said + generation.MARGIN]
    assert generation.limits(tokenizer, [longer], [ROW], load_recipe("laptop", max_new_tokens=9)) == [9]
    assert generation.limits(tokenizer, [ROW], [], recipe) == [200]


def test_each_row_of_a_batch_ends_at_its_own_limit_and_the_same_with_any_batch(tokenizer):
    lm = make_model(TINY, tokenizer, 0)
    prompts = [tokenizer(text)["input_ids"] for text in ("Where is BRCA1?", "Where?", "Where is it, is it?")]
    limits = [3, 9, 5]
    found = [dict(generation.continuations(lm, tokenizer, prompts, limits, size)) for size in (3, 1)]
    assert found[0] == found[1] and all(len(found[0][i]) <= limit for i, limit in enumerate(limits)) and len(found[0][1]) > 0


@pytest.fixture
def run(tmp_path):
    made = bt.Run(tmp_path / "run")
    made.write("dataset/test.jsonl", [ROW, {**ROW, "id": "r1", "question": "What is the time?", "call": None, "kind": "out_of_scope"},
                                      {**ROW, "id": "r2", "question": "Where is TP53?"}])
    return made


def message(**fields):
    return 200, {}, json.dumps({"choices": [{"message": {"role": "assistant", **fields}, "finish_reason": "stop"}]})


def test_a_server_gets_the_schemas_and_its_calls_are_read(run, tmp_path):
    calls = [{"id": "c", "type": "function", "function": {"name": CALL["name"], "arguments": json.dumps(CALL["arguments"])}}]
    with serving(lambda body: f"<tool_call>\n{json.dumps(CALL)}\n</tool_call>" if "TP53" in body["messages"][-1]["content"] else "I cannot.") as server:
        server.faults = [message(content=None, tool_calls=calls)]
        chat = model(server, tmp_path, workers=1)
        table = generation.predict_with(run, chat, load_recipe("laptop", menu="full"), name="served", progress=False)
        assert list(table["form"]) == ["openai", "none", "hermes"] and table["call"][0] == CALL == table["call"][2] and table["call"][1] is None
        assert server.bodies[0]["tools"] == [bt.tools()[name].json_schema() for name in ROW["tools"]] and "temperature" not in server.bodies[0]
        stamp = run.manifest["stages"]["predict/served"]
        assert stamp["rows"] == 3 and stamp["not_run"] == 0
        asked = len(server.bodies)
        generation.predict_with(run, chat, load_recipe("laptop", menu="full"), name="served", progress=False)
        assert len(server.bodies) == asked  # nothing is asked twice
        generation.predict_with(run, chat, load_recipe("laptop"), name="no_menu", progress=False)
        assert "tools" not in server.bodies[-1]


def test_an_interrupted_prediction_goes_on_and_a_refused_row_is_reported(run, tmp_path):
    with serving(lambda body: render_call(CALL)) as server:
        chat = model(server, tmp_path, workers=1, attempts=1)
        server.faults = [None, (500, {}, "{}")]
        with pytest.raises(bt.BioToolError):
            generation.predict_with(run, chat, load_recipe("laptop"), name="cut", progress=False)
        server.faults = [(400, {}, json.dumps({"error": {"message": "maximum context length", "code": "context_length_exceeded"}}))]
        table = generation.predict_with(run, chat, load_recipe("laptop"), name="cut", progress=False)
        assert list(table["form"]) == ["hermes", "not_run", "hermes"]
        assert run.manifest["stages"]["predict/cut"]["not_run"] == 1
        assert [sum(ROW["question"] == body["messages"][-1]["content"] for body in server.bodies)] == [1]


def test_constrained_answers_are_asked_for_by_a_schema_of_the_menus_calls(run, tmp_path):
    with serving(lambda body: json.dumps(CALL if "BRCA1" in body["messages"][-1]["content"] else {"name": None, "arguments": {}})) as server:
        table = generation.predict_with(run, model(server, tmp_path, workers=1), load_recipe("laptop", menu="full"), name="held", constrained=True,
                                        progress=False)
        assert [*table["call"]] == [CALL, None, None]
        body = server.bodies[0]
        schema = body["response_format"]["json_schema"]["schema"]
        assert "tools" not in body and '"name": "lookup_by_symbol"' in body["messages"][0]["content"]
    allowed = jsonschema.Draft202012Validator(schema)
    assert allowed.is_valid(CALL) and allowed.is_valid({"name": None, "arguments": {}})
    for wrong in ({"name": "lookup_by_id", "arguments": {}}, {"name": CALL["name"], "arguments": {}}, {"name": "einfo", "arguments": {"x": 1}}, {}):
        assert not allowed.is_valid(wrong)


def test_a_models_name_is_a_file_name(run, tmp_path):
    with serving(lambda body: "") as server, pytest.raises(bt.InvalidParameter, match="file name"):
        generation.predict_with(run, model(server, tmp_path), load_recipe("laptop"), name="../out")
