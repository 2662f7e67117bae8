"""Run folders, the parser, statistics, encoders and verdicts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import biotool_lib as bt
from biotool_lib.common.chat import parse, render_call
from biotool_lib.common.encoders import similarity
from biotool_lib.common.review import verdict
from biotool_lib.common.runner import read_jsonl
from biotool_lib.common.stats import bootstrap

CALL = {"name": "lookup_by_id", "arguments": {"id": "ENSG1"}}


@pytest.mark.parametrize(("text", "form"), [
    ('<tool_call>{"name": "lookup_by_id", "arguments": {"id": "ENSG1"}}</tool_call>', "hermes"),
    ('Sure!\n<tool_call>\n{"name": "lookup_by_id", "arguments": {"id": "ENSG1"}}\n', "hermes"),
    ("<function=lookup_by_id>\n<parameter=id>\nENSG1\n</parameter>\n</function>", "qwen_xml"),
    ('Action: lookup_by_id\nAction Input: {\n  "id": "ENSG1"\n}', "react"),
    ({"tool_calls": [{"function": {"name": "lookup_by_id", "arguments": '{"id": "ENSG1"}'}}]}, "openai"),
    ('{"name": "lookup_by_id", "parameters": {"id": "ENSG1"}}', "llama"),
    ('Here:\n```json\n{"name": "lookup_by_id", "arguments": {"id": "ENSG1"}}\n```', "fenced"),
    ('I call {"name": "lookup_by_id", "arguments": {"id": "ENSG1"}} now.', "embedded"),
])
def test_the_parser_reads_every_known_form(text, form):
    parsed = parse(text)
    assert (parsed.call, parsed.form, parsed.calls) == (CALL, form, 1)


@pytest.mark.parametrize("text", ["", "No function fits.", "<tool_call>[1, 2]</tool_call>", '{"name": 3, "arguments": {}}', None, 7, "<tool_call>"])
def test_what_is_no_call_is_none(text):
    assert parse(text).call is None and parse(text).form == "none"


def test_several_calls_are_counted_and_the_first_is_taken():
    two = render_call(CALL) + render_call({"name": "einfo", "arguments": {}})
    assert parse(two).call == CALL and parse(two).calls == 2


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.binary(), st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c))))
def test_the_parser_never_raises(text):
    parsed = parse(text)
    assert parsed.call is None or (isinstance(parsed.call["name"], str) and isinstance(parsed.call["arguments"], dict))


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet='<>tool_cal/{}"name:,[]rgumets\n `Action Input', max_size=200))
def test_the_parser_survives_broken_markup(text):
    parsed = parse(text)
    assert (parsed.call is None) == (parsed.form == "none") and (parsed.calls > 0) == (parsed.call is not None)


def test_a_run_refuses_other_settings(tmp_path):
    bt.Run(tmp_path / "r", seed=1)
    with pytest.raises(bt.InvalidParameter, match="was made with 1"):
        bt.Run(tmp_path / "r", seed=2)
    with pytest.raises(bt.MissingArtefact, match="is no run folder"):
        bt.load_run(tmp_path / "nothing")


def test_interrupted_work_resumes_without_repeating_or_losing_a_row(tmp_path):
    run, done = bt.Run(tmp_path / "r"), []
    items = [{"id": str(i)} for i in range(10)]

    def work(item):
        if len(done) == 6:
            raise KeyboardInterrupt
        done.append(item["id"])
        return {"id": item["id"], "square": int(item["id"]) ** 2}

    stage = run.stage("calls", writes=["calls.jsonl"])
    with pytest.raises(KeyboardInterrupt):
        run.resume(stage, items, work, progress=False)
    part = run.part(stage)
    part.write_bytes(part.read_bytes() + b'{"id": "6", "squ')  # a kill in the middle of a line
    rows = bt.Run(tmp_path / "r").resume(stage, items, lambda i: {"id": i["id"], "square": int(i["id"]) ** 2}, progress=False)
    assert [r["square"] for r in rows] == [i**2 for i in range(10)]
    assert len(read_jsonl(part)) == 10 and done == [str(i) for i in range(6)]


def test_a_stage_is_done_once_until_its_input_or_artefact_changes(tmp_path):
    run = bt.Run(tmp_path / "r")
    run.write("in.jsonl", [{"a": 1}])

    def stage():
        return bt.Run(tmp_path / "r").stage("s", reads=["in.jsonl"], writes=["out.jsonl"])

    first = stage()
    assert not first.done
    first.run.write("out.jsonl", [{"b": 1}])
    first.finish(1)
    assert stage().done
    run.write("in.jsonl", [{"a": 2}])
    assert not stage().done
    run.write("in.jsonl", [{"a": 1}])
    assert stage().done
    (run.path / "out.jsonl").write_text("damaged")
    assert not stage().done
    with pytest.raises(bt.MissingArtefact, match="has not run"):
        run.stage("t", reads=["absent.jsonl"], writes=[])


def test_bootstrap_resamples_groups_and_is_deterministic():
    alone = bootstrap([1, 0] * 50)
    grouped = bootstrap([1, 0] * 50, ["a"] * 50 + ["b"] * 50)
    assert alone["value"] == grouped["value"] == 0.5 and alone["n"] == 100
    assert alone == bootstrap([1, 0] * 50)
    ones = bootstrap([1.0] * 5 + [0.0] * 5, ["a"] * 5 + ["b"] * 5)
    assert (ones["low"], ones["high"]) == (0.0, 1.0)
    assert bootstrap([])["value"] is None


def test_similarity_is_one_for_equal_zero_for_foreign_and_empty_texts():
    same, other, blank = similarity(["chromosome 17", "chromosome 17", ""], ["chromosome 17", "zzzz qqqq", ""])
    assert same == pytest.approx(1) and other == 0 and blank == 0
    with pytest.raises(bt.InvalidParameter, match="did you mean 'hash-ngram-v1'"):
        similarity(["a"], ["b"], "hash-ngram-v2")


def test_a_verdict_needs_layer_name_and_reason():
    with pytest.raises(bt.InvalidParameter) as caught:
        verdict("q", "oracle", False, " ", by="")
    assert {p.where for p in caught.value.problems} == {"layer", "by", "reason"}
