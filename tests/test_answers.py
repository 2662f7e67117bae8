"""Answers: equality, groundedness, the reader, the conditions over a small run, and models behind a server on loopback as answerers and judges."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
from chat_server import model, serving
from conftest import run_up_to_the_dataset

from biotool_lib import answers, evaluation
from biotool_lib.answers import __main__ as command
from biotool_lib.answers.checks import equal, groundedness, number, present
from biotool_lib.answers.quality import QualityJudge, judge_quality, preference_items, quality_artefact, quality_gain, win_rate
from biotool_lib.answers.reader import FEATURES, Reader, candidates
from biotool_lib.common.runner import Run
from biotool_lib.errors import InvalidParameter, MissingArtefact


@pytest.mark.parametrize(("given", "wanted", "same"), [
    (13, "13", True), ("43,124,096", 43124096, True), (0.1 + 0.2, 0.3, True), ("0.5", 0.54, False), ("13q", 13, False), (float("nan"), 1, False),
    (True, "Yes", True), (True, 1, False), ("false", False, True), (None, False, False), (None, "", False), (10**400, 1, False),
    ("  BRCA2\tgene ", "brca2 Gene", True), ("BRCA2", "BRCA1", False), ("1e3", "1000", False), ("1,00", 100, False),
    (["b", "a"], ["a", "b"], True), (["a", "a"], ["a", "b"], False), (["a"], "A", True), (["a", "b"], "a", False), ([], "", False), ([[1]], [[1]], True),
    ({"x": "1"}, {"x": 1}, True), ({"x": 1}, {"y": 1}, False), ({"x": 1}, "x", False),
])
def test_equality_is_typed(given, wanted, same):
    assert equal(given, wanted) is same
    assert equal(wanted, given) is same


def test_numbers_are_read_only_from_texts_that_are_numbers():
    assert [number(v) for v in ("-1,024.5", "2e3", 7, True, "rs699", "", "9" * 50)] == [-1024.5, 2000.0, 7.0, None, None, None, None]


def test_groundedness_sorts_out_numbers_and_identifiers():
    response = {"id": "ENSG00000139618.19", "location": "13:32315086-32400268:1", "evalue": 3.28681e-59, "length": 3418}
    text = "BRCA2 (ENSG00000139618) begins at 32,315,086 on chromosome 13, has 3418 residues, E-value 3.28681e-59, rs80359550 and 42 exons."
    found = groundedness(text, response, "Where is rs80359550 in BRCA2?")
    assert found["unfounded"] == ["42"] and sorted(found["asked"]) == ["BRCA2", "rs80359550"]
    assert {"ENSG00000139618", "32,315,086", "13", "3418", "3.28681e-59"} <= set(found["found"])
    assert groundedness("no figure at all", response) == {"found": [], "asked": [], "unfounded": []}
    assert groundedness("about 3400", response)["unfounded"] == ["3400"], "a rounded number is not in the response"


def test_a_right_answer_is_present_wherever_it_stands():
    response = {"items": [{"genes": ["A", "B"]}], "total": 2}
    assert present(["B", "A"], response) and present("b", response) and present(2, response) and not present("C", response)
    assert [".".join(path) for path, _ in candidates(response)] == ["items", "items.0.genes", "items.0.genes.0", "items.0.genes.1", "total"]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    made = run_up_to_the_dataset(tmp_path_factory.mktemp("answers") / "run", ["lookup_by_symbol", "get_keyword_by_id", "search_keywords"])
    gold = made.read("dataset/test.jsonl")
    wrong = [{**row, "call": {"name": "lookup_by_symbol", "arguments": {"species": "human", "symbol": "TP53"}}, "text": "", "form": "json"} for row in gold]
    half = [row if i % 2 else {**row, "call": None} for i, row in enumerate(gold)]
    for name, rows in (("retrieval", wrong), ("laptop", half)):
        made.write(f"predictions/{name}.jsonl", [{"id": r["id"], "text": "", "call": r["call"], "form": "json"} for r in rows])
    evaluation.evaluate(made, ["retrieval", "laptop"], progress=False)
    answers.answer_questions(made, progress=False)
    return made


def value(table, condition, metric):
    return table[(table["condition"] == condition) & (table["metric"] == metric)]["value"].item()


def test_the_reader_learns_from_training_and_needs_no_path(run):
    reader = Reader.load(run)
    assert reader.weights.shape == (FEATURES,)
    assert reader.accuracy(run.read("dataset/validation.jsonl"))["value"] > 0.6
    train = run.read("dataset/train.jsonl")
    path, _ = Counter(row["answer_path"] for row in train if row["function"] == "lookup_by_symbol").most_common(1)[0]
    asked = [row for row in train if row["function"] == "lookup_by_symbol" and row["answer_path"] == path]
    found = [reader.read(row["question"], row["observation"]).value == row["answer_value"] for row in asked]
    assert len(found) >= 5 and sum(found) > len(found) / 2, "what is often asked for is found"
    assert reader.read("On which chromosome is the human gene BRCA2?", None) is None and reader.read("What?", {}) is None
    again = Reader.fit(run.read("dataset/train.jsonl"), run.seed)
    assert (again.weights == reader.weights).all(), "the same rows give the same reader"
    with pytest.raises(InvalidParameter, match="to learn from"):
        Reader.fit([])


def test_conditions_differ_by_what_the_answerer_is_shown(run):
    table, rows = answers.answer_table(run), answers.read_answers(run)
    assert table["condition"].unique().tolist() == list(answers.CONDITIONS)
    assert value(table, "no_call", "accuracy") == 0 == value(table, "no_call", "answered"), "without a response the reader abstains"
    assert value(table, "oracle", "present") == 1 == value(table, "oracle", "right_call")
    assert value(table, "by_lot", "accuracy") < value(table, "fine_tuned", "accuracy") < value(table, "oracle", "accuracy")
    gold = run.read("dataset/test.jsonl")
    half = sum(row["call"] is not None for row in gold[1::2]) / sum(row["call"] is not None for row in gold)
    assert value(table, "fine_tuned", "right_call") == pytest.approx(half, abs=1e-6)
    assert (rows["accuracy"].astype(float) <= rows["present"].astype(float)).all(), "nothing is read that does not stand there"
    assert rows[rows["condition"] == "oracle"]["grounded"].eq(True).all()
    asked = rows[rows["scorable"] & (rows["condition"] == "fine_tuned")]
    assert answers.outcomes(run, "fine_tuned")["n"].sum() == len(asked)
    assert answers.compare(run, "fine_tuned", "oracle")["value"] > 0 and answers.compare(run, "oracle", "oracle")["value"] == 0
    assert set(answers.answer_table(run, by="database")["database"]) <= {"ensembl", "uniprot"}


def test_a_finished_stage_is_not_done_again(run, monkeypatch):
    before = (run.path / answers.artefact("reader-v1")).read_bytes()
    monkeypatch.setattr(answers.ReaderAnswerer, "answer", lambda *_: pytest.fail("asked again"))
    answers.answer_questions(run, progress=False)
    assert (run.path / answers.artefact("reader-v1")).read_bytes() == before


def test_wrong_names_are_told(run):
    for wrong in (lambda: answers.answer_questions(run, {"oracle": "laptop"}), lambda: answers.answer_table(run, by="moon"),
                  lambda: answers.compare(run, "oracle", "fine-tuned"), lambda: judge_quality(run, "reader-v1", [])):
        with pytest.raises(InvalidParameter):
            wrong()
    with pytest.raises(MissingArtefact):
        answers.answer_questions(run, {"fine_tuned": "never trained"})


def test_calls_that_were_not_executed_are_asked_for(run, tmp_path):
    gold = run.read("dataset/test.jsonl")
    strange = {"name": "lookup_by_symbol", "arguments": {"species": "human", "symbol": "MYH7"}}
    run.write("predictions/other.jsonl", [{"id": row["id"], "call": strange} for row in gold])
    run.write("evaluation/other.jsonl", [])
    with pytest.raises(MissingArtefact, match="run the evaluation"):
        answers.answer_questions(run, {"other": "other"})


def honest(body):
    """A model that answers from the response where there is one, marks an answer 9 that says something, and always prefers the left one."""
    system, text = body["messages"][0]["content"], body["messages"][-1]["content"]
    if "Rate how well" in system:
        return json.dumps({"quality": 3 if "I do not know" in text else 9, "reason": "<b>read</b>"})
    if "two answers" in system:
        left, right = re.findall(r"Answer [AB]: (.*)", text)
        worse = [("I do not know" in side) for side in (left, right)]
        return json.dumps({"better": "B" if worse == [True, False] else "A", "reason": "left"})
    found = re.search(r'"(?:id|seq_region_name)": "([^"]+)"', text)
    return json.dumps({"answer": found[1], "text": f"It is {found[1]}, see rs123456789."} if found else {"answer": None, "text": ""})


def test_a_language_model_answers_and_others_judge(run, tmp_path):
    with serving(honest) as server:
        chat = answers.ChatAnswerer(model(server, tmp_path))
        table = answers.answer_questions(run, answerer=chat, most=6, progress=False)
        assert value(table, "oracle", "accuracy") > 0 and value(table, "no_call", "answered") == 0
        assert value(table, "oracle", "grounded") == 0, "every answer names a variant that no response has"
        asked = sum(server.answered.values())
        answers.answer_questions(run, answerer=chat, most=6, progress=False)
        assert sum(server.answered.values()) == asked
        assert all(body["messages"][0]["content"] == chat.prompt and "answer_path" not in json.dumps(body) for body in server.bodies)
        judge = QualityJudge(model(server, tmp_path, "judge"))
        table = judge_quality(run, chat.name, [judge], most=8, progress=False).set_index("condition")
    assert table.loc["oracle", "gain"] == pytest.approx(9 / 3 - 1) and table.loc["oracle", "win_rate"] == 1.0
    assert table.loc["oracle", "reported_elsewhere"] == 0.884 and table.loc["fine_tuned", "reported_elsewhere"] == 0.69
    records = run.read(quality_artefact(chat.name))
    assert all("<" not in record["reason"] for record in records)
    assert len(preference_items(run, chat.name, ["no_call", "oracle"], 3)) == 3
    text = json.dumps([body["messages"][-1]["content"] for body in server.bodies])
    assert not re.search(r"no_call|fine_tuned|oracle", text), "judges are blind"


def test_a_judge_that_goes_by_position_is_found_out():
    record = {"item": "q", "by": "j", "left": "a", "right": "b", "winner": "a"}
    swapped = {**record, "left": "b", "right": "a", "winner": "b"}
    found = win_rate([record, swapped], "a", "b")
    assert found["value"] == 0.5 and found["swayed"] == 1.0 and found["records"] == 2 and found["n"] == 1
    assert win_rate([record, {**record, "item": "r", "winner": "tie"}], "a", "b")["value"] == 0.75
    assert win_rate([record], "a", "b")["value"] == 1 - win_rate([record], "b", "a")["value"] and win_rate([], "a", "b")["value"] is None


def test_the_gain_is_a_ratio_of_means_over_items_that_have_both_marks():
    marks = [{"item": i, "by": "j", "condition": c, "mark": m} for i, c, m in (
        ("1", "no_call", 4), ("1", "oracle", 8), ("2", "no_call", 6), ("2", "oracle", 9), ("3", "oracle", 1), ("4", "no_call", None), ("4", "oracle", 1))]
    found = quality_gain(marks, "oracle")
    assert found["value"] == pytest.approx(17 / 10 - 1) and found["n"] == 2 and found["low"] <= found["value"] <= found["high"]
    assert quality_gain(marks, "fine_tuned")["value"] is None


def test_the_command_line_answers_offline(run, capsys):
    assert command.main(["--run", str(run.path), "--stage", "answers"]) == 0
    assert "oracle" in capsys.readouterr().out
    assert command.main(["--run", str(run.path), "--stage", "answers", "--caller", "laptop"]) == 2
    assert command.main(["--run", str(run.path / "nowhere")]) == 2
    assert "CONDITION=MODEL" in capsys.readouterr().err
