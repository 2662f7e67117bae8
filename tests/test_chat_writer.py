"""The chat writer against a server with faults: nothing is lost or asked twice, and what a model says is checked before it counts."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from chat_server import KEY, model, serving, small_run, write_from

import biotool_lib as bt
from biotool_lib import filters, questions
from biotool_lib.common.exchanges import BudgetSpent
from biotool_lib.common.llm import KEY_VARIABLE, ChatFailed
from biotool_lib.files import read_yaml
from biotool_lib.questions.chat import PROMPTS, SCHEMA, ChatWriter, answers, describe, plain_sentence
from biotool_lib.questions.grammar import look_up
from biotool_lib.questions.lexicon import literal
from biotool_lib.road import main

ROOT = Path(__file__).parents[1]
GENE = {"id": "c1", "name": "lookup_by_symbol", "arguments": {"species": "homo_sapiens", "symbol": "BRCA1"},
        "observation": {"summary": {"id": "ENSG00000012048", "seq_region_name": "17", "strand": -1, "symbol": "BRCA1", "items": []}}}


@pytest.fixture
def server():
    with serving(write_from) as running:
        yield running


@pytest.fixture(scope="module")
def enumerated(tmp_path_factory):
    return small_run(tmp_path_factory.mktemp("runs") / "small").path


@pytest.fixture
def run(enumerated, tmp_path):
    import shutil

    return bt.Run(shutil.copytree(enumerated, tmp_path / "run"))


def asked_calls(run):
    return [c for c in run.read("calls.jsonl") if c["outcome"] == "ok"]


def check_complete(run, server=None):
    """Every call has its two questions, once, each with an answer that the response holds."""
    calls, rows = asked_calls(run), run.read("questions.jsonl")
    assert [r["id"] for r in rows] == [f"{c['id']}-{style}" for c in calls for style in questions.STYLES]
    of = {c["id"]: c for c in calls}
    for row in rows:
        value = look_up(of[row["call_id"]]["observation"]["summary"], row["answer_path"])
        assert value == row["answer_value"] and value is not None
    if server:
        assert len(server.asked) == len(calls) and set(server.asked.values()) == {1}


def test_two_questions_a_call_from_one_request(run, server, tmp_path):
    table = questions.write_questions(run, ChatWriter(model(server, tmp_path, workers=4)))
    check_complete(run, server)
    assert set(table["writer"]) == {ChatWriter(model(server, tmp_path)).name} and table["writer"][0].startswith("chat/test-model/write-v1-")
    stamp = run.manifest["stages"]["questions"]
    assert stamp["usage"]["tokens"] == {"test-model": {"input": 100 * len(server.bodies), "output": 20 * len(server.bodies)}}
    assert stamp["usage"]["cost"] is None and stamp["malformed"] == stamp["refused"] == 0
    assert {json.dumps(b["response_format"]["json_schema"]["schema"], sort_keys=True) for b in server.bodies} == {json.dumps(SCHEMA, sort_keys=True)}
    before = (run.path / "questions.jsonl").read_bytes()
    questions.write_questions(run, ChatWriter(model(server, tmp_path)))
    assert len(server.bodies) == len(asked_calls(run)) and (run.path / "questions.jsonl").read_bytes() == before
    assert not list(run.path.glob(".questions.*"))
    filters.apply_filters(run)  # and what was written goes the same way as the grammar's
    assert {v["layer"] for v in run.read("verdicts.jsonl") if v["accept"]} == {"execution", "judge"}


def test_the_worked_examples_arrive_and_are_true(run, server, tmp_path):
    questions.write_questions(run, ChatWriter(model(server, tmp_path)))
    examples = read_yaml(PROMPTS / "examples.yaml")
    assert len(examples) >= 4 and {bt.tools()[e["name"]].database for e in examples} >= {"ensembl", "uniprot"}
    client = bt.Client()
    for body in server.bodies:
        text = json.dumps([m["content"] for m in body["messages"]])
        roles = [m["role"] for m in body["messages"]]
        assert roles == ["system", *["user", "assistant"] * ((len(roles) - 2) // 2), "user"] and len(roles) >= 2 * len(examples)
        arrived = [e for e in examples if json.dumps(e["questions"]["plain"]["question"])[1:-1] in text]
        assert len(arrived) >= len(examples) - 1  # the example of the very call is left out
    for example in examples:
        seen = client.call(example["name"], example["arguments"])
        assert seen.summary == example["response"] and dict(seen.arguments) == example["arguments"]
        call = {"name": example["name"], "arguments": example["arguments"], "observation": {"summary": seen.summary}}
        for style, written in example["questions"].items():
            assert literal(look_up(seen.summary, written["answer_path"])) == written["answer_value"], style
            assert filters.unrecoverable(written["question"], call) == [] and plain_sentence(written["question"])[1] is None


def test_the_request_says_how_each_argument_may_be_said_and_what_can_be_asked():
    text = describe(GENE["name"], GENE["arguments"], GENE["observation"]["summary"])
    assert "Say it as: human | Homo sapiens | homo_sapiens" in text and "- seq_region_name = 17" in text
    assert dict(answers(GENE["observation"]["summary"], GENE["arguments"])) == {"id": "ENSG00000012048", "seq_region_name": "17", "strand": -1}


def written(**plain):
    one = {"question": "On which chromosome is the human gene BRCA1?", "answer_path": "seq_region_name", "answer_value": "17", **plain}
    return json.dumps({"plain": one, "expert": {"question": "On which strand does human BRCA1 lie?", "answer_path": "strand", "answer_value": "-1"}})


@pytest.mark.parametrize(("plain", "says"), [
    ({"answer_value": "18"}, "seq_region_name is '17', not '18'"),
    ({"answer_path": "chromosome"}, "no single value at 'chromosome'"),
    ({"answer_path": "items"}, "no single value at 'items'"),
    ({"answer_path": ""}, "no single value at ''"),
    ({"question": "Where is it?"}, "3 words"),
    ({"question": "where " * 61}, "61 words"),
    ({"question": "Which gene is B" + "R" * 400 + " in the human genome here?"}, "characters long"),
    ({"question": "Where is <img src=x onerror=alert(1)> the human gene BRCA1?"}, "markup: '‹i'"),
    ({"question": "Where is &lt;b&gt; the human gene BRCA1 found?"}, "markup"),
    ({"question": "Where is the human gene BRCA1 <|im_end|> found today?"}, "markup"),
    ({"question": "Where is [BRCA1](javascript:x) in the human genome?"}, "markup"),
    ({"question": "Where is the human\u202egene BRCA1 found today?"}, "U+202E"),
    ({"question": "Where is the human\x00gene BRCA1 found today?"}, "U+0000"),
    ({"question": "On which strand does human BRCA1 lie?"}, "same words"),
])
def test_a_wrong_answer_or_a_question_that_is_no_plain_sentence_is_refused_with_the_reason(server, tmp_path, plain, says):
    server.faults = [{"content": written(**plain)}]
    found = ChatWriter(model(server, tmp_path)).write(GENE)
    refused = found["expert" if "same words" in says else "plain"]
    assert says in refused["refused"] and "question" not in refused
    assert len([f for f in found.values() if "question" in f]) == 1  # the other one stands
    assert len(server.bodies) == 1


def test_the_answer_is_stored_as_the_response_has_it(server, tmp_path):
    server.faults = [{"content": "Here you are:\n```json\n" + written(question="On which chromosome\n is  the human gene BRCA1 (p<0.05)?") + "\n```"}]
    found = ChatWriter(model(server, tmp_path)).write(GENE)
    assert found["plain"]["question"] == "On which chromosome is the human gene BRCA1 (p<0.05)?"
    assert found["expert"]["answer_value"] == -1 and found["expert"]["malformed"] == 0


def test_malformed_answers_are_counted_retried_and_given_up_with_a_reason(run, server, tmp_path):
    calls = asked_calls(run)
    half = write_from({"messages": ChatWriter(model(server, tmp_path)).messages(calls[0])})[:40]
    server.faults = [{"content": half, "finish": "length"}] * 3
    questions.write_questions(run, ChatWriter(model(server, tmp_path, workers=1)))
    check_complete(run)
    assert run.manifest["stages"]["questions"]["malformed"] == 3 and len(server.bodies) == len(calls) + 3
    server.faults = [{"content": "no"}] * 4
    found = ChatWriter(model(server, tmp_path, "other")).write(calls[0])
    assert {f["refused"] for f in found.values()} == {"no usable answer in 2 tries: there is no JSON object in it"} and found["plain"]["malformed"] == 4


def test_refused_questions_are_counted_and_kept_apart(run, server, tmp_path):
    calls = asked_calls(run)
    server.faults = [{"content": json.dumps({s: {"question": f"What is known about this {s} thing here?", "answer_path": "x", "answer_value": "y"}
                                             for s in questions.STYLES})}]
    questions.write_questions(run, ChatWriter(model(server, tmp_path, workers=1)))
    rows, refused = run.read("questions.jsonl"), run.read("questions_refused.jsonl")
    assert [r["id"] for r in refused] == [f"{calls[0]['id']}-{s}" for s in questions.STYLES] and len(rows) + 2 == 2 * len(calls)
    assert all("no single value" in r["refused"] for r in refused) and run.manifest["stages"]["questions"]["refused"] == 2


def test_through_a_storm_of_faults_every_row_is_written_once(run, server, tmp_path):
    rng = random.Random(5)
    faults = ["cut", "not json", (429, {"Retry-After": "0"}, "{}"), (429, {}, "{}"), (500, {}, "x"), {"content": "{"}, *[None] * 5]
    server.faults = [rng.choice(faults) for _ in range(50)]
    questions.write_questions(run, ChatWriter(model(server, tmp_path, workers=4, attempts=12, first_wait=0.002)))
    check_complete(run)
    assert set(server.answered.values()) == {1}  # whatever was answered was not asked again


def test_a_hanging_server_stops_the_work_and_the_same_command_goes_on(run, server, tmp_path):
    server.faults = [None] * 5 + ["hang"] * 8
    hasty = {"timeout": 1.0, "deadline": 1.5, "workers": 2}
    with pytest.raises(ChatFailed, match=r"Give the same command|deadline"):
        questions.write_questions(run, ChatWriter(model(server, tmp_path, **hasty)))
    assert not (run.path / "questions.jsonl").exists()
    (part,) = run.path.glob(".questions.*")
    assert len(part.read_text().splitlines()) >= 3
    server.faults = []
    server.released.set()
    questions.write_questions(run, ChatWriter(model(server, tmp_path)))
    check_complete(run)
    assert set(server.answered.values()) == {1}


def test_the_budget_stops_the_work_and_more_of_it_goes_on(run, server, tmp_path):
    server.usage = (5000, 200)
    calls = asked_calls(run)
    with pytest.raises(BudgetSpent, match="raise the budget"):
        questions.write_questions(run, ChatWriter(model(server, tmp_path, budget_tokens=60_000, workers=3)))
    first = len(server.bodies)
    assert 3 <= first < len(calls) and first * 5200 <= 60_000
    questions.write_questions(run, ChatWriter(model(server, tmp_path, budget_tokens=10**7, workers=3)))
    check_complete(run, server)


KILLED = """
import sys
from pathlib import Path
from biotool_lib.common.exchanges import Exchanges, Meter
from biotool_lib.common.llm import ChatModel
from biotool_lib.common.runner import Run
from biotool_lib.questions import write_questions
from biotool_lib.questions.chat import ChatWriter
folder, url = Path(sys.argv[1]), sys.argv[2]
meter = Meter(Exchanges(folder / "exchanges.sqlite"))
write_questions(Run(folder / "run"), ChatWriter(ChatModel("test-model", url, meter, workers=3)))
"""


def test_after_kill_9_no_row_is_lost_or_repeated(run, server, tmp_path):
    server.delay = 0.08
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), server.url], cwd=ROOT)
    end = time.monotonic() + 60
    while len(server.answered) < 7 and time.monotonic() < end:
        assert child.poll() is None
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    before = len(server.bodies)
    chat = model(server, tmp_path, workers=3)
    kept = len(chat.meter.exchanges)
    assert 4 <= kept < len(asked_calls(run)) and before - kept <= 3  # at most what was in flight
    charged = chat.meter.exchanges.bases()
    assert charged.get("reported", 0) == kept and charged.get("bound", 0) <= 3  # in flight at the kill: at the upper bound
    questions.write_questions(run, ChatWriter(chat))
    check_complete(run)
    assert len(server.bodies) - before == len(asked_calls(run)) - kept  # what was kept was not asked again
    assert set(server.asked) and max(server.asked.values()) <= 2 and sum(n == 2 for n in server.asked.values()) <= 3


def test_the_grammar_does_not_write_over_a_models_questions_unasked(run, server, tmp_path):
    questions.write_questions(run, ChatWriter(model(server, tmp_path)))
    text = (run.path / "questions.jsonl").read_text()
    questions.write_questions(run)
    assert (run.path / "questions.jsonl").read_text() == text
    calls = run.read("calls.jsonl")
    run.write("calls.jsonl", calls[:-1])
    with pytest.raises(bt.InvalidParameter, match="wrote this run's questions"):
        questions.write_questions(run)
    questions.write_questions(run, "grammar")
    assert {r["writer"] for r in run.read("questions.jsonl")} == {"grammar"} and "settings" not in run.manifest["stages"]["questions"]
    with pytest.raises(bt.InvalidParameter, match="grammar"):
        questions.write_questions(run, "grammer")


def test_the_command_line_writes_with_a_model_and_shows_no_key(run, server, monkeypatch, capsys):
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    # The command would enumerate the calls that this small run lacks: it is stamped as whole.
    run.stage("calls", writes=["calls.jsonl"], settings={"functions": None, "scale": 1.0}).finish(len(run.read("calls.jsonl")))
    options = ["--run", str(run.path), "--writer", "chat", "--model", "test-model", "--base-url", server.url]
    assert main([*options, "--budget-tokens", "9000"], stage="questions") == 2
    stopped = capsys.readouterr()
    assert stopped.err.startswith("error: the budget of 9000 tokens")
    assert main(options, stage="questions") == 0
    check_complete(bt.Run.existing(run.path), server)
    said = capsys.readouterr()
    assert set(server.keys) == {f"Bearer {KEY}"} and "usage" in said.out
    assert not [path for path in run.path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert KEY not in said.out + said.err + stopped.out + stopped.err
    assert main(options[:-2], stage="questions") == 2 and "--base-url" in capsys.readouterr().err
