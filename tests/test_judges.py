"""Judges that read, how far they agree, and how good each one is on rows that were spoiled on purpose."""

from __future__ import annotations

import json
import shutil
from collections import Counter

import pytest
from chat_server import model, serving, small_run
from sklearn.metrics import cohen_kappa_score

import biotool_lib as bt
from biotool_lib import calls, dataset, filters, judges, questions
from biotool_lib.common.exchanges import BudgetSpent
from biotool_lib.common.review import accepted, verdict
from biotool_lib.judges import POINTS, UNDECIDED, ChatJudge, RuleJudge, agreement, kappa
from biotool_lib.judges import calibration as cal
from biotool_lib.questions.grammar import look_up
from biotool_lib.road import main

FEW = ["get_uniparc_by_upi", "get_uniparc_light", "get_disease_by_id", "get_taxonomy_by_id", "get_taxonomy_id"]


def sound(**changes):
    return json.dumps({**dict.fromkeys(POINTS, True), "accept": True, "reason": "It fits.", **changes})


def strict_on_strands(body):
    """A judge that rejects what asks for a strand, in either prompt, and with the second prompt what asks for a description, too."""
    text = next(m["content"] for m in reversed(body["messages"]) if m["content"].startswith("Question:"))
    second = "without any knowledge of your own" in body["messages"][0]["content"]
    if "strand" in text.split("\nCall:")[0] or (second and "stands for" in text.split("\nCall:")[0]):
        return sound(answerable=False, accept=False, reason="Not <b>answered</b>.")
    return sound()


@pytest.fixture
def server():
    with serving(strict_on_strands) as running:
        yield running


@pytest.fixture(scope="module")
def filtered(tmp_path_factory):
    run = small_run(tmp_path_factory.mktemp("runs") / "small")
    questions.write_questions(run)
    filters.apply_filters(run)
    return run.path


@pytest.fixture
def run(filtered, tmp_path):
    return bt.Run(shutil.copytree(filtered, tmp_path / "run"))


def two(server, tmp_path, **options):
    chat = model(server, tmp_path, **options)
    return [ChatJudge(chat, "call_first"), ChatJudge(chat, "answer_first")]


def test_two_judges_see_question_call_and_response_and_one_rejection_is_enough(run, server, tmp_path):
    plain = run.read("verdicts.jsonl")
    table = filters.apply_filters(run, judges=two(server, tmp_path))
    rows = run.read("verdicts.jsonl")
    assert [r for r in rows if "/" not in r["by"]] == plain  # execution and rules say what they said
    by_rules = {r["question_id"] for r in plain if r["layer"] == "judge" and r["accept"]}
    one, other = sorted({r["by"] for r in rows if "/" in r["by"]})
    assert one.startswith("test-model/answer_first-v1-") and other.startswith("test-model/call_first-v1-")
    for by in (one, other):
        assert {r["question_id"] for r in rows if r["by"] == by} == by_rules
    assert set(table.columns) == {"question_id", "layer", "accept", "reason", "by"}
    of = {q["id"]: q for q in run.read("questions.jsonl")}
    called = {c["id"]: c for c in run.read("calls.jsonl")}
    rejected = [r for r in rows if r["by"] == other and not r["accept"]]
    assert rejected and all("strand" in of[r["question_id"]]["question"] for r in rejected)
    assert {r["reason"] for r in rejected} == {"answerable: Not ‹b›answered‹/b›."}
    assert not {r["question_id"] for r in rejected} & accepted(rows)
    seen = [body["messages"][1]["content"] for body in server.bodies]
    assert len(seen) == 2 * len(by_rules) and max(server.asked.values()) == 1
    for name in by_rules:
        question, call = of[name], called[of[name]["call_id"]]
        assert sum(question["question"] in text and json.dumps(call["observation"]["summary"], ensure_ascii=False) in text
                   and f'"name": "{call["name"]}"' in text for text in seen) >= 2
    facts = run.manifest["stages"]["filters"]
    assert facts["judges"]["counts"][one]["read"] == len(by_rules) and facts["judges"]["agreement"][0]["n"] == len(by_rules)
    assert facts["usage"][0]["tokens"]["test-model"]["input"] == 100 * len(seen)
    count = len(server.bodies)
    filters.apply_filters(run)  # what the models said stays
    assert run.read("verdicts.jsonl") == rows and len(server.bodies) == count
    filters.apply_filters(run, judges=())
    assert run.read("verdicts.jsonl") == plain


def test_verdicts_of_models_are_not_dropped_unasked(run, server, tmp_path):
    filters.apply_filters(run, judges=two(server, tmp_path))
    run.write("questions.jsonl", run.read("questions.jsonl")[:-1])
    with pytest.raises(bt.InvalidParameter, match="judged this run"):
        filters.apply_filters(run)
    count = len(server.bodies)
    filters.apply_filters(run, judges=two(server, tmp_path))
    assert len(server.bodies) == count  # all of it was answered before


