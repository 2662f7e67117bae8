"""Ensembl endpoints about what lies in a region or on a protein, sequences, and binding matrices."""

from __future__ import annotations

import sqlite3

from werkzeug import Request

from biotool_lib.atlas.ensembl import exons_of, place
from biotool_lib.atlas.ensembl_map import pieces
from biotool_lib.atlas.ensembl_service import (
    GENERIC,
    Refusal,
    bare,
    find,
    kept,
    number,
    served,
    slice_of,
    species,
    unanswerable,
)
from biotool_lib.atlas.store import row, rows

TABLES = {"gene": "genes", "transcript": "transcripts", "exon": "exons"}
KNOWN = {"band", "gene", "transcript", "cds", "exon", "repeat", "simple", "misc", "variation", "somatic_variation", "structural_variation",
         "somatic_structural_variation", "constrained", "regulatory", "motif", "mane"}
COMPLEMENT = str.maketrans("ACGTacgt", "TGCAtgca")


def gene_feature(entry: sqlite3.Row) -> dict[str, object]:
    """The keys of a gene in an overlap."""
    return {"feature_type": "gene", "id": entry["id"], "gene_id": entry["id"], "external_name": entry["symbol"], "biotype": entry["biotype"],
            "version": entry["version"], "description": entry["description"], "canonical_transcript": entry["canonical_transcript"]}


def transcript_feature(entry: sqlite3.Row) -> dict[str, object]:
    """The keys of a transcript in an overlap."""
    return {"feature_type": "transcript", "id": entry["id"], "transcript_id": entry["id"], "Parent": entry["gene"],
            "external_name": entry["display_name"], "biotype": entry["biotype"], "version": entry["version"],
            "is_canonical": entry["is_canonical"]}


def exon_feature(entry: sqlite3.Row) -> dict[str, object]:
    """The keys of an exon in an overlap."""
    return {"feature_type": "exon", "id": entry["id"], "exon_id": entry["id"], "Parent": entry["transcript"], "rank": entry["rank"],
            "version": entry["version"]}


SHAPES = {"gene": gene_feature, "transcript": transcript_feature, "exon": exon_feature}


def variation_feature(entry: sqlite3.Row) -> dict[str, object]:
    """A variant in an overlap."""
    return kept({"feature_type": "variation", "id": entry["id"], "seq_region_name": entry["seq_region"], "start": entry["start"],
                 "end": entry["end"], "strand": 1, "assembly_name": "GRCh38", "source": "dbSNP",
                 "alleles": entry["allele_string"].split("/") if entry["allele_string"] else None,
                 "consequence_type": entry["most_severe_consequence"],
                 "clinical_significance": (entry["clinical_significance"] or "").split("|") if entry["clinical_significance"] else
                 [] if entry["recorded"] else None})


def overlapping(request: Request, plain: str, seq_region: str, start: int, end: int) -> list[dict]:
    """The known features of the kinds asked for that touch a stretch."""
    wanted = request.args.getlist("feature")
    if not wanted:
        raise Refusal("No feature given. Please specify a feature to retrieve from this service")
    out: list[dict] = []
    for kind in dict.fromkeys(wanted):
        if kind not in KNOWN:
            raise Refusal(f"The feature type {kind} is not understood")
        if kind in SHAPES:
            condition = ' AND "id" IS NOT NULL' if kind == "exon" else ""
            found = rows(f'SELECT * FROM {TABLES[kind]} WHERE species = ? AND seq_region = ? AND "end" >= ? AND "start" <= ?{condition} '
                         'ORDER BY "start", id', plain, seq_region, start, end)
            biotype = request.args.get("biotype")
            if biotype and kind != "exon":
                found = [e for e in found if e["biotype"] == biotype]
            out += [kept(SHAPES[kind](e) | place(e)) for e in found]
        elif kind == "variation" and plain == "homo_sapiens":
            unanswerable(request, ("variant_set",), f"No VariationSet found with short name: {request.args.get('variant_set')}")
            found = rows('SELECT * FROM variants WHERE seq_region = ? AND "end" >= ? AND "start" <= ? ORDER BY "start", id', seq_region, start, end)
            term = request.args.get("so_term")
            out += [variation_feature(e) for e in found if not term or e["most_severe_consequence"] == term]
    return out


