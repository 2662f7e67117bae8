"""Summaries of efetch's text formats: FASTA, GenBank and GenPept, MEDLINE, abstracts, gene text, lists of UIDs."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from biotool_lib.observe.fit import capped, counted, cut, kept

RECORDS = 5
_GENE = re.compile(r"(?m)^\d+\. \S")
_IDENTIFIER = re.compile(r"[A-Z]{0,3}_?\d+(?:\.\d+)?")


def fasta(text: str) -> dict[str, Any]:
    """FASTA records: identifier, description, length; the first one's letters."""
    records: list[dict[str, Any]] = []
    for block in re.split(r"(?m)^>", text.strip())[1:]:
        head, _, body = block.partition("\n")
        name, _, description = head.strip().partition(" ")
        letters = re.sub(r"\s+", "", body)
        records.append({"id": name, "description": cut(description, 200), "length": len(letters), "letters": letters})
    first = records[0]["letters"] if records else ""
    items = [{key: value for key, value in record.items() if key != "letters"} for record in records[:10]]
    return {"format": "fasta", **capped(items, 10, len(records)), "sequence": cut(first, 1500)}


def _flat_fields(record: str) -> dict[str, list[str]]:
    """The sections of a flat-file record by keyword, continuation lines joined."""
    fields: dict[str, list[str]] = {}
    current = None
    for line in record.split("\n"):
        if line[:12].strip() and line[:2] != "//" and not line.startswith("     "):
            current = line[:12].strip()
            fields.setdefault(current, []).append(line[12:].strip())
        elif current and current not in ("FEATURES", "ORIGIN") and line.startswith(" " * 12):
            fields[current][-1] += ("\n" if current == "ORGANISM" else " ") + line.strip()
    return fields


def flat_record(record: str) -> dict[str, Any]:
    """One GenBank or GenPept record: what it is, of which organism, its features and papers."""
    fields = _flat_fields(record)

    def said(name: str) -> str | None:
        return next(iter(fields.get(name, [])), None)

    locus = (said("LOCUS") or "").split()
    size = next((int(word) for word, unit in pairwise(locus) if unit in ("bp", "aa") and word.isdigit()), None)
    organism, _, lineage = (said("ORGANISM") or "").partition("\n")
    body = record.partition("\nFEATURES")[2].partition("\nORIGIN")[0]
    qualifiers = {
        name: list(dict.fromkeys(re.sub(r"\s+", " ", text) for text in re.findall(rf'/{name}="([^"]*)"', body)))
        for name in ("gene", "product", "protein_id", "chromosome", "EC_number")
    }
    letters = re.sub(r"[^A-Za-z]", "", record.partition("\nORIGIN")[2].partition("\n")[2].partition("//")[0])
    return kept(
        {
            "accession": (said("ACCESSION") or "").split()[0] if said("ACCESSION") else None,
            "version": (said("VERSION") or "").split()[0] if said("VERSION") else None,
            "definition": cut(said("DEFINITION") or "", 300),
            "length": size,
            "unit": next((word for word in locus if word in ("bp", "aa")), None),
            "molecule": next((word for word in locus if re.fullmatch(r"(?:ss-|ds-|ms-)?[a-z]?(?:DNA|RNA|mRNA|tRNA|rRNA)", word)), None),
            "topology": next((word for word in locus if word in ("linear", "circular")), None),
            "date": locus[-1] if locus else None,
            "organism": organism.strip() or None,
            "lineage": cut(re.sub(r"\s+", " ", lineage), 250),
            "source": said("SOURCE"),
            "keywords": None if said("KEYWORDS") in (None, ".") else cut(said("KEYWORDS") or "", 150),
            **{name: capped(values, 4) for name, values in qualifiers.items() if values},
            "features": counted(re.findall(r"(?m)^     (\S+) +\S", body), 12),
            "references": {
                "total": len(fields.get("REFERENCE") or []),
                "titles": [cut(title, 160) for title in (fields.get("TITLE") or [])[:2]],
                "pubmed": (fields.get("PUBMED") or [])[:5],
            }
            if fields.get("REFERENCE")
            else None,
            "comment": cut(said("COMMENT") or "", 250),
            "sequence": cut(letters, 120) if letters else None,
        }
    )


def flat(text: str) -> dict[str, Any]:
    """GenBank or GenPept flat-file records."""
    records = [record for record in re.split(r"(?m)^//\s*$", text) if "LOCUS" in record]
    return {"format": "genbank", **capped([flat_record(record.lstrip("\n")) for record in records[:RECORDS]], RECORDS, len(records))}


