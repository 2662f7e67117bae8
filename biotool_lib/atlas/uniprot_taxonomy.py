"""Taxonomy, proteomes and the gene-centric view."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import cache
from sqlite3 import Row

from werkzeug import Request, Response

from biotool_lib.atlas.store import rows
from biotool_lib.atlas.uniprot_entries import ancestors, filled, load, parts, taxa
from biotool_lib.atlas.uniprot_query import Field
from biotool_lib.atlas.uniprot_service import Collection, not_found, one, page, page_size, problem, search, wanted
from biotool_lib.atlas.uniprot_vocabularies import routes

UPID = "UP[0-9]{9}"
BAD_UPID = "The 'upid' value has invalid format. It should be a valid Proteome UPID"
BAD_TAXON = "The taxonomy id value should be a number"
BAD_TAXON_FILTER = "The taxonomy id filter value should be a number"


# Taxonomy

def _rank(taxon: Row) -> str | None:
    return taxon["rank"]


def _short(taxon_id: int) -> dict:
    taxon = taxa()[taxon_id]
    hidden = taxon["hidden"]
    return filled({"scientificName": taxon["scientific_name"], "commonName": taxon["common_name"],
                   "taxonId": taxon_id, "rank": _rank(taxon)}) | ({} if hidden is None else {"hidden": bool(hidden)})


def taxon_body(taxon: Row) -> dict:
    """A taxon in the service's shape."""
    key, above = taxon["taxon_id"], ancestors(taxon["taxon_id"])
    parent = _short(above[-1]) if above else {}
    body = filled({
        "scientificName": taxon["scientific_name"], "commonName": taxon["common_name"], "taxonId": key,
        "mnemonic": taxon["mnemonic"],
        "parent": {name: parent[name] for name in ("scientificName", "commonName", "taxonId") if name in parent},
        "rank": _rank(taxon),
    })
    if taxon["hidden"] is not None:
        body["hidden"] = bool(taxon["hidden"])
    return body | filled({
        "otherNames": parts(taxon["other_names"]), "lineage": [_short(number) for number in above],
        "statistics": load(taxon["statistics_json"]),
    })


def _names(*columns: str) -> Field:
    return Field("text", lambda item: [value for name in columns for value in parts(item[name])])


def _taxon_number(values: Callable[[Row], Iterable[object]]) -> Field:
    return Field("id", values, r"\d+", BAD_TAXON_FILTER)


TAXONOMY = Collection(
    path="taxonomy", documents=lambda: rows("SELECT * FROM taxa ORDER BY taxon_id"), body=taxon_body,
    key=lambda item: str(item["taxon_id"]), always=("taxonId",),
    search_fields={
        "": Field("text", lambda item: [item["scientific_name"], item["common_name"] or "", item["mnemonic"] or "",
                                        *parts(item["other_names"]), str(item["taxon_id"])]),
        "id": _taxon_number(lambda item: [item["taxon_id"]]),
        "tax_id": _taxon_number(lambda item: [item["taxon_id"]]),
        "scientific": _names("scientific_name"), "common": _names("common_name"), "mnemonic": _names("mnemonic"),
        "synonym": _names("other_names"), "other_names": _names("other_names"), "rank": _names("rank"),
        "parent": _taxon_number(lambda item: [item["parent_id"]] if item["parent_id"] else []),
        "ancestor": _taxon_number(lambda item: ancestors(item["taxon_id"])),
        "strain": Field(known=lambda item: False), "host": Field(known=lambda item: False),
        "taxonomies_with": Field(known=lambda item: False), "superkingdom": Field(known=lambda item: False),
        "reviewed": Field(known=lambda item: False), "proteome": Field(known=lambda item: False),
        "active": Field(known=lambda item: False), "linked": Field(known=lambda item: False),
    },
    return_fields={
        "id": ("taxonId",), "parent": ("parent",), "mnemonic": ("mnemonic",), "scientific_name": ("scientificName",),
        "common_name": ("commonName",), "synonyms": ("synonyms",), "other_names": ("otherNames",), "rank": ("rank",),
        "reviewed": ("statistics",), "lineage": ("lineage",), "strains": ("strains",), "hosts": ("hosts",),
        "links": ("links",), "statistics": ("statistics",),
    },
    sort_fields={"id": lambda item: item["taxon_id"], "scientific": lambda item: item["scientific_name"],
                 "common": lambda item: item["common_name"], "mnemonic": lambda item: item["mnemonic"],
                 "parent": lambda item: item["parent_id"], "rank": lambda item: item["rank"]},
    rank=lambda item, terms: (not any(term in (item["common_name"] or "").lower().split()
                                      or term == item["scientific_name"].lower() for term in terms),
                              item["taxon_id"]),
)


# Proteomes

@cache
def _proteomes() -> list[dict]:
    found = []
    for item in rows("SELECT * FROM proteomes ORDER BY proteome_id"):
        given = load(item["body_json"])
        taxon = taxa()[item["taxon_id"]]
        found.append({"row": dict(item), "taxon": taxon, "body": given or _proteome_body(item, taxon),
                      "above": ancestors(item["taxon_id"])})
    return found


def _proteome_body(item: Row, taxon: Row) -> dict:
    above = ancestors(item["taxon_id"])
    kingdoms = {2: "bacteria", 2157: "archaea", 2759: "eukaryota", 10239: "viruses"}
    return filled({
        "id": item["proteome_id"],
        "taxonomy": filled({"scientificName": taxon["scientific_name"], "commonName": taxon["common_name"],
                            "taxonId": item["taxon_id"], "mnemonic": item["mnemonic"]}),
        "proteomeType": item["proteome_type"],
        "superkingdom": next((kingdoms[key] for key in above if key in kingdoms), None),
        "geneCount": item["gene_count"], "taxonLineage": [_short(key) for key in above],
    })


