"""What came back is decided from status and body for each service; whatever arrives, nothing raises and no error is a success."""

from __future__ import annotations

import gzip
import io
import json
import zipfile

import pytest
from conftest import recorded_body
from hypothesis import given, settings
from hypothesis import strategies as st

import biotool_lib as bt
from biotool_lib.gateway.outcome import OUTCOMES, judge
from biotool_lib.observe import Context, server_total, summarise, text_summary

JSON, TEXT, XML, HTML = "application/json", "text/plain", "text/xml", "text/html"
XML_HEAD = '<?xml version="1.0" encoding="UTF-8" ?>\n'


def judged(name, status, body, kind=JSON):
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return judge(bt.tools()[name], status, {"content-type": kind} if kind else {}, raw)


ENSEMBL = [  # status, body, kind, outcome
    (200, '{"start": NaN}', JSON, "bad_body"),
    (200, '{"start": -1e999}', JSON, "bad_body"),
    (200, '{"start": 1e200}', JSON, "ok"),
    (200, '{"id": "\\ud83d"}', JSON, "bad_body"),
    (200, '{"id": "\\ud83d\\ude00"}', JSON, "ok"),
    (200, {"id": "ENSG00000157764"}, JSON, "ok"),
    (200, [], JSON, "empty"),
    (200, {}, JSON, "empty"),
    (200, {"error": "ID 'X' not found"}, JSON, "not_found"),
    (400, {"error": "ID 'X' not found"}, JSON, "not_found"),
    (400, {"error": "rs0000000001 not found for sorghum_bicolor"}, JSON, "not_found"),
    (400, {"error": "Expand option only available for Genes and Transcripts"}, JSON, "invalid_arguments"),
    (403, "Forbidden", TEXT, "rate_limited"),  # what the service answers to who asked too fast for too long
    (404, "<html><body>Not found</body></html>", HTML, "not_found"),
    (408, "", TEXT, "server_error"),
    (429, "You have exceeded the limit of 15 requests per second", TEXT, "rate_limited"),
    (None, "You have exceeded the limit of 15 requests per second", "", "rate_limited"),
    (500, {"error": "something is wrong"}, JSON, "server_error"),
    (502, "<html>Bad Gateway</html>", HTML, "server_error"),
    (503, b"", "", "server_error"),
    (301, "", HTML, "transport_error"),
    (401, "", TEXT, "transport_error"),
    (200, "<!DOCTYPE html><html><body>maintenance</body></html>", HTML, "bad_body"),
    (200, XML_HEAD + "<!DOCTYPE html PUBLIC 'x'><html><body>maintenance</body></html>", HTML, "bad_body"),
    (200, '{"id": "ENSG0000', JSON, "bad_body"),
    (200, '{\n  "id": "ENSG0000', "", "bad_body"),
    (200, '[{"id": "ENSG0000"}, ', TEXT, "bad_body"),
    (200, "ENSG0000 and no JSON", JSON, "bad_body"),
    (200, b'{"id": "\xff\xfe"}', JSON, "bad_body"),
    (200, b'{"id": "\xff\xfe"}', "", "bad_body"),
    (200, "[" * 100_000, JSON, "bad_body"),
    (200, ["protein_coding", "lncRNA"], JSON, "ok"),
    (200, [1, 2], JSON, "ok"),
    (200, [[], {}], JSON, "empty"),
    (200, "(homo_sapiens:0.1,mus_musculus:0.2);", "text/x-nh", "ok"),
    (200, ">ENSG00000157764.14\nACGT\n", "text/x-fasta", "ok"),
    (200, XML_HEAD + "<phyloxml><phylogeny/></phyloxml>", XML, "ok"),
    (200, XML_HEAD + "<phyloxml><phylogeny>", XML, "bad_body"),
]
UNIPROT = [
    (200, {"primaryAccession": "P04637"}, JSON, "ok"),
    (200, {"results": []}, JSON, "empty"),
    (200, {"results": [{"primaryAccession": "P04637"}]}, JSON, "ok"),
    (200, {"url": "u", "messages": ["Resource not found"]}, JSON, "not_found"),
    (400, {"url": "u", "messages": ["'x' is not a valid search field"]}, JSON, "invalid_arguments"),
    (400, {"url": "u", "messages": ["The 'accession' value has invalid format. It should be a valid UniProtKB accession"]}, JSON, "invalid_arguments"),
    (404, {"url": "u", "messages": ["Resource not found"]}, JSON, "not_found"),
    (410, "", "", "not_found"),
    (403, "Forbidden", TEXT, "transport_error"),
    (429, "", "", "rate_limited"),
    (500, {"url": "u", "messages": ["Internal server error"]}, JSON, "server_error"),
    (503, "<html>Service Unavailable</html>", HTML, "server_error"),
    (200, "<html><head><title>UniProt</title></head></html>", HTML, "bad_body"),
    (200, '{"results": [{"primaryAcc', JSON, "bad_body"),
    (200, ">sp|P04637|P53_HUMAN\nMEEPQ\n", TEXT, "ok"),
    (200, "Entry\tGene Names\nP04637\tTP53\n", TEXT, "ok"),
    (204, b"", "", "empty"),
]
NCBI = [  # function first
    ("esearch", 200, {"esearchresult": {"count": "3", "idlist": ["1"]}}, JSON, "ok"),
    ("esearch", 200, {"esearchresult": {"count": "0", "idlist": []}}, JSON, "empty"),
    ("esearch", 200, XML_HEAD + "<eSearchResult><Count>0</Count><IdList></IdList></eSearchResult>", XML, "empty"),
    ("esearch", 200, XML_HEAD + "<eSearchResult><Count>2</Count><IdList><Id>1</Id></IdList></eSearchResult>", XML, "ok"),
    ("esearch", 200, XML_HEAD + "<eSearchResult><ERROR>Invalid db name specified: fleegle</ERROR></eSearchResult>", XML, "invalid_arguments"),
    ("esearch", 200, {"esearchresult": {"ERROR": "Search Backend failed: read failed"}}, JSON, "server_error"),
    ("esearch", 200, {"esearchresult": {"ERROR": "Search Backend failed: Exception:\n'retstart' cannot be larger than 9998."}}, JSON, "invalid_arguments"),
    ("esearch", 200, '{"esearchresult":{"ERROR":"Search Backend failed:\n raw\nlines"}}', JSON, "server_error"),
    ("esearch", 200, {"error": "API rate limit exceeded", "api-key": "x", "count": "4", "limit": "3"}, JSON, "rate_limited"),
    ("efetch", None, {"error": "API rate limit exceeded", "count": "4", "limit": "3"}, "", "rate_limited"),
    ("efetch", 429, {"error": "API rate limit exceeded", "count": "4", "limit": "3"}, JSON, "rate_limited"),
    ("einfo", 200, {"header": {}, "ERROR": "Can not retrieve DbInfo for db=fleegle"}, JSON, "invalid_arguments"),
    ("esummary", 200, {"result": {"uids": ["9"], "9": {"uid": "9", "error": "cannot get document summary"}}}, JSON, "not_found"),
    ("esummary", 200, {"result": {"uids": ["9", "7"], "9": {"error": "cannot get document summary"}, "7": {"uid": "7", "name": "A"}}}, JSON, "ok"),
    ("esummary", 200, {"error": "Invalid uid LEP9 at position= 0", "result": {"uids": []}}, JSON, "invalid_arguments"),
    ("esummary", 200, {"error": "Invalid uid LEP9 at position= 0", "result": {"uids": ["7"], "7": {"uid": "7", "name": "A"}}}, JSON, "ok"),
    ("esummary", 200, {"header": {}, "esummaryresult": ["NCBI C++ Exception: Cannot open file; not found"]}, JSON, "server_error"),
    ("esummary", 200, XML_HEAD + "<eSummaryResult><ERROR>Invalid uid x at position= 0</ERROR></eSummaryResult>", XML, "invalid_arguments"),
    ("esummary", 200, "<eSummaryResult><ERROR>Invalid uid x</ERROR><DocSum><Id>7</Id></DocSum></eSummaryResult>", XML, "ok"),
    ("esummary", 200, b"", TEXT, "empty"),
    ("elink", 200, {"linksets": [{"dbfrom": "gene", "ids": ["1"]}]}, JSON, "empty"),
    ("elink", 200, {"linksets": [{"ERROR": "Error calling ExLink server."}]}, JSON, "server_error"),
    ("elink", 200, "<eLinkResult><LinkSet><DbFrom>gene</DbFrom><IdList><Id>1</Id></IdList></LinkSet></eLinkResult>", XML, "empty"),
    ("elink", 200, "<eLinkResult><LinkSet><LinkSetDb><Link><Id>1</Id></Link></LinkSetDb></LinkSet></eLinkResult>", XML, "ok"),
    ("efetch", 200, "<eFetchResult><ERROR>ID list is empty!</ERROR></eFetchResult>", XML, "invalid_arguments"),
    ("efetch", 400, "+Error%3A+CEFetchPApplication%3A%3Aproxy_stream()%3A+Error%3A+F+a+i+l+e+d++t+o++r+e+a+d", TEXT, "invalid_arguments"),
    ("efetch", 200, "Supplied+id+parameter+is+empty.%0A", TEXT, "invalid_arguments"),
    ("efetch", 200, "<html><body>Error</body></html>", HTML, "bad_body"),
    ("efetch", 200, XML_HEAD + "<PubmedArticleSet><PubmedArticle><MedlineCita", XML, "bad_body"),
    ("efetch", 200, XML_HEAD + "<PubmedArticleSet></PubmedArticleSet>", XML, "empty"),
    ("efetch", 200, '<DocumentSummary uid="1"><SNP_ID>1</SNP_ID></DocumentSummary>\n<DocumentSummary uid="2"><SNP_ID>2</SNP_ID></DocumentSummary>', TEXT, "ok"),
    ("efetch", 200, '{"refsnp_id": "1"}\n{"refsnp_id": "2"}\n', TEXT, "ok"),
    ("efetch", 200, '{"refsnp_id": "1"}\n{"refsnp_id": ', TEXT, "bad_body"),
    ("efetch", 200, ">NP_1.1 the rate limiting enzyme\nMKV\n", TEXT, "ok"),
    ("efetch", 200, "LOCUS       X60065                 1302 bp    mRNA\n//\n", TEXT, "ok"),
    ("efetch", 200, "Seq-entry ::= set {\n}\n", TEXT, "ok"),
    ("efetch", 200, "\n", TEXT, "empty"),
    ("ecitmatch", 200, "proc natl acad sci u s a|1991|88|3248|mann bj|Art1|2014248\n", TEXT, "ok"),
    ("ecitmatch", 200, "science|1987|235|182|palmenberg ac|Art2|NOT_FOUND\nno such|1|2|3|x|c|NOT_FOUND;INVALID_JOURNAL\n", TEXT, "empty"),
    ("ecitmatch", 200, "a|1|2|3|x|c|NOT_FOUND\nproc natl acad sci u s a|1991|88|3248|mann bj|Art1|2014248\n", TEXT, "ok"),
    ("ecitmatch", 200, "science|1987|||palmenberg ac|Art2|AMBIGUOUS (5 citations)\n", TEXT, "ok"),
    ("blast", 200, "<html>\n<!--QBlastInfoBegin\n    RID = JUU6AN9D01R\n    RTOE = 2\nQBlastInfoEnd\n--></html>", HTML, "ok"),
    ("blast", 200, "<!DOCTYPE html><html>Service is being moved</html>", HTML, "bad_body"),
    ("blast_retrieve", 200, "<p><!--\nQBlastInfoBegin\n\tStatus=FAILED\nQBlastInfoEnd\n-->", HTML, "server_error"),
    ("blast_retrieve", 200, "<p><!--\nQBlastInfoBegin\n\tStatus=READY\nQBlastInfoEnd\n--><p>\n<PRE>\nNo significant similarity found.", TEXT, "empty"),
    ("blast_retrieve", 200, XML_HEAD + "<BlastOutput><Iteration_hits><Hit><Hit_id>x</Hit_id></Hit></Iteration_hits></BlastOutput>", XML, "ok"),
    ("blast_retrieve", 200, XML_HEAD + "<BlastOutput><Iteration_hits></Iteration_hits></BlastOutput>", XML, "empty"),
    ("blast_retrieve", 200, XML_HEAD + "<BlastOutput><Iteration_hits><Hit>", XML, "bad_body"),
    ("blast_retrieve", 200, "<B><Iteration_message>[x]: Error: CPU usage limit was exceeded</Iteration_message></B>", XML, "server_error"),
    ("blast_retrieve", 200, {"BlastOutput2": [{"report": {"results": {"search": {"hits": [], "message": "No hits found"}}}}]}, JSON, "empty"),
    ("blast_retrieve", 200, {"BlastOutput2": [{"report": {"results": {"search": {"hits": [{"num": 1}]}}}}]}, JSON, "ok"),
    ("blast_retrieve", 200, "# blastp\n# Query: x\n# 0 hits found\n", TEXT, "empty"),
]