@served
def overlap_region(request: Request, name: str, text: str) -> object:
    """Known features of a region."""
    plain = species(name)["name"]
    seq_region, start, end, _ = slice_of(plain, text)
    return overlapping(request, plain, seq_region, start, end)


@served
def overlap_id(request: Request, identifier: str) -> object:
    """Known features where another feature lies."""
    kind, entry = find(identifier)
    if kind == "Translation":
        raise Refusal("The given stable ID does not point to a Feature. Cannot perform overlap")
    return overlapping(request, entry["species"], entry["seq_region"], entry["start"], entry["end"])


def exon_stretches(transcript: sqlite3.Row) -> list[dict[str, object]]:
    """Which residues each exon codes for."""
    out, done, last = [], 0, transcript["protein_length"]
    for exon in exons_of(transcript["id"]):
        low, high = max(exon["start"], transcript["cds_start"]), min(exon["end"], transcript["cds_end"])
        if low <= high:
            first, done = done // 3 + 1, done + high - low + 1
            out.append({"feature_type": "translation_exon", "id": exon["id"], "rank": exon["rank"], "start": first,
                        "end": min((done - 1) // 3 + 1, last), "seq_region_name": transcript["translation"]})
    return out


def split_residues(transcript: sqlite3.Row) -> list[dict[str, object]]:
    """The residues whose codon two exons share."""
    out, done = [], 0
    for low, high in pieces(transcript, True):
        done += high - low + 1
        place = done // 3 + 1
        if done % 3 and place <= transcript["protein_length"]:
            out.append({"feature_type": "residue_overlap", "start": place, "end": place, "seq_region_name": transcript["translation"]})
    return out


def domain(entry: sqlite3.Row, transcript: sqlite3.Row) -> dict[str, object]:
    """A feature that an analysis found on a protein; its InterPro entry and description are not held."""
    return {"feature_type": "protein_feature", "type": entry["type"], "id": entry["id"], "hseqname": entry["id"], "start": entry["start"],
            "end": entry["end"], "hit_start": entry["hit_start"], "hit_end": entry["hit_end"], "cigar_string": "", "align_type": None,
            "seq_region_name": entry["translation"], "Parent": transcript["id"]}


@served
def overlap_translation(request: Request, identifier: str) -> object:
    """Features of a protein: domains of a few, and what follows from the exons where these are known."""
    kind, transcript = find(identifier)
    wanted = request.args.getlist("feature") or ["protein_feature"]
    for feature in wanted:
        if feature not in ("protein_feature", "translation_exon", "residue_overlap", "transcript_variation", "somatic_transcript_variation"):
            raise Refusal(f"The feature type {feature} is not understood")
    out: list[dict[str, object]] = []
    if kind == "Translation" and "protein_feature" in wanted:
        source = request.args.get("type")
        found = rows('SELECT * FROM translation_features WHERE translation = ? ORDER BY "start", id', transcript["translation"])
        out += [domain(e, transcript) for e in found if not source or e["type"].lower() == source.lower()]
    if kind == "Translation" and transcript["exons_known"] and transcript["protein_length"] and transcript["cds_start"]:
        out += exon_stretches(transcript) if "translation_exon" in wanted else []
        out += split_residues(transcript) if "residue_overlap" in wanted else []
    if not out:
        raise Refusal(f"ID '{identifier}' not found")
    return out


UNITS = ("Frequencies", "Probabilities", "Bits", "Weights")


@served
def binding_matrix(request: Request, name: str, what: str) -> object:
    """A matrix of the binding motif of transcription factors, as counts."""
    plain, unit = species(name)["name"], request.args.get("unit", "frequencies").capitalize()
    entry = row("SELECT * FROM binding_matrices WHERE stable_id = ?", what) if plain == "homo_sapiens" else None
    if entry is None:
        raise Refusal(f"Binding Matrix {what} not found. Please check spelling.")
    if unit not in UNITS:
        raise Refusal(GENERIC)
    if unit != "Frequencies":
        raise Refusal(f"Not possible to get the binding matrix with {unit}. Please try a different unit")
    columns = [[int(count) for count in position.split(" ")] for position in entry["elements"].split("|")]
    return {"stable_id": entry["stable_id"], "name": entry["name"], "source": entry["origin"], "threshold": entry["threshold"],
            "length": len(columns), "unit": unit, "max_position_sum": max(sum(column) for column in columns),
            "associated_transcription_factor_complexes": entry["complexes"].split("|"),
            "elements": {str(number): dict(zip("ACGT", column, strict=True)) for number, column in enumerate(columns, 1)},
            "elements_string": "".join("".join(f"{column[letter]}\t" for column in columns) + "\n" for letter in range(4))}


def sequence_body(entry: sqlite3.Row, query: str, start: int | None, end: int | None) -> dict[str, object]:
    """A protein sequence, or the asked part of it."""
    text = entry["sequence"][(start or 1) - 1:end]
    return {"query": query, "id": entry["id"], "version": entry["version"], "seq": text, "desc": None, "molecule": "protein"}


@served
def sequence_id(request: Request, identifier: str) -> object:
    """The protein sequence of a translation, or of a transcript or its MANE Select partner when `type=protein`."""
    kind = request.args.get("type", "genomic")
    if kind not in ("cds", "cdna", "genomic", "protein"):
        raise Refusal(f"The type '{kind}' is not understood by this service")
    plain = bare(identifier)
    entry = row("SELECT * FROM translation_sequences WHERE id = ?", plain)
    if entry is None and kind == "protein":
        entry = row("SELECT * FROM translation_sequences WHERE transcript = ?", plain)
    asked = identifier[len(plain) + 1:]
    if entry is None or (asked and plain == entry["id"] and asked != str(entry["version"])):
        raise Refusal(f"ID '{identifier}' not found")
    start, end = number(request, "start"), number(request, "end")
    if (start or end) and not 1 <= (start or 1) <= (end or len(entry["sequence"])) <= len(entry["sequence"]):
        raise Refusal(f"ID '{identifier}' not found")
    body = sequence_body(entry, identifier, int(start) if start else None, int(end) if end else None)
    return [body] if request.args.get("multiple_sequences", "0") not in ("", "0") else body


@served
def sequence_region(request: Request, name: str, text: str) -> object:
    """The sequence of a region of the mitochondrial genome, the only one that is held here."""
    plain = species(name)["name"]
    seq_region, start, end, strand = slice_of(plain, text, longest=10_000_000)
    unanswerable(request, ("mask", "mask_feature", "coord_system", "coord_system_version"), f"No slice found for location {text}")
    genome = row("SELECT * FROM genome_sequences WHERE species = ? AND seq_region = ?", plain, seq_region)
    if genome is None:
        raise Refusal(f"No slice found for location {text}")
    before, after = int(number(request, "expand_5prime") or 0), int(number(request, "expand_3prime") or 0)
    low, high = (start - before, end + after) if strand == 1 else (start - after, end + before)
    low, high = max(low, 1), min(high, len(genome["sequence"]))
    piece = genome["sequence"][low - 1:high]
    return {"query": text, "id": f"chromosome:{genome['assembly']}:{seq_region}:{low}:{high}:{strand}", "molecule": "dna",
            "seq": piece if strand == 1 else piece.translate(COMPLEMENT)[::-1]}


ROUTES = [
    ("/overlap/region/<name>/<text>", overlap_region),
    ("/overlap/id/<identifier>", overlap_id),
    ("/overlap/translation/<identifier>", overlap_translation),
    ("/species/<name>/binding_matrix/<what>", binding_matrix),
    ("/sequence/id/<identifier>", sequence_id),
    ("/sequence/region/<name>/<text>", sequence_region),
]
