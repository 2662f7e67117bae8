"""The E-utilities of the atlas: query language, shapes, errors, and that every plan is answered with content."""

from __future__ import annotations

import io
import json
import random
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest
import yaml
from Bio import Medline, SeqIO
from werkzeug.test import Client

from biotool_lib.atlas import ncbi_databases, ncbi_query
from biotool_lib.atlas.app import application
from biotool_lib.atlas.ncbi_index import Index
from biotool_lib.atlas.store import entities, row, rows

EUTILS = "/entrez/eutils/"


@cache
def client() -> Client:
    return Client(application())


def ask(tool: str, **parameters: object):
    """One GET of an E-utility; lists repeat a parameter."""
    return client().get(f"{EUTILS}{tool}?{urlencode(parameters, doseq=True)}")


def body(tool: str, **parameters: object) -> dict:
    answer = ask(tool, retmode="json", **parameters)
    assert answer.status_code == 200 and answer.content_type.startswith("application/json")
    return json.loads(answer.get_data(as_text=True))


def search(db: str, term: str, **more: object) -> dict:
    return body("esearch.fcgi", db=db, term=term, **more)["esearchresult"]


def text(tool: str, **parameters: object) -> str:
    return ask(tool, **parameters).get_data(as_text=True)


# ---- the query language (random queries: test_atlas_queries.py) ------------------------------------
def test_operators_work_from_left_to_right() -> None:
    tree = ncbi_query.parse("a OR b AND c NOT d")
    assert isinstance(tree, ncbi_query.Join) and tree.operator == "NOT" and tree.left.operator == "AND" and tree.left.left.operator == "OR"


@pytest.mark.parametrize(
    "query", ["(BRCA1[gene] AND human[orgn]", "BRCA1[gene] AND human[orgn])", "AND BRCA1[gene] human[orgn]", "BRCA1[gene] AND AND human[orgn] OR"]
)
def test_broken_queries_are_repaired(query: str) -> None:
    assert search("gene", query)["idlist"] == ["672"]


def test_small_and_joins_and_lists_of_numbers_are_ids() -> None:
    assert search("gene", "BRCA1[gene] and human[orgn]") == search("gene", "BRCA1[gene] AND human[orgn]")
    several = search("gene", "7157,999999999,672")
    assert set(several["idlist"]) == {"7157", "672"} and several["querytranslation"] == "7157,999999999,672[UID]", "as recorded"


@pytest.mark.parametrize("query", ["()", '""', "[gene]", "((((", "AND", "\x00", "a" * 3000, "%%%", "[[x]]", ":", "#1", "1:2", "*"])
def test_odd_queries_are_answered(query: str) -> None:
    for db in ("gene", "pubmed", "taxonomy"):
        assert ask("esearch.fcgi", db=db, term=query, retmode="json").status_code == 200


# ---- esearch -------------------------------------------------------------------------------------
def test_esearch_has_the_recorded_shapes() -> None:
    found = search("gene", "BRCA1[gene] AND human[orgn]")
    assert list(found) == ["count", "retmax", "retstart", "idlist", "translationset", "translationstack", "querytranslation"]
    assert found["count"] == "1" and found["querytranslation"] == 'BRCA1[gene] AND "Homo sapiens"[Organism]'
    lone = search("gene", "7157")
    assert lone["translationstack"] == [{"term": "7157[UID]", "field": "UID", "count": "-1", "explode": "N"}, "GROUP"]
    assert search("gene", "xyzzy") == {
        "count": "0",
        "retmax": "0",
        "retstart": "0",
        "idlist": [],
        "translationset": [],
        "querytranslation": "(xyzzy[All Fields])",
        "errorlist": {"phrasesnotfound": ["xyzzy"], "fieldsnotfound": []},
        "warninglist": {"phrasesignored": [], "quotedphrasesnotfound": [], "outputmessages": ["No items found."]},
    }
    assert "translationstack" not in search("pubmed", "p53[Title]")
    assert search("nucleotide", "NM_000077.4") | {"idlist": []} == {
        "count": "1",
        "retmax": "1",
        "retstart": "0",
        "idlist": [],
        "translationset": [],
        "querytranslation": "",
    }


