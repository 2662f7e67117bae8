"""UniProtKB entries put together from the fact tables in the service's shape."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, lru_cache
from sqlite3 import Row
from typing import Any

from werkzeug import Response

from biotool_lib.atlas.store import row, rows

ROUTES: list[tuple[str, Callable[..., Response]]] = []
EXISTENCE = {
    1: "1: Evidence at protein level", 2: "2: Evidence at transcript level", 3: "3: Inferred from homology",
    4: "4: Predicted", 5: "5: Uncertain",
}


def parts(text: str | None) -> list[str]:
    """The items of a cell that holds a list."""
    return text.split("|") if text else []


def load(text: str | None) -> Any:
    """The JSON of a cell, None when it is empty."""
    return json.loads(text) if text else None


def filled(body: dict) -> dict:
    """The body without keys that have no sourced value."""
    return {key: value for key, value in body.items() if value not in (None, "", [], {})}


@cache
def taxa() -> dict[int, Row]:
    """All taxa by number."""
    return {item["taxon_id"]: item for item in rows("SELECT * FROM taxa")}


@lru_cache(maxsize=4096)
def ancestors(taxon_id: int) -> tuple[int, ...]:
    """The known taxa above a taxon, root first."""
    line: list[int] = []
    known = taxa()
    while taxon_id in known and known[taxon_id]["parent_id"] and known[taxon_id]["parent_id"] not in line:
        taxon_id = known[taxon_id]["parent_id"]
        if taxon_id not in known:
            break
        line.append(taxon_id)
    return tuple(reversed(line))


def lineage_names(taxon_id: int) -> list[str]:
    """The lineage as UniProtKB entries give it: recorded, else the shown taxa above."""
    taxon = taxa().get(taxon_id)
    if taxon and taxon["lineage"]:
        return parts(taxon["lineage"])
    return [taxa()[above]["scientific_name"] for above in ancestors(taxon_id) if taxa()[above]["hidden"] == 0]


def organism(taxon_id: int, lineage: bool = False) -> dict:
    """A taxon as it stands inside other records."""
    taxon = taxa()[taxon_id]
    body = {"scientificName": taxon["scientific_name"], "commonName": taxon["common_name"], "taxonId": taxon_id}
    return filled(body | ({"lineage": lineage_names(taxon_id)} if lineage else {}))


@cache
def keyword_table() -> dict[str, tuple[str, str]]:
    """Keyword name -> (identifier, category)."""
    return {item["name"]: (item["keyword_id"], item["category"])
            for item in rows("SELECT name, keyword_id, category FROM keywords WHERE category IS NOT NULL")}


def _keywords(protein: Row) -> list[dict]:
    table = keyword_table()
    found = []
    for name in parts(protein["keywords"]):
        key, category = table.get(name, (None, None))
        found.append(filled({"id": key, "category": category, "name": name}))
    return found


def _description(protein: Row) -> dict:
    given = load(protein["description_json"])
    if given:
        return given
    main = {"fullName": {"value": protein["name"]}}
    numbers = [{"value": number} for number in parts(protein["ec_numbers"])]
    if numbers:
        main["ecNumbers"] = numbers  # type: ignore[assignment]
    if protein["status"] == "unreviewed":
        return {"submissionNames": [main]}
    others = [{"fullName": {"value": name}} for name in parts(protein["alternative_names"])]
    return filled({"recommendedName": main, "alternativeNames": others})


def _genes(protein: Row) -> list[dict]:
    given = load(protein["genes_json"])
    if given or not protein["gene"]:
        return given or []
    synonyms = [{"value": name} for name in parts(protein["gene_synonyms"])]
    return [filled({"geneName": {"value": protein["gene"]}, "synonyms": synonyms})]


def _position(value: int | None) -> dict:
    return {"value": value, "modifier": "EXACT"} if value is not None else {"modifier": "UNKNOWN"}


def features(accession: str) -> list[dict]:
    """The sequence features of an entry."""
    found = []
    for item in rows("SELECT * FROM protein_features WHERE accession = ? ORDER BY number", accession):
        extra = load(item["extra_json"]) or {}
        place = {"start": _position(item["start"]), "end": _position(item["end"])}
        if "sequence" in extra:
            place["sequence"] = extra.pop("sequence")
        body = {"type": item["type"], "location": place, "description": item["description"] or ""}
        if item["feature_id"]:
            body["featureId"] = item["feature_id"]
        found.append(body | extra)
    return found


def comments(accession: str) -> list[dict]:
    """The comments of an entry."""
    found = rows("SELECT body_json FROM protein_comments WHERE accession = ? ORDER BY number", accession)
    return [json.loads(item["body_json"]) for item in found]


def cross_references(accession: str) -> list[dict]:
    """The cross-references of an entry."""
    found = []
    for item in rows("SELECT * FROM protein_xrefs WHERE accession = ? ORDER BY rowid", accession):
        pairs = [pair.partition("=") for pair in (item["properties"] or "").split(";") if "=" in pair]
        body = {"database": item["database"], "id": item["id"], "isoformId": item["isoform"],
                "properties": [{"key": key, "value": value} for key, _, value in pairs]}
        found.append(filled(body))
    return found


def citation(item: Row) -> dict:
    """A cited paper in the shape that entries give it."""
    links = [{"database": name, "id": item[column]} for name, column in (("PubMed", "pubmed_id"), ("DOI", "doi"))
             if item[column]]
    body = {
        "id": item["citation_id"], "citationType": item["citation_type"], "authors": parts(item["authors"]),
        "citationCrossReferences": links, "title": item["title"], "publicationDate": item["date"],
        "journal": item["journal"], "firstPage": item["first_page"], "lastPage": item["last_page"],
        "volume": item["volume"],
    }
    return filled(body | (load(item["extra_json"]) or {}))


def references(accession: str) -> list[dict]:
    """The papers that an entry cites, in its order."""
    query = ("SELECT p.number, p.positions, p.comments_json, c.* FROM protein_citations p "
             "JOIN citations c USING (citation_id) WHERE p.accession = ? ORDER BY p.number")
    return [
        filled({"referenceNumber": item["number"], "citation": citation(item),
                "referencePositions": parts(item["positions"]), "referenceComments": load(item["comments_json"])})
        for item in rows(query, accession)
    ]


def _audit(protein: Row) -> dict:
    return filled({
        "firstPublicDate": protein["first_public"], "lastAnnotationUpdateDate": protein["last_annotation"],
        "lastSequenceUpdateDate": protein["last_sequence"], "entryVersion": protein["entry_version"],
        "sequenceVersion": protein["sequence_version"],
    })


def sequence(protein: Row) -> dict:
    """The sequence of an entry with its checksums."""
    found = row("SELECT sequence FROM protein_sequences WHERE accession = ?", protein["accession"])
    body = {"value": found["sequence"] if found else None, "length": protein["length"], "molWeight": protein["mass"],
            "crc64": protein["crc64"], "md5": protein["md5"]}
    return filled(body)


def entry_type(protein: Row) -> str:
    """Reviewed or unreviewed in the service's words."""
    return ("UniProtKB reviewed (Swiss-Prot)" if protein["status"] == "reviewed"
            else "UniProtKB unreviewed (TrEMBL)")


