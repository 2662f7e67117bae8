"""Ensembl endpoints about stable identifiers: lookup, archive and cross-references."""

from __future__ import annotations

import sqlite3

from werkzeug import Request

from biotool_lib.atlas.ensembl_service import (
    Refusal,
    bare,
    find,
    flag,
    gene_by_symbol,
    kept,
    served,
    species,
    unanswerable,
)
from biotool_lib.atlas.store import row, rows

FORMATS = ("full", "condensed")


def place(entry: sqlite3.Row) -> dict[str, object]:
    """The keys that say where a feature lies."""
    return {"seq_region_name": entry["seq_region"], "start": entry["start"], "end": entry["end"], "strand": entry["strand"],
            "assembly_name": entry["assembly"]}


def gene_body(entry: sqlite3.Row) -> dict[str, object]:
    """The lookup body of a gene."""
    return kept({"id": entry["id"], "object_type": "Gene", "db_type": "core", "species": entry["species"], "display_name": entry["symbol"],
                 "description": entry["description"], "biotype": entry["biotype"], "version": entry["version"],
                 "canonical_transcript": entry["canonical_transcript"], **place(entry)})


def transcript_body(entry: sqlite3.Row) -> dict[str, object]:
    """The lookup body of a transcript."""
    return kept({"id": entry["id"], "object_type": "Transcript", "db_type": "core", "species": entry["species"],
                 "display_name": entry["display_name"], "biotype": entry["biotype"], "version": entry["version"], "Parent": entry["gene"],
                 "is_canonical": entry["is_canonical"], **place(entry)})


def exon_body(entry: sqlite3.Row) -> dict[str, object]:
    """The lookup body of an exon."""
    return kept({"id": entry["id"], "object_type": "Exon", "db_type": "core", "species": entry["species"], "version": entry["version"],
                 **place(entry)})


def translation_body(entry: sqlite3.Row) -> dict[str, object]:
    """The lookup body of a protein."""
    return kept({"id": entry["translation"], "object_type": "Translation", "db_type": "core", "species": entry["species"],
                 "version": entry["translation_version"], "Parent": entry["id"], "start": entry["cds_start"], "end": entry["cds_end"],
                 "length": entry["protein_length"]})


def exons_of(transcript: str) -> list[sqlite3.Row]:
    """The exons of a transcript in their order."""
    return rows('SELECT * FROM exons WHERE transcript = ? ORDER BY "rank"', transcript)


def whole_transcript(entry: sqlite3.Row, mane: bool) -> dict[str, object]:
    """A transcript with its exons and translation; raises Refusal where the exons are not known with their ids."""
    exons = exons_of(entry["id"])
    if not exons or not all(exon["id"] for exon in exons):
        raise Refusal(f"ID '{entry['id']}' not found")
    body = transcript_body(entry) | {"length": sum(e["end"] - e["start"] + 1 for e in exons), "Exon": [exon_body(e) for e in exons]}
    if entry["translation"]:
        body["Translation"] = translation_body(entry)
    return body | (mane_part(entry) if mane else {})


def mane_part(entry: sqlite3.Row) -> dict[str, object]:
    """The MANE list that is added on request."""
    if not entry["mane"]:
        return {"MANE": []}
    return {"MANE": [kept({"id": f"{entry['id']}.{entry['version']}", "refseq_match": entry["refseq"],
                           "type": entry["mane"].replace(" ", "_"), "object_type": "mane", "Parent": entry["gene"]})]}


def describe(kind: str, entry: sqlite3.Row, request: Request) -> dict[str, object]:
    """The lookup body of one object under the given switches."""
    style = request.args.get("format", "full")
    if style not in FORMATS:
        raise Refusal(f"The format '{style}' is not an understood encoding")
    expand, mane = flag(request, "expand"), flag(request, "mane")
    if expand and kind not in ("Gene", "Transcript"):
        raise Refusal("Expand option only available for Genes and Transcripts")
    unanswerable(request, ("utr", "phenotypes"), f"ID '{entry['id']}' not found")
    if kind == "Transcript":
        body = whole_transcript(entry, mane) if expand else transcript_body(entry) | (mane_part(entry) if mane else {})
    elif kind == "Gene":
        body = gene_body(entry)
        if expand:
            # Only genes of which every transcript is known can be expanded truthfully.
            if not entry["complete"]:
                raise Refusal(f"ID '{entry['id']}' not found")
            inside = rows("SELECT * FROM transcripts WHERE gene = ? AND exons_known = 1 ORDER BY id", entry["id"])
            body["Transcript"] = [whole_transcript(t, mane) for t in inside]
    else:
        body = translation_body(entry) if kind == "Translation" else exon_body(entry)
    if style == "condensed":
        for key in ("display_name", "description", "biotype", "assembly_name", "canonical_transcript"):
            body.pop(key, None)
    return body


