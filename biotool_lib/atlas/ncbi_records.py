"""Records by id: which row an id means in each database, and its document summary as the JSON service writes it."""

from __future__ import annotations

import re
import sqlite3
from typing import Any

from biotool_lib.atlas.ncbi_common import HISTORY, LOST_QUERY, Parameters, id_list
from biotool_lib.atlas.ncbi_databases import split
from biotool_lib.atlas.store import row

ROUTES: list = []
_NUMBERED = {
    "gene": ("entrez_genes", "gene_id"),
    "pubmed": ("pubmed", "pmid"),
    "snp": ("snps", "rs"),
    "taxonomy": ("entrez_taxonomy", "taxon_id"),
    "clinvar": ("entrez_clinvar", "variation_id"),
}
_SEQUENCES = {"protein": "entrez_proteins", "nuccore": "entrez_nucleotides"}
KNOWN = (*_NUMBERED, *_SEQUENCES)
_BASE = {"idtypen": 0}


def fetch(db: str, uid: str) -> sqlite3.Row | None:
    """The row that an id means, or None: a number, or an accession with or without version (for sequences also an old GI)."""
    if db in _NUMBERED:
        table, key = _NUMBERED[db]
        uid = re.sub(r"^rs(?=\d)", "", uid) if db == "snp" else uid
        return row(f"SELECT * FROM {table} WHERE {key} = ?", int(uid)) if re.fullmatch(r"\d{1,15}", uid) else None
    table = _SEQUENCES[db]
    uid = uid.strip().upper()
    gi = row(f"SELECT * FROM {table} WHERE gi = ?", uid) if uid.isdigit() else None
    return (
        gi
        or row(f"SELECT * FROM {table} WHERE accession = ?", uid)
        or (row(f"SELECT * FROM {table} WHERE accession LIKE ? ORDER BY accession DESC", f"{uid}.%") if re.fullmatch(r"\w+", uid) else None)
    )


def own_id(db: str, found: sqlite3.Row) -> str:
    """The id under which a record is listed."""
    return str(found[_NUMBERED[db][1]]) if db in _NUMBERED else str(found["accession"])


def asked_ids(given: Parameters, db: str) -> tuple[list[str], str | None]:
    """The ids that a request means, and an error message; from `id`, or from the history by query_key and WebEnv."""
    if given.get("query_key") and given.get("webenv"):
        stored = HISTORY.get(given["webenv"], given.whole("query_key", 0))
        if stored is None:
            return [], LOST_QUERY.format(given["query_key"])
        start, most = max(given.whole("retstart", 0), 0), given.whole("retmax", 500)
        if start and start >= len(stored[1]):
            return [], (
                f"Cannot retrieve history data: OUT OF RANGE. Parameter retstart={start} + 1 is greater than number of records available in history. "
                f"History includes {len(stored[1])} IDs."
            )
        return stored[1][start : start + most], None
    if "id" not in given:
        return [], "Neither query_key nor id specified"
    ids = id_list(given.every["id"])
    start, most = max(given.whole("retstart", 0), 0), given.whole("retmax", 10_000)
    return ids[start : start + max(most, 0)], None


def gene(one: sqlite3.Row) -> dict[str, Any]:
    """A Gene document summary; keys without a sourced value are left out."""
    complete = one["complete"] == "yes"
    record: dict[str, Any] = {"uid": str(one["gene_id"]), "name": one["symbol"] or "", "description": one["name"] or ""}
    if complete:
        record |= {"status": _int(one["status"]), "currentid": _int(one["current_id"])}
    record |= {
        "chromosome": one["chromosome"] or "",
        "geneticsource": one["genetic_source"],
        "maplocation": one["map_location"] or "",
        "otheraliases": ", ".join(split(one["aliases"])),
        "otherdesignations": one["designations"],
        "nomenclaturesymbol": one["nomenclature_symbol"] or "",
        "nomenclaturename": one["nomenclature_name"] or "",
        "nomenclaturestatus": one["nomenclature_status"] or "",
    }
    if one["chr_start"] is not None and one["chr_start"] != 999999999:
        record["genomicinfo"] = [
            {
                key: value
                for key, value in (
                    ("chrloc", (one["chr_loc"] if complete else one["chromosome"]) or ""),
                    ("chraccver", one["chr_accession"]),
                    ("chrstart", one["chr_start"]),
                    ("chrstop", one["chr_stop"]),
                    ("exoncount", one["exon_count"] if one["exon_count"] is not None else "" if complete else None),
                )
                if value is not None
            }
        ]
    elif complete:
        record["genomicinfo"] = []
    if complete:
        record |= {
            "geneweight": one["gene_weight"] if one["gene_weight"] is not None else "",
            "summary": one["summary"] or "",
            "chrsort": one["chr_sort"] or "",
            "chrstart": one["sort_start"],
        }
        for key in ("geneticsource", "otherdesignations", "status", "currentid"):
            record[key] = "" if record[key] is None else record[key]
    record["organism"] = {"scientificname": one["organism"] or "", "commonname": one["common_name"] or "", "taxid": one["taxon_id"]}
    return {key: value for key, value in record.items() if value is not None}


