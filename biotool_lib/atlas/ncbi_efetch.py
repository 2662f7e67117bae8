"""EFetch: whole records, as far as they are sourced: genes, papers, sequences, taxa, variants, ClinVar archives."""

from __future__ import annotations

import re
import sqlite3

from werkzeug import Request, Response

from biotool_lib.atlas import ncbi_common as common
from biotool_lib.atlas import ncbi_efetch_xml as shapes
from biotool_lib.atlas import ncbi_records as records
from biotool_lib.atlas.ncbi_common import EUTILS, Parameters, tag
from biotool_lib.atlas.ncbi_databases import split
from biotool_lib.atlas.store import row

_ERROR = common.nlm("efetch", "20131226")


def efetch(request: Request) -> Response:
    """The records asked for in the format asked for."""
    given = Parameters(request)
    db = common.database(given, default="pubmed")
    if row("SELECT 1 FROM entrez_databases WHERE dbname = ?", db) is None:
        return _failure(f"Invalid db name specified: {given.get('db', '')}")
    ids, problem = records.asked_ids(given, db)
    if problem:
        return _failure(problem.replace("Neither query_key nor id specified", "Id list is empty! But it should contain at least one number"))
    if not ids:
        return common.text_answer("Supplied+id+parameter+is+empty.\n")
    if db in ("protein", "nuccore"):
        return _sequences(given, db, ids)
    if db not in records.KNOWN:
        return _nothing()
    found = [one for one in (records.fetch(db, uid) for uid in ids) if one is not None]
    return {"gene": _genes, "pubmed": _papers, "taxonomy": _taxa, "snp": _snps, "clinvar": _clinvar}[db](given, found)


def _failure(message: str, status: int = 400) -> Response:
    return common.xml_answer("eFetchResult", _ERROR, "\n\t" + tag("ERROR", message) + "\n", status)


def _nothing() -> Response:
    """What the service is quoted with where it has no such format: HTTP 200 without a body (rettype=full of PubMed; tracker of manubot, no. 354)."""
    return common.text_answer("")


def _wants_xml(given: Parameters) -> bool:
    return given.get("retmode", "").lower() == "xml"


def _genes(given: Parameters, found: list[sqlite3.Row]) -> Response:
    if _wants_xml(given):
        return shapes.document(
            "Entrezgene-Set",
            'PUBLIC "-//NLM//DTD NCBI-Entrezgene, 21st January 2005//EN" "https://www.ncbi.nlm.nih.gov/data_specs/dtd/NCBI_Entrezgene.dtd"',
            "".join(map(shapes.gene, found)),
        )
    return common.text_answer("\n" + "\n".join(gene_text(number, one) for number, one in enumerate(found, 1)) + "\n")


def gene_text(number: int, one: sqlite3.Row) -> str:
    """A gene as the text summary of the service writes it."""
    species = f"[{one['organism']}{' (' + one['common_name'] + ')' if one['common_name'] else ''}]"
    lines = [f"{number}. {one['symbol']}"]
    if one["nomenclature_status"] == "Official":
        lines.append(f"Official Symbol: {one['symbol']} and Name: {one['name']} {species}")
    else:
        lines.append(f"{one['name'] or ''} {species}".strip())
    for label, column, joint in (("Other Aliases", "aliases", ", "), ("Other Designations", "designations", "; ")):
        if one[column]:
            lines.append(f"{label}: {joint.join(split(one[column]))}")
    if one["chromosome"]:
        lines.append(f"Chromosome: {one['chromosome']}" + (f"; Location: {one['map_location']}" if one["map_location"] else ""))
    if one["chr_accession"] and one["chr_start"] not in (None, 999999999):
        low, high = sorted((one["chr_start"] + 1, one["chr_stop"] + 1))
        spot = f"Chromosome {one['chromosome']}" if one["chromosome"] else ""
        lines.append(
            f"Annotation: {spot} {one['chr_accession']} ({low}..{high}{', complement' if one['chr_start'] > one['chr_stop'] else ''})"
        )
    return "\n".join([*lines, f"ID: {one['gene_id']}"]) + "\n"


def _papers(given: Parameters, found: list[sqlite3.Row]) -> Response:
    kind, mode = given.get("rettype", "").lower(), given.get("retmode", "").lower()
    if kind == "medline" and mode != "xml":
        return common.text_answer("\n" + "\n".join(map(shapes.medline, found)))
    if kind == "uilist":
        if mode == "xml":
            return shapes.document("IdList", "", "".join(tag("Id", one["pmid"]) for one in found))
        return common.text_answer("".join(f"{one['pmid']}\n" for one in found))
    if kind not in ("", "xml", "uilist", "medline", "abstract"):
        return _nothing()
    if kind == "abstract" and mode == "text":
        return common.text_answer("\n\n\n".join(shapes.citation(number, one) for number, one in enumerate(found, 1)) + "\n")
    return shapes.document(
        "PubmedArticleSet",
        'PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" "https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd"',
        "\n" + "".join(map(shapes.article, found)),
    )


