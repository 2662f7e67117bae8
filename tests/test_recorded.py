"""Every recorded response of a catalogue function comes back with the outcome that its body deserves and a summary that says something.

The expectation is worked out here, from the index's status and a plain look at the text of the body, with a list of what the
services' error texts mean that was made by reading them; nothing of it comes from the code under test.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import defaultdict

import pytest
from conftest import NO_RECORDINGS, RECORDED, recorded_rows

import biotool_lib as bt
from biotool_lib.gateway.outcome import judge
from biotool_lib.observe import Context, summarise

ROWS = [row for row in recorded_rows() if row["function"]]
pytestmark = pytest.mark.skipif(not ROWS, reason=NO_RECORDINGS)

# What the recorded error texts mean, in the order in which they are looked for.
SAID = [
    ("Status=WAITING", "pending"),
    ("Status=UNKNOWN", "not_found"),
    ("API rate limit exceeded", "rate_limited"),
    ("NCBI C++ Exception", "server_error"),
    ("Error calling ExLink server", "server_error"),
    ("Empty Response. Bytes read: 0 Status: Timeout", "server_error"),
    ("Invalid uid ", "invalid_arguments"),
    ("cannot get document summary", "not_found"),
    ("Invalid db name specified", "invalid_arguments"),
    ("Can not retrieve DbInfo", "invalid_arguments"),
    ("Neither query_key nor id specified", "invalid_arguments"),
    ("Empty id list - nothing todo", "invalid_arguments"),
    ("Supplied+id+parameter+is+empty", "invalid_arguments"),
    ("F+a+i+l+e+d++t+o++u+n+d+e+r+s+t+a+n+d", "invalid_arguments"),
    ("S+e+q+u+e+n+c+e++s+t+a+r+t++i+s++o+u+t+s+i+d+e", "invalid_arguments"),
    ("Query string not found in the CGI context", "invalid_arguments"),
    ("Expand option only available for Genes and Transcripts", "invalid_arguments"),
    ("value has invalid format", "invalid_arguments"),
    ("Resource not found", "not_found"),
]
RECORD = re.compile(r'<DocSum>|<Link>|<ObjUrl>|<DocumentSummary uid="[^"]*">\s*(?!<error>)<|"uid":\s*"[^"]*",\s*(?!"error")"')
NOTHING = re.compile(
    r'\A\s*\Z|\A\s*\[\s*\]\s*\Z|"esearchresult":\s*\{\s*"count":\s*"0"|<eSearchResult>\s*<Count>0</Count>|"result":\s*\{\s*"uids":\s*\[\s*\]'
    r'|\A\s*\{\s*"results":\s*\[\s*\]|No significant similarity found|<Iteration_hits>\s*</Iteration_hits>'
)
# Rows that no call of the catalogue can be: their bodies are judged all the same.
NO_ARGUMENT = "the URL asks for something that has no argument in the catalogue"
NO_ID = "no id, which the function needs"
TOO_MANY = "asks for 100,000 ids, above the documented 10,000"
NO_URL = "the URL was not recorded"
OTHER_FORMAT = "asks for another format or a later page, which are no arguments"
NO_CALL = {
    "ncbi/blast_put/cblaster_start_response.txt": NO_ARGUMENT,
    "ncbi/blast_status/cblaster_check_response_ready.txt": NO_ARGUMENT,
    "ncbi/blast_status/genegpt_unknown_xml_prefix10000_0c8d9549.txt": NO_ARGUMENT,
    "ncbi/blast_status/genegpt_waiting_html_prefix10000_7bfab206.txt": NO_ARGUMENT,
    "ncbi/efetch/clinvar_vcv_12397.xml": NO_ARGUMENT,
    "ncbi/efetch/genegpt_gene_json.txt": NO_ID,
    "ncbi/errors/biopython_esummary_esummary8.xml": NO_ID,
    "ncbi/errors/blast_put_biopython_html_msgid_29_blastx_001.txt": "an empty query, which is refused before it is sent",
    "ncbi/errors/efetch_301_nucest_fasta_1036639577_798020601_798.txt": "more ids than one address may hold",
    "ncbi/esearch/pubmed_xml_altman_r_author.xml": TOO_MANY,
    "ncbi/esearch/pubmed_xml_altman_r_author_9c7dd4a6.xml": TOO_MANY,
    "ncbi/esearch/pubmed_xml_altman_russ_author_or_altman_r_auth.xml": TOO_MANY,
    "ncbi/esearch/pubmed_xml_altman_russ_author_or_altman_r_auth_57bc7bee.xml": TOO_MANY,
    "ncbi/esearch/pubmed_xml_edler_alice_author_and_stanford_un.xml": TOO_MANY,
    "ncbi/esummary/genegpt_gene_json.json": NO_ID,
    "ncbi/genegpt/efetch/410ad6624776e787.txt": NO_ID,
    "ncbi/genegpt/esummary/9a1a61b54a640861.txt": NO_ID,
    "uniprot/database/all_crossrefs_2023.json": "the stream address, which no function uses",
    "uniprot/uniprotkb_search/csdaw_uniprot_search__rest.uniprot.org__uniprotkb__search-6bf81a.txt": OTHER_FORMAT,
    "uniprot/uniprotkb_search/glucose_facets_size2.json": NO_ARGUMENT,
    "uniprot/uniprotkb_search/r2_actin_24_accessions.tsv": NO_URL,
    "uniprot/uniprotkb_stream/r2_uniprotkb_A0A0E3KBH3_OR_A0A072ULZ1_OR_A_2024_09_24.json": NO_URL,
    "uniprot/uniprotkb_stream/r2_uniprotkb_accession_A1L3X0_OR_accession_2024_07_27.json": NO_URL,
    "uniprot/uniref_search/csdaw_fetch_paged__rest.uniprot.org__uniref__search-0a6701.txt": OTHER_FORMAT,
    "uniprot/uniref_search/csdaw_fetch_paged__rest.uniprot.org__uniref__search-1e7394.txt": OTHER_FORMAT,
    "uniprot/uniref_search/csdaw_fetch_paged__rest.uniprot.org__uniref__search-4640ef.txt": OTHER_FORMAT,
    "uniprot/uniref_search/csdaw_fetch_paged__rest.uniprot.org__uniref__search-6a4243.txt": OTHER_FORMAT,
    "uniprot/uniref_search/glucose_facets_size1.json": NO_ARGUMENT,
    "uniprot/uniref_search/glucose_facets_size1_2024.json": NO_ARGUMENT,
    "uniprot/uniref_search/r2_P05067-4_2022.json": NO_URL,
    "uniprot/uniref_stream/csdaw_uniprot_search__rest.uniprot.org__uniref__stream-1cd203.txt": OTHER_FORMAT,
}
# Rows whose outcome is not what their text alone suggests, each with the outcome and why.
EXPLAINED = {
    "ncbi/efetch/biopython_pubmed3.txt": ("bad_body", "an answer of 2009 inside an HTML page; efetch has long sent XML instead"),
    "ncbi/blast_status/cblaster_check_response_ready.txt": ("ok", "the status page, which says that there are hits, is all that was asked for"),
}


def expected(row: dict, text: str) -> str:
    """The outcome that a person reading status and body would give."""
    if row["file"] in EXPLAINED:
        return EXPLAINED[row["file"]][0]
    if row["status"] in (301, 302):
        return "transport_error"
    said = next((outcome for sign, outcome in SAID if sign in text), None)
    if row["status"] not in (200, None):
        return said or "no rule"
    if said and not RECORD.search(text):
        return said
    if re.match(r"\s*<(?:\?xml|[A-Z])", text) and not text.rstrip().endswith(">"):
        return "bad_body"  # cut off
    elink = row["function"] == "elink" and not re.search(r'<Link>|<ObjUrl>|<Id Has|<IdLinkSet|<LinkSetDbHistory>|"links":\s*\[\s*["{\d]|"idurllist"|"querykey"', text)
    return "empty" if elink or NOTHING.search(text) else "ok"


def leaves(value: object) -> list[str]:
    """All plain values of a summary, as text."""
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, list) else [str(value)]


def assert_says_something(summary: dict | None, outcome: str, text: str, where: str) -> None:
    if outcome not in ("ok", "empty"):
        return
    assert summary and "summary_error" not in summary, where
    assert len(json.dumps(summary)) <= 6000, where
    if outcome == "ok":
        plain = re.sub(r"\\[nrtu\"/]|[\s\\]+", " ", text)
        told = [leaf for leaf in leaves(summary) if len(leaf) > min(1, len(text) // 40) and leaf not in ("None", "True", "False")]
        assert any(re.sub(r"\s+", " ", leaf[:40]) in plain for leaf in told), (where, summary)


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return {row["file"]: (RECORDED / row["file"]).read_text(encoding="utf-8", errors="replace") for row in ROWS}


def test_tables_name_real_rows_and_each_says_why():
    files = {row["file"] for row in ROWS}
    assert set(NO_CALL) <= files and set(EXPLAINED) <= files
    assert all(NO_CALL.values()) and all(why for _, why in EXPLAINED.values())


def test_rows_that_are_no_call_are_the_listed_ones():
    found = {row["file"] for row in ROWS if row["url"] is None or bt.call_from_url(row["url"], row["request_body"]) is None}
    assert found == set(NO_CALL)


def test_every_row_is_the_call_of_its_function():
    for row in ROWS:
        if row["file"] not in NO_CALL:
            call = bt.call_from_url(row["url"], row["request_body"])
            assert call["name"] == row["function"] and bt.canonical(**call) == call, row["url"]


def test_every_body_is_judged_as_a_reader_would(texts):
    wrong = []
    for row in ROWS:
        tool = bt.tools()[row["function"]]
        headers = {"content-type": row["content_type"]} if row["content_type"] else {}
        judged = judge(tool, row["status"], headers, (RECORDED / row["file"]).read_bytes())
        if judged.outcome != expected(row, texts[row["file"]]):
            wrong.append((row["file"], judged.outcome, expected(row, texts[row["file"]]), judged.error))
        assert (judged.error is None) == (judged.outcome in ("ok", "empty")), row["file"]
        summary = summarise(tool.name, tool.database, judged.data, Context()) if judged.outcome in ("ok", "empty") else None
        assert_says_something(summary, judged.outcome, texts[row["file"]], row["file"])
    assert not wrong


def test_every_row_replays(texts, tmp_path):
    """Calls that were recorded several times go into several folders, so that each body answers once."""
    layers: list[list[tuple[dict, dict]]] = []
    times: dict[str, int] = defaultdict(int)
    for row in ROWS:
        if row["file"] in NO_CALL:
            continue
        call = bt.call_from_url(row["url"], row["request_body"])
        name = json.dumps(call, sort_keys=True)
        if times[name] == len(layers):
            layers.append([])
        layers[times[name]].append((row, call))
        times[name] += 1
    replayed = 0
    for number, layer in enumerate(layers):
        folder = tmp_path / str(number)
        for row, _ in layer:
            target = folder / row["file"]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(RECORDED / row["file"], target)
        (folder / "index.jsonl").write_text("".join(json.dumps(row) + "\n" for row, _ in layer), encoding="utf-8")
        client = bt.Client("replay", recordings=folder)
        for row, call in layer:
            seen = client.call(**call)
            assert (seen.outcome, seen.source) == (expected(row, texts[row["file"]]), "replay"), (row["file"], seen.error)
            assert seen.status == row["status"], "the receipt says what was recorded, and nothing where nothing was"
            if not row["content_type"] and not row["headers"]:
                assert "content-type" not in seen.headers
            assert_says_something(seen.summary, seen.outcome, texts[row["file"]], row["file"])
            replayed += 1
    assert replayed == len(ROWS) - len(NO_CALL) > 2900
