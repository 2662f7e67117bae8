"""Keywords, subcellular locations, human diseases and cross-referenced databases as fact tables."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from biotool_lib.atlas.collect_uniprot_io import Table, read_text

RECORDED = "uniprot_rest"


def flat_entries(text: str) -> list[dict[str, list[str]]]:
    """Read a UniProt controlled vocabulary in flat form; returns each entry's lines by line code."""
    body = text.split("_" * 60, 1)[1].split("\n---")[0].partition("\n")[2]
    found = []
    for block in body.split("\n//"):
        lines: dict[str, list[str]] = defaultdict(list)
        for line in block.splitlines():
            if len(line) > 5 and line[:2].isalpha() and line[2:5] == "   ":
                lines[line[:2]].append(line[5:].strip())
        if "AC" in lines:
            found.append(lines)
    return found


def joined(lines: list[str]) -> str:
    """Wrapped lines as one text; a line that ends in a hyphen was cut inside a word."""
    text = ""
    for line in lines:
        text += line if not text or text.endswith("-") else f" {line}"
    return text


def listed(lines: list[str]) -> str:
    """A wrapped list that ends in a full stop, as items joined by a bar."""
    text = joined(lines).removesuffix(".")
    return "|".join(item.strip() for item in text.split(";") if item.strip())


def _terms(lines: list[str]) -> str:
    return "|".join("=".join(part.strip() for part in line.split(";", 1)) for line in lines)


def _statistics(answers: list[tuple[str, dict, str]], folder: str) -> dict[str, dict]:
    found: dict[str, dict] = {}
    for name, body, _ in answers:
        for item in body.get("results", []) if name == folder else []:
            key = item.get("id") or item.get("keyword", {}).get("id")
            if key and "statistics" in item:
                found[key] = item
    return found


def keywords(tables: Path, answers: list[tuple[str, dict, str]]) -> Table:
    """The keyword vocabulary; returns its table."""
    newer = _statistics(answers, "keywords")
    rows = []
    for entry in flat_entries(read_text(tables / "uniprot_keywlist.txt")):
        key = entry["AC"][0].rstrip(".")
        name = joined(entry["ID"] or entry["IC"]).removesuffix(".")
        rows.append([
            key, name, joined(entry["DE"]), listed(entry["SY"]), _terms(entry["GO"]),
            "|".join(line.removesuffix(".") for line in _hierarchy(entry["HI"])),
            (entry["CA"] or [""])[0].removesuffix(".") or None, "|".join(entry["WW"]).replace(";|", "|").rstrip(";"),
            newer.get(key, {}).get("statistics"), RECORDED if key in newer else "uniprot_keywlist"])
    header = ("keyword_id:key", "name:key", "definition", "synonyms", "gene_ontology", "hierarchy", "category",
              "links", "statistics_json", "source")
    return header, sorted(rows)


def _hierarchy(lines: list[str]) -> list[str]:
    """Hierarchy lines, a path that was wrapped put together again."""
    found: list[str] = []
    for line in lines:
        if found and not found[-1].endswith("."):
            found[-1] = joined([found[-1], line])
        else:
            found.append(line)
    return found


def locations(tables: Path, answers: list[tuple[str, dict, str]]) -> Table:
    """The vocabulary of subcellular locations; returns its table."""
    newer = _statistics(answers, "locations")
    category = {"ID": "Cellular component", "IT": "Topology", "IO": "Orientation"}
    rows = []
    for entry in flat_entries(read_text(tables / "uniprot_subcell.txt")):
        kind = next(code for code in category if entry[code])
        key = entry["AC"][0]
        rows.append([
            key, joined(entry[kind]).removesuffix("."), category[kind], joined(entry["DE"]), listed(entry["SY"]),
            joined(entry["SL"]).removesuffix("."), "|".join(line.removesuffix(".") for line in _hierarchy(entry["HI"])),
            "|".join(line.removesuffix(".") for line in _hierarchy(entry["HP"])), (entry["KW"] or [""])[0],
            _terms(entry["GO"]), joined(entry["AN"]), "|".join(entry["RX"]), "|".join(entry["WW"]),
            newer.get(key, {}).get("statistics"), RECORDED if key in newer else "uniprot_subcell"])
    header = ("location_id:key", "name:key", "category", "definition", "synonyms", "content", "is_a", "part_of",
              "keyword_id", "gene_ontology", "note", "references", "links", "statistics_json", "source")
    return header, sorted(rows)


def diseases(tables: Path, answers: list[tuple[str, dict, str]]) -> Table:
    """The vocabulary of human diseases; returns its table."""
    newer = _statistics(answers, "diseases")
    rows = []
    for entry in flat_entries(read_text(tables / "uniprot_humdisease.txt.gz")):
        key = entry["AC"][0]
        rows.append([
            key, joined(entry["ID"]).removesuffix("."), (entry["AR"] or [""])[0].removesuffix("."),
            joined(entry["DE"]), "|".join(item.removesuffix(".") for item in _synonyms(entry["SY"])),
            "|".join(line.removesuffix(".").replace("; ", ";") for line in entry["DR"]),
            "|".join(line.removesuffix(".") for line in entry["KW"]), newer.get(key, {}).get("statistics"),
            RECORDED if key in newer else "uniprot_humdisease"])
    header = ("disease_id:key", "name:key", "acronym:key", "definition", "synonyms", "cross_references", "keywords",
              "statistics_json", "source")
    return header, sorted(rows)


def _synonyms(lines: list[str]) -> list[str]:
    return _hierarchy(lines)


def databases(answers: list[tuple[str, dict, str]]) -> Table:
    """The cross-referenced databases; returns their table."""
    found = {item["id"]: item for folder, body, _ in answers if folder == "database" for item in body.get("results", [])}
    rows = [
        [key, item["abbrev"], item["name"], item.get("pubMedId"), item.get("doiId"), item.get("linkType"),
         "|".join(item.get("servers", [])), item.get("dbUrl"), item.get("category"), item.get("statistics"), RECORDED]
        for key, item in found.items()
    ]
    header = ("database_id:key", "abbreviation:key", "name", "pubmed_id", "doi", "link_type", "servers", "url",
              "category", "statistics_json", "source")
    return header, sorted(rows)


def vocabulary_tables(tables: Path, answers: list[tuple[str, dict, str]]) -> dict[str, Table]:
    """All controlled vocabularies; returns name -> (header, rows)."""
    return {"keywords": keywords(tables, answers), "subcellular_locations": locations(tables, answers),
            "diseases": diseases(tables, answers), "crossref_databases": databases(answers)}
