"""UniProtKB entries, their features, comments, cross-references and cited papers, as fact tables."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from biotool_lib.atlas.collect_uniprot_io import Table, read_text, read_tsv

TABLE, RECORDED, EXCERPT = "uniprot_2025_03", "uniprot_rest", "uniprot_2026_03_excerpt"
PLACE = Path(__file__).parent
TRANSCRIBED = PLACE / "uniprot_transcribed.json"
ENTRY_FOLDERS = {"uniprotkb_entry", "uniprotkb_search", "uniprotkb_stream", "idmapping"}
PROTEIN = (
    "accession:key", "entry_name:key", "status", "name", "short_names", "alternative_names", "ec_numbers",
    "gene:key", "gene_synonyms", "taxon_id:intkey", "length:int", "mass:int", "crc64:key", "md5", "existence:int",
    "annotation_score:float", "first_public", "last_annotation", "last_sequence", "entry_version:int",
    "sequence_version:int", "secondary_accessions", "keywords", "uniparc:key", "description_json", "genes_json",
    "extra_json", "coverage", "source",
)


def fasta(text: str) -> dict[str, str]:
    """Read FASTA text; returns sequences by the first word of the header, cut at a bar."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith(">"):
            found[name := line[1:].split()[0].split("|")[0]] = []
        elif line.strip():
            found[name].append(line.strip())
    return {name: "".join(parts) for name, parts in found.items()}


def bare(value: Any) -> Any:
    """The same JSON without evidence tags, which would be the larger part of the tables."""
    if isinstance(value, dict):
        return {key: bare(item) for key, item in value.items() if key != "evidences"}
    return [bare(item) for item in value] if isinstance(value, list) else value


def recorded_entries(answers: list[tuple[str, dict, str]]) -> dict[str, dict]:
    """Complete entries among the recorded answers, the newest of each; returns them by accession."""
    found: dict[str, dict] = {}
    for folder, body, _ in answers:
        if folder not in ENTRY_FOLDERS:
            continue
        for item in body.get("results", [body]):
            entry = item.get("to", item) if isinstance(item, dict) else {}
            if isinstance(entry, dict) and {"entryAudit", "features", "sequence"} <= entry.keys():
                found[entry["primaryAccession"]] = bare(entry)
    return found


def excerpts(tables: Path) -> dict[str, dict]:
    """The copied excerpts with their sequences; returns them by accession, refuses a wrong checksum."""
    refseq = fasta(read_text(tables / "proteins.refseq.subset.fasta"))
    found = {}
    for entry in json.loads(TRANSCRIBED.read_text(encoding="utf-8"))["entries"]:
        sequence = entry["sequence"]
        value = sequence.get("value") or refseq[sequence.pop("refseq")]
        if hashlib.md5(value.encode()).hexdigest().upper() != sequence["md5"]:
            raise ValueError(f"{entry['primaryAccession']}: the sequence does not have the checksum of the entry")
        entry["sequence"] = {"value": value, **{key: item for key, item in sequence.items() if key != "value"}}
        found[entry["primaryAccession"]] = entry
    return found


def _names(description: dict) -> tuple[str, list[str], list[str], list[str]]:
    main = description.get("recommendedName") or (description.get("submissionNames") or [{}])[0]
    others = description.get("alternativeNames", [])
    short = [item["value"] for name in (main, *others) for item in name.get("shortNames", [])]
    ec = [item["value"] for name in (main, *others) for item in name.get("ecNumbers", [])]
    alternative = [name["fullName"]["value"] for name in others if "fullName" in name]
    return main.get("fullName", {}).get("value", ""), short, alternative, ec


def protein_row(entry: dict, coverage: str, source: str) -> list[Any]:
    """One row of the proteins table from an entry in the service's shape."""
    audit, sequence, genes = entry.get("entryAudit", {}), entry["sequence"], entry.get("genes", [])
    name, short, alternative, ec = _names(entry["proteinDescription"])
    gene = genes[0].get("geneName", {}).get("value") if genes else None
    synonyms = [item["value"] for item in genes[0].get("synonyms", [])] if genes else []
    extra = {"counts": {k: v for k, v in entry.get("extraAttributes", {}).items() if k.startswith("count")}}
    extra |= {key: entry[key] for key in ("organismHosts", "geneLocations") if key in entry}
    return [
        entry["primaryAccession"], entry["uniProtkbId"],
        "reviewed" if "Swiss-Prot" in entry["entryType"] else "unreviewed", name, "|".join(short),
        "|".join(alternative), "|".join(dict.fromkeys(ec)), gene, "|".join(synonyms), entry["organism"]["taxonId"],
        sequence["length"], sequence["molWeight"], sequence["crc64"], sequence["md5"],
        entry["proteinExistence"][0], entry["annotationScore"], audit.get("firstPublicDate"),
        audit.get("lastAnnotationUpdateDate"), audit.get("lastSequenceUpdateDate"), audit.get("entryVersion"),
        audit.get("sequenceVersion"), "|".join(entry.get("secondaryAccessions", [])),
        "|".join(item["name"] for item in entry.get("keywords", [])),
        entry.get("extraAttributes", {}).get("uniParcId"), entry["proteinDescription"], genes or None, extra,
        coverage, source,
    ]