@lru_cache(maxsize=512)
def _entry_text(accession: str) -> str:
    protein = row("SELECT * FROM proteins WHERE accession = ?", accession)
    assert protein is not None
    extra = load(protein["extra_json"]) or {}
    body = {
        "entryType": entry_type(protein), "primaryAccession": accession,
        "secondaryAccessions": parts(protein["secondary_accessions"]), "uniProtkbId": protein["entry_name"],
        "entryAudit": _audit(protein), "annotationScore": protein["annotation_score"],
        "organism": organism(protein["taxon_id"], lineage=True), "organismHosts": extra.get("organismHosts"),
        "proteinExistence": EXISTENCE.get(protein["existence"]), "proteinDescription": _description(protein),
        "genes": _genes(protein), "comments": comments(accession), "features": features(accession),
        "geneLocations": extra.get("geneLocations"), "keywords": _keywords(protein),
        "references": references(accession), "uniProtKBCrossReferences": cross_references(accession),
        "sequence": sequence(protein),
        "extraAttributes": filled(extra.get("counts", {}) | {"uniParcId": protein["uniparc"]}),
    }
    return json.dumps(filled(body))


def entry(accession: str) -> dict:
    """A whole entry in the service's shape; a fresh copy that may be changed."""
    return json.loads(_entry_text(accession))