def medline_record(record: str) -> dict[str, Any]:
    """One MEDLINE record: title, journal, date, authors, abstract, subject headings."""
    fields: dict[str, list[str]] = {}
    current = ""
    for line in record.split("\n"):
        if re.match(r"[A-Z]{2,4} *- ", line):
            current = line[:4].strip()
            fields.setdefault(current, []).append(line[6:].strip())
        elif current and line.startswith("      "):
            fields[current][-1] += " " + line.strip()
    one = {key: values[0] for key, values in fields.items()}
    doi = next((value.split(" ")[0] for key in ("LID", "AID") for value in fields.get(key, []) if value.endswith("[doi]")), None)
    return kept(
        {
            "pmid": one.get("PMID"),
            "title": one.get("TI") or one.get("BTI"),
            "journal": one.get("JT") or one.get("TA"),
            "date": one.get("DP"),
            "year": (one.get("DP") or "")[:4],
            "volume": one.get("VI"),
            "issue": one.get("IP"),
            "pages": one.get("PG"),
            "doi": doi,
            "pmc": one.get("PMC"),
            "authors": capped(fields["AU"], 6) if fields.get("AU") else None,
            "types": fields.get("PT", [])[:4],
            "mesh": capped(fields["MH"], 10) if fields.get("MH") else None,
            "abstract": cut(one.get("AB", ""), 900),
        }
    )


def medline(text: str) -> dict[str, Any]:
    """MEDLINE records."""
    records = [record for record in re.split(r"\n\s*\n(?=PMID- )", text.strip()) if "PMID-" in record]
    return {"format": "medline", **capped([medline_record(record) for record in records[:RECORDS]], RECORDS, len(records))}


def gene_record(record: str) -> dict[str, Any]:
    """One gene of the gene text: symbol, name, organism, aliases, place, identifier."""
    lines = record.strip().split("\n")

    def said(pattern: str) -> str | None:
        found = re.search(pattern, record, re.M)
        return found.group(1).strip() if found else None

    official = re.search(r"^Official Symbol: (\S+)(?: and Name: (.*?))?\s*(?:\[([^\[\]]+)\])?$", record, re.M)
    plain = re.match(r"(.*?)\s*\[([^\[\]]+)\]$", lines[1]) if len(lines) > 1 else None
    aliases = said(r"^Other Aliases: (.*)")
    return kept(
        {
            "symbol": official.group(1) if official else lines[0].partition(". ")[2] or None,
            "name": (official.group(2) if official else plain.group(1) if plain else lines[1] if len(lines) > 1 and ":" not in lines[1] else None),
            "organism": (official.group(3) if official else plain.group(2) if plain else None),
            "gene_id": said(r"^ID: (\d+)"),
            "chromosome": said(r"^Chromosome: ([^;\n]+)"),
            "location": said(r"Location: (.*)$"),
            "annotation": said(r"^Annotation: (.*)"),
            "aliases": capped(aliases.split(", "), 8) if aliases else None,
            "designations": cut(said(r"^Other Designations: (.*)") or "", 300),
            "mim": said(r"^MIM: (.*)"),
            "note": said(r"^(This record was .*)$"),
        }
    )


def gene_text(text: str) -> dict[str, Any]:
    """The genes of the gene database's text form."""
    starts = [match.start() for match in _GENE.finditer(text)] + [len(text)]
    records = [text[start:stop] for start, stop in pairwise(starts)]
    return {"format": "gene text", **capped(list(map(gene_record, records[:8])), 8, len(records))}


def abstract_record(record: str) -> dict[str, Any]:
    """One article of PubMed's abstract form: citation line, title, authors, identifiers, text."""
    parts = [re.sub(r"\s+", " ", part).strip() for part in re.split(r"\n\s*\n", record.strip()) if part.strip()]
    citation = re.sub(r"^\d+\. ", "", parts[0]) if parts else ""
    identifiers = re.search(r"PMID: (\d+)", record)
    doi = re.search(r"(?i)doi: (10\.\S+?)\.?(?:\s|$)", record)
    long = max(parts[2:], key=len, default="")
    return kept(
        {
            "pmid": identifiers.group(1) if identifiers else None,
            "title": parts[1] if len(parts) > 1 else None,
            "citation": citation,
            "journal": citation.split(". ")[0],
            "authors": cut(parts[2], 200) if len(parts) > 2 else None,
            "doi": doi.group(1) if doi else None,
            "abstract": cut(long, 900),
        }
    )


def abstracts(text: str) -> dict[str, Any]:
    """Articles in PubMed's abstract form."""
    records = [record for record in re.split(r"\n\n\n(?=\d+\. )", text.strip()) if record.strip()]
    return {"format": "abstract", **capped(list(map(abstract_record, records[:RECORDS])), RECORDS, len(records))}


def known(text: str) -> dict[str, Any] | None:
    """The summary of a text in one of the known forms, or None."""
    stripped = text.strip()
    if stripped.startswith(">"):
        return fasta(text)
    if re.match(r"LOCUS {2,}\S", stripped):
        return flat(text)
    if re.match(r"PMID ?- ", stripped):
        return medline(text)
    words = stripped.split()
    if words and all(_IDENTIFIER.fullmatch(word) for word in words) and len(stripped.split("\n")[0]) < 40:
        return {"format": "identifiers", **capped(words, 30)}
    if _GENE.match(stripped) and re.search(r"(?m)^ID: \d+", stripped):
        return gene_text(stripped)
    if re.match(r"\d+\. ", stripped) and "PMID:" in stripped:
        return abstracts(text)
    return None