def test_a_stopped_judge_goes_on_where_it_stopped(run, server, tmp_path):
    with pytest.raises(BudgetSpent):
        filters.apply_filters(run, judges=two(server, tmp_path, budget_tokens=8000))
    first = len(server.bodies)
    assert first > 2
    server.faults = ["cut", (500, {}, ""), (429, {}, "{}")]
    filters.apply_filters(run, judges=two(server, tmp_path))
    assert set(server.answered.values()) == {1}
    ids = Counter((r["question_id"], r["by"]) for r in run.read("verdicts.jsonl"))
    assert set(ids.values()) == {1}


@pytest.mark.parametrize(("text", "accept", "says"), [
    (sound(), True, "It fits."), (sound(accept=False), False, "It fits."), (sound(entity_fits=False), False, "entity_fits: It fits."),
    (sound(reason="x\n\u202e" + "y" * 999), True, "x yyy"), ("I accept.", False, UNDECIDED), (json.dumps({"accept": True}), False, UNDECIDED),
])
def test_a_verdict_needs_all_points_and_what_is_no_verdict_says_so(server, tmp_path, text, accept, says):
    server.faults = [{"content": text}] * (4 if says == UNDECIDED else 1)
    call = {"name": "get_disease_by_id", "arguments": {"id": "DI-02446"}, "observation": {"summary": {"mim": "307200"}}}
    question = {"question": "Which OMIM number has DI-02446?", "answer_path": "mim", "answer_value": "307200"}
    found, reason = ChatJudge(model(server, tmp_path)).judge(question, call)
    assert found is accept and reason.startswith(says) and len(reason) <= 300 and not server.faults
    with pytest.raises(bt.InvalidParameter, match="call_first"):
        ChatJudge(model(server, tmp_path), "call_frist")


def test_agreement_and_kappa():
    said = {"a": "1111100000", "b": "1111000001"}
    rows = [verdict(f"q{i}", "judge", c == "1", "r", by) for by, text in said.items() for i, c in enumerate(text)]
    rows += [verdict("q99", "judge", True, "r", "a"), verdict("q1", "execution", True, "r", "atlas"), verdict("q98", "judge", True, "r", "a"),
             verdict("q98", "judge", False, f"{UNDECIDED}: x", "b")]
    (row,) = agreement(rows).to_dict("records")
    assert (row["n"], row["agreement"]) == (10, 0.8) and row["kappa"] == pytest.approx(0.6)
    assert row["kappa"] == pytest.approx(cohen_kappa_score([c == "1" for c in said["a"]], [c == "1" for c in said["b"]]))
    assert row["kappa_low"] < 0.6 < row["kappa_high"] <= 1 and row["agreement_low"] < 0.8 < row["agreement_high"]
    wider = agreement(rows, {f"q{i}": f"c{i // 5}" for i in range(100)}).to_dict("records")[0]
    assert wider["kappa"] == row["kappa"] and wider["agreement_low"] == 0.8  # two calls of five rows, four alike in each
    assert kappa([True] * 5, [True] * 5) is None and agreement([r for r in rows if r["by"] == "a"]).empty


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    run = bt.Run(tmp_path_factory.mktemp("runs") / "plant")
    calls.enumerate_calls(run, functions=FEW, scale=0.5, progress=False)
    questions.write_questions(run)
    filters.apply_filters(run)
    return run


def test_faults_are_planted_as_they_are_named_and_alike_each_time(planted):
    read = [planted.read(f"{name}.jsonl") for name in ("calls", "questions", "verdicts")]
    cases = cal.plant(*read, per_fault=8)
    assert cases == cal.plant(*read, per_fault=8) and cases != cal.plant(*read, seed=1, per_fault=8)
    assert Counter(c["fault"] for c in cases) == dict.fromkeys((*cal.FAULTS, cal.UNTOUCHED), 8)
    of, asked = {c["id"]: c for c in read[0]}, {q["id"]: q for q in read[1]}
    assert len({c["id"].split("-", 2)[2] for c in cases}) == len(cases)  # each question is used once
    for case in cases:
        original, question, call = asked[case["id"].removeprefix(f"planted-{case['fault']}-")], case["question"], case["call"]
        source = of[original["call_id"]]
        # Consistent in itself: no look at the row alone, without reading the question, tells that it is spoiled.
        assert look_up(call["observation"]["summary"], question["answer_path"]) == question["answer_value"] is not None
        same_call = (call["name"], call["arguments"]) == (source["name"], source["arguments"])
        same_response = call["observation"]["summary"] == source["observation"]["summary"]
        same_words = question["question"] == original["question"]
        match case["fault"]:
            case "wrong_call":
                assert same_words and call["name"] != source["name"] and cal._entities(call) & cal._entities(source)
            case "wrong_entity":
                assert same_words and call["name"] == source["name"] and cal._entities(call) != cal._entities(source)
            case "wrong_response":
                assert same_words and same_call and not same_response and question["answer_value"] != original["answer_value"]
            case "unanswerable":
                assert not same_words and same_call and same_response
            case _:
                assert same_words and same_call and same_response