def _taxa(given: Parameters, found: list[sqlite3.Row]) -> Response:
    if given.get("rettype", "").lower() == "uilist":
        return common.text_answer("".join(f"{one['taxon_id']}\n" for one in found))
    return shapes.document(
        "TaxaSet",
        'PUBLIC "-//NLM//DTD Taxon, 14th January 2002//EN" "https://www.ncbi.nlm.nih.gov/entrez/query/DTD/taxon.dtd"',
        "".join(map(shapes.taxon, found)),
    )


def _snps(given: Parameters, found: list[sqlite3.Row]) -> Response:
    inner = "\n".join(shapes.snp(one) for one in found)
    if given.get("retmode", "").lower() == "json":  # the service then sends the bare elements, without a root
        return Response(inner + "\n", content_type="text/plain; charset=UTF-8")
    space = "https://www.ncbi.nlm.nih.gov/SNP/docsum"
    return Response(
        f'<?xml version="1.0" ?>\n<ExchangeSet xmlns:xsi="https://www.w3.org/2001/XMLSchema-instance" xmlns="{space}" '
        f'xsi:schemaLocation="{space} ftp://ftp.ncbi.nlm.nih.gov/snp/specs/docsum_eutils.xsd" >{inner}</ExchangeSet>\n',
        content_type="text/xml; charset=UTF-8",
    )


def _clinvar(given: Parameters, found: list[sqlite3.Row]) -> Response:
    return Response(
        '<?xml version="1.0" encoding="UTF-8" ?>\n<ClinVarResult-Set>' + "".join(map(shapes.variation, found)) + "</ClinVarResult-Set>\n",
        content_type="text/xml; charset=UTF-8",
    )


def _sequences(given: Parameters, db: str, ids: list[str]) -> Response:
    kind, mode = given.get("rettype", "").lower(), given.get("retmode", "").lower()
    found = []
    for uid in ids:
        one = records.fetch(db, uid)
        if one is None or not (one["sequence"] or kind in ("acc", "seqid")):
            return _unknown(uid)
        found.append(one)
    if kind == "acc":
        return common.text_answer("".join(f"{one['accession']}\n" for one in found))
    pieces = []
    for one in found:
        piece = _piece(given, one)
        if piece is None:
            start = given.whole("seq_start", 1)
            return common.spaced(
                f"Error: CEFetchPApplication::proxy_stream(): Error: |Sequence start is outside of sequence range: from = {start}, length = {one['length']}"
            )
        pieces.append(piece)
    if kind.startswith("fasta") and mode != "xml":
        return common.text_answer("".join(shapes.fasta(db, one, *piece) + "\n" for one, piece in zip(found, pieces, strict=True)))
    if kind.startswith("fasta"):
        return shapes.document(
            "TSeqSet",
            'PUBLIC "-//NCBI//NCBI TSeq/EN" "https://www.ncbi.nlm.nih.gov/dtd/NCBI_TSeq.dtd"',
            "".join(shapes.tseq(db, one, *piece) for one, piece in zip(found, pieces, strict=True)),
        )
    if mode != "xml" and kind in ("gb", "gp", "gbwithparts"):
        return common.text_answer("".join(shapes.flat(db, one, piece[0]) for one, piece in zip(found, pieces, strict=True)))
    if mode == "xml" or kind in ("gbc", "gpc"):
        return shapes.document(
            "GBSet",
            'PUBLIC "-//NCBI//NCBI GBSeq/EN" "https://www.ncbi.nlm.nih.gov/dtd/NCBI_GBSeq.dtd"',
            "".join(shapes.gbseq(db, one, piece[0]) for one, piece in zip(found, pieces, strict=True)),
        )
    return _unknown(ids[0])  # the formats that the facts do not fill, ASN.1 first of all


def _unknown(uid: str) -> Response:
    """The service's two refusals: an id that is none (recorded), and an accession without a record (quoted by several clients)."""
    known = re.fullmatch(r"\d+|[A-Z]{1,3}_?\d{5,12}(\.\d+)?|[A-Z]\d[A-Z0-9]{3}\d(\.\d+)?", uid.upper())
    return common.spaced(f"Error: CEFetchPApplication::proxy_stream(): Error: |Failed to {'retrieve sequence' if known else 'understand id'}: {uid}")


def _piece(given: Parameters, one: sqlite3.Row) -> tuple[str, str] | None:
    """The part of a sequence that was asked for, and its range as the header writes it; None when it lies outside."""
    whole: str = one["sequence"]
    if "seq_start" not in given and "seq_stop" not in given and given.get("strand") != "2":
        return whole, ""
    start, stop = max(given.whole("seq_start", 1), 1), given.whole("seq_stop", 0) or len(whole)
    if start > len(whole) or start > stop:
        return None
    stop = min(stop, len(whole))
    part = whole[start - 1 : stop]
    if given.get("strand") == "2" and re.fullmatch(r"[ACGTUNRYSWKMBDHVacgtun]+", part):
        turned = part.translate(str.maketrans("ACGTURYSWKMBDHVacgtu", "TGCAAYRSWMKVHDBtgcaa"))[::-1]
        return turned, f":c{stop}-{start}"
    return part, f":{start}-{stop}" if (start, stop) != (1, len(whole)) or "seq_start" in given else ""


ROUTES = [(EUTILS + "efetch.fcgi", efetch)]
