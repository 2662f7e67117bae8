"""Ensembl endpoints about the service itself: releases, species, assemblies, and the words that its data use."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable

from werkzeug import Request, Response

from biotool_lib.atlas.ensembl_service import (
    GENERIC,
    HUMAN,
    Refusal,
    flag,
    kept,
    like,
    nothing,
    refuses,
    served,
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
    """The species that the atlas knows, all of one division; strain collections are not known."""
    if request.args.get("division", "EnsemblVertebrates").lower() != "ensemblvertebrates" or request.args.get("strain_collection"):
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
        raise Refusal(GENERIC)
    return {"default_coord_system_version": found[0]["assembly"],
            "karyotype": [e["name"] for e in found if e["coord_system"] == "chromosome"],
            "top_level_region": [{"name": e["name"], "length": e["length"], "coord_system": e["coord_system"]} for e in found]}


@served
def assembly_region(request: Request, name: str, region_name: str) -> object:
    """One sequence of an assembly."""
    plain = species(name)["name"]
    found = row("SELECT * FROM chromosomes WHERE species = ? AND name = ?", plain, region_name)
    if found is None or flag(request, "bands") or flag(request, "synonyms"):
        raise Refusal(f"No slice found for location {region_name}")
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
    plain, wanted = species(name)["name"], request.args.get("filter")
    if wanted and wanted != "LD":
        raise Refusal(f"Unknown filter option '{wanted}'")
    only = " AND ld = 1" if wanted else ""
    return [population(e) for e in rows(f"SELECT * FROM populations WHERE species = ?{only} ORDER BY name", plain)]


@served
def population_name(request: Request, name: str, wanted: str) -> object:
    """One population; its individuals are not known here."""
    plain = species(name)["name"]
    found = rows("SELECT * FROM populations WHERE species = ? AND name = ?", plain, wanted)
    if not found:
        raise Refusal(f"Population '{wanted}' not found.")
    return [population(e) for e in found]


@served
def external_dbs(request: Request, name: str) -> object:
    """The external databases; `%` in the filter stands for anything."""
    core_only(name)
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
        raise Refusal(GENERIC)
    out: dict[str, list[str]] = {}
    for entry in rows("SELECT * FROM compara_methods ORDER BY class, method"):
        if re.search(re.escape(wanted), entry["class"]):
            out.setdefault(entry["class"], []).append(entry["method"])
    return out


def core_only(name: str) -> str:
    """The production name of a species; raises Refusal in the words of the pages that open its core database."""
    try:
        return species(name)["name"]
    except Refusal as unknown:
        raise Refusal(f"Could not fetch adaptor for species {name}") from unknown


@served
def biotypes(request: Request, name: str) -> object:
    """The biotypes of the genes and transcripts of a species that are held here."""
    plain = core_only(name)
    objects: dict[str, list[str]] = {}
    for kind, table in (("gene", "genes"), ("transcript", "transcripts")):
        for entry in rows(f"SELECT DISTINCT biotype FROM {table} WHERE species = ? AND biotype IS NOT NULL", plain):
            objects.setdefault(entry["biotype"], []).append(kind)
    if not objects:
        raise Refusal(f"Could not fetch adaptor for species {name}")
    return [{"biotype": biotype, "groups": ["core"], "objects": kinds} for biotype, kinds in sorted(objects.items())]


@served
def biotype_groups(request: Request) -> object:
    """The groups of biotypes."""
    return [e["biotype_group"] for e in rows("SELECT DISTINCT biotype_group FROM biotypes ORDER BY biotype_group COLLATE NOCASE")]


def biotype_list(column: str, words: str) -> Callable[..., Response]:
    """A handler for the biotypes of a group or name, optionally those of one kind of object."""

    @served
    def handler(request: Request, what: str, kind: str | None = None) -> object:
        found = rows("SELECT b.*, t.name AS so_term FROM biotypes b LEFT JOIN ontology_terms t ON t.accession = b.so_acc "
                     f"WHERE b.{column} = ? AND b.object_type = coalesce(?, b.object_type) ORDER BY b.object_type, b.name", what, kind)
        if not found:
            raise Refusal(f"biotypes not found for {words} {what}" + (f" and object_type {kind}" if kind else ""), 404)
        return [{key: e[key] for key in ("name", "biotype_group", "object_type", "so_acc", "so_term")} for e in found]

    return handler


@served
def analysis(request: Request, name: str) -> object:
    """The analyses behind the annotation of a species; the service lists none for a species that it does not know."""
    plain = name if name.lower() not in HUMAN else "homo_sapiens"
    return {e["logic_name"]: ["core"] for e in rows("SELECT * FROM analyses WHERE species = ? ORDER BY logic_name", plain)}


@served
def variation_sources(request: Request, name: str) -> object:
    """One source of variants by its name; the whole list is not known here."""
    plain, wanted = species(name)["name"], request.args.get("filter")
    if not wanted:
        raise Refusal(f"Variation sources not found for {name}")
    found = rows("SELECT * FROM variation_sources WHERE species = ? AND name = ?", plain, wanted)
    if not found:
        raise Refusal(f"Variation source '{wanted}' not found for {name}")
    return [{key: e[key] for key in ("name", "version", "description", "url", "somatic_status")} | {"data_types": e["data_types"].split("|")}
            for e in found]


@served
def species_sets(request: Request, what: str) -> object:
    """The species sets of a comparative method, as of release 80."""
    found = rows("SELECT * FROM species_sets WHERE method = ? ORDER BY name", what)
    if not found or request.args.get("compara", "vertebrates") not in ("vertebrates", "multi"):
        raise Refusal(GENERIC)
    return [{"species_set_group": e["species_set_group"] or "", "name": e["name"], "species_set": e["species"].split("|"), "method": e["method"]}
            for e in found]


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
    ("/info/compara/species_sets/<what>", species_sets),
    ("/info/analysis/<name>", analysis),
    ("/info/biotypes/<name>", biotypes),
    ("/info/biotypes/groups", biotype_groups),
    ("/info/biotypes/groups/<what>", biotype_list("biotype_group", "group")),
    ("/info/biotypes/groups/<what>/<kind>", biotype_list("biotype_group", "group")),
    ("/info/biotypes/name/<what>", biotype_list("name", "name")),
    ("/info/biotypes/name/<what>/<kind>", biotype_list("name", "name")),
    ("/info/variation/<name>", variation_sources),
    # Of the metadata of genomes nothing is sourced.
    ("/info/divisions", refuses("Could not get genome info adaptor")),
    ("/info/eg_version", refuses("Could not get genome info adaptor")),
    ("/info/genomes/<what>", refuses("Genome {what} not found")),
    ("/info/genomes/assembly/<what>", refuses("Genome with assembly accession {what} not found")),
    ("/info/genomes/accession/<what>", nothing()),
    ("/info/genomes/division/<what>", nothing()),
    ("/info/genomes/taxonomy/<what>", nothing()),
]
