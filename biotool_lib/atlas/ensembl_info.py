"""Ensembl endpoints about the service itself, and the endpoints of which nothing is sourced."""

from __future__ import annotations

import re
import sqlite3

from werkzeug import Request

from biotool_lib.atlas.ensembl_service import (
    Refusal,
    find,
    flag,
    gene_by_symbol,
    kept,
    like,
    served,
    slice_of,
    species,
)
from biotool_lib.atlas.store import row, rows


def release(what: str) -> str:
    """A release number or state that was recorded."""
    return rows("SELECT value FROM ensembl_releases WHERE what = ?", what)[0]["value"]


@served
def ping(request: Request) -> object:
    """Whether the service is there."""
    return {"ping": int(release("ping"))}


@served
def rest(request: Request) -> object:
    """The version of the interface."""
    return {"release": release("rest")}


@served
def software(request: Request) -> object:
    """The version of the software."""
    return {"release": int(release("software"))}


@served
def data(request: Request) -> object:
    """The releases of the data."""
    return {"releases": [int(release("data"))]}


@served
def species_list(request: Request) -> object:
    """The species that the atlas knows; divisions and strain collections are not known."""
    if request.args.get("division") or request.args.get("strain_collection"):
        return {"species": []}
    found = rows("SELECT * FROM species WHERE listed = 1 ORDER BY name")
    return {"species": [kept({"name": s["name"], "display_name": s["display_name"], "taxon_id": str(s["taxon_id"]), "assembly": s["assembly"],
                              "aliases": s["aliases"].split("|") if s["aliases"] else None}) for s in found]}


def place(text: str) -> tuple[int, int, str]:
    """Sorts chromosomes by number, then letters, then scaffolds."""
    return (0, int(text), "") if text.isdigit() else (1 if text in ("X", "Y") else 2 if text == "MT" else 3, 0, text)


@served
def assembly(request: Request, name: str) -> object:
    """The sequences of an assembly."""
    plain = species(name)["name"]
    found = sorted(rows("SELECT * FROM chromosomes WHERE species = ?", plain), key=lambda e: place(e["name"]))
    if not found or flag(request, "bands") or flag(request, "synonyms"):
        raise Refusal(f"Could not fetch adaptor for species {name}")
    return {"default_coord_system_version": found[0]["assembly"],
            "karyotype": [e["name"] for e in found if e["coord_system"] == "chromosome"],
            "top_level_region": [{"name": e["name"], "length": e["length"], "coord_system": e["coord_system"]} for e in found]}


@served
def assembly_region(request: Request, name: str, region_name: str) -> object:
    """One sequence of an assembly."""
    plain = species(name)["name"]
    found = row("SELECT * FROM chromosomes WHERE species = ? AND name = ?", plain, region_name)
    if found is None or flag(request, "bands") or flag(request, "synonyms"):
        raise Refusal(f"No slice found for {region_name}")
    chromosome = found["coord_system"] == "chromosome"
    return {"assembly_exception_type": "REF", "coordinate_system": found["coord_system"], "assembly_name": found["assembly"],
            "is_chromosome": 1 if chromosome else 0, "length": found["length"]} | ({} if region_name == "MT" else {"is_circular": 0})


@served
def consequence_types(request: Request) -> object:
    """The consequence terms."""
    found = rows('SELECT * FROM consequence_types ORDER BY "rank", so_term')
    return [{"SO_term": c["so_term"], "SO_accession": c["so_accession"], "label": c["label"], "description": c["description"]}
            | ({"consequence_ranking": str(c["rank"])} if flag(request, "rank") else {}) for c in found]


def population(entry: sqlite3.Row) -> dict[str, object]:
    """One population as the service writes it."""
    return kept({"name": entry["name"], "description": entry["description"], "size": entry["size"]})


@served
def populations(request: Request, name: str) -> object:
    """The populations of a species, optionally those with linkage data."""
    plain = species(name)["name"]
    only = " AND ld = 1" if request.args.get("filter") == "LD" else ""
    return [population(e) for e in rows(f"SELECT * FROM populations WHERE species = ?{only} ORDER BY name", plain)]


@served
def population_name(request: Request, name: str, wanted: str) -> object:
    """One population; its individuals are not known here."""
    plain = species(name)["name"]
    found = rows("SELECT * FROM populations WHERE species = ? AND name = ?", plain, wanted)
    if not found:
        raise Refusal(f"Could not fetch population object for population name: {wanted}")
    return [population(e) for e in found]


@served
def external_dbs(request: Request, name: str) -> object:
    """The external databases; `%` in the filter stands for anything."""
    species(name)
    feature = request.args.get("feature")
    if feature:
        raise Refusal(f"No external db entries for feature '{feature}'")
    found = rows(r"SELECT * FROM external_dbs WHERE name LIKE ? ESCAPE '\' ORDER BY name", like(request.args.get("filter", "%")))
    return [{"name": e["name"], "display_name": e["display_name"], "release": e["release"], "description": e["description"]} for e in found]


