"""The NCBI part of the atlas: query language, shapes, errors, BLAST, and that every plan is answered with content."""

from __future__ import annotations

import io
import json
import random
import re
import socket
import zipfile
from functools import cache
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest
import yaml
from Bio import Entrez, Medline, SeqIO
from Bio.Blast import NCBIXML
from werkzeug.test import Client

from biotool_lib.atlas import ncbi_blast_search, ncbi_index, ncbi_query
from biotool_lib.atlas.app import application
from biotool_lib.atlas.ncbi_databases import index
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


# ---- the query language --------------------------------------------------------------------------
WORDS = ["BRCA1", "TP53", "kinase", "receptor", "collagen", "human", "17", "breast", "p53", "alpha", "protein", "xyzzy"]
TAGS = {
    "BRCA1": ["gene", "sym"],
    "TP53": ["Gene Name", "pref"],
    "kinase": ["title", "gfn"],
    "receptor": ["title"],
    "collagen": ["Gene/Protein Name"],
    "alpha": ["title"],
    "human": ["orgn"],
    "17": ["chr", "Chromosome"],
    "protein": ["title"],
    "p53": ["gene"],
}


def random_query(rng: random.Random, depth: int = 0) -> str:
    pieces = []
    for number in range(rng.randint(1, 3)):
        if number:
            pieces.append(rng.choice(["AND", "OR", "NOT", ""]))
        if depth < 2 and rng.random() < 0.25:
            pieces.append(f"({random_query(rng, depth + 1)})")
            continue
        word = rng.choice(WORDS)
        if rng.random() < 0.1:
            pieces.append("1000:300000[exon count]" if rng.random() < 0.5 else "2:6[Exon Count]")
        elif rng.random() < 0.15:
            pieces.append(f"{word[:4]}*[title]")
        elif word in TAGS:
            pieces.append(f"{word}[{rng.choice(TAGS[word])}]")
        else:
            pieces.append(f'"{word}"')
    return " ".join(piece for piece in pieces if piece)


FIELDS = {
    "gene": "GENE",
    "gene name": "GENE",
    "sym": "GENE",
    "pref": "PREF",
    "title": "TITL",
    "gene/protein name": "TITL",
    "gfn": "GFN",
    "orgn": "ORGN",
    "chr": "CHR",
    "chromosome": "CHR",
}


def holds(record: dict[str, list[str]], word: str, tag: str | None) -> bool:
    """Whether one record matches one term, by looking at its texts: no index, no postings."""
    word = word.lower()
    if tag is None:
        every = [value for name in ("GENE", "PREF", "TITL", "GFN", "MV", "WORD", "ORGN", "ACCN") for value in record.get(name, [])]
        return any(
            word in re.split(r"[^\w.\-/+']+", value.lower()) or word in [one.strip(".-_/'") for one in re.split(r"[^\w.\-/+']+", value.lower())]
            for value in every
        )
    values = [value.lower() for value in record.get(FIELDS[tag.lower()], [])]
    if word.endswith("*"):
        return any(value.startswith(word[:-1]) or any(one.strip(".-_/'").startswith(word[:-1]) for one in re.split(r"[^\w.\-/+']+", value)) for value in values)
    if FIELDS[tag.lower()] in ("TITL", "GFN"):
        return any(word in [one.strip(".-_/'") for one in re.split(r"[^\w.\-/+']+", value)] for value in values)
    return (word if word != "human" else "homo sapiens") in values


def brute(query: str, record: dict[str, list[str]]) -> bool:
    """Evaluate a query for one record with a reader of its own, strictly from left to right."""
    parts = re.findall(r'\(|\)|AND\b|OR\b|NOT\b|"[^"]*"|[^\s()\[\]"]+(?:\[[^\]]*\])?', query)
    if re.search(r"\[[^\]]*\s", query):
        parts = re.findall(r'\(|\)|AND\b|OR\b|NOT\b|"[^"]*"|[^\s()\[\]"]+\[[^\]]*\]|[^\s()\[\]"]+', query)
    at = 0

    def operand() -> bool:
        nonlocal at
        part = parts[at]
        at += 1
        if part == "(":
            value = chain()
            at += 1
            return value
        if part.startswith('"'):
            return holds(record, part[1:-1], None)
        word, tag = re.fullmatch(r"(.*)\[(.*)\]", part).groups()
        if ":" in word:
            low, high = map(int, word.split(":"))
            return any(low <= int(value) <= high for value in record.get("XC", []))
        return holds(record, word, tag)

    def chain() -> bool:
        nonlocal at
        value = operand()
        while at < len(parts) and parts[at] != ")":
            operator = "AND"
            if parts[at] in ("AND", "OR", "NOT"):
                operator = parts[at]
                at += 1
            other = operand()
            value = value and other if operator == "AND" else value or other if operator == "OR" else value and not other
        return value

    return chain()


