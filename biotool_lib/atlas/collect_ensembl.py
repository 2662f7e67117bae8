"""Rebuild the Ensembl part of the atlas: `python -m biotool_lib.atlas.collect_ensembl --tables FOLDER --recorded FOLDER --out facts`.

For maintainers. It reads public tables and recorded replies, checks what can be checked, and writes
small tables in which every row names its source. The product itself never needs those folders.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import collect_ensembl_rest as rest
from . import collect_ensembl_terms as terms
from .collect_ensembl_genes import Genes
from .collect_ensembl_sources import SOURCES
from .collect_ensembl_tables import write
from .collect_ensembl_variation import Variation


def collect(tables: Path, recorded: Path, out: Path) -> tuple[dict[str, int], list[str]]:
    """Write every Ensembl facts table; returns the row counts and the refused gene spans."""
    out.mkdir(parents=True, exist_ok=True)
    genes, variation = Genes(tables, recorded), Variation(tables, recorded)
    genes.collect()
    variation.collect()
    counts = genes.write(out) | variation.write(out) | terms.ontology(tables, out) | terms.taxonomy(tables, out)
    counts |= terms.species(tables, recorded, out) | terms.assembly(tables, out) | terms.information(tables, recorded, out)
    counts |= terms.recorded_replies(recorded, out)
    counts |= rest.collect(tables, out, {transcript: row["protein"] for transcript, row in genes.mane_transcript.items()})
    counts["sources_ensembl"] = write(out, "sources_ensembl", ["key:key", "title", "release", "licence", "url", "note"], SOURCES)
    return counts, genes.refused


def main() -> int:
    """Read the options, rebuild the tables and print how many rows each has."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=Path, required=True, help="folder with the public source tables")
    parser.add_argument("--recorded", type=Path, required=True, help="folder with recorded replies and index.jsonl")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "facts", help="folder for the facts tables")
    options = parser.parse_args()
    counts, refused = collect(options.tables, options.recorded, options.out)
    for name, rows in sorted(counts.items()):
        print(f"{name:28} {rows:6}")
    print(f"refused spans: {len(refused)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