@served
def compara_methods(request: Request) -> object:
    """The comparative methods by class, optionally of the classes that hold a word."""
    wanted = request.args.get("class", "")
    if request.args.get("compara", "vertebrates") not in ("vertebrates", "multi"):
        raise Refusal(f"Cannot find a compara database for {request.args['compara']}")
    out: dict[str, list[str]] = {}
    for entry in rows("SELECT * FROM compara_methods ORDER BY class, method"):
        if re.search(re.escape(wanted), entry["class"]):
            out.setdefault(entry["class"], []).append(entry["method"])
    return out


def refuses(message: str) -> object:
    """A handler for an endpoint without sourced content: the service's words for an unknown thing."""

    @served
    def handler(request: Request, **parts: str) -> object:
        if "name" in parts:
            species(parts["name"])
        raise Refusal(message.format(**parts))

    return handler


def refuses_member(kind: str) -> object:
    """A handler for trees by member: an unknown gene and a gene without a tree are different errors."""

    @served
    def handler(request: Request, name: str, member: str) -> object:
        plain = species(name)["name"]
        if kind == "symbol" and gene_by_symbol(plain, member) is None:
            raise Refusal(f"No content for [{member}]")
        if kind == "id":
            try:
                find(member)
            except Refusal as unknown:
                raise Refusal(f"Unable to find given object: {member}") from unknown
        raise Refusal("Could not fetch GeneTree Member")

    return handler


@served
def alignment(request: Request, name: str, text: str) -> object:
    """Alignments of a region: only what was recorded."""
    slice_of(species(name)["name"], text)
    raise Refusal(f"no alignment available for this region, for {text}")


ROUTES = [
    ("/info/ping", ping),
    ("/info/rest", rest),
    ("/info/software", software),
    ("/info/data", data),
    ("/info/species", species_list),
    ("/info/assembly/<name>", assembly),
    ("/info/assembly/<name>/<region_name>", assembly_region),
    ("/info/variation/consequence_types", consequence_types),
    ("/info/variation/populations/<name>", populations),
    ("/info/variation/populations/<name>/<wanted>", population_name),
    ("/info/external_dbs/<name>", external_dbs),
    ("/info/compara/methods", compara_methods),
    ("/info/compara/species_sets/<what>", refuses("No method found for {what}")),
    ("/info/analysis/<name>", refuses("Could not fetch adaptor for species {name}")),
    ("/info/biotypes/<name>", refuses("Could not fetch adaptor for species {name}")),
    ("/info/biotypes/groups", refuses("biotype groups not found")),
    ("/info/biotypes/groups/<what>", refuses("biotypes not found for group {what}")),
    ("/info/biotypes/groups/<what>/<kind>", refuses("biotypes not found for group {what} and object_type {kind}")),
    ("/info/biotypes/name/<what>", refuses("biotypes not found for name {what}")),
    ("/info/biotypes/name/<what>/<kind>", refuses("biotypes not found for name {what} and object_type {kind}")),
    ("/info/divisions", refuses("No divisions found")),
    ("/info/eg_version", refuses("No Ensembl Genomes version found")),
    ("/info/genomes/<what>", refuses("Genome {what} not found")),
    ("/info/genomes/accession/<what>", refuses("Genome with accession {what} not found")),
    ("/info/genomes/assembly/<what>", refuses("Genome with assembly {what} not found")),
    ("/info/genomes/division/<what>", refuses("Division {what} not found")),
    ("/info/genomes/taxonomy/<what>", refuses("Taxon {what} not found")),
    ("/info/variation/<name>", refuses("Could not fetch adaptor for species {name}")),
    ("/alignment/region/<name>/<text>", alignment),
    ("/cafe/genetree/id/<what>", refuses("No GeneTree found for ID {what}")),
    ("/cafe/genetree/member/id/<name>/<member>", refuses_member("id")),
    ("/cafe/genetree/member/symbol/<name>/<member>", refuses_member("symbol")),
    ("/genetree/id/<what>", refuses("No GeneTree found for ID {what}")),
    ("/genetree/member/id/<name>/<member>", refuses_member("id")),
    ("/genetree/member/symbol/<name>/<member>", refuses_member("symbol")),
    ("/species/<name>/binding_matrix/<what>", refuses("Binding matrix {what} not found")),
    ("/transcript_haplotypes/<name>/<what>", refuses("ID '{what}' not found")),
    ("/ga4gh/beacon", refuses("Beacon not found")),
    ("/ga4gh/beacon/query", refuses("Beacon not found")),
    *[(f"/ga4gh/{kind}/<what>", refuses(f"Can't find {kind} {{what}}")) for kind in (
        "callsets", "datasets", "features", "featuresets", "references", "referencesets", "variantannotationsets", "variants", "variantsets")],
]
