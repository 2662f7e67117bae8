"""Ensembl endpoints about variants: records, linkage disequilibrium, phenotypes, and recorded predictions."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable

from werkzeug import Request, Response

from biotool_lib.atlas.ensembl_service import (
    GENERIC,
    Refusal,
    flag,
    gene_by_symbol,
    kept,
    number,
    refuses,
    served,
    slice_of,
    species,
    unanswerable,
)
from biotool_lib.atlas.store import row, rows

ALLELE = re.compile(r"[ACGTacgt]+|-|(?:INS|DEL|TDUP|DUP)")


def listed(text: str | None) -> list[str]:
    """The items of a cell that holds a list."""
    return text.split("|") if text else []


def variant_body(entry: sqlite3.Row) -> dict[str, object]:
    """A variant; keys whose values nobody states are left out unless the whole record is known."""
    place = {"seq_region_name": entry["seq_region"], "start": entry["start"], "end": entry["end"], "strand": 1,
             "coord_system": "chromosome", "assembly_name": "GRCh38", "location": f"{entry['seq_region']}:{entry['start']}-{entry['end']}",
             "allele_string": entry["allele_string"], "ancestral_allele": entry["ancestral_allele"]}
    body = {"name": entry["id"], "var_class": entry["var_class"], "mappings": [kept(place)]}
    if not entry["recorded"]:
        return body
    body |= {"source": entry["source_text"], "most_severe_consequence": entry["most_severe_consequence"], "ambiguity": entry["ambiguity"],
             "minor_allele": entry["minor_allele"], "MAF": entry["maf"], "synonyms": listed(entry["synonyms"]), "evidence": listed(entry["evidence"])}
    if entry["clinical_significance"]:
        body["clinical_significance"] = listed(entry["clinical_significance"])
    return body


def variant_of(name: str, identifier: str) -> sqlite3.Row:
    """The row of a variant by its rsID or by a synonym; raises Refusal as the service words it."""
    plain = species(name)["name"]
    entry = row("SELECT * FROM variants WHERE id = ?", identifier) if plain == "homo_sapiens" else None
    if entry is None and plain == "homo_sapiens":
        entry = next((v for v in rows("SELECT * FROM variants WHERE synonyms LIKE ?", f"%{identifier}%")
                      if identifier in listed(v["synonyms"])), None)
    if entry is None:
        raise Refusal(f"{identifier} not found for {name}")
    return entry


@served
def variation(request: Request, name: str, identifier: str) -> object:
    """A variant by its id."""
    entry = variant_of(name, identifier)
    unanswerable(request, ("genotypes", "phenotypes", "population_genotypes", "genotyping_chips"), f"{identifier} not found for {name}")
    body = variant_body(entry)
    if flag(request, "pops"):
        found = rows("SELECT * FROM variant_frequencies WHERE variant = ? ORDER BY population, allele", entry["id"])
        if not found:
            raise Refusal(f"{identifier} not found for {name}")
        body["populations"] = [{"population": f["population"], "allele": f["allele"], "frequency": f["frequency"],
                                "allele_count": f["allele_count"]} for f in found]
    return body


def thresholds(request: Request, found: list[sqlite3.Row]) -> list[dict[str, object]]:
    """The pairs that reach the wanted r2 and D'."""
    r2, d_prime = number(request, "r2") or 0, number(request, "d_prime") or 0
    return [{"variation1": e["variation1"], "variation2": e["variation2"], "population_name": e["population"], "r2": e["r2"],
             "d_prime": e["d_prime"]} for e in found if float(e["r2"]) >= r2 and float(e["d_prime"]) >= d_prime]


def known_population(name: str) -> None:
    """Raises Refusal for a population that the service does not know."""
    if row("SELECT 1 FROM populations WHERE name = ?", name) is None:
        raise Refusal(f"Could not fetch population object for population name: {name}")


@served
def ld_around(request: Request, name: str, identifier: str, population: str) -> object:
    """Pairs of a variant with its neighbours, for the windows that were computed by the service."""
    plain = species(name)["name"]
    known_population(population)
    window = number(request, "window_size")
    found = rows("SELECT * FROM ld WHERE variation1 = ? AND population = ? AND window_kb = ?", identifier, population,
                 int(window) if window is not None else 500)
    if plain != "homo_sapiens" or not found:
        raise Refusal(f"Could not fetch variation object for id: {identifier}.")
    unanswerable(request, ("attribs",), f"Could not fetch variation object for id: {identifier}.")
    return thresholds(request, found)


@served
def ld_pairwise(request: Request, name: str, one: str, two: str) -> object:
    """The pair of two variants, in one population or in all that were computed."""
    plain = species(name)["name"]
    population = request.args.get("population_name")
    if population:
        known_population(population)
    found = rows("SELECT DISTINCT variation1, variation2, population, r2, d_prime FROM ld WHERE ((variation1 = ? AND variation2 = ?) OR "
                 "(variation1 = ? AND variation2 = ?)) ORDER BY population", one, two, two, one)
    if population:
        found = [e for e in found if e["population"] == population]
    elif not row("SELECT 1 FROM ld WHERE variation1 = ? AND variation2 = ? AND window_kb IS NULL", one, two):
        found = []
    if plain != "homo_sapiens" or not found:
        raise Refusal(f"Could not fetch variation object for id: {one}.")
    return thresholds(request, found)


@served
def ld_region(request: Request, name: str, text: str, population: str) -> object:
    """Pairs within a region: none are sourced."""
    slice_of(species(name)["name"], text)
    known_population(population)
    return []