def pubmed(one: sqlite3.Row) -> dict[str, Any]:
    """A PubMed document summary; the author list is given only where the whole list is known."""
    authors = split(one["authors"]) or ([one["first_author"]] if one["n_authors"] == 1 else [])
    ids = [("pubmed", 1, str(one["pmid"])), ("doi", 3, one["doi"]), ("pmc", 8, one["pmcid"])]
    record: dict[str, Any] = {
        "uid": str(one["pmid"]),
        "pubdate": one["pub_date"] or "",
        "source": one["source_name"] or "",
        "authors": [{"name": name, "authtype": "Author", "clusterid": ""} for name in authors] or None,
        "lastauthor": authors[-1] if authors else None,
        "title": one["title"] or "",
        "sorttitle": re.sub(r"^(an?|the) ", "", " ".join(re.findall(r"[\w-]+", (one["title"] or "").lower()))),
        "volume": one["volume"] or "",
        "issue": one["issue"],
        "pages": one["pages"] or "",
        "lang": split(one["language"]) or None,
        "nlmuniqueid": one["nlm_id"],
        "issn": one["issn"],
        "pubtype": split(one["pub_types"]) or None,
        "articleids": [{"idtype": kind, "idtypen": number, "value": value} for kind, number, value in ids if value],
        "history": [{"pubstatus": "entrez", "date": f"{one['entrez_date']} 00:00"}] if one["entrez_date"] else None,
        "fulljournalname": one["journal"],
        "elocationid": f"doi: {one['doi']}" if one["doi"] else "",
        "doctype": "citation",
        "sortpubdate": f"{one['sort_date']} 00:00" if one["sort_date"] else None,
        "sortfirstauthor": one["first_author"],
    }
    return {key: value for key, value in record.items() if value is not None}


def snp(one: sqlite3.Row) -> dict[str, Any]:
    """A dbSNP document summary."""
    complete = one["complete"] == "yes"
    genes = [dict(zip(("name", "gene_id"), text.rsplit(":", 1), strict=True)) for text in split(one["genes"])]
    mafs = [dict(zip(("study", "freq"), text.split("~", 1), strict=True)) for text in split(one["mafs"])]
    record: dict[str, Any] = {
        "uid": str(one["rs"]),
        "snp_id": one["snp_id"] or one["rs"],
        "global_mafs": mafs if mafs or complete else None,
        "clinical_significance": one["clinical"],
        "genes": genes if genes or complete else None,
        "acc": one["acc"],
        "chr": one["chr"],
        "handle": one["handle"],
        "spdi": one["spdi"],
        "fxn_class": one["fxn_class"],
        "validated": one["validated"],
        "docsum": one["docsum"],
        "tax_id": one["taxon_id"],
        "orig_build": _int(one["orig_build"]),
        "upd_build": _int(one["upd_build"]),
        "createdate": one["created"],
        "updatedate": one["updated"],
        "ss": one["ss"],
        "allele": one["allele"],
        "snp_class": one["snp_class"],
        "chrpos": one["chrpos"],
        "chrpos_prev_assm": one["chrpos_prev"],
        "snp_id_sort": f"{one['snp_id'] or one['rs']:010d}",
        "chrpos_sort": f"{int(one['chrpos'].split(':')[1]):010d}" if re.fullmatch(r"\w+:\d+", one["chrpos"] or "") else None,
        "merged_sort": one["merged"],
    }
    if complete:
        record |= dict.fromkeys(("allele_origin", "global_population", "global_samplesize", "suspected", "cited_sort"), "")
        record |= {"text": one["text"] or "", "clinical_sort": one["clinical_sort"]}
        record |= {key: "" for key in ("clinical_significance", "fxn_class", "validated", "chrpos_prev_assm", "allele", "handle") if record[key] is None}
    return {key: value for key, value in record.items() if value is not None}


