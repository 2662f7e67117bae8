"""Summaries of Ensembl lookups, archive, cross-references, sequences, coordinate mapping and overlaps."""

from __future__ import annotations

from collections import Counter
from typing import Any

from biotool_lib.observe import Context, shorten
from biotool_lib.observe.ensembl_common import (
    Summary,
    compact,
    counts,
    distinct,
    head,
    listing,
    names,
    number,
    order,
    pick,
    place,
    rows,
)

SEQUENCE = 1000
PREFERRED = ("HGNC", "MGI", "EntrezGene", "Uniprot/SWISSPROT", "Uniprot_gn", "RefSeq_mRNA", "RefSeq_peptide", "MIM_GENE", "MIM_MORBID", "CCDS")


def _transcript(item: dict[str, Any]) -> dict[str, Any]:
    protein = item.get("Translation") or {}
    small = pick(item, "id", "display_name", "biotype", "is_canonical", "length", "start", "end", "strand", "version", "source", "gencode_primary")
    exons = item.get("Exon")
    if exons is not None:
        small["exons"] = len(exons)
    if protein:
        small["translation"] = pick(protein, "id", "length", "version", "start", "end")
    for key in ("MANE", "UTR"):
        if item.get(key):
            small[key.lower()] = compact(item[key], shown=2)
    return small


def _transcripts(items: list[dict[str, Any]]) -> dict[str, Any]:
    # The canonical transcript is what people ask for, so it may not fall off the end.
    ranked = sorted(items, key=lambda item: not item.get("is_canonical"))
    return {
        **listing([_transcript(item) for item in ranked], 8),
        "by_biotype": counts(item.get("biotype") for item in items),
    }


def lookup(data: Any, context: Context) -> dict[str, Any]:
    """A gene, transcript, exon or protein: all its plain values, its place, and its parts counted and sampled."""
    small = head(data)
    if place(data):
        small["location"] = place(data)
    start, end = number(data.get("start")), number(data.get("end"))
    if start is not None and end is not None and data.get("object_type") != "Translation":
        small["span"] = int(end - start + 1)
    if isinstance(data.get("Transcript"), list):
        items = rows(data["Transcript"])
        small["transcripts"] = _transcripts(items)
        canonical = [item for item in items if item.get("is_canonical")]
        if canonical:
            small["canonical"] = _transcript(canonical[0])
    if isinstance(data.get("Exon"), list):
        small["exons"] = listing([pick(exon, "id", "start", "end", "strand", "version") for exon in data["Exon"]], 8)
    if isinstance(data.get("Translation"), dict):
        small["translation"] = pick(data["Translation"], "id", "length", "version", "start", "end")
    for key, name in (("phenotypes", "phenotypes"), ("MANE", "mane"), ("UTR", "utrs")):
        if isinstance(data.get(key), list):
            small[name] = listing([compact(item) for item in data[key]], 6)
    for key in order(data):
        if isinstance(data[key], (list, dict)) and key not in ("Transcript", "Exon", "Translation", "phenotypes", "MANE", "UTR"):
            small[key] = compact(data[key])
    return small


def archive(data: Any, context: Context) -> dict[str, Any]:
    """The history of an identifier: its plain values and possible replacements."""
    replacements = data.get("possible_replacement") or []
    return {**head(data, "peptide"), "possible_replacement": listing([compact(item) for item in replacements]),
            "peptide": shorten(data["peptide"], 120) if data.get("peptide") else data.get("peptide")}


def xrefs(data: Any, context: Context) -> dict[str, Any]:
    """Cross-references: counts and identifiers by database, and one record of each database."""
    items = rows(data)
    by_database: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        by_database.setdefault(str(item.get("dbname")), []).append(item)
    ranked = sorted(by_database, key=lambda name: (PREFERRED.index(name) if name in PREFERRED else len(PREFERRED), name))
    samples = [
        pick(by_database[name][0], "dbname", "db_display_name", "primary_id", "display_id", "description", "synonyms", "info_type", "linkage_types", limit=120)
        for name in ranked
    ]
    return {
        "total": len(items),
        "databases": len(by_database),
        "by_database": counts((item.get("dbname") for item in items), 40),
        "ids": {name: distinct(item.get("primary_id") for item in by_database[name])[:3] for name in ranked[:40]},
        "ids_shown_per_database": 3,
        "synonyms": names((word for item in items for word in item.get("synonyms") or []), 20),
        "by_info_type": counts(item.get("info_type") for item in items),
        "shown": min(len(samples), 8),
        "items": samples[:8],
    }


def xrefs_symbol(data: Any, context: Context) -> dict[str, Any]:
    """The Ensembl objects that a symbol stands for: identifiers by type."""
    # Ensembl's own identifiers go before locus reference genomic records (LRG), which are copies.
    items = sorted(rows(data), key=lambda item: str(item.get("id")).startswith("LRG"))
    by_type: dict[str, list[str]] = {}
    for item in items:
        by_type.setdefault(str(item.get("type")), []).append(str(item.get("id")))
    found = {"gene": "genes", "transcript": "transcripts", "translation": "translations"}
    return {
        **listing([pick(item, "id", "type") for item in items], 20),
        "by_type": counts(item.get("type") for item in items),
        **{plural: names(by_type[kind], 20) for kind, plural in found.items() if kind in by_type},
    }


def _composition(sequence: str) -> dict[str, Any]:
    letters = Counter(sequence.upper())
    known = sum(letters[base] for base in "ACGT")
    result: dict[str, Any] = {"composition": {letter: letters[letter] for letter in sorted(letters)[:10]}}
    if known:
        result["gc_percent"] = round(100 * (letters["G"] + letters["C"]) / known, 2)
    lower = sum(letter.islower() for letter in sequence)
    return {**result, "lower_case_letters": lower} if lower else result


