"""Variants, linkage disequilibrium, populations and phenotypes for the Ensembl atlas."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from .collect_ensembl_tables import read, read_plain, write

VARIANT = ["id:key", "var_class", "seq_region:key", "start:int", "end:int", "allele_string", "ancestral_allele", "minor_allele",
           "maf:float", "most_severe_consequence", "ambiguity", "synonyms", "evidence", "clinical_significance", "source_text",
           "gene", "recorded:int", "source"]
PHENOTYPE = ["accession:key", "trait:key", "description", "variant:key", "seq_region:key", "start:int", "p_value", "risk_allele",
             "odds_ratio", "beta_coefficient", "associated_gene", "external_reference", "study", "origin", "source"]


class Variation:
    """Collects variants, the fullest record of each first, and the tables that hang on them."""

    def __init__(self, tables: Path, recorded: Path) -> None:
        self.tables, self.recorded = tables, recorded / "ensembl"
        self.variants: dict[str, list] = {}
        self.frequencies: list[list] = []

    def load(self, name: str) -> Any:
        """A recorded body by its file name."""
        return json.loads((self.recorded / name).read_text(encoding="utf-8"))

    def collect(self) -> None:
        """Recorded replies first, then dbSNP, ClinVar, PharmCAT and the GWAS Catalog."""
        for body in self.load("variation_post/r2_nb11_7_rsids_pops_2026.json").values():
            self.from_body(body, "variation_recorded_2026")
        self.from_body(self.load("variation/rs3798220_pops_grch38_2026.json"), "variation_recorded_2026", populations=False)
        self.from_body(self.load("variation/r2_rs56116432_e115.json"), "variation_recorded_115")
        self.from_body(self.load("variation/rs7412_2016.json"), "variation_recorded_2016")
        for row in read(self.tables / "dbsnp157.variants.GRCh38.tsv"):
            if row["type"] == "snv":
                alleles = "/".join([row["ref"], *row["alts"].split("|")])
                self.place(row["rsid"], row["chrom"], row["pos"], alleles, "", "dbsnp157")
        for row in read(self.tables / "clinvar_vcv.extracted.tsv"):
            if row["rsid"] and row["type"] == "single nucleotide variant":
                gene = row["genes(symbol:GeneID:HGNC)"].split(":")[0]
                self.place(row["rsid"], row["chr"], row["start_GRCh38"], "", gene, "clinvar")
        for row in read(self.tables / "pharmcat_variants.GRCh38.tsv"):
            single = len(row["ref"]) == 1 and all(len(alt) == 1 for alt in re.split(r"[|,/]", row["alts"]))
            if row["rsid"].startswith("rs") and single and re.fullmatch(r"g\.\d+[ACGT]>[ACGT].*", row["chromosomeHgvsName"]):
                self.place(row["rsid"], row["chromosome"].removeprefix("chr"), row["position"], "", row["gene"], "pharmcat")

    def from_body(self, body: dict, key: str, populations: bool = True) -> None:
        """A whole recorded reply; its mapping to the reference chromosome is kept."""
        place = next(m for m in body["mappings"] if m["coord_system"] == "chromosome")
        self.variants[body["name"]] = [
            body["name"], body["var_class"], place["seq_region_name"], place["start"], place["end"], place["allele_string"],
            place.get("ancestral_allele") or body.get("ancestral_allele"), body.get("minor_allele"), body.get("MAF"),
            body["most_severe_consequence"], body["ambiguity"], "|".join(body["synonyms"]), "|".join(body["evidence"]),
            "|".join(body.get("clinical_significance", [])), body["source"], "", 1, key]
        if populations:
            self.frequencies += [[body["name"], item["population"], item["allele"], item["frequency"], item.get("allele_count"), key]
                                 for item in body.get("populations", [])]

    def place(self, rsid: str, chromosome: str, position: str, alleles: str, gene: str, key: str) -> None:
        """A single nucleotide variant of which only the place (and perhaps the alleles) is sourced."""
        row = self.variants.setdefault(rsid, [rsid, "SNP", chromosome, position, position, alleles] + [""] * 9 + [gene, 0, key])
        row[15] = row[15] or gene

    def phenotypes(self) -> list[list]:
        """Associations of the GWAS Catalog that have a place on GRCh38 and a single trait."""
        rows = []
        for row in read(self.tables / "gwas_catalog.pigmentation_2026-07.tsv"):
            traits = row["mapped_trait"].split(", ")
            if len(traits) != 1 or not row["chr"] or not row["pos_hg38"] or not re.fullmatch(r"rs\d+", row["rsid"]):
                continue
            beta = row["or_beta"] if row["effect_type"] == "beta" else ""
            ratio = row["or_beta"] if row["effect_type"].upper() == "OR" else ""
            gene = row["mapped_gene"] if re.fullmatch(r"[A-Za-z0-9-]+", row["mapped_gene"] or "") else ""
            rows.append([row["source_short_form"], row["mapped_trait"], row["reported_trait"], row["rsid"], row["chr"], row["pos_hg38"],
                         row["pvalue"].lower(), row["risk_allele"], ratio, beta, gene, f"PMID:{row['pubmed']}" if row["pubmed"] else "",
                         row["study_accession"], "NHGRI-EBI GWAS catalog", "gwas_catalog"])
        return rows

    def linkage(self) -> list[list]:
        """Pairs with r2 and D' as the service gave them."""
        return [[r["variation1"], r["variation2"], r["population"], r["r2"], r["d_prime"],
                 500 if r["query"].startswith("window") else "", "ld_2026"]
                for r in read(self.tables / "ensembl_ld.r2_pairs.1000G_phase3.tsv")]

    def populations(self) -> list[list]:
        """The populations of the 1000 Genomes Project, phase 3."""
        return [[row[1], row[3], row[2], 1 if row[6] == "LD" else 0, "homo_sapiens", "ensembl_variation_testdb"]
                for row in read_plain(self.tables / "ensembl_variation_testdb.population.txt")
                if row[1].startswith("1000GENOMES:phase_3:")]

    def consequences(self) -> list[list]:
        """Consequence terms of the variation code."""
        return [[r["SO_term"], r["SO_accession"], r["label"], r["description"], r["rank"], r["impact"], "ensembl_variation_code"]
                for r in read(self.tables / "ensembl_consequence_types.tsv")]

    def write(self, out: Path) -> dict[str, int]:
        """Write the tables; returns their row counts."""
        return {
            "variants": write(out, "variants", VARIANT, self.variants.values()),
            "variant_frequencies": write(out, "variant_frequencies", ["variant:key", "population", "allele", "frequency:float",
                                                                      "allele_count:int", "source"], self.frequencies),
            "ld": write(out, "ld", ["variation1:key", "variation2:key", "population:key", "r2", "d_prime", "window_kb:int", "source"],
                        self.linkage()),
            "populations": write(out, "populations", ["name:key", "description", "size:int", "ld:int", "species", "source"],
                                 self.populations()),
            "consequence_types": write(out, "consequence_types", ["so_term:key", "so_accession", "label", "description", "rank:int",
                                                                  "impact", "source"], self.consequences()),
            "phenotype_features": write(out, "phenotype_features", PHENOTYPE, self.phenotypes()),
        }