def sequence(one: sqlite3.Row, db: str) -> dict[str, Any]:
    """A Protein or Nucleotide document summary; records without a number of their own bear their accession as uid."""
    accession = one["accession"]
    refseq = "_" in accession
    record: dict[str, Any] = {
        "uid": accession,
        "caption": accession.split(".")[0],
        "title": one["title"],
        "gi": int(one["gi"]) if one["gi"] else None,
        "taxid": one["taxon_id"],
        "slen": one["length"],
        "moltype": "aa" if db == "protein" else {"NM": "rna", "NR": "rna", "NC": "dna", "NG": "dna"}.get(accession[:2]),
        "biomol": {"NM": "mRNA", "NC": "genomic", "NG": "genomic"}.get(accession[:2]) if db == "nuccore" else None,
        "sourcedb": "refseq" if refseq else "swiss-prot" if db == "protein" and one["database"] == "swissprot" else "insd",
        "organism": one["organism"],
        "accessionversion": accession,
    }
    return {key: value for key, value in record.items() if value is not None}


def taxonomy(one: sqlite3.Row) -> dict[str, Any]:
    """A Taxonomy document summary."""
    parts = (one["name"] or "").split()
    species = one["rank"] in ("species", "subspecies") and len(parts) >= 2
    record = {
        "uid": str(one["taxon_id"]),
        "status": "active",
        "rank": one["rank"] or "",
        "division": one["division"],
        "scientificname": one["name"],
        "commonname": one["common_name"] or "",
        "taxid": one["taxon_id"],
        "akataxid": "",
        "genus": parts[0] if species else "",
        "species": parts[1] if species else "",
        "subsp": parts[2] if one["rank"] == "subspecies" and len(parts) > 2 else "",
    }
    return {key: value for key, value in record.items() if value is not None}


def clinvar(one: sqlite3.Row) -> dict[str, Any]:
    """A ClinVar document summary."""
    genes = [dict(zip(("symbol", "geneid"), text.split(":"), strict=True)) for text in split(one["genes"])]
    place = {"status": "current", "assembly_name": "GRCh38", "chr": one["chr"], "start": one["start"], "stop": one["stop"]} if one["start"] else None
    xrefs = [{"db_source": "dbSNP", "db_id": one["rs"]}] if one["rs"] else []
    record: dict[str, Any] = {
        "uid": str(one["variation_id"]),
        "obj_type": one["variant_type"],
        "accession": one["accession"],
        "accession_version": f"{one['accession']}.{one['version']}",
        "title": one["title"],
        "variation_set": [
            {
                key: value
                for key, value in (
                    ("measure_id", one["allele_id"]),
                    ("variation_xrefs", xrefs),
                    ("variation_name", one["title"]),
                    ("cdna_change", one["cdna"]),
                    ("variation_loc", [place] if place else None),
                    ("variant_type", one["variant_type"]),
                    ("canonical_spdi", one["spdi"]),
                )
                if value is not None
            }
        ],
        "germline_classification": {
            "description": one["classification"],
            "review_status": one["review_status"],
            "trait_set": [{"trait_name": name} for name in split(one["traits"])],
        },
        "gene_sort": genes[0]["symbol"] if genes else "",
        "chr_sort": (one["chr"] or "").zfill(2),
        "location_sort": (one["start"] or "").zfill(20),
        "genes": genes,
        "protein_change": one["protein_change"] or "",
    }
    return {key: value for key, value in record.items() if value is not None}


def summary(db: str, one: sqlite3.Row) -> dict[str, Any]:
    """The document summary of a row, in the keys of the JSON service."""
    if db in _SEQUENCES:
        return sequence(one, db)
    return {"gene": gene, "pubmed": pubmed, "snp": snp, "taxonomy": taxonomy, "clinvar": clinvar}[db](one)


def _int(text: str | None) -> int | None:
    return int(text) if text not in (None, "") else None
