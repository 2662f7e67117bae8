"""Summaries of NCBI responses: JSON and XML give the same keys, records keep what people ask for, XML cannot do harm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import recorded_bodies, recorded_body, sound_summary

from biotool_lib.catalogue import tools
from biotool_lib.observe import Context
from biotool_lib.observe.fit import LIMIT, size
from biotool_lib.observe.ncbi import SUMMARIES
from biotool_lib.observe.ncbi_xml import parse

ODD = [
    None,
    [],
    {},
    "",
    "text",
    0,
    True,
    "<a>",
    "<a><b></a>",
    "<?xml version='1.0'?>",
    ">",
    "LOCUS",
    "PMID- ",
    {"result": {"uids": ["1"], "1": None}},
    {"esearchresult": []},
    {"esearchresult": {"count": None, "idlist": None}},
    {"linksets": [{"linksetdbs": [{"links": [1, {"id": 2}]}]}]},
    {"BlastOutput2": [{"report": {"results": {"search": {"hits": [{}]}}}}]},
    {"einforesult": {"dbinfo": [{}]}},
    "<PubmedArticleSet><PubmedArticle/></PubmedArticleSet>",
    "<eSearchResult/>",
    "<GBSet><GBSeq/></GBSet>",
    "<TaxaSet><Taxon/></TaxaSet>",
    "<BlastOutput/>",
    "<Entrezgene-Set><Entrezgene/></Entrezgene-Set>",
]
IMPOSSIBLE = [  # what the services never send; MARK stands for what must not be lost
    {"linksets": [None, "MARK"]},
    {"esearchresult": {"count": "1", "idlist": ["MARK"], "errorlist": 3}},
    {"einforesult": {"dblist": ["MARK"], "dbinfo": 7}},
    {"result": {"uids": ["1"], "1": {"title": "MARK", "authors": {"a": [1]}}}},
    "<eLinkResult><LinkSet>MARK<LinkSetDb/></LinkSet></eLinkResult>",
]
BOMB = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]><PubmedArticleSet><x>&b;</x></PubmedArticleSet>"""


def summary_of(name: str, function: str) -> dict:
    """The summary of one recorded body of the folder ncbi."""
    return SUMMARIES[function](recorded_body(f"ncbi/{name}"), Context())


def test_every_function_has_a_summary() -> None:
    assert set(SUMMARIES) == {name for name, tool in tools().items() if tool.database == "ncbi"}


@pytest.mark.parametrize("function", sorted(SUMMARIES))
def test_recorded_bodies(function: str, recorded: Path) -> None:
    bodies = recorded_bodies("ncbi")
    if function not in bodies:
        pytest.skip(f"no recorded body of {function}")
    for file, data, arguments in bodies[function]:
        context = Context(arguments=arguments)
        first, second = SUMMARIES[function](data, context), SUMMARIES[function](data, context)
        assert json.dumps(first) == json.dumps(second), file
        assert size(first) <= LIMIT, file
        assert json.loads(json.dumps(first)) == first, file
        assert first and "summary_error" not in first, file


@pytest.mark.parametrize("function", sorted(SUMMARIES))
def test_odd_shapes_never_raise(function: str) -> None:
    for data in ODD:
        assert "summary_error" not in sound_summary(SUMMARIES[function], data), data


@pytest.mark.parametrize("function", sorted(SUMMARIES))
def test_impossible_shapes_are_shown_plainly_with_the_error(function: str) -> None:
    for data in IMPOSSIBLE:
        summary = sound_summary(SUMMARIES[function], data)
        assert "summary_error" not in summary or "MARK" in json.dumps(summary), (data, summary)
    assert any("summary_error" in SUMMARIES[name](data, Context()) for name in SUMMARIES for data in IMPOSSIBLE), "a failed summariser is never hidden"


@pytest.mark.parametrize("function", sorted(SUMMARIES))
def test_declared_entities_are_refused(function: str) -> None:
    assert parse(BOMB) is None
    assert size(SUMMARIES[function](BOMB, Context())) < 2000


def test_deep_xml_does_not_overflow() -> None:
    for function in SUMMARIES:
        assert SUMMARIES[function]("<a>" * 5000 + "</a>" * 5000, Context())


def test_named_html_entities_are_read() -> None:
    root = parse("<a>5&nbsp;&alpha; &lt;b&gt; &nonsense;</a>")
    assert root is not None and root.text == "5\xa0α <b> "


def test_search_in_json_and_xml_alike() -> None:
    as_json = SUMMARIES["esearch"]({"esearchresult": {"count": "2", "retstart": "0", "idlist": ["7", "8"], "querytranslation": "q"}}, Context())
    as_xml = SUMMARIES["esearch"](
        "<eSearchResult><Count>2</Count><RetStart>0</RetStart><IdList><Id>7</Id><Id>8</Id></IdList><QueryTranslation>q</QueryTranslation></eSearchResult>",
        Context(),
    )
    assert as_json == as_xml == {"total": 2, "ids": {"total": 2, "shown": 2, "items": ["7", "8"]}, "querytranslation": "q"}


def test_summaries_in_json_and_xml_alike() -> None:
    record = {"uid": "9", "name": "ABC1", "description": "a gene", "organism": {"scientificname": "Homo sapiens", "taxid": 9606}}
    as_json = SUMMARIES["esummary"]({"result": {"uids": ["9"], "9": record}}, Context())["items"][0]
    as_xml = SUMMARIES["esummary"](
        "<eSummaryResult><DocumentSummarySet><DocumentSummary uid='9'><Name>ABC1</Name><Description>a gene</Description><Organism>"
        "<ScientificName>Homo sapiens</ScientificName><TaxID>9606</TaxID></Organism></DocumentSummary></DocumentSummarySet></eSummaryResult>",
        Context(),
    )["items"][0]
    assert as_json["name"] == as_xml["name"] == as_json["label"] == "ABC1"
    assert as_json["organism"]["scientificname"] == as_xml["organism"]["scientificname"] == "Homo sapiens"


