"""Whether a question determines its call: whole values, every clause of a query, and nothing that it leaves unsaid."""

from __future__ import annotations

import pytest

import biotool_lib as bt
from biotool_lib import calls, filters
from biotool_lib.questions.recover import clauses, fold, holds, unrecoverable


def missing(text: str, function: str, **arguments) -> list[str]:
    return unrecoverable(text, bt.canonical(function, arguments))


@pytest.mark.parametrize(("text", "phrase", "held"), [
    ("Where is BRCA1?", "BRCA1", True), ("Where is BRCA12?", "BRCA1", False), ("Where is BRCA1?", "BRCA", False),
    ("Show NM_000546.6", "NM_000546", False), ("Show NM_000546.", "NM_000546", True), ("the kinases, please", "kinase", True),
    ("chromosome 17:43044295", "17", False), ("TP53-related genes", "TP53", False), ("50 papers", "5", False), ("TP53's exons", "TP53", True),
    ("anything", "", False),
])
def test_values_are_found_as_whole_words(text, phrase, held):
    assert holds(fold(text), phrase) is held


def test_a_query_is_read_clause_by_clause():
    query = '(TP53[gene] OR "Homo sapiens"[orgn]) AND NOT reviewed:true AND length:[10 TO 99] AND kinase'
    assert clauses(query) == [
        ("gene", "TP53", False), ("orgn", "Homo sapiens", False), ("reviewed", "true", True), ("length", "10", False),
        ("length", "99", False), ("", "kinase", False),
    ]


@pytest.mark.parametrize(("text", "query", "said"), [
    ("Find the reviewed human entries of the gene TP53", "gene:TP53 AND organism_id:9606 AND reviewed:true", True),
    ("Find the human entries of the gene TP53", "gene:TP53 AND organism_id:9606 AND reviewed:true", False),
    ("Find the mouse entries of the gene TP53", "gene:TP53 AND organism_id:9606", False),
    ("Find the human entries of the gene TP53", "gene_exact:TP53 AND organism_id:9606", False),
    ("Which kinases are there outside human?", "kinase AND NOT organism_id:9606", True),
    ("Which human kinases are there?", "kinase AND NOT organism_id:9606", False),
])
def test_every_clause_must_be_said(text, query, said):
    assert (missing(text, "search_uniprotkb", query=query) == []) is said


@pytest.mark.parametrize(("text", "term", "said"), [
    ("How many papers has Lander ES written, by PubMed?", "Lander ES[au]", True), ("PubMed papers on Lander ES", "Lander ES[title]", False),
    ("Which human genes at NCBI Gene have the symbol TP53?", "TP53[sym] AND human[orgn]", True),
    ("Which human gene records does NCBI Gene have for TP53?", "TP53[sym] AND human[orgn]", False),
])
def test_a_field_that_the_value_does_not_tell_must_be_said(text, term, said):
    assert ("term" not in missing(text, "esearch", db="gene", term=term)) is said


def test_options_are_said_by_their_own_words():
    assert missing("Give me 5 PubMed papers on apoptosis", "esearch", db="pubmed", term="apoptosis", retmax=5) == []
    assert missing("Papers on CASP5 5 in PubMed", "esearch", db="pubmed", term="CASP5 5", retmax=5) == ["retmax"]
    assert missing("How many PubMed papers are there on apoptosis?", "esearch", db="pubmed", term="apoptosis", rettype="count") == ["rettype"]
    assert missing("Where is human TP53 true?", "lookup_by_symbol", species="human", symbol="TP53", expand=True) == ["expand"]
    assert missing("The mouse homologue of Trp53", "get_homology_by_symbol", species="mouse", symbol="Trp53", target_species="mouse") == ["target_species"]
    assert missing("Which variants overlap ENSG00000139618?", "overlap_by_id", id="ENSG00000139618", feature="variation") == []
    assert missing("Which exons overlap ENSG00000139618?", "overlap_by_id", id="ENSG00000139618", feature="variation") == ["feature"]


def test_nothing_in_the_response_is_no_answer():
    seen = bt.Client().call("lookup_by_symbol", {"species": "human", "symbol": "BRCA1"})
    call = calls.row({"id": "c1"}, seen)
    question = {"question": "On which chromosome is the human gene BRCA1 found?", "answer_path": "no.such.place", "answer_value": None}
    assert filters.execution(question, call, seen) == (False, "the response has nothing at no.such.place")
    assert filters.judge(question, call) == (False, "the response does not hold the answer")