@pytest.mark.parametrize(("status", "body", "kind", "outcome"), ENSEMBL)
def test_ensembl(status, body, kind, outcome):
    assert judged("lookup_by_id", status, body, kind).outcome == outcome


@pytest.mark.parametrize(("status", "body", "kind", "outcome"), UNIPROT)
def test_uniprot(status, body, kind, outcome):
    assert judged("search_uniprotkb", status, body, kind).outcome == outcome


@pytest.mark.parametrize(("name", "status", "body", "kind", "outcome"), NCBI)
def test_ncbi(name, status, body, kind, outcome):
    assert judged(name, status, body, kind).outcome == outcome


def test_a_gene_without_homologues_is_an_empty_answer():
    assert judged("get_homology_by_id", 200, {"data": [{"id": "ENSG1", "homologies": []}]}).outcome == "empty"
    assert judged("get_homology_by_id", 200, {"data": [{"id": "ENSG1", "homologies": [{"id": "ENSMUSG1"}]}]}).outcome == "ok"
    assert judged("get_homology_by_id", 200, {"data": []}).outcome == "empty"


@pytest.mark.parametrize("file", ["blast_put_biogo_message29.txt", "blast_put_biopython_html_msgid_29_blastx_001.txt"])
def test_blast_s_refusal_is_told_in_its_own_words(file):
    page = recorded_body(f"ncbi/errors/{file}")
    seen = judged("blast", 200, page, HTML)
    assert (seen.outcome, seen.error) == ("invalid_arguments", "Message ID#29 Error: Query string not found in the CGI context")