def _sequence(item: dict[str, Any], limit: int) -> dict[str, Any]:
    sequence = str(item.get("seq") or "")
    dna = item.get("molecule") == "dna" or (not item.get("molecule") and set(sequence.upper()) <= set("ACGTN"))
    return {
        **head(item, "seq"), "length": len(sequence), "first_letters": sequence[:10],
        "seq": shorten(sequence, limit), **(_composition(sequence) if dna and sequence else {}),
    }


def sequence(data: Any, context: Context) -> dict[str, Any]:
    """A sequence, whole up to 1,000 letters, with its length; or several, with the longest named."""
    if isinstance(data, dict):
        return _sequence(data, SEQUENCE)
    items = rows(data)
    ranked = sorted(items, key=lambda item: -len(str(item.get("seq") or "")))
    small = listing([_sequence(item, 100) for item in items], 8)
    if ranked:
        small["longest"] = {"id": ranked[0].get("id"), "length": len(str(ranked[0].get("seq") or ""))}
        small["ids"] = names((item.get("id") for item in items), 20)
    return small


def _span(item: dict[str, Any]) -> int:
    start, end = number(item.get("start")), number(item.get("end"))
    return int(end - start + 1) if start is not None and end is not None else 0


def mapping(data: Any, context: Context) -> dict[str, Any]:
    """Mapped coordinates: every piece (at most 12) and the outer range on the target."""
    pieces = rows(data["mappings"]) if isinstance(data, dict) and "mappings" in data else rows(data)
    targets = [piece["mapped"] if isinstance(piece.get("mapped"), dict) else piece for piece in pieces]
    placed = [target for target in targets if number(target.get("start")) is not None and target.get("seq_region_name") is not None]
    small = {**listing([compact(piece) for piece in pieces], 12), "letters": sum(_span(target) for target in placed)}
    if placed:
        small["range"] = {
            "seq_region_name": placed[0].get("seq_region_name"),
            "start": min(target["start"] for target in placed), "end": max(target["end"] for target in placed),
            "strand": placed[0].get("strand"),
            "assembly": placed[0].get("assembly") or placed[0].get("assembly_name"),
        }
    return small


HIDDEN = ("havana_gene", "havana_version", "havana_transcript", "cigar_string", "ccdsid")


def _diverse(items: list[dict[str, Any]], key: str, each: int) -> list[dict[str, Any]]:
    seen: Counter[str] = Counter()
    first: list[dict[str, Any]] = []
    later: list[dict[str, Any]] = []
    for item in items:
        seen[str(item.get(key))] += 1
        (first if seen[str(item.get(key))] <= each else later).append(item)
    return first + later


def _feature(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in compact(item, limit=120).items() if key not in HIDDEN}


def overlap(data: Any, context: Context) -> dict[str, Any]:
    """Overlapping features: counts by kind, names, the range they span, and samples of every kind."""
    items = rows(data)
    starts = [item["start"] for item in items if isinstance(item.get("start"), (int, float))]
    ends = [item["end"] for item in items if isinstance(item.get("end"), (int, float))]
    small: dict[str, Any] = {
        "total": len(items),
        "by_type": counts(item.get("feature_type") for item in items),
        "names": names((item.get("external_name") for item in items), 30),
        "ids": names((item.get("id") or item.get("ID") for item in items), 20),
    }
    for key, name in (("biotype", "by_biotype"), ("consequence_type", "by_consequence"), ("source", "by_source")):
        found = counts(item.get(key) for item in items)
        if found:
            small[name] = found
    if starts and ends:
        small["span"] = {"start": min(starts), "end": max(ends)}
    shown = _diverse(items, "feature_type", 4)[:10]
    return {**small, "shown": len(shown), "items": [_feature(item) for item in shown]}


def overlap_translation(data: Any, context: Context) -> dict[str, Any]:
    """Features on a protein: counts by type, identifiers by database, descriptions, and samples in order of position."""
    items = sorted(rows(data), key=lambda item: (number(item.get("start")) or 0, number(item.get("end")) or 0, str(item.get("id"))))
    by_type: dict[str, list[Any]] = {}
    for item in items:
        by_type.setdefault(str(item.get("type")), []).append(item.get("id"))
    shown = _diverse(items, "type", 2)[:10]
    return {
        "total": len(items),
        "by_type": counts((item.get("type") for item in items), 25),
        "by_feature_type": counts(item.get("feature_type") for item in items),
        "ids": {kind: distinct(by_type[kind])[:5] for kind in sorted(by_type)[:25]},
        "ids_shown_per_type": 5,
        "interpro": names((item.get("interpro") for item in items), 15),
        "descriptions": names((item.get("description") for item in items), 15),
        "shown": len(shown),
        "items": [_feature(item) for item in shown],
    }


SUMMARIES: dict[str, Summary] = {
    "get_archive_id": archive,
    "lookup_by_id": lookup,
    "lookup_by_symbol": lookup,
    "get_xrefs_by_id": xrefs,
    "lookup_xref_name": xrefs,
    "get_xrefs_by_symbol": xrefs_symbol,
    "get_sequence_by_id": sequence,
    "get_sequence_by_region": sequence,
    "map_assembly": mapping,
    "map_cdna_to_genome": mapping,
    "map_cds_to_genome": mapping,
    "map_translation_to_genome": mapping,
    "overlap_by_id": overlap,
    "overlap_by_region": overlap,
    "overlap_translation": overlap_translation,
}