def table_row(row: dict[str, str]) -> list[Any]:
    """One row of the proteins table from the table of entries, which has no order of names to keep."""
    return [
        row["accession"], row["entry_name"], row["status"], row["name"], "", row["alt_names"], row["ec"], row["gene"],
        row["gene_synonyms"], row["taxid"], row["length"], row["mass"], row["crc64"], row["md5"], row["PE"],
        row["annotation_score"], row["first_public"], row["last_annotation"], "", row["entry_version"],
        row["seq_version"], row["secondary"], row["keywords"], row["uniparc"], "", "", "", "table", TABLE,
    ]


def feature_row(accession: str, number: int, feature: dict, source: str) -> list[Any]:
    """One row of the features table from a feature in the service's shape."""
    place = feature["location"]
    known = {"type", "location", "description", "featureId"}
    extra = {key: value for key, value in feature.items() if key not in known}
    if "sequence" in place:
        extra["sequence"] = place["sequence"]
    return [accession, number, feature["type"], place["start"].get("value"), place["end"].get("value"),
            feature.get("description"), feature.get("featureId"), extra or None, source]


def _table_features(tables: Path, skip: set[str]) -> list[list[Any]]:
    rows: list[list[Any]] = []
    count: dict[str, int] = defaultdict(int)
    for row in read_tsv(tables / "uniprot_2025_03.features.human.tsv.gz"):
        accession = row["accession"]
        if accession in skip:
            continue
        count[accession] += 1
        extra = {"ligand": {"name": row["ligand"]}} if row["ligand"] else None
        rows.append([accession, count[accession], row["type"], row["start"], row["end"], row["description"],
                     row["feature_id"], extra, TABLE])
    return rows


def _table_comments(tables: Path, skip: set[str]) -> list[list[Any]]:
    rows: list[list[Any]] = []
    places: dict[tuple[str, str], list[dict]] = {}
    for row in read_tsv(tables / "uniprot_2025_03.subcellular.tsv.gz"):
        item: dict = {"location": {"value": row["location"]} | ({"id": row["sl_id"]} if row["sl_id"] else {})}
        if row["topology"]:
            item["topology"] = {"value": row["topology"]}
        places.setdefault((row["accession"], row["molecule"]), []).append(item)
    for (accession, molecule), items in places.items():
        body = {"commentType": "SUBCELLULAR LOCATION"} | ({"molecule": molecule} if molecule else {})
        rows.append([accession, 0, "SUBCELLULAR LOCATION", body | {"subcellularLocations": items}, TABLE])
    for row in read_tsv(tables / "uniprot_2025_03.diseases.tsv.gz"):
        disease: dict[str, Any] = {"diseaseId": row["disease"], "diseaseAccession": row["uniprot_disease_id"],
                   "acronym": row["acronym"], "description": row["description"]}
        if row["xref_id"]:
            disease["diseaseCrossReference"] = {"database": row["xref_db"], "id": row["xref_id"]}
        disease = {key: value for key, value in disease.items() if value}
        rows.append([row["accession"], 1, "DISEASE", {"commentType": "DISEASE", "disease": disease}, TABLE])
    kept: list[list[Any]] = []
    count: dict[str, int] = defaultdict(int)
    for line in sorted((line for line in rows if line[0] not in skip), key=lambda line: (line[0], line[1])):
        count[line[0]] += 1
        kept.append([line[0], count[line[0]], *line[2:]])
    return kept


def _table_references(tables: Path, skip: set[str], known: set[str]) -> list[list[Any]]:
    return [
        [row["accession"], row["database"], row["id"], row["isoform"], row["properties"], TABLE]
        for row in read_tsv(tables / "uniprot_2025_03.xrefs.tsv.gz")
        if row["accession"] in known and row["accession"] not in skip
    ]


def _recorded_references(accession: str, entry: dict, source: str) -> list[list[Any]]:
    return [
        [accession, item["database"], item["id"], item.get("isoformId"),
         ";".join(f"{pair['key']}={pair['value']}" for pair in item.get("properties", [])), source]
        for item in entry.get("uniProtKBCrossReferences", [])
    ]