def test_an_encoded_error_is_told_in_words():
    seen = judged("efetch", 400, recorded_body("ncbi/errors/efetch_400_protein_fasta_np_001230161_1_3191_3190.txt"), TEXT)
    assert "Sequence start is outside of sequence range: from = 3191, length = 600" in seen.error


@pytest.mark.parametrize("name", ["lookup_by_id", "search_uniprotkb", "esearch", "blast_retrieve"])
def test_packed_bodies_are_read_whole_or_named_broken(name):
    whole = gzip.compress(b'{"results": [{"id": "1"}], "esearchresult": {"count": "1"}}')
    assert judged(name, 200, whole).outcome == "ok"
    assert [judged(name, 200, whole[:cut]).outcome for cut in (2, 12, len(whole) - 9)] == ["bad_body"] * 3
    assert judged(name, 503, whole[:12]).outcome == "server_error"
    assert judged(name, 200, gzip.compress(bytes(65 * 2**20), 1)).outcome == "bad_body"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("report.json", '{"BlastOutput2": [{"report": {"results": {"search": {"hits": [{"num": 1}]}}}}]}')
    assert judged(name, 200, packed.getvalue(), "application/zip").outcome == "ok"
    assert judged(name, 200, packed.getvalue()[:40], "application/zip").outcome == "bad_body"


