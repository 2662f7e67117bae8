"""People's records: signed, appended by several processes, cut off by a kill; how they reach the dataset; preferences."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, run_up_to_the_dataset
from sklearn.metrics import cohen_kappa_score

import biotool_lib as bt
from biotool_lib import dataset, filters
from biotool_lib.common.review import BrokenRecord, ReviewBook, accepted, human_verified
from biotool_lib.judges.calibration import missed
from biotool_lib.judges.people import draw, export_records, fix, records_table, reviewers_agreement, rows_for_review, side_by_side
from biotool_lib.judges.preference import (
    TWO_WAYS,
    PreferenceBook,
    left_share,
    quality_gain,
    raters_agreement,
    rehearsal,
    tasks,
    two_ways_of_saying,
    win_rate,
    win_rates,
)


def a_row(number: int, question: str = "On which chromosome is the human gene BRCA1 found?") -> dict:
    return {"id": f"q{number}", "question": question, "call": {"name": "lookup_by_symbol", "arguments": {"species": "homo_sapiens", "symbol": "BRCA1"}},
            "answer_path": "seq_region_name", "answer_value": "17", "response": {"seq_region_name": "17", "strand": -1}, "database": "ensembl", "verdicts": []}


@pytest.fixture
def book(tmp_path) -> ReviewBook:
    return ReviewBook(tmp_path / "human.jsonl")


def test_records_are_signed_and_any_change_is_noticed(book):
    for number, decision in enumerate(("accept", "reject", "accept")):
        book.add(a_row(number), decision, "read", by="ada")
    lines = book.path.read_text().splitlines()
    changed = json.dumps({**json.loads(lines[1]), "accept": True})
    for wrong, number in (([lines[0], changed, lines[2]], 2), ([lines[0], lines[2]], 2), ([lines[1], lines[0], lines[2]], 1), ([lines[0], "{", lines[2]], 2),
                          ([lines[0], "[]", lines[2]], 2)):
        book.path.write_text("\n".join(wrong) + "\n")
        with pytest.raises(BrokenRecord, match=f"record {number} was changed"):
            ReviewBook(book.path)
    book.path.write_text(lines[0] + "\n")  # the last records cut away: sound in itself, so a signature noted before is needed to tell
    assert len(ReviewBook(book.path).records) == 1
    with pytest.raises(BrokenRecord, match="no longer there"):
        ReviewBook(book.path, head=book.head)
    with pytest.raises(BrokenRecord, match="shorter"):
        book.add(a_row(4), "accept", by="ada")


@pytest.mark.parametrize("cut", [1, 7, -1])
def test_a_line_that_a_kill_cut_off_is_no_record_and_the_next_one_replaces_it(book, cut):
    book.add(a_row(0), "accept", by="ada")
    whole = book.path.read_bytes()
    book.add(a_row(1), "accept", by="ada")
    second = book.path.read_bytes()[len(whole):]
    book.path.write_bytes(whole + second[:cut])
    again = ReviewBook(book.path)
    assert len(again.records) == (2 if cut == -1 else 1), "a record whose line lacks no more than its end is whole"
    again.add(a_row(2), "accept", by="ada")
    assert [r["question_id"] for r in ReviewBook(book.path).records] == (["q0", "q1", "q2"] if cut == -1 else ["q0", "q2"])


def _review(path: Path, name: str, many: int) -> None:
    book = ReviewBook(path)
    for number in range(many):
        book.add(a_row(number), "accept" if number % 3 else "reject", "r", by=name)


def test_two_reviewers_in_two_processes_lose_nothing(book):
    workers = [multiprocessing.get_context("spawn").Process(target=_review, args=(book.path, name, 25)) for name in ("ada", "ben")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    book.refresh()
    assert len(book.records) == 50 and len(ReviewBook(book.path).standing()) == 50
    assert [r["question_id"] for r in book.records if r["by"] == "ben"] == [f"q{n}" for n in range(25)]


def test_a_killed_process_leaves_whole_records_and_no_lock(book):
    code = ("import sys; from test_review import _review; from pathlib import Path\n"
            "n = 0\nwhile True:\n    _review(Path(sys.argv[1]), f'ada{n}', 5); n += 1")
    child = subprocess.Popen([sys.executable, "-c", code, str(book.path)], env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"})
    until = time.monotonic() + 60
    while time.monotonic() < until and (not book.path.exists() or book.path.stat().st_size < 4000):
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    again = ReviewBook(book.path)
    before = len(again.records)
    assert before >= 5
    again.add(a_row(0), "accept", by="ben")
    assert len(ReviewBook(book.path).records) == before + 1


def test_bad_decisions_are_refused_with_a_reason_and_leave_no_record(book):
    row = a_row(0)
    for decision, reason, fixed, by, where in (("reject", " ", None, "ada", "reason"), ("perhaps", "x", None, "ada", "decision"),
                                               ("fix", "x", None, "ada", "fixed"), ("fix", "x", row["question"], "ada", "fixed"),
                                               ("accept", "", "new words", "ada", "fixed"), ("accept", "", None, " ", "by")):
        with pytest.raises(bt.InvalidParameter) as caught:
            book.add(row, decision, reason, by=by, fixed=fixed)
        assert where in {p.where for p in caught.value.problems}
    assert not book.path.exists()


def test_a_lone_surrogate_and_control_characters_do_not_break_the_file(book):
    book.add(a_row(0), "reject", "bad \ud83d \x00 \u202e end", by="a\u200bda")
    assert ReviewBook(book.path).records[0]["reason"].isprintable()


def test_one_person_with_two_spellings_is_one_reviewer(book):
    book.add(a_row(0), "accept", by="Ada  Lovelace ")
    book.add(a_row(0), "reject", "on second thoughts", by="ada lovelace")
    assert [(r["by"], r["decision"]) for r in book.standing()] == [("Ada Lovelace", "reject")]


def test_the_rule_of_human_verified(book):
    rows = [a_row(n) for n in range(6)]
    book.add(rows[0], "accept", by="ada")
    book.add(rows[1], "accept", by="ada")
    book.add(rows[1], "reject", "unclear", by="ben")
    book.add(rows[2], "fix", "clumsy", by="ada", fixed="Where is human BRCA1, on which chromosome?")
    book.add(rows[2], "accept", by="ben")  # of the old words
    book.add(rows[3], "fix", "clumsy", by="ada", fixed="Human BRCA1: which chromosome?")
    book.add(rows[3], "reject", "wrong whatever the words", by="ben")
    book.add(rows[4], "accept", by="ada")
    assert book.undo("ada")["question_id"] == "q4"
    found = book.verdicts(rows)
    assert human_verified(found) == {"q0", "q2"} and accepted(found) == {"q0", "q2"}
    assert [(v["by"], v.get("fixed")) for v in found if v["question_id"] == "q2"] == [("ada", "Where is human BRCA1, on which chromosome?")]
    again = book.corrected(rows)
    assert again[2]["question"].startswith("Where is human") and again[0] == rows[0]
    book.add(again[2], "accept", by="ben")  # a second round, of the new words
    assert {v["by"] for v in book.verdicts(rows) if v["question_id"] == "q2"} == {"ada", "ben"}
    book.undo("ada")  # the fixes of q3 and then q2 are taken back, and with them their words
    book.undo("ada")
    assert book.corrected(rows) == rows and "q2" not in human_verified(book.verdicts(rows))


def test_a_verdict_on_other_words_another_call_or_another_answer_counts_for_nothing(book):
    book.add(a_row(0), "accept", by="ada")
    written_anew = a_row(0, "Tell me the chromosome of the human gene BRCA1.")
    other_call = {**a_row(0), "call": {"name": "lookup_by_symbol", "arguments": {"species": "homo_sapiens", "symbol": "BRCA2"}}}
    for row in (written_anew, other_call, {**a_row(0), "answer_value": "13"}):
        assert book.verdicts([row]) == [] and book.seen("ada", [row]) == {}
    assert human_verified(book.verdicts([a_row(0)])) == {"q0"}


def test_a_fix_must_pass_the_rules(book):
    row = a_row(0)
    for text, why in (("On which chromosome is that gene found, please?", "does not say species, symbol"), ("BRCA1?", "words"),
                      ("Is the human gene BRCA1 found by lookup_by_symbol?", "names the function"), (row["question"], "nothing was changed"),
                      ("On which <b>chromosome</b> is the human gene BRCA1?", "markup")):
        with pytest.raises(bt.InvalidParameter, match=why):
            fix(book, row, text, "clumsy", "ada")
    assert fix(book, row, " Which chromosome carries the\n human gene BRCA1? ", "shorter", "ada")["fixed"] == "Which chromosome carries the human gene BRCA1?"


def test_draw_is_the_same_for_all_and_gives_every_database_its_share():
    rows = [{**a_row(n), "database": name} for n, name in enumerate(["ncbi"] * 80 + ["ensembl"] * 40 + ["uniprot"] * 3)]
    chosen = draw(rows, 30, seed=1)
    assert chosen == draw(rows[::-1], 30, seed=1) != draw(rows, 30, seed=2)
    counts = {name: sum(r["database"] == name for r in chosen) for name in ("ncbi", "ensembl", "uniprot")}
    assert counts["uniprot"] == 3 and sorted(counts.values()) == [3, 13, 14] and len({r["id"] for r in chosen}) == 30
    assert len(draw(rows, 500)) == len(rows) and len(draw(rows, 30, by=None)) == 30
    for n, by in ((0, "database"), (5, "colour")):
        with pytest.raises(bt.InvalidParameter):
            draw(rows, n, by=by)


def test_agreement_and_kappa_of_reviewers(book):
    rows = [a_row(n) for n in range(10)]
    said = {"ada": "1111111000", "ben": "1111100011"}
    for name, verdicts in said.items():
        for row, letter in zip(rows, verdicts, strict=True):
            book.add(row, "accept" if letter == "1" else "reject", "r", by=name)
    book.add(rows[0], "fix", "clumsy", by="cyd", fixed="Which chromosome carries BRCA1?")  # no acceptance as it stands
    table = reviewers_agreement(book, rows).set_index(["judge", "other"])
    pair = table.loc[("ada", "ben")]
    assert (pair["n"], pair["agreement"]) == (10, 0.6) and pair["kappa"] == pytest.approx(cohen_kappa_score(list(said["ada"]), list(said["ben"])), abs=1e-6)
    assert (table.loc[("ada", "cyd"), "n"], table.loc[("ada", "cyd"), "agreement"]) == (1, 0)


def test_export_holds_what_stands_and_no_formula(book, tmp_path):
    import pandas as pd

    book.add(a_row(0), "accept", by="ada")
    book.add(a_row(1, "=HYPERLINK(1)"), "reject", "+1, \"odd\"\n", by="@ben")
    jsonl, csv = export_records(book, tmp_path / "review")
    assert [json.loads(line) for line in jsonl.read_text().splitlines()] == records_table(book).to_dict("records")
    table = pd.read_csv(csv, keep_default_na=False)
    assert table.loc[1, ["question", "reason", "by"]].tolist() == ["'=HYPERLINK(1)", "'+1, \"odd\"", "'@ben"]


def test_verdicts_of_people_reach_the_dataset(tmp_path):
    run = run_up_to_the_dataset(tmp_path / "run", ["lookup_by_symbol", "get_keyword_by_id"])
    before = {name: (run.path / name).read_bytes() for name in ("verdicts.jsonl", "dataset/train.jsonl")}
    rows = [row for row in rows_for_review(run) if row["call"]["name"] == "lookup_by_symbol"]
    assert {v["layer"] for row in rows for v in row["verdicts"]} == {"execution", "judge"} and human_verified(run.read("verdicts.jsonl")) == set()
    shown = side_by_side(run, ["get_keyword_by_id", "lookup_by_symbol"])
    assert shown["call"].nunique() == 2 and all(json.loads(a.split(" = ", 1)[1]) not in (None, "") for a in shown["answer"])
    book = ReviewBook(run.path / "human.jsonl")
    symbol, species = rows[2]["call"]["arguments"]["symbol"], rows[2]["call"]["arguments"]["species"]
    book.add(rows[0], "reject", "nobody asks like that", by="ada")
    book.add(rows[1], "accept", by="ada")
    fixed = fix(book, rows[2], f"I should like to know about {symbol} of {species}, whatever there is.", "clumsy", "ada")["fixed"]
    filters.apply_filters(run)
    made = dataset.build(run).set_index("id")
    assert rows[0]["id"] not in made.index and made.loc[rows[2]["id"], "question"] == fixed
    assert human_verified(run.read("verdicts.jsonl")) == {rows[1]["id"], rows[2]["id"]}
    assert "2 of " in (run.path / "dataset/README.md").read_text()
    steps = filters.funnel(run).set_index("step")["count"]
    assert steps["seen by a human"] == 3 and steps["kept"] == steps["accepted by judge"] - 1
    saved = book.path.read_bytes()
    book.path.unlink()
    with pytest.raises(BrokenRecord, match="no longer there"):
        filters.apply_filters(run)
    book.path.write_bytes(saved)
    for _ in range(3):
        book.undo("ada")
    filters.apply_filters(run)
    dataset.build(run)
    assert {name: (run.path / name).read_bytes() for name in before} == before


ITEMS = [{"id": f"i{n}", "question": f"Question {n}?", "answers": {"no tools": f"guess {n}", "with tools": f"17 ({n})"}} for n in range(40)]


def test_the_order_of_answers_is_drawn_for_each_rater_and_kept():
    ada, ben = tasks(ITEMS, "ada"), tasks(ITEMS, "ben")
    assert ada == tasks(ITEMS, "Ada") and [t["left"] for t in ada] != [t["left"] for t in ben] != [t["left"] for t in tasks(ITEMS, "ben", seed=1)]
    assert 10 <= sum(t["left"] == "no tools" for t in ada) <= 30 and {t["left"] for t in ada[:10]} == {"no tools", "with tools"}
    three = tasks([{"id": "x", "question": "?", "answers": {"a": "1", "b": "2", "c": "3"}}], "ada")
    assert {frozenset((t["left"], t["right"])) for t in three} == {frozenset("ab"), frozenset("ac"), frozenset("bc")}
    for wrong in ({"id": "x", "question": "?"}, {"id": "x", "question": "?", "answers": {"a": "1"}}, {"id": "x", "question": "?", "answers": {"a": "1", "b": 2}}):
        with pytest.raises(bt.InvalidParameter, match="item 0"):
            tasks([wrong], "ada")
    with pytest.raises(bt.InvalidParameter, match="another item has this id"):
        tasks([ITEMS[0], ITEMS[0]], "ada")


def test_preferences_become_a_win_rate_a_gain_and_an_agreement(tmp_path):
    book = PreferenceBook(tmp_path / "preferences.jsonl")
    for name, wins in (("ada", 30), ("ben", 20)):
        for number, task in enumerate(tasks(ITEMS, name)):
            better = "with tools" if number < wins else "no tools"
            choice = "tie" if number >= 36 else "left" if task["left"] == better else "right"
            marks = (3, 3) if choice == "tie" else (4, 2) if choice == "left" else (2, 4)
            book.prefer(task, choice, by=name, marks=marks)
    records = PreferenceBook(book.path).on(ITEMS)
    rate = win_rate(records, "with tools", "no tools")
    assert rate["value"] == pytest.approx((30 + 20 + 2 * 4 * 0.5) / 80) and (rate["wins"], rate["ties"], rate["losses"]) == (50, 8, 22)
    assert (rate["raters"], rate["items"], rate["n"]) == (2, 40, 80) and rate["low"] < rate["value"] < rate["high"]
    assert win_rate(records, "no tools", "with tools")["value"] == pytest.approx(1 - rate["value"])
    assert win_rates(records)["value"].tolist() == [pytest.approx(1 - rate["value"])]
    gain = quality_gain(records, "with tools", "no tools")
    first, second = 50 * 4 + 22 * 2 + 8 * 3, 50 * 2 + 22 * 4 + 8 * 3
    assert gain["value"] == pytest.approx(first / second - 1, abs=1e-6) and gain["low"] < gain["value"] < gain["high"]
    (pair,) = raters_agreement(records).to_dict("records")
    labels = [["with"] * n + ["no"] * (36 - n) + ["tie"] * 4 for n in (30, 20)]
    assert (pair["n"], pair["agreement"]) == (40, 0.75) and pair["kappa"] == pytest.approx(cohen_kappa_score(*labels), abs=1e-6)
    assert pair["kappa_low"] < pair["kappa"] < pair["kappa_high"]
    assert left_share(records)["n"] == 72
    assert win_rate([], "a", "b")["value"] is None and quality_gain([], "a", "b")["value"] is None


def test_preferences_about_other_answers_do_not_count_and_bad_ones_are_refused(tmp_path):
    book, task = PreferenceBook(tmp_path / "preferences.jsonl"), tasks(ITEMS, "ada")[0]
    for choice, marks, where in (("both", None, "choice"), ("left", (6, 1), "marks"), ("left", (2, 4), "marks")):
        with pytest.raises(bt.InvalidParameter) as caught:
            book.prefer(task, choice, by="ada", marks=marks)
        assert [p.where for p in caught.value.problems] == [where]
    book.prefer(task, "tie", by="ada")
    assert len(book.on(ITEMS)) == 1 and list(book.rated("ada", tasks(ITEMS, "ada"))) == [task["id"]]
    changed = [{**ITEMS[0], "answers": {**ITEMS[0]["answers"], "with tools": "18"}}]
    assert book.on(changed) == [] and book.rated("ada", tasks(changed, "ada")) == {}
    book.undo("ada")
    assert book.on(ITEMS) == []


def test_made_up_judgements_follow_their_shares_and_two_ways_say_the_same_answer():
    made = rehearsal({"a": 1.0, "b": 0.0}, items=30)
    assert win_rate([r for r in made if r["by"] == "a"], "first", "second")["value"] == 1.0 and win_rate(made, "first", "second")["value"] == 0.5
    assert raters_agreement(made).loc[0, "agreement"] == 0.0
    (item, *_) = two_ways_of_saying([a_row(0), {**a_row(1), "answer_value": [1, 2]}])
    assert item["answers"] == {TWO_WAYS[0]: "17\n\nfrom lookup_by_symbol, at seq_region_name", TWO_WAYS[1]: "17"}


def test_missed_faults_are_those_that_nobody_rejected():
    cases = [{"id": f"c{n}", "fault": fault, "question": a_row(n), "call": a_row(n)["call"]} for n, fault in enumerate(("wrong_call", "wrong_call", "untouched"))]
    said = [{"question_id": "c0", "accept": True}, {"question_id": "c0", "accept": False}, {"question_id": "c1", "accept": True}, {"question_id": "c2", "accept": True}]
    assert missed(cases, said)["answer on record"].tolist() == ["seq_region_name = 17"]
