"""Clients that other people wrote read the served atlas: Biopython's Entrez and BLAST, unipressed, pyEnsemblRest."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from Bio import Blast, Entrez, Medline, SeqIO
from Bio.Blast import NCBIXML
from pyensemblrest import EnsemblRest
from pyensemblrest.exceptions import EnsemblRestError
from unipressed import (
    ArbaClient,
    CitationsClient,
    DatabaseClient,
    DiseasesClient,
    KeywordsClient,
    LocationsClient,
    ProteomesClient,
    TaxonomyClient,
    UniparcClient,
    UniprotkbClient,
    UnirefClient,
    UniruleClient,
)
from werkzeug.serving import make_server

from biotool_lib.atlas.app import application
from biotool_lib.atlas.store import row


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """The atlas on a free port of this machine."""
    server = make_server("127.0.0.1", 0, application(), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def here(address: str, served: str) -> str:
    """An address of the real service, at the atlas."""
    parts, own = urlsplit(address), urlsplit(served)
    return urlunsplit(parts._replace(scheme=own.scheme, netloc=own.netloc))


# Entrez: addresses are written into its functions, so the opener of its module is turned to the atlas.

@pytest.fixture
def entrez(served: str, monkeypatch: pytest.MonkeyPatch):
    def opened(request: urllib.request.Request):
        return urllib.request.urlopen(urllib.request.Request(here(request.full_url, served), request.data, dict(request.headers)))

    monkeypatch.setattr(Entrez, "urlopen", opened)
    monkeypatch.setattr(Entrez, "email", "reader@example.org")
    monkeypatch.setattr(Entrez.time, "sleep", lambda seconds: None)
    return Entrez


def test_entrez_lists_and_describes_databases(entrez) -> None:
    names = entrez.read(entrez.einfo())["DbList"]
    assert {"gene", "pubmed", "protein", "nuccore", "snp", "taxonomy", "clinvar"} <= set(names)
    described = entrez.read(entrez.einfo(db="pubmed"))["DbInfo"][0]
    assert described["DbName"] == "pubmed" and {"Name": "ALL", "FullName": "All Fields"}.items() <= described["FieldList"][0].items()
    with pytest.raises(RuntimeError, match="Can not retrieve DbInfo"):
        entrez.read(entrez.einfo(db="fleegle"))


def test_entrez_searches_with_history_and_summarises(entrez) -> None:
    found = entrez.read(entrez.esearch(db="gene", term="BRCA1[gene] AND human[orgn]", usehistory="y"))
    assert found["IdList"] == ["672"] and found["Count"] == "1" and found["TranslationStack"][-1] == "AND"
    kept = entrez.read(entrez.esummary(db="gene", webenv=found["WebEnv"], query_key=found["QueryKey"]))
    assert kept["DocumentSummarySet"]["DocumentSummary"][0]["Name"] == "BRCA1"
    none = entrez.read(entrez.esearch(db="gene", term="xyzzy"))
    assert none["Count"] == "0" and none["ErrorList"]["PhraseNotFound"] == ["xyzzy"]
    with pytest.raises(RuntimeError, match="Invalid db name specified: fleegle"):
        entrez.read(entrez.esearch(db="fleegle", term="cat"))


@pytest.mark.parametrize(("db", "uid", "key", "value"), [
    ("pubmed", "1303181", "Source", "Hum Mol Genet"),
    ("taxonomy", "9606", "ScientificName", "Homo sapiens"),
    ("protein", "NP_000007.1", "AccessionVersion", "NP_000007.1"),
    ("nuccore", "NM_000077.4", "AccessionVersion", "NM_000077.4"),
])
def test_entrez_summaries_of_the_first_version(entrez, db, uid, key, value) -> None:
    assert entrez.read(entrez.esummary(db=db, id=uid))[0][key] == value


@pytest.mark.parametrize(("db", "uid", "key", "value"), [
    ("gene", "7157", "Name", "TP53"), ("clinvar", "10", "accession", "VCV000000010"),
])
def test_entrez_summaries_of_the_second_version(entrez, db, uid, key, value) -> None:
    """Of those whose document types Biopython carries; for others it would ask NCBI."""
    read = entrez.read(entrez.esummary(db=db, id=uid, version="2.0"))
    assert read["DocumentSummarySet"]["DocumentSummary"][0][key] == value


def test_entrez_fetches_records_of_every_kind(entrez) -> None:
    paper = entrez.read(entrez.efetch(db="pubmed", id="1303181", retmode="xml"))["PubmedArticle"][0]["MedlineCitation"]
    assert str(paper["PMID"]) == "1303181" and paper["Article"]["Journal"]["ISOAbbreviation"] == "Hum Mol Genet"
    assert Medline.read(entrez.efetch(db="pubmed", id="1303181", rettype="medline", retmode="text"))["PMID"] == "1303181"
    taxon = entrez.read(entrez.efetch(db="taxonomy", id="9606", retmode="xml"))[0]
    assert taxon["ScientificName"] == "Homo sapiens" and taxon["LineageEx"][0]["ScientificName"] == "cellular organisms"
    gene = entrez.read(entrez.efetch(db="gene", id="7157", retmode="xml"))[0]
    assert gene["Entrezgene_gene"]["Gene-ref"]["Gene-ref_locus"] == "TP53"
    record = entrez.read(entrez.efetch(db="protein", id="NP_000007.1", rettype="gp", retmode="xml"))[0]
    assert record["GBSeq_accession-version"] == "NP_000007.1" and len(record["GBSeq_sequence"]) == 421
    short = entrez.read(entrez.efetch(db="nuccore", id="NM_000077.4", rettype="fasta", retmode="xml"))[0]
    assert short["TSeq_accver"] == "NM_000077.4" and len(short["TSeq_sequence"]) == int(short["TSeq_length"])


@pytest.mark.parametrize(("db", "uid", "rettype"), [("protein", "NP_000007.1", "gp"), ("protein", "P04637", "gp"), ("nuccore", "NM_000077.4", "gb")])
def test_entrez_sequences_as_genbank_and_fasta_text(entrez, db, uid, rettype) -> None:
    flat = SeqIO.read(entrez.efetch(db=db, id=uid, rettype=rettype, retmode="text"), "genbank")
    fasta = SeqIO.read(entrez.efetch(db=db, id=uid, rettype="fasta", retmode="text"), "fasta")
    assert flat.seq == fasta.seq and flat.id.split(".")[0] == uid.split(".")[0]
    assert flat.annotations["organism"] == "Homo sapiens" and "date" not in flat.annotations, "no date is made up"


def test_entrez_links_posts_and_matches_citations(entrez) -> None:
    links = entrez.read(entrez.elink(dbfrom="gene", db="pubmed", id=["7157", "672"]))
    assert [one["IdList"] for one in links] == [["7157"], ["672"]] and links[0]["LinkSetDb"][0]["LinkName"] == "gene_pubmed"
    kept = entrez.read(entrez.elink(dbfrom="gene", db="pubmed", id="7157", cmd="neighbor_history"))[0]
    assert kept["LinkSetDbHistory"][0]["QueryKey"] == "1" and kept["WebEnv"]
    many = [str(uid) for uid in range(1, 400)]
    assert len(",".join(many)) > 1000, "so long a list is sent as a POST"
    assert entrez.read(entrez.elink(dbfrom="gene", db="pubmed", id=",".join(many)))[0]["IdList"] == many
    matched = entrez.ecitmatch(db="pubmed", bdata=[
        {"journal_title": "Hum Mol Genet", "year": "1992", "volume": "1", "first_page": "207", "author_name": "Bhatia K", "key": "a"}])
    assert matched.read().strip().split("|")[-1] == "1303181"


# BLAST: the address is a parameter.

@pytest.mark.parametrize(("program", "database", "table", "accession", "start", "stop"), [
    ("blastp", "swissprot", "entrez_proteins", "P00813.3", 40, 120), ("blastn", "refseq_rna", "entrez_nucleotides", "NM_000077.4", 300, 420)])
def test_qblast_submits_polls_and_reads(served, program, database, table, accession, start, stop) -> None:
    whole = row(f"SELECT sequence FROM {table} WHERE accession = ?", accession)["sequence"]
    search = {"program": program, "database": database, "sequence": whole[start:stop], "url_base": f"{served}/Blast.cgi"}
    Blast.qblast.previous = 0
    record = Blast.read(Blast.qblast(**search))
    best = record[0][0]
    assert record.program == program and record[0].target.id.split("|")[1] == accession
    assert int(best.coordinates[0][0]) == start and best.annotations["identity"] == stop - start
    Blast.qblast.previous = 0
    old = NCBIXML.read(Blast.qblast(**search))
    assert old.alignments[0].hsps[0].sbjct_start == start + 1 and old.alignments[0].hsps[0].identities == stop - start
    with pytest.raises(ValueError, match="Message ID#24 Error: Failed to read the Blast query"):
        Blast.qblast(**search | {"sequence": "MEEPQSDPSVEPPLSQETFSDLWKLL" if program == "blastn" else "ACGT" * 20})


# UniProt: unipressed writes the host into its addresses, and so does the atlas into its links to the next page.

@pytest.fixture
def uniprot(served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    send = requests.Session.send

    def sent(session: requests.Session, request: requests.PreparedRequest, **options):
        request.url = here(request.url or "", served)
        return send(session, request, **options)

    monkeypatch.setattr(requests.Session, "send", sent)


def test_unipressed_walks_through_all_pages(uniprot) -> None:
    query = {"and_": [{"organism_id": "9606"}, {"keyword": "KW-0418"}, {"length": (300, 400)}, {"reviewed": True}]}
    found = list(UniprotkbClient.search(query, fields=["accession", "length"], size=7).each_record())
    assert len(found) > 21 and len({one["primaryAccession"] for one in found}) == len(found)
    assert all(300 <= one["sequence"]["length"] <= 400 for one in found)
    with pytest.raises(requests.HTTPError, match="400"):
        list(UniprotkbClient.search("nosuchfield:1").each_record())


def test_unipressed_fetches_an_entry(uniprot) -> None:
    entry = UniprotkbClient.fetch_one("P04637")
    assert entry["uniProtkbId"] == "P53_HUMAN" and len(entry["sequence"]["value"]) == 393
    with pytest.raises(requests.HTTPError, match="404"):
        UniprotkbClient.fetch_one("Q00000")


@pytest.mark.parametrize(("client", "query", "key"), [
    (UniparcClient, "gene:TP53", "uniParcId"), (UnirefClient, "id:UniRef100_P05067", "id"), (TaxonomyClient, "primates", "taxonId"), (ProteomesClient, "organism_id:9606", "id"),
    (KeywordsClient, "kinase", "keyword"), (LocationsClient, "membrane", "id"), (DiseasesClient, "cancer", "id"),
    (DatabaseClient, "Ensembl", "id"), (CitationsClient, "title:p53", "citation"), (ArbaClient, "insulin", "uniRuleId"), (UniruleClient, "insulin", "uniRuleId")])
def test_unipressed_reads_the_other_collections(uniprot, client, query, key) -> None:
    found = list(client.search(query).each_record())
    assert found and all(one[key] for one in found)


# Ensembl: the address is an argument.

def test_pyensemblrest_reads_genes_variants_and_errors(served) -> None:
    ensembl = EnsemblRest(base_url=served)
    gene = ensembl.getLookupBySymbol(species="homo_sapiens", symbol="BRCA2")
    assert gene["display_name"] == "BRCA2" and ensembl.getLookupById(id=gene["id"])["seq_region_name"] == gene["seq_region_name"] == "13"
    assert ensembl.getVariationById(species="human", id="rs7412")["name"] == "rs7412"
    assert ensembl.getInfoPing() == {"ping": 1}
    assert {"type": "gene", "id": gene["id"]} in ensembl.getXrefsBySymbol(species="human", symbol="BRCA2")
    with pytest.raises(EnsemblRestError, match="not found"):
        ensembl.getLookupById(id="ENSG00000000000")