BEGINNINGS = [b"", b"{", b"[", b'{"error":', b'{"results":[', b"<?xml version='1.0'?><a>", b"<html>", b"<p><!--QBlastInfoBegin\n\tStatus=", b">x\n", b"\x1f\x8b",
              b"PK\x03\x04", b'{"esearchresult":', b'{"linksets":[', b'{"result":{"uids":[', b'{"messages":[', b"LOCUS  ", b"+Error%3A", b"# 0 hits"]
SOME = [200, 204, 301, 400, 403, 404, 429, 500, None]
FUNCTIONS = ["lookup_by_id", "vep_by_id", "search_uniprotkb", "get_uniprotkb_entry", "esearch", "esummary", "efetch", "elink", "einfo", "ecitmatch", "blast", "blast_retrieve"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["error", "ERROR", "messages", "results", "result", "uids", "esearchresult", "count", "linksets", "linksetdbs", "data", "id", "BlastOutput2",
                         "report", "search", "hits", "features", "comments", "genes", "sequence", "transcript_consequences", "mappings", "einforesult", "dbinfo"]),
        inner, max_size=4,
    ), max_leaves=12,
)


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.sampled_from(SOME), st.sampled_from(BEGINNINGS), st.binary(max_size=60) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_have_an_outcome(name, status, beginning, rest):
    seen = judged(name, status, beginning + rest, "")
    assert seen.outcome in OUTCOMES
    assert (seen.outcome in ("ok", "empty")) <= (status in (200, 204, None))
    assert (seen.error is None) == (seen.outcome in ("ok", "empty"))


