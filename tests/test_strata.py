"""What people do not say: the technical stratum, one spelling a meaning, and authored questions from file to dataset."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
from conftest import run_up_to_the_dataset

import biotool_lib as bt
from biotool_lib import calls
from biotool_lib.calls import authored
from biotool_lib.calls.strata import settle, stratum, unspeakable


@pytest.fixture(scope="module")
def proposed():
    return calls.propose(bt.Client())


def test_every_unspeakable_parameter_exists():
    from biotool_lib.calls.strata import _declared

    names = {parameter for tool in bt.tools().values() for parameter in tool.parameters}
    assert set(_declared()) <= names
    assert unspeakable("esearch", "rettype", "count") is None and unspeakable("efetch", "rettype", "medline") == "format"
    assert stratum({"name": "get_ontology_id", "arguments": {"id": "GO:0000001", "simple": True}}) == "technical"
    assert stratum({"name": "get_homology_by_id", "arguments": {"sequence": "none"}}) == "technical"
    assert stratum({"name": "get_genetree_by_id", "arguments": {"sequence": "protein"}}) == "ordinary"


def test_few_calls_of_the_default_run_are_technical(proposed):
    strata = Counter(stratum(call) for call in proposed)
    assert 0 < strata["technical"] <= 0.1 * len(proposed)


def test_each_meaning_of_a_query_has_one_spelling(proposed):
    terms = [call["arguments"]["term"] for call in proposed if call["name"] == "esearch"]
    assert len(terms) > 400 and all(settle(term) == term for term in terms)
    tags = Counter(tag.casefold() for term in terms for tag in re.findall(r"\[([^\]:]+)\]", term))
    assert not {"gene name", "organism", "author", "journal", "chromosome", "mesh major topic"} & set(tags)
    assert settle('"Nature"[Journal] AND Homo sapiens[Organism]') == '"Nature"[ta] AND human[orgn]'


AUTHORED = [
    ("s1", "lookup_by_symbol", {"species": "human", "symbol": "BRCA1"}, "student", "hi, which chromosome is human BRCA1 on again??"),
    ("c1", "lookup_by_symbol", {"species": "human", "symbol": "NOSUCHGENE1"}, "clinician", 'where is the human gene "NOSUCHGENE1" please'),
    ("b1", "lookup_by_symbol", {"species": "mouse", "symbol": "Brca2"}, "bench", "mouse coordinates needed for the breast cancer gene no 2"),
    ("b2", "esearch", {"db": "gene", "term": "TP53[Gene Name] AND Homo sapiens[Organism]"}, "bench", "NCBI Gene number of human gene TP53 thx"),
]


def write_authored(path, rows=AUTHORED):
    lines = ["\t".join(authored.COLUMNS), *("\t".join((i, name, json.dumps(given), asker, text)) for i, name, given, asker, text in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_authored_questions_are_executed_judged_and_kept_out_of_the_splits(tmp_path, monkeypatch):
    monkeypatch.setattr(authored, "PATH", write_authored(tmp_path / "authored.tsv"))
    run = run_up_to_the_dataset(tmp_path / "run", ["lookup_by_symbol", "get_keyword_by_id"])
    stamps = run.manifest["stages"]
    assert stamps["calls"]["authored"] == 3 and [row["id"] for row in stamps["calls"]["authored_unanswered"]] == ["c1"]
    assert "NOSUCHGENE1" in stamps["calls"]["authored_unanswered"][0]["reason"]
    asked = {q["id"]: q for q in run.read("questions.jsonl") if q["writer"] == "authored"}
    assert set(asked) == {"authored-s1", "authored-b1"} and asked["authored-s1"]["family"] == "student"
    assert stamps["questions"]["authored"] == 2
    verdicts = {(v["question_id"], v["layer"]): v for v in run.read("verdicts.jsonl") if v["question_id"] in asked}
    assert verdicts["authored-s1", "judge"]["accept"] and not verdicts["authored-b1", "judge"]["accept"]
    (kept,) = run.read("dataset/authored.jsonl")
    rows = [row for split in ("train", "validation", "test") for row in run.read(f"dataset/{split}.jsonl")]
    assert kept["question"] == AUTHORED[0][4] and set(kept) == set(rows[0]) and kept["answer_value"]["seq_region_name"] == "17"
    (rejected,) = run.read("dataset/authored_rejected.jsonl")
    assert rejected["id"] == "authored-b1" and "symbol" in rejected["reason"] and stamps["dataset"]["authored_rejected"] == {"judge": 1}
    mine = {calls.call_id(row) for row in authored.read()}
    assert not mine & {row["group"] for row in rows} and not [q for q in run.read("questions.jsonl") if q["call_id"] in mine and q["id"] not in asked]


def test_an_authored_file_is_read_in_one_spelling_and_refused_where_it_is_wrong(tmp_path):
    rows = authored.read(write_authored(tmp_path / "a.tsv"))
    assert rows[3]["arguments"]["term"] == "TP53[gene] AND human[orgn]" and rows[0]["arguments"]["species"] == "homo_sapiens"
    assert authored.read(tmp_path / "none.tsv") == []
    twice = [AUTHORED[0], AUTHORED[0], ("x", "lookup_by_symbol", {"species": "human"}, "student", "Where?")]
    with pytest.raises(bt.InvalidParameter, match=r"line 4.*symbol(.|\n)*s1.*stands twice"):
        authored.read(write_authored(tmp_path / "b.tsv", twice))


def test_a_function_keeps_its_only_call_for_training(tmp_path, monkeypatch):
    rows = [("p1", "get_info_ping", {}, "student", "is ensembl up right now?"), AUTHORED[0]]
    monkeypatch.setattr(authored, "PATH", write_authored(tmp_path / "authored.tsv", rows))
    marked = {call["name"]: call["authored"] for call in calls.propose(bt.Client(), 0, ["get_info_ping", "lookup_by_symbol"]) if
              call["name"] == "get_info_ping" or call["arguments"].get("symbol") == "BRCA1"}
    assert marked == {"get_info_ping": False, "lookup_by_symbol": True}
