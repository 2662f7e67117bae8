"""Ensembl endpoints that turn one kind of coordinate into another, and the orthologues."""

from __future__ import annotations

import re
import sqlite3

from werkzeug import Request

from biotool_lib.atlas.ensembl import exons_of
from biotool_lib.atlas.ensembl_service import (
    Refusal,
    bare,
    find,
    gene_by_symbol,
    region,
    served,
    species,
    unanswerable,
)
from biotool_lib.atlas.store import rows


def pieces(transcript: sqlite3.Row, coding: bool) -> list[tuple[int, int]]:
    """Genomic pieces of a transcript (or of its coding part) in transcript order; raises Refusal where they are unknown."""
    exons = [(e["start"], e["end"]) for e in exons_of(transcript["id"])] if transcript["exons_known"] else []
    if coding:
        if transcript["cds_start"] is None:
            exons = []
        low, high = transcript["cds_start"], transcript["cds_end"]
        exons = [(max(s, low), min(e, high)) for s, e in exons if e >= low and s <= high]
    if not exons:
        raise Refusal(f"Not possible to find an object with the ID '{transcript['id']}' in this release")
    return exons


def mapped(transcript: sqlite3.Row, parts: list[tuple[int, int]], start: int, end: int) -> list[dict]:
    """The genomic places of positions start to end along the pieces; what lies beyond them is a gap."""
    common = {"rank": 0, "seq_region_name": transcript["seq_region"], "coord_system": "chromosome", "assembly_name": transcript["assembly"]}
    out, done = [], 0
    for low, high in parts:
        size = high - low + 1
        first, last = max(start, done + 1), min(end, done + size)
        if first <= last:
            a, b = first - done - 1, last - done - 1
            place = (low + a, low + b) if transcript["strand"] == 1 else (high - b, high - a)
            out.append({"start": place[0], "end": place[1], "strand": transcript["strand"], "gap": 0, **common})
        done += size
    if end > done:
        out.append({"start": max(start, done + 1), "end": end, "strand": 0, "gap": 1, **common})
    return out


def bounds(text: str) -> tuple[int, int]:
    """Start and end of a range such as 100..300 or 100-300."""
    match = re.fullmatch(r"(\d+)(?:\.\.|-)(\d+)", text)
    if not match or not 0 < int(match[1]) <= int(match[2]):
        raise Refusal("Region did not correctly parse. Please check documentation")
    return int(match[1]), int(match[2])


def along(request: Request, identifier: str, text: str, kind: str, coding: bool) -> object:
    """Map a range along a transcript, its coding sequence or its protein; raises Refusal for what is not known."""
    found, entry = find(identifier)
    if found != kind:
        raise Refusal(f"Expected a Bio::EnsEMBL::{kind} object but got a Bio::EnsEMBL::{found} object back. Check your ID")
    wanted = request.args.get("species")
    if wanted and species(wanted)["name"] != entry["species"]:
        raise Refusal(f"Not possible to find an object with the ID '{identifier}' in this release")
    unanswerable(request, ("include_original_region",), f"Not possible to find an object with the ID '{identifier}' in this release")
    start, end = bounds(text)
    if kind == "Translation":
        start, end = 3 * start - 2, 3 * end
    return {"mappings": mapped(entry, pieces(entry, coding), start, end)}


@served
def map_cdna(request: Request, identifier: str, text: str) -> object:
    """Positions along a transcript on the genome."""
    return along(request, identifier, text, "Transcript", False)


@served
def map_cds(request: Request, identifier: str, text: str) -> object:
    """Positions along a coding sequence on the genome."""
    return along(request, identifier, text, "Transcript", True)


@served
def map_translation(request: Request, identifier: str, text: str) -> object:
    """Positions along a protein on the genome."""
    return along(request, identifier, text, "Translation", True)


