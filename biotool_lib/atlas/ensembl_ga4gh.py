"""Ensembl's GA4GH endpoints: what follows from the service's own code (source `ensembl_rest_code`) and from facts held here."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from typing import Any

from werkzeug import Request

from biotool_lib.atlas.ensembl import exons_of
from biotool_lib.atlas.ensembl_service import (
    GENERIC,
    Refusal,
    bare,
    flag,
    kept,
    refuses,
    served,
)
from biotool_lib.atlas.store import row, rows

ASSEMBLY = "GRCh38"
API = {"beaconId": "org.ensembl.rest", "apiVersion": "v2.0.0"}
UNDATED = {"createDateTime": None, "updateDateTime": None, "testMode": False}
ORGANIZATION = {
    "id": "ebi", "name": "EMBL European Bioinformatics Institute",
    "description": "The European Bioinformatics Institute (EMBL-EBI) is part of EMBL, an international, innovative and interdisciplinary "
                   "research organisation funded by 26 member states and two associate member states to provide the infrastructure "
                   "needed to share data openly in the life sciences.",
    "address": "EMBL-EBI, Wellcome Genome Campus, Hinxton, Cambridgeshire, CB10 1SD, UK",
    "welcomeUrl": "https://www.ebi.ac.uk/", "contactUrl": "https://www.ebi.ac.uk/support/", "logoUrl": None, "info": None,
}
PHASE3 = "1000 Genomes phase3"
DATASETS = {hashlib.md5(PHASE3.encode(), usedforsecurity=False).hexdigest(): (PHASE3, f"{PHASE3} genotypes"),
            "Ensembl": ("Ensembl", "Ensembl annotation")}
REQUIRED = ("referenceName", "referenceBases", "assemblyId")
BASES = re.compile(r"[ACGT]+|N", re.IGNORECASE)


def version() -> str:
    """The release of the data."""
    return rows("SELECT value FROM ensembl_releases WHERE what = 'data'")[0]["value"]


def current_set() -> str:
    """The id of the sets that Ensembl itself provides."""
    return f"Ensembl.{version()}.{ASSEMBLY}"


@served
def beacon(request: Request) -> object:
    """What the Beacon says about itself."""
    meta = {**API, "description": "Human variant data from the Ensembl database", "version": version(),
            "alternativeUrl": "https://www.ensembl.org", **UNDATED, "returnedSchemas": [{"entityType": "info", "schema": ""}]}
    return {"meta": meta, "response": {"apiVersion": API["apiVersion"], "id": API["beaconId"], "name": f"EBI - Ensembl {ASSEMBLY}",
                                       "welcomeUrl": "https://rest.ensembl.org", "organization": ORGANIZATION, "environment": "prod"}}


def complaint(asked: dict[str, str]) -> str | None:
    """What is wrong with a query, in the order in which the Beacon checks it."""
    if asked.get("alternateBases") or not (asked.get("variantType") or asked.get("end")):
        needed = (*REQUIRED, "alternateBases", "start")
    else:
        needed = (*REQUIRED, "start", "end")
    missing = next((name for name in needed if name not in asked), None)
    if missing:
        return f"Missing mandatory parameter {missing}"
    if not re.fullmatch(r"[1-9]|1\d|2[0-2]|X|Y|MT", asked["referenceName"], re.IGNORECASE):
        return "Invalid referenceName"
    wrong = next((name for name in ("referenceBases", "alternateBases") if name in asked and not BASES.fullmatch(asked[name])), None)
    if wrong:
        return f"Invalid {wrong}"
    if asked["assemblyId"].upper() not in ("GRCH37", "GRCH38"):
        return "Invalid assemblyId"
    if asked["assemblyId"].upper() != ASSEMBLY.upper():
        return f"User provided assemblyId ({asked['assemblyId']}) does not match with dataset assembly ({ASSEMBLY})"
    return None


def is_known(asked: dict[str, str]) -> bool:
    """Whether a variant with these alleles is held here; the start of a query counts from 0."""
    found = rows('SELECT allele_string FROM variants WHERE seq_region = ? AND "start" = ? AND allele_string IS NOT NULL',
                 asked["referenceName"].upper(), int(asked["start"]) + 1)
    for entry in found:
        first, *others = entry["allele_string"].split("/")
        if first == asked["referenceBases"].upper() and asked.get("alternateBases", "").upper() in others:
            return True
    return False


@served
def beacon_query(request: Request) -> object:
    """Whether an allele is known; which data sets have it is not held, so only an answer without them can be given."""
    asked = {key: value for key, value in request.args.items() if key not in ("content-type", "callback")}
    include = asked.get("includeResultsetResponses", "HIT")
    schemas = [{"entityType": "genomicVariant", "schema": ""}]
    summary: dict[str, Any] = {"apiVersion": API["apiVersion"], "requestedSchemas": schemas, "pagination": {"limit": 0, "skip": 0},
                               "requestedGranularity": "record", "includeResultsetResponses": include}
    meta = {**API, **UNDATED, "returnedSchemas": schemas, "receivedRequestSummary": summary, "includeResultsetResponses": include}
    body: dict[str, Any] = {"meta": meta, "response": {"resultSets": None}, "responseSummary": {"exists": None, "numTotalResults": 0}}
    wrong = complaint(asked)
    if wrong:
        return body | {"error": {"errorCode": 400, "errorMessage": wrong}}
    if not asked["start"].isdigit() or flag(request, "variantType") or flag(request, "end") or flag(request, "datasetIds"):
        raise Refusal(GENERIC)
    known = is_known(asked)
    if known and include.upper() != "NONE":
        raise Refusal(GENERIC)
    body["responseSummary"]["exists"] = known
    return body


@served
def dataset(request: Request, what: str) -> object:
    """A data set by its id, which is a digest of its name."""
    if what not in DATASETS:
        raise Refusal(" No dataset is available with this id")
    name, description = DATASETS[what]
    return {"id": what, "name": name, "description": description}


@served
def variant_set(request: Request, what: str) -> object:
    """The set of Ensembl's variants; the header lines of the sets of genotypes are not held."""
    if what != current_set():
        raise Refusal(f" variantSet {what} not found", 404)
    return {"id": what, "datasetId": "Ensembl", "metadata": [], "referenceSetId": ASSEMBLY, "name": what}