def association(entry: sqlite3.Row) -> dict[str, object]:
    """One phenotype association as the service writes it."""
    attributes = kept({key: entry[key] for key in ("risk_allele", "p_value", "odds_ratio", "beta_coefficient", "associated_gene",
                                                    "external_reference")} | {"external_id": entry["study"]})
    return {"description": entry["description"], "location": f"{entry['seq_region']}:{entry['start']}-{entry['start']}",
            "source": entry["origin"], "attributes": attributes}


def accession_of(text: str) -> str:
    """An ontology accession in the form of the tables (EFO_0003924)."""
    return text.replace(":", "_", 1)


def mapped_features(request: Request, accession: str) -> list[dict]:
    """The associations of an accession, optionally of one data source."""
    found = rows('SELECT * FROM phenotype_features WHERE accession = ? ORDER BY variant, study, p_value', accession)
    source = request.args.get("source")
    return [association(e) | {"mapped_to_accession": e["accession"].replace("_", ":", 1), "Variation": e["variant"]} for e in found
            if not source or e["origin"] == source]


@served
def phenotype_accession(request: Request, name: str, accession: str) -> object:
    """Associations of an ontology term by its accession."""
    if species(name)["name"] != "homo_sapiens":
        return []
    return mapped_features(request, accession_of(accession))


@served
def phenotype_term(request: Request, name: str, term: str) -> object:
    """Associations of an ontology term by its name."""
    if species(name)["name"] != "homo_sapiens":
        return []
    found = rows("SELECT DISTINCT accession FROM phenotype_features WHERE trait = ? COLLATE NOCASE ORDER BY accession", term)
    return [e for entry in found for e in mapped_features(request, entry["accession"])]


@served
def phenotype_gene(request: Request, name: str, gene: str) -> object:
    """Associations of a gene: those of variants for which the gene is named, when they are asked for."""
    plain = species(name)["name"]
    found = rows("SELECT * FROM phenotype_features WHERE associated_gene = ? COLLATE NOCASE ORDER BY variant, study", gene)
    if not found and gene_by_symbol(plain, gene) is None:
        raise Refusal(f"Gene {gene} not found.")
    if plain != "homo_sapiens" or not flag(request, "include_associated"):
        return []
    return [association(e) | {"Variation": e["variant"], "ontology_accessions": [e["accession"].replace("_", ":", 1)]} for e in found]


@served
def phenotype_region(request: Request, name: str, text: str) -> object:
    """Associations of the variants of a region."""
    plain = species(name)["name"]
    place, start, end, _ = slice_of(plain, text)
    if plain != "homo_sapiens" or request.args.get("feature_type", "Variation") != "Variation":
        return []
    brief = flag(request, "only_phenotypes")
    out: dict[str, list] = {}
    for entry in rows('SELECT * FROM phenotype_features WHERE seq_region = ? AND "start" BETWEEN ? AND ? ORDER BY variant, description, study',
                      place, start, end):
        body = ({"description": entry["description"]} if brief else association(entry)) | {
            "ontology_accessions": [entry["accession"].replace("_", ":", 1)]}
        group = out.setdefault(entry["variant"], [])
        if body not in group:
            group.append(body)
    return [{"id": variant, "phenotype_associations": group} for variant, group in out.items()]


@served
def recode(request: Request, name: str, identifier: str) -> object:
    """Other names of a variant: only what was recorded."""
    species(name)
    raise Refusal(f"No variant found with ID '{identifier}'")


@served
def predict(request: Request, name: str, **parts: str) -> object:
    """Consequences of a variant: only what was recorded."""
    species(name)
    what = parts.get("identifier") or parts.get("notation", "")
    raise Refusal(f"Unable to parse HGVS notation '{what}'" if "notation" in parts else f"No variant found with ID '{what}'")


@served
def predict_region(request: Request, name: str, text: str, allele: str) -> object:
    """Consequences of an allele at a place: only what was recorded for a variant that is there."""
    species(name)
    if not ALLELE.fullmatch(allele.strip("/")):
        raise Refusal(f"Allele must be A,T,G,C or SO term [got: {allele.strip('/')}]")
    raise Refusal(GENERIC)


def by_article(kind: str) -> Callable[..., Response]:
    """A handler for the variants of an article: none are sourced."""

    @served
    def handler(request: Request, name: str, article: str) -> object:
        species(name)
        raise Refusal(f"{kind} ({article}) not found for {name}")

    return handler


ROUTES = [
    ("/variation/<name>/<identifier>", variation),
    ("/variation/<name>/pmid/<article>", by_article("PMID")),
    ("/variation/<name>/pmcid/<article>", by_article("PMCID")),
    ("/ld/<name>/pairwise/<one>/<two>", ld_pairwise),
    ("/ld/<name>/region/<text>/<population>", ld_region),
    ("/ld/<name>/<identifier>/<population>", ld_around),
    ("/phenotype/accession/<name>/<accession>", phenotype_accession),
    ("/phenotype/term/<name>/<path:term>", phenotype_term),
    ("/phenotype/gene/<name>/<gene>", phenotype_gene),
    ("/phenotype/region/<name>/<text>", phenotype_region),
    ("/variant_recoder/<name>/<path:identifier>", recode),
    ("/vep/<name>/hgvs/<path:notation>", predict),
    ("/vep/<name>/id/<identifier>", predict),
    ("/vep/<name>/region/<text>/<path:allele>", predict_region),
    ("/transcript_haplotypes/<name>/<what>", refuses("Unable to fetch transcript with ID {what}")),
]