def _taxon_texts(item: dict) -> Iterable[str]:
    taxon = item["taxon"]
    yield from (taxon["scientific_name"], taxon["common_name"] or "", item["row"]["mnemonic"] or "")


PROTEOMES = Collection(
    path="proteomes", documents=_proteomes, body=lambda item: item["body"], key=lambda item: item["row"]["proteome_id"],
    always=("id",),
    search_fields={
        "": Field("text", lambda item: [item["row"]["proteome_id"], *_taxon_texts(item),
                                        item["body"].get("description", "")]),
        "upid": Field("id", lambda item: [item["row"]["proteome_id"]], UPID, BAD_UPID),
        "organism_id": Field("id", lambda item: [item["row"]["taxon_id"]], r"\d+",
                             "The organism id filter value should be a number"),
        "organism_name": Field("text", _taxon_texts),
        "taxonomy_id": _taxon_number(lambda item: [item["row"]["taxon_id"], *item["above"]]),
        "taxonomy_name": Field("text", lambda item: [
            *_taxon_texts(item), *(taxa()[key]["scientific_name"] for key in item["above"])]),
        "superkingdom": Field("id", lambda item: [item["body"]["superkingdom"]] if "superkingdom" in item["body"]
                              else [], known=lambda item: "superkingdom" in item["body"]),
        **{name: Field(known=lambda item: False) for name in (
            "proteome_type", "genome_assembly", "genome_accession", "busco", "cpd", "strain", "annotation_score",
            "protein_count", "reference", "redundant", "organism_sort")},
    },
    return_fields={
        "upid": ("id",), "organism": ("taxonomy",), "organism_id": ("taxonomy",), "components": ("components",),
        "mnemonic": ("taxonomy",), "lineage": ("taxonLineage",), "busco": ("proteomeCompletenessReport",),
        "cpd": ("proteomeCompletenessReport",), "genome_assembly": ("genomeAssembly",),
        "genome_representation": ("genomeAssembly",), "protein_count": ("proteinCount",),
    },
    sort_fields={"upid": lambda item: item["row"]["proteome_id"],
                 "organism_name": lambda item: item["taxon"]["scientific_name"],
                 "protein_count": lambda item: item["body"].get("proteinCount")},
    rank=lambda item, terms: ("proteomeType" not in item["body"], item["row"]["proteome_id"]),
)


# Gene-centric view

@cache
def _groups() -> list[dict]:
    found = rows("SELECT body_json FROM uniprot_records WHERE kind = 'genecentric' ORDER BY id")
    return [json.loads(item["body_json"]) for item in found]


def _members(group: dict) -> list[dict]:
    return [group["canonicalProtein"], *group.get("relatedProteins", [])]


GENECENTRIC = Collection(
    path="genecentric", documents=_groups, body=lambda item: item, key=lambda item: item["canonicalProtein"]["id"],
    always=("canonicalProtein.id",),
    search_fields={
        "": Field("text", lambda item: [text for member in _members(item) for text in (
            member["id"], member.get("geneName", ""), member["proteinName"])]),
        "upid": Field("id", lambda item: [item["proteomeId"]], UPID, BAD_UPID),
        "accession": Field("id", lambda item: [member["id"] for member in _members(item)]),
        "accession_id": Field("id", lambda item: [item["canonicalProtein"]["id"]]),
        "gene": Field("text", lambda item: [member.get("geneName", "") for member in _members(item)]),
        "organism_id": Field("id", lambda item: [item["canonicalProtein"]["organism"]["taxonId"]], r"\d+",
                             "The organism id filter value should be a number"),
        "organism_name": Field("text", lambda item: [item["canonicalProtein"]["organism"]["scientificName"]]),
        "proteome_type": Field(known=lambda item: False), "reviewed": Field(known=lambda item: False),
    },
    return_fields={
        "accession": ("canonicalProtein", "relatedProteins"), "upid": ("proteomeId",),
        "canonical_protein": ("canonicalProtein",), "related_protein": ("relatedProteins",),
        "gene_name": ("canonicalProtein", "relatedProteins"),
    },
    sort_fields={"accession_id": lambda item: item["canonicalProtein"]["id"]},
)


def get_group(request: Request, accession: str) -> Response:
    """The gene-centric group of a protein, canonical or related."""
    for group in _groups():
        if any(member["id"].lower() == accession.lower() for member in _members(group)):
            return one(request, GENECENTRIC, group["canonicalProtein"]["id"])
    return not_found(request)


def groups_of_proteome(request: Request, upid: str) -> Response:
    """The gene-centric groups of a proteome, as a page."""
    names = wanted(request)
    size, messages = page_size(request)
    messages = [] if re.fullmatch(UPID, upid, re.IGNORECASE) else [BAD_UPID]
    messages += GENECENTRIC.bad_fields(names) + page_size(request)[1]
    if messages:
        return problem(request, 400, *messages)
    found = [group for group in _groups() if group["proteomeId"] == upid.upper()]
    return page(request, found, lambda item: GENECENTRIC.show(item, names), size)


def search_groups(request: Request) -> Response:
    """A page of gene-centric groups that match a query."""
    return search(request, GENECENTRIC)


ROUTES: list[tuple[str, Callable[..., Response]]] = [
    *routes(TAXONOMY, r"\d+", BAD_TAXON),
    *routes(PROTEOMES, UPID, BAD_UPID),
    ("/genecentric/search", search_groups),
    ("/genecentric/stream", lambda request: search(request, GENECENTRIC, paged=False)),
    ("/genecentric/upid/<upid>", groups_of_proteome),
    ("/genecentric/<accession>", get_group),
]
