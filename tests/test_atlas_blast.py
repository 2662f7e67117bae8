"""The BLAST service of the atlas: alignments, statistics, formats, refusals, and that every plan finds something."""

from __future__ import annotations

import io
import json
import math
import random
import re
import zipfile
from functools import cache
from html import unescape
from pathlib import Path

import pytest
import yaml
from Bio.Blast import NCBIXML
from Bio.Seq import Seq
from werkzeug.test import Client

from biotool_lib.atlas import ncbi_blast_search
from biotool_lib.atlas.app import application
from biotool_lib.atlas.store import entities, row

PLANS = yaml.safe_load((Path(__file__).parents[1] / "biotool_lib/calls/plans_ncbi.yaml").read_text(encoding="utf-8"))["blast"]


@cache
def client() -> Client:
    return Client(application())


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
    bits = (0.267 * score - math.log(0.041)) / math.log(2)
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
    back = str(Seq(stored[300:420]).reverse_complement())
    hsp = report(submit(QUERY=back, PROGRAM="blastn", DATABASE="refseq_rna"))["results"]["search"]["hits"][0]["hsps"][0]
    assert (hsp["query_from"], hsp["query_to"], hsp["hit_from"], hsp["hit_to"], hsp["hit_strand"], hsp["score"]) == (1, 120, 420, 301, "Minus", 240)
    protein = "MEPAAGSSMEPSADWLATAAARGRVEEVRALLEAGALPNAPNSYGRRPIQVMMMGSARVAELLLLHGAEPNC"
    hit = report(submit(QUERY=protein, PROGRAM="tblastn", DATABASE="nt"))["results"]["search"]["hits"][0]
    start = hit["hsps"][0]["hit_from"]
    assert hit["description"][0]["accession"] == "NM_000077" and str(Seq(stored[start - 1 : start + 215]).translate()) == protein


MKV = "MKVLAAGIVGLCAKAYQWERTPLSD"


@pytest.mark.parametrize(("form", "message"), [
    ({"QUERY": ""}, "Message ID#29 Error: Query string not found in the CGI context"),
    ({"QUERY": ">empty\n"}, "Message ID#32 Error: Query contains no data: Query contains no sequence data"),
    ({"QUERY": "ACGT" * 9}, "Message ID#24 Error: Failed to read the Blast query: Nucleotide FASTA provided for protein sequence"),
    ({"QUERY": MKV, "PROGRAM": "blastn", "DATABASE": "nt"}, "Message ID#24 Error: Failed to read the Blast query: Protein FASTA provided for nucleotide sequence"),
    ({"QUERY": "NP_999999.9"}, "Message ID#24 Error: Failed to read the Blast query: Sequence ID not found: 'NP_999999.9'"),
    ({"QUERY": MKV, "MATRIX": "PAM30"}, "Message ID#36 Error: Cannot validate the Blast options: Gap existence and extension values of 11 and 1 not supported for PAM30"),
    ({"QUERY": MKV, "DATABASE": "nosuch"}, None), ({"QUERY": MKV, "PROGRAM": "nosuch"}, None), ({"QUERY": MKV * 200}, None),
])
def test_blast_refuses_as_the_service_does(form: dict, message: str | None) -> None:
    page = client().post("/Blast.cgi", data={"CMD": "Put", "PROGRAM": "blastp", "DATABASE": "swissprot", **form}).get_data(as_text=True)
    shown = re.search(r'<p class="error">(.*?)</p>', page)
    assert re.search(r"RID =\n\s*RTOE =\n", page) and (unescape(shown[1]) if shown else None) == message


def test_blast_forgets() -> None:
    unknown = client().get("/Blast.cgi?CMD=Get&RID=NOSUCHRID00&FORMAT_TYPE=XML")
    assert unknown.status_code == 200 and "Status=UNKNOWN" in unknown.get_data(as_text=True)
    assert report(submit(QUERY="W" * 30, PROGRAM="blastp", DATABASE="swissprot"))["results"]["search"]["message"] == "No hits found"


def test_blast_plans_find_their_source() -> None:
    """A fragment finds at least itself; a stretch of a transcript finds a protein where it is coding, so of a few one must."""
    for plan in PLANS:
        pool = [dict(one) for one in entities(plan["from"], plan.get("where", ""))]
        short = [one for one in pool if (one.get("length") or 0) < 250]
        forms = [{key.upper(): str(value).format(**one) for key, value in plan["arguments"].items()} for one in random.Random(1).sample(short, 4)]
        found = [bool(report(submit(**form))["results"]["search"]["hits"]) for form in (forms if forms[0]["PROGRAM"] == "blastx" else forms[:1])]
        assert any(found), forms