def test_esearch_pages_counts_and_sorts() -> None:
    whole = search("pubmed", "p53", retmax=1000)["idlist"]
    assert len(whole) == int(search("pubmed", "p53", rettype="count")["count"]) > 100
    assert search("pubmed", "p53", retmax=7, retstart=5)["idlist"] == whole[5:12] and search("pubmed", "p53", retmax=7)["retmax"] == "7"
    years = [row("SELECT sort_date FROM pubmed WHERE pmid = ?", int(uid))["sort_date"] for uid in whole]
    assert years == sorted(years, reverse=True)
    authors = [
        row("SELECT first_author FROM pubmed WHERE pmid = ?", int(uid))["first_author"].lower()
        for uid in search("pubmed", "p53", sort="Author", retmax=50)["idlist"]
    ]
    assert authors == sorted(authors)


def test_esearch_honours_dates_and_fields() -> None:
    limited = search("pubmed", "p53", datetype="pdat", mindate="1990", maxdate="1992", retmax=500)["idlist"]
    assert limited and all("1990" <= row("SELECT sort_date FROM pubmed WHERE pmid = ?", int(uid))["sort_date"][:4] <= "1992" for uid in limited)
    assert search("gene", "kinase", datetype="mdat", mindate="2000", maxdate="2020")["count"] == "0"
    assert set(search("pubmed", "p53", field="title", retmax=999)["idlist"]) == set(search("pubmed", "p53[title]", retmax=999)["idlist"])


def test_history_keeps_sets() -> None:
    first = search("gene", "BRCA1[gene]", usehistory="y")
    second = search("gene", "human[orgn]", usehistory="y", WebEnv=first["webenv"])
    assert (first["querykey"], second["querykey"], second["webenv"]) == ("1", "2", first["webenv"])
    assert search("gene", "#1 AND #2", WebEnv=first["webenv"], usehistory="y")["idlist"] == ["672"]
    assert search("gene", "human[orgn]", WebEnv=first["webenv"], query_key=1, usehistory="y")["idlist"] == ["672"]
    assert body("esummary.fcgi", db="gene", query_key=1, WebEnv=first["webenv"])["result"]["672"]["name"] == "BRCA1"
    assert ask("efetch.fcgi", db="gene", query_key=1, WebEnv=first["webenv"], retstart=900).status_code == 400
    assert body("esummary.fcgi", db="gene", query_key=3, WebEnv="MCID_none")["esummaryresult"] == ["Unable to obtain query #3"]


def test_errors_are_the_services_own() -> None:
    assert search("fleegle", "cat") == {"ERROR": "Invalid db name specified: fleegle"}
    assert "<ERROR>Can not retrieve DbInfo for db=fleegle</ERROR>" in text("einfo.fcgi", db="fleegle")
    assert body("esummary.fcgi", db="gene", id="AGTIL") == {
        "header": {"type": "esummary", "version": "0.3"},
        "error": "Invalid uid AGTIL at position= 0",
        "result": {"uids": []},
    }
    assert body("esummary.fcgi", db="gene", id="")["esummaryresult"] == ["Empty id list - nothing todo"]
    assert body("esummary.fcgi", db="gene", id="999999999")["result"]["999999999"]["error"] == "cannot get document summary"
    assert "Neither query_key nor id specified" in text("esummary.fcgi", db="pubmed")
    missing = ask("efetch.fcgi", db="nucleotide", id="NM_9.9", rettype="fasta")
    assert missing.status_code == 400 and missing.get_data(as_text=True) == (
        "+Error%3A+CEFetchPApplication%3A%3Aproxy_stream()%3A+Error%3A+F+a+i+l+e+d++t+o++u+n+d+e+r+s+t+a+n+d++i+d+%3A++N+M+_+9+.+9+%0A%0A"
    )
    unknown = ask("efetch.fcgi", db="protein", id="NP_999999.1", rettype="fasta")
    assert unknown.status_code == 400 and "F+a+i+l+e+d++t+o++r+e+t+r+i+e+v+e++s+e+q+u+e+n+c+e+%3A++N+P+_+9+9" in unknown.get_data(as_text=True)
    assert text("efetch.fcgi", db="omim", id="100124700") == text("efetch.fcgi", db="pubmed", id="1303181", rettype="full") == "", "no such format: an empty body"
    assert body("elink.fcgi", dbfrom="fleegle", db="gene", id="1") == {
        "header": {"type": "elink", "version": "0.3"}, "linksets": [], "ERROR": "Invalid db name specified: fleegle"}
    assert ask("efetch.fcgi", db="protein", id="NP_000007.1", rettype="fasta", seq_start=9000).status_code == 400
    assert text("efetch.fcgi", db="gene", id="").strip() == "Supplied+id+parameter+is+empty."
    assert "'retstart' cannot be larger than 9998" in search("pubmed", "p53", retstart=10000)["ERROR"]