def citation_row(citation: dict, abstract: str | None, statistics: dict | None, source: str) -> list[Any]:
    """One row of the citations table from a citation in the service's shape."""
    references = {item["database"]: item["id"] for item in citation.get("citationCrossReferences", [])}
    known = {"id", "citationType", "authors", "citationCrossReferences", "title", "publicationDate", "journal",
             "firstPage", "lastPage", "volume", "literatureAbstract"}
    extra = {key: value for key, value in citation.items() if key not in known}
    return [
        citation["id"], citation["citationType"], "|".join(citation.get("authors", [])),
        len(citation.get("authors", [])) or None, citation.get("title"), citation.get("publicationDate"),
        citation.get("journal"), citation.get("volume"), citation.get("firstPage"), citation.get("lastPage"),
        references.get("PubMed"), references.get("DOI"), abstract, statistics, extra or None, source,
    ]


def _citations(tables: Path, answers: list[tuple[str, dict, str]], entries: dict[str, dict]) -> list[list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in read_tsv(tables / "uniprot_2025_03.pubmed_refs.tsv.gz"):
        single = row["n_authors"] == "1"
        # Only the first author is known of the others: a list of one would be a wrong list.
        if single or "|" in row["cited_by"]:
            found[row["pmid"]] = [
                row["pmid"], "journal article", row["first_author"] if single else "", row["n_authors"], row["title"],
                row["date"], row["journal"], row["volume"], row["first_page"], row["last_page"], row["pmid"],
                row["doi"], "", "", "", TABLE]
    for entry in entries.values():
        for reference in entry.get("references", []):
            citation = reference["citation"]
            found[citation["id"]] = citation_row(citation, None, None, RECORDED)
    for folder, body, _ in answers:
        for item in body.get("results", [body]) if folder == "citations" else []:
            citation = item["citation"]
            if citation["citationType"] == "UniProt indexed literatures":
                citation = citation | {"citationType": "journal article"}
            found[citation["id"]] = citation_row(
                citation, citation.get("literatureAbstract"), item.get("statistics"), RECORDED)
    return [found[key] for key in sorted(found)]


def _entry_citations(accession: str, entry: dict, source: str) -> list[list[Any]]:
    return [
        [accession, item["referenceNumber"], item["citation"]["id"], "|".join(item.get("referencePositions", [])),
         item.get("referenceComments") or None, source]
        for item in entry.get("references", []) if "referenceNumber" in item
    ]


def protein_tables(tables: Path, answers: list[tuple[str, dict, str]]) -> dict[str, Table]:
    """All tables about UniProtKB entries; returns name -> (header, rows)."""
    recorded = recorded_entries(answers)
    copied = {key: entry for key, entry in excerpts(tables).items() if key not in recorded}
    full = {key: (entry, RECORDED) for key, entry in recorded.items()}
    full |= {key: (entry, EXCERPT) for key, entry in copied.items()}
    listed = [row for row in read_tsv(tables / "uniprot_2025_03.entries.tsv.gz") if row["accession"] not in full]
    sequences = fasta(read_text(tables / "uniprot_2025_03.sequences.fasta.gz"))
    known, skip = {row["accession"] for row in listed}, set(full)
    proteins = [protein_row(entry, "full" if source == RECORDED else "excerpt", source)
                for entry, source in full.values()] + [table_row(row) for row in listed]
    chains = [[key, entry["sequence"]["value"], source] for key, (entry, source) in full.items()]
    chains += [[key, sequences[key], TABLE] for key in known]
    features, comments = _table_features(tables, skip), _table_comments(tables, skip)
    references = _table_references(tables, skip, known)
    cited: list[list[Any]] = []
    for key, (entry, source) in full.items():
        features += [feature_row(key, n, item, source) for n, item in enumerate(entry.get("features", []), 1)]
        comments += [[key, n, item["commentType"], item, source] for n, item in enumerate(entry.get("comments", []), 1)]
        references += _recorded_references(key, entry, source)
        cited += _entry_citations(key, entry, source)
    numbered = [[*row[:1], n, *row[1:]] for n, row in enumerate(references, 1)]
    return {
        "proteins": (PROTEIN, sorted(proteins)),
        "protein_sequences": (("accession:key", "sequence", "source"), sorted(chains)),
        "protein_features": (("accession:key", "number:int", "type", "start:int", "end:int", "description",
                              "feature_id", "extra_json", "source"), sorted(features, key=lambda row: (row[0], row[1]))),
        "protein_comments": (("accession:key", "number:int", "type", "body_json", "source"),
                             sorted(comments, key=lambda row: (row[0], row[1]))),
        "protein_xrefs": (("accession:key", "database:key", "id:key", "isoform", "properties", "source"),
                          [row[:1] + row[2:] for row in sorted(numbered, key=lambda row: (row[0], row[1]))]),
        "protein_citations": (("accession:key", "number:int", "citation_id:key", "positions", "comments_json",
                               "source"), sorted(cited, key=lambda row: (row[0], row[1]))),
        "citations": (("citation_id:key", "citation_type", "authors", "author_count:int", "title", "date", "journal",
                       "volume", "first_page", "last_page", "pubmed_id", "doi", "abstract", "statistics_json",
                       "extra_json", "source"), _citations(tables, answers, recorded)),
    }