def test_random_queries_agree_with_looking_at_every_record() -> None:
    rng = random.Random(7)
    built = index("gene")
    known = [uid for uid in built.uids if row("SELECT name FROM entrez_genes WHERE gene_id = ?", int(uid))["name"]]
    small = ncbi_index.Index("gene", built.fields.values())
    small.canonical = {"human": "Homo sapiens"}
    chosen = {"672", "7157", *rng.sample(known, 250)}
    for uid in built.uids:
        if uid in chosen:
            small.add(uid, built.texts[uid])
    found_some = 0
    for _ in range(150):
        query = random_query(rng)
        expected = {uid for uid in small.uids if brute(query, small.texts[uid])}
        assert ncbi_index.search(small, query).found == expected, query
        found_some += bool(expected)
    assert found_some > 60


def test_operators_work_from_left_to_right() -> None:
    tree = ncbi_query.parse("a OR b AND c NOT d")
    assert isinstance(tree, ncbi_query.Join) and tree.operator == "NOT" and tree.left.operator == "AND" and tree.left.left.operator == "OR"


@pytest.mark.parametrize(
    "query", ["(BRCA1[gene] AND human[orgn]", "BRCA1[gene] AND human[orgn])", "AND BRCA1[gene] human[orgn]", "BRCA1[gene] AND AND human[orgn] OR"]
)
def test_broken_queries_are_repaired(query: str) -> None:
    assert search("gene", query)["idlist"] == ["672"]


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