@served
def lookup_id(request: Request, identifier: str) -> object:
    """Place and name of a stable id."""
    kind, entry = find(identifier)
    wanted = request.args.get("species")
    if wanted and species(wanted)["name"] != entry["species"]:
        raise Refusal(f"ID '{identifier}' not found")
    if request.args.get("db_type", "core") != "core":
        raise Refusal(f"ID '{identifier}' not found")
    return describe(kind, entry, request)


@served
def lookup_symbol(request: Request, name: str, symbol: str) -> object:
    """Place and name of a gene by its symbol."""
    entry = gene_by_symbol(species(name)["name"], symbol)
    if entry is None:
        raise Refusal(f"No valid lookup found for symbol {symbol}")
    return describe("Gene", entry, request)


@served
def archive(request: Request, identifier: str) -> object:
    """The latest version of a stable id, as far as a release states it."""
    entry = row("SELECT * FROM archive_ids WHERE id = ?", bare(identifier))
    version = identifier[len(bare(identifier)) + 1:]
    if entry is None or (version and version != str(entry["version"])):
        raise Refusal(f"No archive found for {identifier}")
    body = {"id": entry["id"], "version": entry["version"], "type": entry["type"], "latest": f"{entry['id']}.{entry['version']}",
            "assembly": "GRCh38", "release": entry["release"]}
    return kept(body) | ({"is_current": "1", "peptide": None, "possible_replacement": []} if entry["release"] else {})


def xref_body(entry: sqlite3.Row) -> dict[str, object]:
    """One cross-reference as the service writes it."""
    return {"dbname": entry["dbname"], "db_display_name": entry["db_display_name"], "primary_id": entry["primary_id"],
            "display_id": entry["display_id"], "description": entry["description"],
            "synonyms": entry["synonyms"].split("|") if entry["synonyms"] else []}


def chosen(entries: list[sqlite3.Row], request: Request) -> list[sqlite3.Row]:
    """The entries of the database that was asked for; `%` stands for anything, as in the service."""
    wanted = request.args.get("external_db")
    if not wanted:
        return entries
    start = wanted.lower().split("%")[0]
    return [e for e in entries if e["dbname"].lower() == wanted.lower() or ("%" in wanted and e["dbname"].lower().startswith(start))]


@served
def xrefs_id(request: Request, identifier: str) -> object:
    """Entries of other databases for a stable id."""
    plain = bare(identifier)
    own = rows("SELECT * FROM ensembl_xrefs WHERE id = ? ORDER BY dbname, primary_id", plain)
    if not own:
        find(identifier)
    if flag(request, "all_levels"):
        inside = rows("SELECT id, translation FROM transcripts WHERE gene = ? OR id = ? ORDER BY id", plain, plain)
        for entry in inside:
            for child in (entry["id"], entry["translation"]):
                if child and child != plain:
                    own += rows("SELECT * FROM ensembl_xrefs WHERE id = ? ORDER BY dbname, primary_id", child)
    kind = request.args.get("object_type")
    if kind and own and own[0]["object_type"] != kind.lower():
        raise Refusal(f"ID '{identifier}' not found")
    return [xref_body(e) for e in chosen(own, request)]


def linked(name: str, symbol: str) -> list[sqlite3.Row]:
    """Cross-references that carry a name as label, accession or synonym."""
    exact = rows("SELECT * FROM ensembl_xrefs WHERE species = ? AND (display_id = ? COLLATE NOCASE OR primary_id = ? COLLATE NOCASE) "
                 "ORDER BY dbname, primary_id", name, symbol, symbol)
    return exact or [e for e in rows("SELECT * FROM ensembl_xrefs WHERE species = ? AND synonyms LIKE ? ORDER BY dbname, primary_id", name,
                                     f"%{symbol}%") if symbol.lower() in (e["synonyms"] or "").lower().split("|")]


@served
def xrefs_symbol(request: Request, name: str, symbol: str) -> object:
    """Ensembl objects that a symbol is linked to."""
    entries = chosen(linked(species(name)["name"], symbol), request)
    kind = request.args.get("object_type")
    found: dict[str, str] = {}
    for entry in entries:
        found.setdefault(entry["id"], entry["object_type"])
        if entry["lrg"] and entry["dbname"] == "HGNC":
            found.setdefault(entry["lrg"], "gene")
    return [{"id": i, "type": t} for i, t in found.items() if not kind or t == kind.lower()]


@served
def xrefs_name(request: Request, name: str, label: str) -> object:
    """Entries of other databases by their name."""
    return [xref_body(e) for e in chosen(linked(species(name)["name"], label), request)]


ROUTES = [
    ("/lookup/id/<identifier>", lookup_id),
    ("/lookup/symbol/<name>/<symbol>", lookup_symbol),
    ("/archive/id/<identifier>", archive),
    ("/xrefs/id/<identifier>", xrefs_id),
    ("/xrefs/symbol/<name>/<path:symbol>", xrefs_symbol),
    ("/xrefs/name/<name>/<path:label>", xrefs_name),
]