@pytest.mark.parametrize("name", list(bt.tools()))
@settings(max_examples=15, derandomize=True, deadline=None)
@given(VALUES)
def test_any_json_has_an_outcome_and_a_small_summary(name, value):
    seen = judged(name, 200, json.dumps(value))
    assert seen.outcome in OUTCOMES
    summary = summarise(name, bt.tools()[name].database, seen.data, Context(arguments={"fields": "sequence,cc_function,ft_domain"}))
    assert isinstance(summary, dict) and len(json.dumps(summary)) <= 6000
    assert json.dumps(summarise(name, bt.tools()[name].database, seen.data, Context(arguments={"fields": "sequence,cc_function,ft_domain"}))) == json.dumps(summary)


@pytest.mark.parametrize(("header", "total"), [("20417", 20417), ("0", 0), ("", None), ("²", None), ("-1", None), ("9" * 5000, None), ("many", None)])
def test_the_server_s_total_is_read_or_left_open(header, total):
    assert server_total({"x-total-results": header}) == total


@pytest.mark.parametrize(("text", "expected"), [
    (">a first\nACG\nT\n>b\nAA\n", {"format": "fasta", "total": 2, "letters": 6}),
    ("(a:1,(b:2,c:3):1);", {"format": "newick"}),
    ("chr1\t10\t20\tx\nchr1\t30\t40\ty\n", {"format": "bed", "total": 2}),
    ("Entry\tGene\nP1\tA\nP2\tB\n", {"format": "table", "header": ["Entry", "Gene"], "total": 2}),
    ("##gff-version 3\n1\thavana\tgene\t1\t2\n", {"format": "gff", "total": 1}),
    ("LOCUS       X60065                 1302 bp\n//\n", {"format": "genbank", "lines": 3}),
    ("<?xml version='1.0'?><a/>", {"format": "xml"}),
    ("Seq-entry ::= set {}", {"format": "asn.1"}),
    ("", {"format": "text", "characters": 0}),
    ("x" * 5000, {"format": "text", "characters": 5000}),
])
def test_text_answers_have_a_summary_of_their_own(text, expected):
    found = text_summary(text)
    assert {key: found[key] for key in expected} == expected
    assert len(json.dumps(found)) < 2000