def test_xml_satisfies_biopython(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("no network in tests")

    monkeypatch.setattr(socket, "create_connection", refuse)
    read = lambda tool, **parameters: Entrez.read(io.BytesIO(ask(tool, **parameters).get_data()))  # noqa: E731
    assert read("esearch.fcgi", db="gene", term="BRCA1[gene] AND human[orgn]", usehistory="y")["IdList"] == ["672"]
    assert read("esearch.fcgi", db="pubmed", term="cystic fibrosis")["Count"].isdigit()
    assert read("esearch.fcgi", db="gene", term="xyzzy")["ErrorList"]["PhraseNotFound"] == ["xyzzy"]
    assert "gene" in read("einfo.fcgi")["DbList"]
    assert read("einfo.fcgi", db="protein")["DbInfo"][0]["FieldList"][0]["Name"] == "ALL"
    assert read("esummary.fcgi", db="pubmed", id="1303181")[0]["Source"] == "Hum Mol Genet"
    assert read("esummary.fcgi", db="taxonomy", id="9606")[0]["ScientificName"] == "Homo sapiens"
    assert read("elink.fcgi", dbfrom="gene", db="pubmed", id="7157")[0]["LinkSetDb"][0]["LinkName"] == "gene_pubmed"
    assert read("efetch.fcgi", db="taxonomy", id="9606")[0]["Rank"] == "species"


def test_every_recorded_error_text_escapes_its_input() -> None:
    for tool, parameters in (("esearch.fcgi", {"db": "gene", "term": "<b>&"}), ("esummary.fcgi", {"db": "gene", "id": "<x>&"}), ("einfo.fcgi", {"db": "<&>"})):
        ET.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", text(tool, **parameters)))


# ---- BLAST ---------------------------------------------------------------------------------------
def submit(**form: object) -> str:
    page = client().post("/Blast.cgi", data={"CMD": "Put", **form}).get_data(as_text=True)
    return re.search(r"QBlastInfoBegin\s*RID =[ ]?(\S*)\n\s*RTOE =", page).group(1)


def report(rid: str) -> dict:
    archive = zipfile.ZipFile(io.BytesIO(client().get(f"/Blast.cgi?CMD=Get&RID={rid}&FORMAT_TYPE=JSON2").get_data()))
    name = json.loads(archive.read(f"{rid}.json"))["BlastJSON"][0]["File"]
    return json.loads(archive.read(name))["BlastOutput2"]["report"]


def test_blast_finds_a_fragment_where_it_stands() -> None:
    whole = row("SELECT sequence FROM entrez_proteins WHERE accession = 'P00813.3'")["sequence"]
    rid = submit(QUERY=whole[40:120], PROGRAM="blastp", DATABASE="swissprot")
    assert rid == submit(QUERY=whole[40:120], PROGRAM="blastp", DATABASE="swissprot"), "the same search has the same RID"
    found = report(rid)
    best = found["results"]["search"]["hits"][0]
    assert (
        best["description"][0]["accession"] == "P00813"
        and best["hsps"][0]["hit_from"] == 41
        and best["hsps"][0]["hit_to"] == 120
        and best["hsps"][0]["identity"] == 80
    )
    matrix = ncbi_blast_search._aligner(True).substitution_matrix
    score = sum(int(matrix[letter, letter]) for letter in whole[40:120])
    stat = found["results"]["search"]["stat"]
    bits = (0.267 * score - __import__("math").log(0.041)) / __import__("math").log(2)
    assert best["hsps"][0]["score"] == score and best["hsps"][0]["bit_score"] == pytest.approx(bits, rel=1e-5)
    assert best["hsps"][0]["evalue"] == pytest.approx(stat["eff_space"] * 2**-bits, rel=1e-4) and (stat["lambda"], stat["kappa"]) == (0.267, 0.041)
    record = NCBIXML.read(io.BytesIO(client().get(f"/Blast.cgi?CMD=Get&RID={rid}&FORMAT_TYPE=XML").get_data()))
    assert record.alignments[0].accession == "P00813" and record.alignments[0].hsps[0].sbjct_start == 41
    table = client().get(f"/Blast.cgi?CMD=Get&RID={rid}&FORMAT_TYPE=Tabular").get_data(as_text=True)
    assert "<PRE>" in table and "\tP00813.3\t100.000\t80\t0\t0\t1\t80\t41\t120\t" in table
    assert "Sbjct  41 " in client().get(f"/Blast.cgi?CMD=Get&RID={rid}&FORMAT_TYPE=Text").get_data(as_text=True)
    assert "dscTable" in client().get(f"/Blast.cgi?CMD=Get&RID={rid}").get_data(as_text=True)
    assert "ThereAreHits=yes" in client().get(f"/Blast.cgi?CMD=Get&RID={rid}&FORMAT_OBJECT=SearchInfo").get_data(as_text=True)


def test_blast_strands_and_frames() -> None:
    stored = row("SELECT sequence FROM entrez_nucleotides WHERE accession = 'NM_000077.4'")["sequence"]
    back = str(__import__("Bio.Seq").Seq.Seq(stored[300:420]).reverse_complement())
    hsp = report(submit(QUERY=back, PROGRAM="blastn", DATABASE="refseq_rna"))["results"]["search"]["hits"][0]["hsps"][0]
    assert (hsp["query_from"], hsp["query_to"], hsp["hit_from"], hsp["hit_to"], hsp["hit_strand"], hsp["score"]) == (1, 120, 420, 301, "Minus", 240)
    protein = "MEPAAGSSMEPSADWLATAAARGRVEEVRALLEAGALPNAPNSYGRRPIQVMMMGSARVAELLLLHGAEPNC"
    hit = report(submit(QUERY=protein, PROGRAM="tblastn", DATABASE="nt"))["results"]["search"]["hits"][0]
    start = hit["hsps"][0]["hit_from"]
    assert hit["description"][0]["accession"] == "NM_000077" and str(__import__("Bio.Seq").Seq.Seq(stored[start - 1 : start + 215]).translate()) == protein


def test_blast_refuses_and_forgets() -> None:
    assert submit(QUERY="", PROGRAM="blastp", DATABASE="nr") == "" == submit(QUERY="MKLV", PROGRAM="blastp", DATABASE="nosuch")
    assert submit(QUERY="ACGTACGTACGTAC", PROGRAM="blastp", DATABASE="nr", MATRIX="PAM30") == ""
    unknown = client().get("/Blast.cgi?CMD=Get&RID=NOSUCHRID00&FORMAT_TYPE=XML")
    assert unknown.status_code == 200 and "Status=UNKNOWN" in unknown.get_data(as_text=True)
    assert report(submit(QUERY="W" * 30, PROGRAM="blastp", DATABASE="swissprot"))["results"]["search"]["message"] == "No hits found"


# ---- facts and plans -----------------------------------------------------------------------------
def test_every_fact_names_its_source() -> None:
    known = {one["key"] for one in rows("SELECT key FROM sources_ncbi")}
    for table in (
        "entrez_genes",
        "pubmed",
        "snps",
        "entrez_proteins",
        "entrez_nucleotides",
        "entrez_taxonomy",
        "entrez_taxon_names",
        "entrez_clinvar",
        "entrez_databases",
        "entrez_fields",
        "entrez_links",
        "entrez_elinks",
    ):
        used = {part for one in rows(f"SELECT DISTINCT source FROM {table}") for part in (one["source"] or "MISSING").split("|")}
        assert used <= known, (table, used - known)


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


def test_blast_plans_find_their_source() -> None:
    for plan in PLANS["blast"]:
        thing = random.Random(1).choice([one for one in things(plan["from"], plan.get("where", "")) if (one.get("length") or 0) < 250])
        form = {key.upper(): str(value).format(**thing) for key, value in plan["arguments"].items()}
        assert report(submit(**form))["results"]["search"]["hits"] or form["PROGRAM"] == "blastx", form
