"""Rebuilds the atlas's NCBI tables from public tables and recorded replies; for maintainers.

python -m biotool_lib.atlas.collect_ncbi --tables FOLDER --recorded FOLDER --out biotool_lib/atlas/facts
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from biotool_lib.atlas import collect_ncbi_bodies as replies

Row = dict[str, str]
HUMAN = {"taxon_id": "9606", "organism": "Homo sapiens", "common_name": "human"}
MOUSE = {"taxon_id": "10090", "organism": "Mus musculus", "common_name": "house mouse"}
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


class Collector:
    """Reads the two folders and writes one table after another."""

    def __init__(self, tables: Path, recorded: Path, out: Path) -> None:
        self.tables, self.recorded, self.out = tables, recorded, out
        self.genes: dict[str, Row] = {}
        self.links: set[tuple[str, str, str, str, str, str]] = set()

    def read(self, name: str, header: list[str] | None = None) -> Iterator[Row]:
        """The rows of a tab-separated table as dictionaries."""
        path = self.tables / name
        text = gzip.open(path, "rt", encoding="utf-8").read() if name.endswith(".gz") else path.read_text(encoding="utf-8")
        quoting = csv.QUOTE_MINIMAL if name.startswith("hgnc") else csv.QUOTE_NONE
        yield from csv.DictReader(io.StringIO(text), fieldnames=header, delimiter="\t", quoting=quoting)

    def fasta(self, name: str) -> Iterator[tuple[str, str]]:
        """The (header, sequence) pairs of a FASTA file."""
        path = self.tables / name
        text = gzip.open(path, "rt").read() if name.endswith(".gz") else path.read_text()
        for record in text.split(">")[1:]:
            head, _, sequence = record.partition("\n")
            yield head, "".join(sequence.split())

    def write(self, name: str, columns: list[str], rows: Iterable[Row]) -> None:
        """One facts table, sorted by its first columns; a cell never holds a tab or a line break."""
        keys = [column.partition(":")[0] for column in columns]
        lines = sorted(
            ([re.sub(r"\s+", " ", row.get(key) or "").strip() for key in keys] for row in rows),
            key=lambda cells: [(len(cell), cell) if cell.isdigit() else (99, cell) for cell in cells],
        )
        text = "".join("\t".join(cells) + "\n" for cells in [columns, *lines])
        for old in (f"{name}.tsv", f"{name}.tsv.gz"):
            (self.out / old).unlink(missing_ok=True)
        if len(text.encode()) > 300_000:
            with gzip.GzipFile(self.out / f"{name}.tsv.gz", "wb", mtime=0) as handle:
                handle.write(text.encode())
        else:
            (self.out / f"{name}.tsv").write_text(text, encoding="utf-8")
        print(f"{name}: {len(lines)} rows")

    # ---- genes -------------------------------------------------------------------------------
    def collect_genes(self) -> None:
        self._genes_of_hgnc()
        self._genes_of_mouse()
        self._genes_recorded()
        self._genes_of_homologene()
        self.write(
            "entrez_genes",
            [
                "gene_id:intkey",
                "symbol:key",
                "name",
                "taxon_id:intkey",
                "organism",
                "common_name",
                "chromosome",
                "map_location",
                "aliases",
                "designations",
                "nomenclature_symbol",
                "nomenclature_name",
                "nomenclature_status",
                "chr_accession",
                "chr_start:int",
                "chr_stop:int",
                "exon_count:int",
                "gene_weight:int",
                "summary",
                "status",
                "current_id",
                "genetic_source",
                "chr_sort",
                "gene_type",
                "refseq_rna",
                "refseq_protein",
                "complete",
                "source",
            ],
            self.genes.values(),
        )

    def _genes_of_hgnc(self) -> None:
        mane = {}
        for row in self.read("MANE.GRCh38.v1.4.summary.full.tsv.gz"):
            if row["MANE_status"] == "MANE Select":
                mane[row["NCBI_GeneID"].removeprefix("GeneID:")] = row
        for row in self.read("hgnc_complete_set.subset.tsv"):
            uid = row["entrez_id"]
            if not uid or row["status"] != "Approved":
                continue
            place = re.match(r"(\d+|X|Y|mitochondria)", row["location"] or "")
            chosen = mane.get(uid, {})
            aliases = [one for key in ("alias_symbol", "prev_symbol") for one in (row[key] or "").split("|") if one]
            self.genes[uid] = HUMAN | {
                "gene_id": uid,
                "symbol": row["symbol"],
                "name": row["name"],
                "map_location": row["location"],
                "chromosome": "MT" if place and place.group() == "mitochondria" else place.group() if place else "",
                "aliases": "|".join(dict.fromkeys(aliases)),
                "nomenclature_symbol": row["symbol"],
                "nomenclature_name": row["name"],
                "nomenclature_status": "Official",
                "chr_accession": chosen.get("GRCh38_chr", ""),
                "refseq_rna": chosen.get("RefSeq_nuc", ""),
                "refseq_protein": chosen.get("RefSeq_prot", ""),
                "gene_type": row["locus_type"],
                "source": "hgnc|mane" if chosen else "hgnc",
            }
            for pmid in filter(None, (row["pubmed_id"] or "").split("|")):
                self.link("gene", uid, "pubmed", pmid, "gene_pubmed", "hgnc")

    def _genes_of_mouse(self) -> None:
        for row in self.read("MGI_HGNC_AllianceHomology.mouse_gene_coords.subset.tsv"):
            uid = row["EntrezGene ID"]
            if not uid.isdigit():
                continue
            gene = MOUSE | {
                "gene_id": uid,
                "symbol": row["Marker Symbol"],
                "name": row["Marker Name"],
                "gene_type": row["Feature Type"].replace("null", ""),
                "nomenclature_symbol": row["Marker Symbol"],
                "nomenclature_name": row["Marker Name"],
                "nomenclature_status": "Official",
                "source": "mgi",
            }
            if row["NCBI Gene chromosome"] not in ("", "null"):
                low, high = int(row["NCBI Gene start"]) - 1, int(row["NCBI Gene end"]) - 1
                gene["chromosome"] = row["NCBI Gene chromosome"]
                gene["chr_start"], gene["chr_stop"] = (str(high), str(low)) if row["NCBI Gene strand"] == "-" else (str(low), str(high))
            self.genes[uid] = gene
        for row in self.read("MGI_HOM_MouseHumanSequence.subset.tsv"):
            gene = self.genes.get(row["EntrezGene ID"])
            if gene and gene["taxon_id"] == "10090":
                gene["map_location"] = row["Genetic Location"].removeprefix("Chr").strip()

    def _genes_recorded(self) -> None:
        for _, text in replies.bodies(self.recorded, "efetch", "gene"):
            for record in replies.gene_texts(text):
                official = record.pop("official", "")
                old = self.genes.get(record["gene_id"], {})
                if official:
                    record |= {"nomenclature_symbol": record["symbol"], "nomenclature_name": record.get("name", ""), "nomenclature_status": "Official"}
                keep = {key: old[key] for key in ("refseq_rna", "refseq_protein", "taxon_id", "gene_type") if old.get(key)}
                self.genes[record["gene_id"]] = record | keep | {"source": "eutils"}
        for _, record in replies.docsums(self.recorded, "gene"):
            old = self.genes.get(record["uid"], {})
            spot = (record.get("genomicinfo") or [{}])[0]
            self.genes[record["uid"]] = {
                "gene_id": record["uid"],
                "symbol": record["name"],
                "name": record["description"],
                "taxon_id": str(record["organism"]["taxid"]),
                "organism": record["organism"]["scientificname"],
                "common_name": record["organism"]["commonname"],
                "chromosome": record["chromosome"],
                "map_location": record["maplocation"],
                "aliases": record["otheraliases"].replace(", ", "|"),
                "designations": record["otherdesignations"],
                "nomenclature_symbol": record["nomenclaturesymbol"],
                "nomenclature_name": record["nomenclaturename"],
                "nomenclature_status": record["nomenclaturestatus"],
                "chr_accession": spot.get("chraccver", ""),
                "chr_start": str(spot.get("chrstart", "")),
                "chr_stop": str(spot.get("chrstop", "")),
                "exon_count": str(spot.get("exoncount", "")),
                "gene_weight": str(record["geneweight"]),
                "summary": record["summary"],
                "status": str(record["status"]),
                "current_id": str(record["currentid"]),
                "genetic_source": record["geneticsource"],
                "chr_sort": record["chrsort"],
                "refseq_rna": old.get("refseq_rna", ""),
                "refseq_protein": old.get("refseq_protein", ""),
                "gene_type": old.get("gene_type", ""),
                "complete": "yes",
                "source": "eutils",
            }
        known = {gene["organism"]: gene["taxon_id"] for gene in self.genes.values() if gene.get("taxon_id")}
        for gene in self.genes.values():
            gene.setdefault("taxon_id", known.get(gene.get("organism", ""), ""))

    def _genes_of_homologene(self) -> None:
        names = {row["tax_id"]: row["name_txt"] for row in self.read("homologene_taxData.tsv")}
        for row in self.read("homologene.human_mouse_rat_zebrafish_fly_worm_yeast.subset.tsv"):
            if row["Taxonomy"] in ("9606", "10090") or row["Gene.ID"] in self.genes:
                continue
            self.genes[row["Gene.ID"]] = {
                "gene_id": row["Gene.ID"],
                "symbol": row["Gene.Symbol"],
                "taxon_id": row["Taxonomy"],
                "organism": names.get(row["Taxonomy"], ""),
                "source": "homologene",
            }

    # ---- papers ------------------------------------------------------------------------------
    def collect_pubmed(self) -> None:
        papers: dict[str, Row] = {}
        symbols = {gene["symbol"]: uid for uid, gene in self.genes.items() if gene["taxon_id"] == "9606" and gene.get("nomenclature_status") == "Official"}
        for row in self.read("uniprot_2025_03.pubmed_refs.tsv.gz"):
            cited = [symbols[one] for one in row["cited_by"].split("|") if one in symbols]
            if not cited:
                continue
            for uid in cited:
                self.link("gene", uid, "pubmed", row["pmid"], "gene_pubmed", "uniprot")
            last = row["last_page"] if row["last_page"] != row["first_page"] else ""
            papers[row["pmid"]] = {
                "pmid": row["pmid"],
                "title": row["title"],
                "source_name": plain_journal(row["journal"]),
                "pub_date": row["date"],
                "volume": row["volume"],
                "pages": "-".join(filter(None, (row["first_page"], last))),
                "doi": row["doi"],
                "first_author": plain_author(row["first_author"]),
                "n_authors": row["n_authors"],
                "source": "uniprot",
            }
        for row in self.read("gwas_catalog.studies.gwasrapidd_mocks.tsv"):
            papers[row["pmid"]] = papers.get(row["pmid"], {}) | {
                "pmid": row["pmid"],
                "title": row["title"],
                "source_name": row["journal"],
                "first_author": row["first_author"],
                "pub_date": dashed_date(row["date"]),
                "source": "gwas",
            }
        for row in self.read("pubmed_records.tsv"):
            papers[row["pmid"]] = papers.get(row["pmid"], {}) | {
                "pmid": row["pmid"],
                "title": row["title"],
                "journal": row["journal"],
                "source_name": plain_journal(row["iso_abbrev"]),
                "issn": row["issn"],
                "pub_date": row["year"],
                "volume": row["volume"],
                "issue": row["issue"],
                "pages": row["pages"],
                "doi": row["doi"],
                "pmcid": row["pmcid"],
                "first_author": row["first_author"],
                "n_authors": row["n_authors"],
                "pub_types": row["pub_types"],
                "mesh_major": row["mesh_major"],
                "source": "pubmed_fixtures",
            }
        for _, text in replies.bodies(self.recorded, "efetch", "pubmed"):
            for root in replies.xml_roots(text):
                for article in root.iter("PubmedArticle"):
                    record = replies.pubmed_record(article)
                    if record["pmid"]:
                        papers[record["pmid"]] = record | {"source": "eutils"}
        for paper in papers.values():
            paper["sort_date"] = sort_date(paper.get("pub_date", ""))
        self.write(
            "pubmed",
            [
                "pmid:intkey",
                "title",
                "journal",
                "source_name",
                "issn",
                "nlm_id",
                "pub_date",
                "sort_date",
                "volume",
                "issue",
                "pages",
                "doi",
                "pmcid",
                "language",
                "first_author",
                "authors",
                "n_authors:int",
                "pub_types",
                "mesh",
                "mesh_major",
                "entrez_date",
                "source",
            ],
            papers.values(),
        )

    # ---- variants ----------------------------------------------------------------------------
    def collect_snps(self) -> None:
        snps: dict[str, Row] = {}
        symbols = {gene["symbol"]: uid for uid, gene in self.genes.items() if gene["taxon_id"] == "9606"}
        for row in self.read("pharmcat_variants.GRCh38.tsv"):
            self._snp_of_pharmcat(snps, row, symbols)
        mafs = defaultdict(list)
        for row in self.read("dbsnp157.frequencies.tsv"):
            mafs[row["rsid"][2:]].append(row)
        for row in self.read("dbsnp157.variants.GRCh38.tsv"):
            uid, stamp = row["rsid"][2:], row["created"]
            places = {one["spdi"] for one in mafs[uid]}
            acc = next((one.partition(":")[0] for one in sorted(places)), "")
            date = re.match(r"(\d{4})-(\d\d)-(\d{1,2})T(\d\d:\d\d)", stamp)
            snps[uid] = {
                "rs": uid,
                "chr": row["chrom"],
                "chrpos": f"{row['chrom']}:{row['pos']}" if row["type"] == "snv" else "",
                "snp_class": row["type"],
                "acc": acc,
                "taxon_id": "9606",
                "upd_build": row["build"],
                "spdi": ",".join(f"{acc}:{int(row['pos']) - 1}:{row['ref']}:{alt}" for alt in row["alts"].split("|"))
                if acc and row["type"] == "snv"
                else ",".join(sorted(places)),
                "created": f"{date.group(1)}/{date.group(2)}/{date.group(3).zfill(2)} {date.group(4)}" if date else "",
                "mafs": "|".join(f"{one['study']}~{one['spdi'].rpartition(':')[2]}={float(one['af']):g}/{one['allele_count']}" for one in mafs[uid]),
                "source": "dbsnp",
            }
        for function in ("efetch", "esummary"):
            for _, text in replies.bodies(self.recorded, function, "snp"):
                for root in replies.xml_roots(text):
                    for one in root.iter("DocumentSummary"):
                        record = replies.snp_record(one)
                        if record["rs"] and record["acc"]:
                            snps[record["rs"]] = record | {"complete": "yes", "source": "eutils"}
        for _, record in replies.docsums(self.recorded, "snp"):
            if record.get("acc"):
                snps[str(record["snp_id"])] = snp_of_docsum(record) | {"complete": "yes", "source": "eutils"}
        for uid, row in snps.items():
            for gene in filter(None, row.get("genes", "").split("|")):
                self.link("gene", gene.rpartition(":")[2], "snp", uid, "gene_snp", row["source"])
        for row in self.read("gwas_catalog.pigmentation_2026-07.tsv"):
            if row["rsid"][2:] in snps and row["pubmed"]:
                self.link("snp", row["rsid"][2:], "pubmed", row["pubmed"], "snp_pubmed_cited", "gwas_pigmentation")
        self.write(
            "snps",
            [
                "rs:intkey",
                "chr",
                "chrpos",
                "acc",
                "spdi",
                "genes",
                "snp_class",
                "fxn_class",
                "clinical",
                "validated",
                "allele",
                "docsum",
                "mafs",
                "chrpos_prev",
                "handle",
                "ss",
                "taxon_id:int",
                "orig_build",
                "upd_build",
                "created",
                "updated",
                "merged",
                "complete",
                "source",
            ],
            snps.values(),
        )

    @staticmethod
    def _snp_of_pharmcat(snps: dict[str, Row], row: Row, symbols: dict[str, str]) -> None:
        """A PharmCAT position; only plain substitutions get a position, since dbSNP writes indels otherwise."""
        if not re.fullmatch(r"rs\d+", row["rsid"] or "") or row["gene"] not in symbols:
            return
        uid, chromosome = row["rsid"][2:], row["chromosome"].removeprefix("chr").replace("M", "MT")
        alternatives = [one for one in re.split(r"[,|;]", row["alts"]) if re.fullmatch("[ACGT]", one)]
        simple = re.fullmatch("[ACGT]", row["ref"] or "") and alternatives
        snps[uid] = {
            "rs": uid,
            "chr": chromosome,
            "acc": row["refSeqChromosomeId"],
            "taxon_id": "9606",
            "genes": f"{row['gene']}:{symbols[row['gene']]}",
            "source": "pharmcat",
        }
        if simple:
            snps[uid] |= {
                "chrpos": f"{chromosome}:{row['position']}",
                "snp_class": "snv",
                "spdi": ",".join(f"{row['refSeqChromosomeId']}:{int(row['position']) - 1}:{row['ref']}:{alt}" for alt in alternatives),
            }

    # ---- sequences ---------------------------------------------------------------------------
    def collect_sequences(self) -> None:
        by_protein = {gene["refseq_protein"].partition(".")[0]: gene for gene in self.genes.values() if gene.get("refseq_protein")}
        human = {gene["symbol"]: gene for gene in self.genes.values() if gene["taxon_id"] == "9606" and gene.get("nomenclature_status") == "Official"}
        proteins: dict[str, Row] = {}
        for head, sequence in self.fasta("proteins.refseq.subset.fasta"):
            accession, symbol = head.split()[:2]
            gene = by_protein.get(accession.partition(".")[0]) or human.get(symbol, {})
            proteins[accession] = {
                "accession": accession,
                "gene": symbol,
                "gene_id": gene.get("gene_id", ""),
                "organism": "Homo sapiens",
                "taxon_id": "9606",
                "database": "refseq",
                "sequence": sequence,
                "source": "proteingym",
            }
        entries = {row["accession"]: row for row in self.read("uniprot_2025_03.entries.tsv.gz")}
        for head, sequence in self.fasta("uniprot_2025_03.sequences.fasta.gz"):
            entry = entries.get(head.partition("/")[0].split("|")[0].strip())
            if not entry or entry["status"] != "reviewed" or len(sequence) > 1500:
                continue
            gene = human.get(entry["gene"]) if entry["taxid"] == "9606" else None
            if not gene and entry["taxid"] in ("9606", "10090", "10116"):
                continue
            proteins[entry["accession"]] = {
                "accession": f"{entry['accession']}.{entry['seq_version']}",
                "entry_name": entry["entry_name"],
                "gene": entry["gene"],
                "gene_id": gene["gene_id"] if gene else "",
                "title": f"RecName: Full={entry['name']}",
                "organism": entry["organism"],
                "taxon_id": entry["taxid"],
                "database": "swissprot",
                "sequence": sequence,
                "source": "uniprot",
            }
        for gene in self.genes.values():
            accession = gene.get("refseq_protein")
            if accession and accession not in proteins:
                proteins[accession] = {
                    "accession": accession,
                    "gene": gene["symbol"],
                    "gene_id": gene["gene_id"],
                    "organism": "Homo sapiens",
                    "taxon_id": "9606",
                    "database": "refseq",
                    "sequence": "",
                    "source": "mane",
                }
        for _, text in replies.bodies(self.recorded, "efetch", "protein"):
            head = re.match(r">(NP_\S+?)(?::\S+)? (.*)\n", text)
            if head and head.group(1) in proteins:
                proteins[head.group(1)]["title"] = head.group(2)
        for row in proteins.values():
            row["length"] = str(len(row["sequence"]) or "")
        self.write(
            "entrez_proteins",
            ["accession:key", "title", "entry_name", "gene", "gene_id:intkey", "organism", "taxon_id:int", "database", "length:int", "sequence", "source"],
            proteins.values(),
        )
        nucleotides = dict(self._nucleotides())
        for gene in self.genes.values():
            accession = gene.get("refseq_rna")
            if accession and accession not in nucleotides:
                nucleotides[accession] = {
                    "accession": accession,
                    "gene": gene["symbol"],
                    "gene_id": gene["gene_id"],
                    "organism": "Homo sapiens",
                    "taxon_id": "9606",
                    "source": "mane",
                }
        self.write(
            "entrez_nucleotides",
            ["accession:key", "gi", "title", "gene", "gene_id:intkey", "organism", "taxon_id:int", "length:int", "created", "updated", "sequence", "source"],
            nucleotides.values(),
        )
        for kind, target, rows in (("refseq_protein", "protein", "gene_protein_refseq"), ("refseq_rna", "nuccore", "gene_nuccore_refseqrna")):
            for uid, gene in self.genes.items():
                if gene.get(kind):
                    self.link("gene", uid, target, gene[kind], rows, "mane")
        for row in proteins.values():
            if row["gene_id"]:
                self.link("protein", row["accession"], "gene", row["gene_id"], "protein_gene", row["source"])
                self.link("gene", row["gene_id"], "protein", row["accession"], "gene_protein", row["source"])
                self.link("protein", row["accession"], "taxonomy", row["taxon_id"], "protein_taxonomy", row["source"])
        for row in nucleotides.values():
            if row.get("gene_id"):
                self.link("nuccore", row["accession"], "gene", row["gene_id"], "nuccore_gene", row["source"])
                self.link("nuccore", row["accession"], "taxonomy", row["taxon_id"], "nuccore_taxonomy", row["source"])

    def _nucleotides(self) -> Iterator[tuple[str, Row]]:
        human = {gene["symbol"]: uid for uid, gene in self.genes.items() if gene["taxon_id"] == "9606"}
        recorded = [(row["file"], text) for row, text in replies.bodies(self.recorded, "efetch", "nuccore") if text.startswith(">")]
        pairs = list(self.fasta("nucleotide_refseq.fasta"))
        pairs += [(one.partition("\n")[0][1:], "".join(one.partition("\n")[2].split())) for _, one in recorded]
        for head, sequence in pairs:
            old = re.match(r"gi\|(\d+)\|ref\|([^|]+)\|\s*(.*)", head)
            accession, title, gi = (old.group(2), old.group(3), old.group(1)) if old else (*head.split(" ", 1), "")
            if accession.startswith("ENST") or ":" in accession or not sequence or not re.search(r"\.\d+$", accession):
                continue
            name = re.search(r"\(([A-Z0-9]+)\)", title)
            organism = "Homo sapiens" if title.startswith(("Homo sapiens", "Human")) else ""
            yield (
                accession,
                {
                    "accession": accession,
                    "gi": gi,
                    "title": title,
                    "gene": name.group(1) if name else "",
                    "gene_id": human.get(name.group(1), "") if name else "",
                    "organism": organism,
                    "taxon_id": "9606" if organism == "Homo sapiens" else "",
                    "length": str(len(sequence)),
                    "sequence": sequence,
                    "source": "eutils" if (head, sequence) in pairs[-len(recorded) :] else "retriever",
                },
            )

    # ---- taxonomy, ClinVar, databases --------------------------------------------------------
    def collect_taxonomy(self) -> None:
        taxa: dict[str, Row] = {}
        names: set[tuple[str, str, str, str]] = set()
        for row in self.read("ncbi_taxonomy.taxize_fixtures.tsv"):
            taxa[row["taxid"]] = {
                "taxon_id": row["taxid"],
                "rank": row["rank"],
                "name": row["scientific_name"],
                "common_name": row["common_name"],
                "division": row["division"],
                "source": "taxize",
            }
        scientific: Row = {}
        for line in (self.tables / "ncbi_taxdump.subset.names.dmp").read_text().splitlines():
            uid, name, _, kind = [cell.strip() for cell in line.split("|")[:4]]
            if kind == "scientific name":
                scientific[uid] = name
            else:
                names.add((uid, kind, name, "taxdump"))
        for line in (self.tables / "ncbi_taxdump.subset.nodes.dmp").read_text().splitlines():
            cells = [cell.strip() for cell in line.split("|")]
            if cells[0] in scientific:
                taxa[cells[0]] = taxa.get(cells[0], {}) | {
                    "taxon_id": cells[0],
                    "name": scientific[cells[0]],
                    "rank": cells[2],
                    "parent_id": cells[1],
                    "gc_id": cells[6],
                    "mgc_id": cells[8] if cells[8] != "0" else "",
                    "source": "taxdump",
                }
        for _, text in replies.bodies(self.recorded, "efetch", "taxonomy"):
            for root in replies.xml_roots(text):
                for taxon in root.iterfind("Taxon"):
                    row, others, above = replies.taxon_record(taxon)
                    for one in above:
                        taxa[one["taxon_id"]] = taxa.get(one["taxon_id"], {}) | one | {"source": "eutils"}
                    taxa[row["taxon_id"]] = row | {"complete": "yes", "source": "eutils"}
                    names = {one for one in names if one[0] != row["taxon_id"]} | {(row["taxon_id"], kind, name, "eutils") for kind, name in others}
        taxa = {uid: row for uid, row in taxa.items() if row.get("name")}
        taxa.pop("1", None)
        for uid, kind, name, _ in sorted(names):
            if kind == "genbank common name" and uid in taxa:
                taxa[uid]["common_name"] = taxa[uid].get("common_name") or name
        self.write(
            "entrez_taxonomy",
            [
                "taxon_id:intkey",
                "name:key",
                "rank",
                "parent_id:intkey",
                "division",
                "common_name",
                "gc_id",
                "gc_name",
                "mgc_id",
                "mgc_name",
                "complete",
                "source",
            ],
            taxa.values(),
        )
        self.write(
            "entrez_taxon_names",
            ["taxon_id:intkey", "class", "name", "source"],
            [dict(zip(("taxon_id", "class", "name", "source"), one, strict=True)) for one in names if one[0] in taxa],
        )

    def collect_clinvar(self) -> None:
        rows = []
        for row in self.read("clinvar_vcv.extracted.tsv"):
            genes = [one.split(":")[:2] for one in row["genes(symbol:GeneID:HGNC)"].split(";") if one]
            rows.append(
                {
                    "variation_id": row["variation_id"],
                    "accession": row["vcv"],
                    "version": row["version"],
                    "allele_id": row["allele_id"],
                    "title": row["name"],
                    "variant_type": row["type"],
                    "genes": "|".join(":".join(one) for one in genes),
                    "rs": row["rsid"].removeprefix("rs"),
                    "chr": row["chr"],
                    "start": row["start_GRCh38"],
                    "stop": row["stop_GRCh38"],
                    "spdi": row["spdi"],
                    "cdna": row["hgvs_MANE_c"].partition(":")[2],
                    "protein_change": row["protein_change"].replace("|", ", "),
                    "classification": row["germline_classification"],
                    "review_status": row["review_status"],
                    "traits": row["traits"],
                    "updated": row["date_last_updated"],
                    "source": "clinvar",
                }
            )
            for _, uid in genes:
                self.link("gene", uid, "clinvar", row["variation_id"], "gene_clinvar", "clinvar")
            if row["rsid"]:
                self.link("snp", row["rsid"].removeprefix("rs"), "clinvar", row["variation_id"], "snp_clinvar", "clinvar")
        self.write(
            "entrez_clinvar",
            [
                "variation_id:intkey",
                "accession:key",
                "version",
                "allele_id",
                "title",
                "variant_type",
                "genes",
                "rs",
                "chr",
                "start",
                "stop",
                "spdi",
                "cdna",
                "protein_change",
                "classification",
                "review_status",
                "traits",
                "updated",
                "source",
            ],
            rows,
        )

    def collect_databases(self) -> None:
        infos, fields, links = [], [], []
        listing = (self.recorded / "ncbi/einfo/xml.xml").read_text()
        for file in ("biopython_einfo2", "protein_xml", "reutils_test_03_b"):
            parsed = replies.einfo_rows((self.recorded / f"ncbi/einfo/{file}.xml").read_text())
            assert parsed, f"{file} describes a database"
            info, some_fields, some_links = parsed
            name = info["dbname"]
            infos.append(info | {"source": "eutils"})
            fields += [one | {"db": name, "rank": str(number), "source": "eutils"} for number, one in enumerate(some_fields)]
            links += [one | {"db": name, "rank": str(number), "source": "eutils"} for number, one in enumerate(some_links)]
        known = {one["dbname"] for one in infos}
        names = re.findall(r"<DbName>(\w+)</DbName>", listing)
        ranks = {name: str(number) for number, name in enumerate(names)}
        infos += [{"dbname": name, "source": "eutils"} for name in names if name not in known]
        self.write(
            "entrez_databases",
            ["dbname:key", "rank:int", "menuname", "description", "dbbuild", "count", "lastupdate", "source"],
            [one | {"rank": ranks[one["dbname"]]} for one in infos],
        )
        self.write(
            "entrez_fields",
            [
                "db:key",
                "rank:int",
                "name",
                "fullname",
                "description",
                "termcount",
                "isdate",
                "isnumerical",
                "singletoken",
                "hierarchy",
                "ishidden",
                "istruncatable",
                "israngable",
                "source",
            ],
            fields,
        )
        self.write("entrez_links", ["db:key", "rank:int", "name", "menu", "description", "dbto", "source"], links)

    def link(self, dbfrom: str, source_id: str, dbto: str, target: str, name: str, source: str) -> None:
        self.links.add((dbfrom, source_id, dbto, target, name, source))

    def collect_links(self) -> None:
        keys = ("dbfrom", "id_from", "dbto", "id_to", "linkname")
        merged: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for *key, source in self.links:
            merged[tuple(key)].add(source)
        self.write(
            "entrez_elinks",
            ["dbfrom", "id_from:key", "dbto", "id_to:key", "linkname", "source"],
            [dict(zip(keys, key, strict=True)) | {"source": "|".join(sorted(found))} for key, found in merged.items()],
        )


def plain_journal(name: str) -> str:
    """A journal abbreviation as MEDLINE writes it: without full stops."""
    return " ".join((name or "").replace(".", " ").split())


def plain_author(name: str) -> str:
    """An author as PubMed writes it: 'Bode W.' becomes 'Bode W', 'Lee J.-H.' 'Lee JH'."""
    last, _, initials = (name or "").rpartition(" ")
    return f"{last} {re.sub(r'[.-]', '', initials)}".strip() if last and "." in initials else name


def dashed_date(text: str) -> str:
    """2010-06-24 as PubMed writes a date: 2010 Jun 24."""
    year, month, day = text.split("-")
    return f"{year} {next(name for name, number in replies.MONTHS.items() if number == int(month))} {int(day)}"


def sort_date(text: str) -> str:
    """A publication date as YYYY/MM/DD with unknown parts set to 01, as PubMed sorts."""
    found = re.match(r"(\d{4})(?:[ -]([A-Z][a-z]{2}|\d\d))?(?:[ -](\d{1,2}))?", text or "")
    if not found:
        return ""
    month = replies.MONTHS.get(found.group(2) or "", int(found.group(2)) if (found.group(2) or "").isdigit() else 1)
    return f"{found.group(1)}/{month:02d}/{int(found.group(3) or 1):02d}"


def snp_of_docsum(record: dict) -> Row:
    """A JSON document summary of dbSNP as a flat row."""
    text = {key: str(value) for key, value in record.items() if isinstance(value, (str, int))}
    return {
        "rs": text["snp_id"],
        "genes": "|".join(f"{one['name']}:{one['gene_id']}" for one in record["genes"]),
        "mafs": "|".join(f"{one['study']}~{one['freq']}" for one in record["global_mafs"]),
        "taxon_id": text["tax_id"],
        "created": text["createdate"],
        "updated": text["updatedate"],
        "chrpos_prev": text["chrpos_prev_assm"],
        "clinical": text["clinical_significance"],
        "merged": text["merged_sort"],
        **{
            key: text[key]
            for key in ("acc", "chr", "handle", "spdi", "fxn_class", "validated", "docsum", "orig_build", "upd_build", "ss", "allele", "snp_class", "chrpos")
        },
    }


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
    for step in ("genes", "pubmed", "snps", "sequences", "taxonomy", "clinvar", "databases", "links"):
        getattr(collector, f"collect_{step}")()


if __name__ == "__main__":
    main()