@served
def annotation_set(request: Request, what: str) -> object:
    """The set of Ensembl's variant annotations."""
    name = current_set()
    if what not in ("Ensembl", name):
        return {"variantAnnotationSets": []}
    analysis = {"id": version(), "name": "Ensembl", "description": None, "updated": None, "type": "variant annotation", "software": ["VEP"]}
    return {"id": name, "variantSetId": name, "name": name, "analysis": analysis}


@served
def feature_set(request: Request, what: str) -> object:
    """The set of Ensembl's genes and transcripts."""
    return {"datasetId": "Ensembl", "id": current_set(), "sourceURI": ""} if "Ensembl" in what else {}


def feature_body(entry: sqlite3.Row, kind: str, parent: str, children: list[str]) -> dict[str, object]:
    """A feature; its place counts from 0."""
    term = row("SELECT * FROM ontology_terms WHERE name = ? AND ontology = 'SO'", kind)
    name = entry["symbol"] if kind == "gene" else entry["display_name"]
    values = kept({"version": entry["version"], "biotype": entry["biotype"], "external_name": name})
    return {"id": f"{entry['id']}.{entry['version']}", "parentId": parent, "childIds": children, "featureSetId": current_set(),
            "referenceName": entry["seq_region"], "start": entry["start"] - 1, "end": entry["end"],
            "strand": "POS_STRAND" if entry["strand"] == 1 else "NEG_STRAND",
            "featureType": {"id": term["accession"], "term": kind, "sourceName": "SO", "sourceVersion": None} if term else None,
            "attributes": {"vals": {key: [str(value)] for key, value in values.items()}}}


def protein_of(transcript: sqlite3.Row) -> str | None:
    """The protein of a transcript with its version, or None where the version is not known."""
    held = row("SELECT version FROM translation_sequences WHERE transcript = ?", transcript["id"]) if transcript["mane"] else None
    number = transcript["translation_version"] or (held["version"] if held else None)
    return f"{transcript['translation']}.{number}" if number else None


def transcript_feature(what: str) -> object:
    """A transcript of a human gene whose version, exons and protein are known with their versions."""
    missing = f"  Cannot find transcript feature for id {what}"
    entry = row("SELECT * FROM transcripts WHERE id = ? AND version = ? AND species = 'homo_sapiens'", bare(what), what.rpartition(".")[2])
    gene = row("SELECT * FROM genes WHERE id = ?", entry["gene"]) if entry else None
    if entry is None or gene is None or not gene["version"] or not entry["exons_known"]:
        raise Refusal(missing)
    exons = exons_of(entry["id"])
    protein = protein_of(entry) if entry["translation"] else None
    if not all(e["id"] and e["version"] for e in exons) or bool(entry["translation"]) != bool(protein):
        raise Refusal(missing)
    children = [f"{e['id']}.{e['version']}" for e in exons] + ([protein] if protein else [])
    return feature_body(entry, "transcript", f"{gene['id']}.{gene['version']}", children)


@served
def feature(request: Request, what: str) -> object:
    """A gene or transcript by its versioned id; the service says nothing of other ids."""
    if re.search(r"ENST\d+\.\d+", what):
        return transcript_feature(what)
    if "ENSG" in what:
        entry = row("SELECT * FROM genes WHERE id = ? AND version = ? AND complete = 1 AND species = 'homo_sapiens'", bare(what),
                    what.rpartition(".")[2])
        if entry is None:
            raise Refusal(f" Cannot find gene feature for id {what}")
        inside = rows("SELECT id, version FROM transcripts WHERE gene = ? ORDER BY id", entry["id"])
        return feature_body(entry, "gene", "", [f"{t['id']}.{t['version']}" for t in inside])
    if "ENSP" in what:
        raise Refusal(f" Cannot find gene feature for id {what}")
    if "ENSE" in what:
        raise Refusal(f" Cannot find exon feature for id {what}")
    return {}


ROUTES = [
    ("/ga4gh/beacon", beacon),
    ("/ga4gh/beacon/query", beacon_query),
    ("/ga4gh/datasets/<what>", dataset),
    ("/ga4gh/features/<what>", feature),
    ("/ga4gh/featuresets/<what>", feature_set),
    ("/ga4gh/variantannotationsets/<what>", annotation_set),
    ("/ga4gh/variantsets/<what>", variant_set),
    # Of genotypes and of the digests of the reference sequences nothing is sourced.
    ("/ga4gh/callsets/<what>", refuses(" callSet {what} not found", 404)),
    ("/ga4gh/references/<what>", refuses(" reference {what} not found", 404)),
    ("/ga4gh/referencesets/<what>", refuses("ERROR: no data for ReferenceSet {what}")),
    ("/ga4gh/variants/<what>", refuses(" variant {what} not found", 404)),
]