@served
def map_assembly(request: Request, name: str, one: str, text: str, two: str) -> object:
    """A region of one assembly on another, where a sourced piece of both holds it."""
    plain = species(name)["name"]
    place, start, end, strand = region(text)
    for entry in rows("SELECT * FROM assembly_map WHERE species = ? AND seq_region = ?", plain, place):
        sides = {entry["assembly_one"]: (entry["start_one"], entry["end_one"]), entry["assembly_two"]: (entry["start_two"], entry["end_two"])}
        if one in sides and two in sides and one != two and sides[one][0] <= start and end <= sides[one][1]:
            shift = sides[two][0] - sides[one][0]
            common = {"seq_region_name": place, "strand": strand, "coord_system": "chromosome"}
            return {"mappings": [{"original": {"assembly": one, "start": start, "end": end, **common},
                                  "mapped": {"assembly": two, "start": start + shift, "end": end + shift, **common}}]}
    return {"mappings": []}


TYPES = {"orthologues": True, "all": True, "paralogues": False, "projections": False}


def homologues(request: Request, gene: str) -> object:
    """One-to-one orthologues of a gene in the species asked for."""
    kind, style = request.args.get("type", "all").lower(), request.args.get("format", "full")
    if style not in ("full", "condensed"):
        raise Refusal(f"The format '{style}' is not an understood encoding")
    if kind not in TYPES:
        raise Refusal(f"The type '{kind}' is not a known available type")
    targets = {species(name)["name"] for name in request.args.getlist("target_species")}
    targets |= {species(taxon)["name"] for taxon in request.args.getlist("target_taxon")}
    found = rows("SELECT * FROM homologies WHERE gene = ?", gene)
    # Without a target the service lists every species, which is not known here; nor are paralogues.
    if not targets or not TYPES[kind] or not any(e["target_species"] in targets for e in found):
        _unknown(gene)
    return {"data": [{"id": gene, "homologies": [homology(e, style) for e in found if e["target_species"] in targets]}]}


def _unknown(gene: str) -> None:
    raise Refusal(f"Could not find the ID '{gene}' in any database. Please try again")


def homology(entry: sqlite3.Row, style: str) -> dict[str, object]:
    """One pair; the sources say nothing of the method, the type or the identity, so these keys are left out."""
    if style == "condensed":
        return {"id": entry["target_gene"], "species": entry["target_species"]}
    return {"source": {"id": entry["gene"], "species": entry["species"], "taxon_id": entry["taxon_id"]},
            "target": {"id": entry["target_gene"], "species": entry["target_species"], "taxon_id": entry["target_taxon_id"]}}


@served
def homology_id(request: Request, name: str, identifier: str) -> object:
    """Orthologues of a gene by its stable id."""
    plain = species(name)["name"]
    gene = bare(identifier)
    if not rows("SELECT 1 FROM homologies WHERE gene = ? AND species = ?", gene, plain):
        _unknown(identifier)
    return homologues(request, gene)


@served
def homology_symbol(request: Request, name: str, symbol: str) -> object:
    """Orthologues of a gene by its symbol."""
    plain = species(name)["name"]
    found = rows("SELECT gene FROM homologies WHERE species = ? AND symbol = ? COLLATE NOCASE", plain, symbol)
    if not found:
        other = gene_by_symbol(plain, symbol)
        if other is not None:
            _unknown(other["id"])
        raise Refusal(f"Cannot find a suitable gene for the symbol '{symbol}' and species '{name}")
    return homologues(request, found[0]["gene"])


ROUTES = [
    ("/map/cdna/<identifier>/<text>", map_cdna),
    ("/map/cds/<identifier>/<text>", map_cds),
    ("/map/translation/<identifier>/<text>", map_translation),
    ("/map/<name>/<one>/<text>/<two>", map_assembly),
    ("/homology/id/<name>/<identifier>", homology_id),
    ("/homology/symbol/<name>/<symbol>", homology_symbol),
]
