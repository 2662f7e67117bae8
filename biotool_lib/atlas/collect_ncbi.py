"""Rebuilds the atlas's NCBI tables from public tables and recorded replies; for maintainers.

    python -m biotool_lib.atlas.collect_ncbi --tables FOLDER --recorded FOLDER --out biotool_lib/atlas/facts
"""

from __future__ import annotations

import argparse
from pathlib import Path

from biotool_lib.atlas.collect_ncbi_genes import collect_genes
from biotool_lib.atlas.collect_ncbi_papers import collect_pubmed
from biotool_lib.atlas.collect_ncbi_room import Collector
from biotool_lib.atlas.collect_ncbi_sequences import collect_sequences
from biotool_lib.atlas.collect_ncbi_taxa import collect_clinvar, collect_databases, collect_taxonomy
from biotool_lib.atlas.collect_ncbi_variants import collect_snps

SOURCES = [
    ("hgnc", "HGNC complete set", "2024-10-18", "CC0", "https://www.genenames.org", "symbols, names, aliases, locations, papers that HGNC cites"),
    (
        "mane",
        "MANE GRCh38 v1.4 summary",
        "1.4",
        "public domain (NCBI, EMBL-EBI)",
        "https://ftp.ncbi.nlm.nih.gov/refseq/MANE/",
        "RefSeq transcript and protein of each gene",
    ),
    (
        "mgi",
        "MGI Alliance homology report and mouse-human homology",
        "2024-11",
        "CC BY 4.0",
        "https://www.informatics.jax.org",
        "mouse genes with NCBI Gene ids and NCBI coordinates (GRCm39)",
    ),
    (
        "homologene",
        "HomoloGene, updated ids (oganm/homologene)",
        "2023-11",
        "public domain; MIT",
        "https://github.com/oganm/homologene",
        "gene ids of orthologues",
    ),
    (
        "eutils",
        "Recorded E-utilities replies (ncbi/GeneGPT and test fixtures)",
        "2012-2026",
        "public domain (US Government work)",
        "https://eutils.ncbi.nlm.nih.gov/entrez/eutils/",
        "document summaries, records, database descriptions, as the live services sent them",
    ),
    (
        "pubmed_fixtures",
        "PubMed records in test fixtures of metapub, sul_pub, biopython, biocommons",
        "as recorded",
        "NCBI records",
        "https://pubmed.ncbi.nlm.nih.gov",
        "citations without abstracts",
    ),
    (
        "uniprot",
        "UniProtKB 2025_03",
        "2025_03",
        "CC BY 4.0",
        "https://www.uniprot.org",
        "papers cited for a gene's protein; reviewed protein sequences; rsIDs of natural variants",
    ),
    ("gwas", "GWAS Catalog studies", "2020", "CC0", "https://www.ebi.ac.uk/gwas/", "papers with full dates"),
    ("gwas_pigmentation", "GWAS Catalog pigmentation associations", "2026-07", "CC0", "https://www.ebi.ac.uk/gwas/", "variant and paper of an association"),
    (
        "dbsnp",
        "dbSNP build 157 (tinalasisi/pigmentation-gene-network)",
        "157",
        "public domain",
        "https://www.ncbi.nlm.nih.gov/snp/",
        "positions, alleles and frequencies",
    ),
    (
        "pharmcat",
        "PharmCAT allele definitions",
        "2025-11-05",
        "MPL-2.0; CPIC CC0",
        "https://github.com/PharmGKB/PharmCAT",
        "rsID, gene, GRCh38 position, alleles",
    ),
    (
        "clinvar",
        "ClinVar VCV records (clingen-data-model/clinvar-ingest, metapub)",
        "as dated per record",
        "public domain; Apache-2.0",
        "https://www.ncbi.nlm.nih.gov/clinvar/",
        "",
    ),
    (
        "proteingym",
        "RefSeq protein sequences in ProteinGym",
        "2023",
        "MIT; public domain",
        "https://github.com/OATML-Markslab/ProteinGym",
        "full NP_ sequences",
    ),
    (
        "retriever",
        "GenBank and RefSeq sequences (mutalyzer/retriever, biopython)",
        "as in accession.version",
        "MIT; public domain",
        "https://github.com/mutalyzer/retriever",
        "",
    ),
    ("taxdump", "NCBI taxonomy dump, subset (TGAC/earlham-galaxytools)", "2017-09-08", "public domain", "https://ftp.ncbi.nlm.nih.gov/pub/taxonomy/", ""),
    ("taxize", "NCBI taxonomy replies (ropensci/taxize fixtures)", "undated", "MIT; public domain", "https://github.com/ropensci/taxize", "names and ranks"),
]


def main() -> None:
    """Write every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("tables", "recorded", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    given = parser.parse_args()
    collector = Collector(given.tables, given.recorded, given.out)
    collector.write(
        "sources_ncbi",
        ["key:key", "title", "release", "licence", "url", "note", "source"],
        [dict(zip(("key", "title", "release", "licence", "url", "note"), one, strict=True)) | {"source": one[0]} for one in SOURCES],
    )
    for step in (collect_genes, collect_pubmed, collect_snps, collect_sequences, collect_taxonomy, collect_clinvar, collect_databases):
        step(collector)
    collector.collect_links()


if __name__ == "__main__":
    main()
