"""Rebuild the UniProt fact tables of the atlas from downloaded tables and recorded answers.

    python -m biotool_lib.atlas.collect_uniprot --tables FOLDER --recorded FOLDER --out facts

The run is deterministic: rows are sorted and compressed files carry no clock time. Nothing is filled
in: a value that no source gives stays empty.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from biotool_lib.atlas.collect_uniprot_io import Table, write
from biotool_lib.atlas.collect_uniprot_proteins import protein_tables
from biotool_lib.atlas.collect_uniprot_taxa import taxon_tables
from biotool_lib.atlas.collect_uniprot_vocabularies import vocabulary_tables

CC = "CC BY 4.0"
SOURCES = [
    ("uniprot_2025_03", "UniProtKB entries (proteins that are targets in ChEMBL)", "2025_03", CC,
     "https://github.com/SatoryKono/ChEMBL_data_acquisition/tree/96df0d6/uniprot", "UniProt Consortium"),
    ("uniprot_rest", "Recorded answers of the UniProt REST service", "2022 to 2026", CC,
     "https://rest.uniprot.org", "UniProt Consortium; the release of each body is that of its recording"),
    ("uniprot_2026_03_excerpt", "Parts of UniProtKB entries P38398, P51587, P02649 and P01106", "2026_03", CC,
     "https://github.com/ddxyl404/genepage-gazette/tree/47d26e0/data/cache/uniprot",
     "copied excerpts; sequences checked by MD5"),
    ("uniprot_keywlist", "UniProtKB controlled vocabulary of keywords (keywlist.txt)", "2019_02", CC,
     "https://github.com/ebi-uniprot/uniprot-rest-api", "UniProt Consortium"),
    ("uniprot_subcell", "UniProtKB controlled vocabulary of subcellular locations (subcell.txt)", "2026_01", CC,
     "https://github.com/j-a-hill/mem_prot_llps", "UniProt Consortium"),
    ("uniprot_humdisease", "UniProtKB controlled vocabulary of human diseases (humdisease.txt)", "2019_01", CC,
     "https://github.com/ebi-uniprot/uniprot-rest-api", "UniProt Consortium"),
    ("uniprot_proteomes", "UniProt species codes and proteomes (LinkML value sets)", "2025 to 2026",
     "Apache-2.0; UniProt CC BY 4.0", "https://github.com/linkml/valuesets/tree/86eab01",
     "made by that project from rest.uniprot.org/proteomes"),
    ("uniprot_qfo", "UniProt reference proteomes (README of Quest for Orthologs)", "2017 and 2021_03", CC,
     "https://www.ebi.ac.uk/reference_proteomes/", "copied by hand"),
    ("ensembl_compara_taxonomy", "NCBI taxonomy as held in Ensembl's Compara test database", "about 2015",
     "Apache-2.0; NCBI public domain", "https://github.com/Ensembl/ensembl-rest/tree/30202686",
     "hidden flags agree with the lineages of recorded UniProt entries"),
    ("ncbi_taxdump_2017", "NCBI taxonomy dump, subset", "2017-09-08", "NCBI public domain",
     "https://github.com/TGAC/earlham-galaxytools/tree/a3c8887", ""),
    ("ncbi_taxonomy_taxize", "NCBI taxonomy from recorded answers in taxize", "undated",
     "MIT; NCBI public domain", "https://github.com/ropensci/taxize/tree/4c3e4a1c", ""),
]


def bodies(recorded: Path) -> list[tuple[str, dict, str]]:
    """Every recorded UniProt JSON body; returns (folder, body, year or date of recording), newest last."""
    found = []
    for line in (recorded / "index.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["file"].startswith("uniprot/") and row["file"].endswith(".json") and row["status"] == 200:
            body = json.loads((recorded / row["file"]).read_text(encoding="utf-8"))
            if isinstance(body, dict):
                found.append((row["file"].split("/")[1], body, str(row.get("recorded") or ""), row["file"]))
    found.sort(key=lambda item: (item[2][-4:] if "," in item[2] else item[2][:4], item[3]))
    return [(folder, body, year) for folder, body, year, _ in found]


def collect(tables: Path, recorded: Path, out: Path) -> dict[str, int]:
    """Write every UniProt facts table below `out`; returns rows per table."""
    out.mkdir(parents=True, exist_ok=True)
    answers = bodies(recorded)
    made: dict[str, Table] = {"sources_uniprot": (("key:key", "title", "release", "licence", "url", "note"), SOURCES)}
    made |= protein_tables(tables, answers)
    made |= vocabulary_tables(tables, answers)
    made |= taxon_tables(tables, recorded, answers)
    return {name: write(out, name, header, rows) for name, (header, rows) in sorted(made.items())}


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the collector."""
    parser = argparse.ArgumentParser(description="Rebuild the UniProt fact tables of the atlas.")
    for name in ("tables", "recorded", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = parser.parse_args(arguments)
    for name, count in collect(options.tables, options.recorded, options.out).items():
        print(f"{name}\t{count}")


if __name__ == "__main__":
    main()