def test_each_judge_has_its_sensitivity_by_fault_and_the_set_stays_out_of_the_dataset(planted, tmp_path):
    class Reader:
        by, workers = "reader", 2

        def judge(self, question, call):
            knows = answers[question["question"], call["id"]]
            return knows in ("untouched", "wrong_call"), f"looks like {knows}"

    before = (planted.path / "verdicts.jsonl").read_bytes()
    cases = cal.plant(*(planted.read(f"{name}.jsonl") for name in ("calls", "questions", "verdicts")), per_fault=8)
    answers = {(c["question"]["question"], c["call"]["id"]): c["fault"] for c in cases}
    table = cal.calibrate(planted, [Reader()], per_fault=8).set_index(["judge", "fault"])
    assert set(table.index) == {(by, fault) for by in ("execution", "rules-v2", "reader") for fault in (*cal.FAULTS, cal.UNTOUCHED)} and (table["n"] == 8).all()
    reader = table.loc["reader"]
    assert reader["value"].to_dict() == {"wrong_call": 0, "wrong_entity": 1, "wrong_response": 1, "unanswerable": 1, "untouched": 0}
    assert reader["metric"].to_dict() == {**dict.fromkeys(cal.FAULTS, "sensitivity"), "untouched": "false_reject"}
    rules = table.loc["rules-v2"]
    assert rules.loc["wrong_entity", "value"] == 1 and rules.loc["untouched", "value"] == 0 and rules.loc["wrong_response", "value"] == 0
    executed = table.loc["execution"]["value"].to_dict()  # it looks at the answer, not at the words
    assert executed == {"wrong_call": 0, "wrong_entity": 0, "wrong_response": 1, "unanswerable": 0, "untouched": 0}
    apart = len({c["source"] for c in cases if c["fault"] == "wrong_entity"})
    assert reader.loc["wrong_entity", "low"] == pytest.approx(0.025 ** (1 / apart), abs=1e-5) and reader.loc["wrong_call", "high"] > 0.3
    assert (table["low"] <= table["value"]).all() and (table["value"] <= table["high"]).all()
    assert (planted.path / "verdicts.jsonl").read_bytes() == before
    dataset.build(planted)
    kept = "".join((planted.path / f"dataset/{split}.jsonl").read_text() for split in dataset.SPLITS)
    assert "planted-" not in kept and "verdicts" in bt.load_run(planted.path) and not any("planted" in key for key in bt.load_run(planted.path))


def test_the_rules_read_execution_and_call_but_no_meaning():
    call = {"name": "get_disease_by_id", "arguments": {"id": "DI-02446"}, "observation": {"summary": {"mim": "307200"}}}
    question = {"question": "Which OMIM number does UniProt give for DI-02446?", "answer_path": "mim", "answer_value": "307200"}
    assert RuleJudge().judge(question, call)[0] and not RuleJudge().judge({**question, "answer_value": "1"}, call)[0]


def test_the_commands_judge_and_calibrate(run, server, monkeypatch, capsys):
    run.stage("calls", writes=["calls.jsonl"], settings={"functions": None, "scale": 1.0}).finish(len(run.read("calls.jsonl")))
    chat = ["--run", str(run.path), "--base-url", server.url, "--judge", "one", "--judge", "two"]
    assert main(chat, stage="filters") == 0
    assert {body["model"] for body in server.bodies} == {"one", "two"}
    prompts = {body["model"]: body["messages"][0]["content"] for body in server.bodies}
    assert prompts["one"] != prompts["two"]
    assert main([*chat[:4], "--judge", "one@call_first", "--judge", "one@call_first"], stage="filters") == 2
    assert "named twice" in capsys.readouterr().err
    assert cal.main(["--run", str(run.path), "--per-fault", "3", "--base-url", server.url, "--judge", "one"]) == 0
    shown = capsys.readouterr().out
    assert "rules-v2" in shown and "one/call_first-v1-" in shown and "false_reject" in shown and judges.PROMPTS.is_dir()
    assert cal.main(["--run", str(run.path / "none")]) == 2
    with pytest.raises(SystemExit) as left:
        cal.main(["--help"])
    assert left.value.code == 0 and "--per-fault" in capsys.readouterr().out