# ---- records -------------------------------------------------------------------------------------
def test_esummary_repeats_what_was_recorded() -> None:
    gene = body("esummary.fcgi", db="gene", id="7157")["result"]["7157"]
    assert gene["genomicinfo"] == [{"chrloc": "17", "chraccver": "NC_000017.11", "chrstart": 7687489, "chrstop": 7668420, "exoncount": 13}]
    assert gene["organism"] == {"scientificname": "Homo sapiens", "commonname": "human", "taxid": 9606} and gene["summary"].startswith(
        "This gene encodes a tumor suppressor"
    )
    assert "summary" not in body("esummary.fcgi", db="gene", id="672")["result"]["672"], "an unsourced key is left out"
    snp = body("esummary.fcgi", db="snp", id="1015227")["result"]["1015227"]
    assert snp["genes"] == [{"name": "SCHLAP1", "gene_id": "101669767"}] and snp["chrpos"] == "2:180717451"
    assert snp["global_mafs"][0] == {"study": "1000Genomes", "freq": "T=0.11071/554"}
    clinvar = body("esummary.fcgi", db="clinvar", id="10")["result"]["10"]
    assert clinvar["genes"][0] == {"symbol": "HFE", "geneid": "3077"} and clinvar["germline_classification"]["review_status"].startswith("criteria provided")
    assert body("esummary.fcgi", id="19304878,1303181")["result"]["uids"] == ["19304878", "1303181"], "pubmed is the database where none is named"


def test_esummary_does_not_shorten_author_lists() -> None:
    for one in rows("SELECT pmid, n_authors FROM pubmed WHERE authors IS NULL AND n_authors > 1 LIMIT 20"):
        record = body("esummary.fcgi", db="pubmed", id=one["pmid"])["result"][str(one["pmid"])]
        assert "authors" not in record and "lastauthor" not in record and record["sortfirstauthor"]


def test_efetch_sequences() -> None:
    whole = next(SeqIO.parse(io.StringIO(text("efetch.fcgi", db="protein", id="NP_000007", rettype="fasta", retmode="text")), "fasta"))
    part = next(
        SeqIO.parse(io.StringIO(text("efetch.fcgi", db="protein", id="NP_000007.1", rettype="fasta", retmode="text", seq_start=11, seq_stop=30)), "fasta")
    )
    assert part.id == "NP_000007.1:11-30" and str(part.seq) == str(whole.seq)[10:30] and len(whole) == 421
    plus = next(SeqIO.parse(io.StringIO(text("efetch.fcgi", db="nuccore", id="NM_000077.4", rettype="fasta", seq_start=1, seq_stop=40)), "fasta"))
    minus = next(SeqIO.parse(io.StringIO(text("efetch.fcgi", db="nuccore", id="NM_000077.4", rettype="fasta", seq_start=1, seq_stop=40, strand=2)), "fasta"))
    assert plus.seq.reverse_complement() == minus.seq and minus.id == "NM_000077.4:c40-1"
    root = ET.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", text("efetch.fcgi", db="protein", id="P04637,NP_000007.1", rettype="gp", retmode="xml")))
    assert [one.findtext("GBSeq_primary-accession") for one in root] == ["P04637", "NP_000007"]
    assert text("efetch.fcgi", db="protein", id="P04637", rettype="fasta", retmode="text").startswith(
        ">sp|P04637.4|P53_HUMAN RecName: Full=Cellular tumor antigen p53\nMEEPQSDPSV"
    )