def test_links_are_counted_and_named() -> None:
    body = {"linksets": [{"dbfrom": "gene", "ids": ["1"], "linksetdbs": [{"dbto": "pubmed", "linkname": "gene_pubmed", "links": [str(n) for n in range(40)]}]}]}
    summary = SUMMARIES["elink"](body, Context())
    assert (summary["total"], summary["first"], summary["linknames"]["items"]) == (40, "0", ["gene_pubmed"])
    assert summary["linksets"]["items"][0]["links"][0]["shown"] == 10


def test_citations_matched() -> None:
    text = "proc natl acad sci u s a|1991|88|3248|mann bj|Art1|2014248\nscience|1987|235|182|palmenberg ac|Art2|NOT_FOUND"
    summary = SUMMARIES["ecitmatch"](text, Context())
    assert (summary["matched"], summary["total"]) == (1, 2)
    assert summary["items"][0]["pmid"] == "2014248" and summary["items"][1]["status"] == "NOT_FOUND"


def test_blast_json_report() -> None:
    hit = {
        "description": [{"accession": "P1", "title": "a protein", "taxid": 9606, "sciname": "Homo sapiens"}],
        "len": 50,
        "hsps": [{"evalue": 1e-9, "bit_score": 80.5, "identity": 45, "align_len": 50, "gaps": 0, "query_from": 1, "query_to": 50}],
    }
    search = {"query_title": "q", "query_len": 100, "hits": [hit] * 12, "stat": {"db_num": 7}}
    report = {"report": {"program": "blastp", "search_target": {"db": "swissprot"}, "results": {"search": search}}}
    for body in ({"BlastOutput2": report}, {"BlastOutput2": [report]}):
        summary = SUMMARIES["blast"](body, Context())
        assert (summary["total"], summary["shown"], summary["database"]) == (12, 8, "swissprot")
        assert summary["items"][0]["percent_identity"] == 90.0 and summary["items"][0]["query_cover"] == 50


def test_blast_ticket_and_state() -> None:
    page = "<html><!--QBlastInfoBegin\n    RID = ABC123\n    RTOE = 18\nQBlastInfoEnd\n--></html>"
    assert SUMMARIES["blast"](page, Context())["rid"] == "ABC123"
    assert SUMMARIES["blast"](page, Context())["rtoe_seconds"] == 18
    assert SUMMARIES["blast_retrieve"]("<p><!--\nQBlastInfoBegin\n\tStatus=WAITING\nQBlastInfoEnd\n--></p>", Context())["status"] == "WAITING"


@pytest.mark.parametrize(
    ("file", "function", "path", "value"),
    [
        ("efetch/gene_4747_xml_example.xml", "efetch", ("items", 0, "symbol"), "NEFL"),
        ("efetch/gene_4747_xml_example.xml", "efetch", ("items", 0, "location"), "8p21"),
        ("efetch/taxonomy_8028.xml", "efetch", ("items", 0, "ranks", "family"), "Salmonidae"),
        ("efetch/biopython_nucleotide1.xml", "efetch", ("items", 0, "version"), "X60065.1"),
        ("efetch/biopython_efetch1.txt", "efetch", ("items", 0, "length"), 1302),
        ("efetch/biopython_medline_pubmed_result1.txt", "efetch", ("items", 0, "title"), "The Bio* toolkits--a brief overview."),
        ("efetch/pubmed_xml_22351513.xml", "efetch", ("items", 0, "year"), "2012"),
        ("efetch/clinvar_vcv_12397.xml", "efetch", ("items", 0, "genes", "items", 0), "TSC2"),
        ("efetch/genegpt_snp_json_1022906840.xml", "efetch", ("items", 0, "genes", "items", 0, "name"), "CCDC178"),
        ("efetch/genegpt_large_snp_json_1015227_61216744.xml", "efetch", ("total",), 2),
        ("efetch/genegpt_gene_json_107984834.txt", "efetch", ("items", 0, "symbol"), "CORO1A-AS1"),
        ("errors/efetch_400_nucleotide_fasta_nm_9_9.txt", "efetch", ("total",), None),
        ("esummary/taxonomy_7459.xml", "esummary", ("items", 0, "rank"), "genus"),
        ("esummary/genegpt_omim_json_245010.json", "esummary", ("items", 0, "title"), "HAIM-MUNK SYNDROME; HMS"),
        ("errors/genegpt_esummary_gene_json_error_lep9.json", "esummary", ("error",), "Invalid uid LEP9 at position= 0"),
        ("elink/bioperl_elink_nhist.xml", "elink", ("linknames", "total"), 2),
        ("elink/bioperl_elink_lcheck.xml", "elink", ("linksets", "items", 0, "checked", 1, "HasLinkOut"), False),
        ("einfo/biopython_einfo2.xml", "einfo", ("fields", "names", "TITL"), "Title"),
        ("blast_get/genegpt_xml_ready_30c90d2f.xml", "blast", ("items", 0, "percent_identity"), 100.0),
        ("blast_status/biogo_info_unknown_emptyrid.txt", "blast_retrieve", ("status",), "UNKNOWN"),
    ],
)
def test_known_bodies(file: str, function: str, path: tuple, value: object) -> None:
    found: object = summary_of(file, function)
    for step in path:
        found = found[step] if isinstance(step, int) and isinstance(found, list) else found.get(step) if isinstance(found, dict) else None
    assert found == value