def test_efetch_gene_paper_taxon_variant() -> None:
    gene = text("efetch.fcgi", db="gene", id="5696", retmode="json")
    assert "1. PSMB8\nOfficial Symbol: PSMB8 and Name: proteasome 20S subunit beta 8 [Homo sapiens (human)]" in gene
    assert "Annotation: Chromosome 6 NC_000006.12 (32840717..32844679, complement)" in gene and "ID: 5696" in gene
    paper = Medline.read(io.StringIO(text("efetch.fcgi", db="pubmed", id="1303181", rettype="medline", retmode="text")))
    assert paper["PMID"] == "1303181" and paper["TA"] == "Hum Mol Genet" and paper["SO"].startswith("Hum Mol Genet. 1992;1:207-208")
    assert "AbstractText" not in text("efetch.fcgi", db="pubmed", id="19304878,1303181", retmode="xml")
    taxon = ET.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", text("efetch.fcgi", db="taxonomy", id="9606")))[0]
    assert (
        taxon.findtext("ScientificName") == "Homo sapiens"
        and "Mammalia" in taxon.findtext("Lineage")
        and taxon.findtext("LineageEx/Taxon/ScientificName") == "cellular organisms"
    )
    bare = text("efetch.fcgi", db="snp", id="1022906840,1015227", retmode="json")
    assert bare.count("<DocumentSummary ") == 2 and "<ExchangeSet" not in bare
    assert ET.fromstring(text("efetch.fcgi", db="clinvar", id="10", rettype="vcv")).find("VariationArchive").get("Accession") == "VCV000000010"


def test_elink_sets() -> None:
    one = body("elink.fcgi", dbfrom="gene", db="pubmed", id="7157")
    assert list(one["linksets"][0]) == ["dbfrom", "ids", "linksetdbs"] and one["linksets"][0]["linksetdbs"][0]["linkname"] == "gene_pubmed"
    pmid = one["linksets"][0]["linksetdbs"][0]["links"][0]
    assert "7157" in body("elink.fcgi", dbfrom="pubmed", db="gene", id=pmid)["linksets"][0]["linksetdbs"][0]["links"]
    assert [group["ids"] for group in body("elink.fcgi", dbfrom="gene", db="snp", id=["1557", "672"])["linksets"]] == [["1557"], ["672"]]
    assert [group["ids"] for group in body("elink.fcgi", dbfrom="gene", db="snp", id="1557,672")["linksets"]] == [["1557", "672"]]
    numbers = body("elink.fcgi", dbfrom="protein", db="gene", id="15718680,157427902")["linksets"][0]
    assert numbers["ids"] == ["15718680", "157427902"] and set(numbers["linksetdbs"][0]["links"]) == {"3702", "522311"}, "as recorded"
    assert body("elink.fcgi", dbfrom="gene", db="clinvar", id="19")["linksets"] == [{"dbfrom": "gene", "ids": ["19"]}]
    assert body("elink.fcgi", dbfrom="nuccore", db="gene", id="ATTCTG")["linksets"] == []
    kept = body("elink.fcgi", dbfrom="gene", db="pubmed", id="7157", cmd="neighbor_history")["linksets"][0]
    stored = kept["linksetdbhistories"][0]
    assert len(body("esummary.fcgi", db="pubmed", WebEnv=kept["webenv"], query_key=stored["querykey"])["result"]["uids"]) == len(
        one["linksets"][0]["linksetdbs"][0]["links"]
    )
    assert body("elink.fcgi", dbfrom="gene", db="pubmed", id="7157", linkname="gene_pubmed_rif")["linksets"] == [{"dbfrom": "gene", "ids": ["7157"]}]


def test_ecitmatch_lines() -> None:
    lines = text(
        "ecitmatch.cgi",
        db="pubmed",
        retmode="xml",
        bdata="Hum Mol Genet|1992|1|207|Bhatia K|a|\rHum Mol Genet|1992|1|1|nobody x|b|\rno such journal|1|2|3|x|c|",
    ).splitlines()
    assert lines == [
        "Hum Mol Genet|1992|1|207|Bhatia K|a|1303181",
        "Hum Mol Genet|1992|1|1|nobody x|b|NOT_FOUND",
        "no such journal|1|2|3|x|c|NOT_FOUND;INVALID_JOURNAL",
    ]


def test_post_equals_get() -> None:
    posted = client().post(EUTILS + "esearch.fcgi", data={"db": "gene", "term": "BRCA2[gene]", "retmode": "json"})
    assert posted.get_json()["esearchresult"] == search("gene", "BRCA2[gene]")


def test_every_recorded_error_text_escapes_its_input() -> None:
    for tool, parameters in (("esearch.fcgi", {"db": "gene", "term": "<b>&"}), ("esummary.fcgi", {"db": "gene", "id": "<x>&"}), ("einfo.fcgi", {"db": "<&>"})):
        answer = ET.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", text(tool, **parameters)))
        assert any(word in "".join(answer.itertext()) for word in ("<b>&", "<x>&", "<&>")), f"{tool} shows what it was asked"


# ---- plans ------------------------------------------------------------------------------
PLANS = yaml.safe_load((Path(__file__).parents[1] / "biotool_lib/calls/plans_ncbi.yaml").read_text(encoding="utf-8"))


@cache
def things(view: str, where: str) -> list[dict]:
    return [dict(one) for one in entities(view, where)]


@pytest.mark.parametrize("name", [name for name in PLANS if name != "blast"])
def test_plans_are_answered_with_content(name: str) -> None:
    tool = {"ecitmatch": "ecitmatch.cgi"}.get(name, f"{name}.fcgi")
    for number, plan in enumerate(PLANS[name]):
        pool = things(plan["from"], plan.get("where", "")) if plan.get("from") else [{}]
        assert len(pool) >= min(plan.get("limit", 40), 2), (name, plan)
        for thing in random.Random(number).sample(pool, min(3, len(pool))):
            arguments = {key: value.format(**thing) if isinstance(value, str) else value for key, value in plan.get("arguments", {}).items()}
            arguments |= {"retmode": "json"} if name in ("esearch", "einfo", "elink") else {}
            for option, values in [(None, [None]), *plan.get("options", {}).items()]:
                for value in values:
                    answer = ask(tool, **arguments, **({option: value} if option else {}))
                    content = answer.get_data(as_text=True)
                    assert answer.status_code == 200 and has_content(name, arguments, content), (name, arguments, option, content[:400])


def test_many_may_ask_a_fresh_index_at_once():
    index = ncbi_databases.index("pubmed")
    fresh = Index("pubmed", index.fields.values(), index.untagged, index.quoted_style)
    for uid, record in index.texts.items():
        fresh.add(uid, record)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: ncbi_query.search(fresh, "cancer").found, range(16)))
    finally:
        sys.setswitchinterval(before)
    assert found == 16 * [ncbi_query.search(index, "cancer").found] and found[0]


def has_content(name: str, arguments: dict, content: str) -> bool:
    if name == "esearch":
        found = json.loads(content)["esearchresult"]
        return int(found["count"]) > 0 and "errorlist" not in found
    if name == "elink":
        return all(group.get("linksetdbs") for group in json.loads(content)["linksets"])
    if name == "ecitmatch":
        return all(line.rpartition("|")[2].isdigit() for line in content.splitlines())
    if name == "esummary" and arguments.get("retmode") == "json":
        result = json.loads(content)["result"]
        return bool(result["uids"]) and all("error" not in result[uid] for uid in result["uids"])
    return not re.search(r"<ERROR>|cannot get document|Error%3A", content) and len(content) > 60
