"""Genes, transcripts, exons, proteins, cross-references and orthologues for the Ensembl atlas."""

from __future__ import annotations

import json
from pathlib import Path

from .collect_ensembl_rest import PROTEIN_FEATURES
from .collect_ensembl_spans import admitted, transcribed
from .collect_ensembl_tables import bare, chromosome, fasta, read, version, write

GENE = ["id:key", "version:int", "symbol:key", "biotype", "species:key", "assembly", "seq_region:key", "start:int",
        "end:int", "strand:int", "description", "canonical_transcript", "complete:int", "source"]
TRANSCRIPT = ["id:key", "version:int", "gene:key", "display_name", "biotype", "species:key", "assembly",
              "seq_region:key", "start:int", "end:int", "strand:int", "is_canonical:int", "mane", "refseq",
              "translation:key", "translation_version:int", "cds_start:int", "cds_end:int", "protein_length:int",
              "exons_known:int", "source"]
EXON = ["transcript:key", "rank:int", "id:key", "version:int", "species", "assembly", "seq_region:key", "start:int",
        "end:int", "strand:int", "source"]
LOOKUP_SOURCE = {"mutalyzer": "lookup_mutalyzer", "POST_plants": "lookup_galaxytools_plants_2016",
                 "POST_expand1_multi": "lookup_galaxytools_2017", "_2016.json": "lookup_ngb_2016"}


def lookup_source(text: str) -> str:
    """The source key of a row of the recorded lookups."""
    return next(key for mark, key in LOOKUP_SOURCE.items() if mark in text)


def mane_rows(tables: Path) -> list[dict]:
    """MANE v1.4, all rows, with plain chromosome names and numbers."""
    rows = []
    for row in read(tables / "MANE.GRCh38.v1.4.summary.full.tsv.gz"):
        row = {key.lstrip("#"): value for key, value in row.items()}
        rows.append({
            "symbol": row["symbol"], "hgnc": row["HGNC_ID"], "name": row["name"], "gene": row["Ensembl_Gene"],
            "entrez": row["NCBI_GeneID"].removeprefix("GeneID:"), "refseq": row["RefSeq_nuc"], "refseq_protein": row["RefSeq_prot"],
            "transcript": row["Ensembl_nuc"], "protein": row["Ensembl_prot"], "status": row["MANE_status"],
            "chromosome": chromosome(row["GRCh38_chr"]), "start": int(row["chr_start"]), "end": int(row["chr_end"]),
            "strand": 1 if row["chr_strand"] == "+" else -1,
        })
    return rows


class Genes:
    """Collects gene models from the sources, most trusted first, and writes their tables."""

    def __init__(self, tables: Path, recorded: Path) -> None:
        self.tables, self.recorded = tables, recorded
        self.mane = mane_rows(tables)
        self.select = {row["symbol"]: row for row in self.mane if row["status"] == "MANE Select"}
        self.mane_transcript = {bare(row["transcript"]): row for row in self.mane}
        self.hgnc = {row["hgnc_id"]: row for row in read(tables / "hgnc_core_columns.protein_coding.tsv.gz")}
        self.hgnc_full = {row["hgnc_id"]: row for row in read(tables / "hgnc_complete_set.subset.tsv")}
        self.listed = {row["ensembl_gene_id"]: row for row in self.hgnc.values() if row["ensembl_gene_id"]}
        self.genes: dict[str, list] = {}
        self.transcripts: dict[str, list] = {}
        self.exons: dict[str, list[list]] = {}

    def collect(self) -> None:
        """Run every collector; a later one never replaces what an earlier one has."""
        self.from_lookups()
        self.from_brca2()
        self.from_chr21()
        self.from_spans()
        self.from_opentargets()
        self.from_mouse()
        self.from_mane()
        self.from_gencode_exons()

    def describe(self, hgnc_id: str, fallback: str = "") -> str:
        """A description in Ensembl's wording from the HGNC name."""
        name = (self.hgnc_full.get(hgnc_id) or self.hgnc.get(hgnc_id) or {}).get("name", fallback)
        return f"{name} [Source:HGNC Symbol;Acc:{hgnc_id}]" if name and hgnc_id else ""

    def add_gene(self, identifier: str, *cells: object) -> None:
        """Keep a gene, unless a more trusted source has it."""
        self.genes.setdefault(identifier, [identifier, *cells])

    def from_lookups(self) -> None:
        """Recorded lookup replies: whole genes with all transcripts and exons."""
        for row in read(self.tables / "ensembl_lookup.genes.tsv"):
            # Mouse genes of the older assembly give way to GRCm39 coordinates of MGI.
            if not row["start"] or row["assembly"] == "GRCm38":
                continue
            self.add_gene(row["id"], row["version"], row["display_name"], row["biotype"], row["species"], row["assembly"],
                          row["seq_region"], row["start"], row["end"], row["strand"], row["description"],
                          row["canonical_transcript"], 1, lookup_source(row["source"]))
        for row in read(self.tables / "ensembl_lookup.transcripts.tsv"):
            if row["gene"] not in self.genes:
                continue
            mane = self.mane_transcript.get(row["id"])
            same = mane if mane is not None and version(mane["transcript"]) == row["version"] else None
            self.transcripts[row["id"]] = [
                row["id"], row["version"], row["gene"], row["display_name"], row["biotype"], row["species"], row["assembly"],
                row["seq_region"], row["start"], row["end"], row["strand"], row["is_canonical"],
                same["status"] if same else "", same["refseq"] if same else "", bare(row["translation"]) if
                row["species"] in ("homo_sapiens", "mus_musculus") else row["translation"], "", row["cds_genomic_start"],
                row["cds_genomic_end"], row["protein_length"], 1, lookup_source(row["source"])]
        for row in read(self.tables / "ensembl_lookup.exons.tsv"):
            parent = self.transcripts.get(row["transcript"])
            if parent:
                self.exons.setdefault(row["transcript"], []).append(
                    [row["transcript"], row["rank"], row["exon"], row["version"], parent[5], row["assembly"],
                     row["seq_region"], row["start"], row["end"], row["strand"], lookup_source(row["source"])])

    def from_brca2(self) -> None:
        """The recorded BRCA2 lookup of 2018, whole."""
        path = self.recorded / "ensembl/lookup_symbol/r2_BRCA2_expand_2018.json"
        body = json.loads(path.read_text(encoding="utf-8"))
        key = "lookup_challenge_2018"
        self.add_gene(body["id"], body["version"], body["display_name"], body["biotype"], body["species"], body["assembly_name"],
                      body["seq_region_name"], body["start"], body["end"], body["strand"], body["description"], "", 1, key)
        for item in body["Transcript"]:
            protein = item.get("Translation") or {}
            self.transcripts[item["id"]] = [
                item["id"], item["version"], body["id"], item["display_name"], item["biotype"], item["species"],
                item["assembly_name"], item["seq_region_name"], item["start"], item["end"], item["strand"], item["is_canonical"],
                "", "", protein.get("id", ""), protein.get("version", ""), protein.get("start", ""), protein.get("end", ""),
                protein.get("length", ""), 1, key]
            self.exons[item["id"]] = [
                [item["id"], rank, exon["id"], exon["version"], item["species"], exon["assembly_name"], exon["seq_region_name"],
                 exon["start"], exon["end"], exon["strand"], key] for rank, exon in enumerate(item["Exon"], 1)]

    def from_chr21(self) -> None:
        """Genes of a slice of chromosome 21 (release 84); only those that HGNC lists under the same id and symbol."""
        key = "ensembl84_chr21"
        for row in read(self.tables / "ensembl84_GRCh38_chr21.genes.tsv"):
            listed = self.listed.get(row["ensembl_gene"])
            if listed is None or listed["symbol"] != row["display_name"]:
                continue
            self.add_gene(row["ensembl_gene"], row["version"], row["display_name"], row["biotype"], "homo_sapiens", "GRCh38",
                          row["chr"], row["start"], row["end"], row["strand"], row["description"], "", 1, key)
        for row in read(self.tables / "ensembl84_GRCh38_chr21.transcripts.tsv"):
            if self.genes.get(row["ensembl_gene"], [""])[-1] == key:
                self.transcripts.setdefault(row["ensembl_transcript"], [
                    row["ensembl_transcript"], row["version"], row["ensembl_gene"], "", row["biotype"], "homo_sapiens", "GRCh38",
                    row["chr"], row["start"], row["end"], row["strand"], "", "", "", "", "", "", "", "", 1, key])
        for row in read(self.tables / "ensembl84_GRCh38_chr21.exons.tsv"):
            parent = self.transcripts.get(row["ensembl_transcript"])
            if parent and parent[-1] == key:
                self.exons.setdefault(row["ensembl_transcript"], []).append(
                    [row["ensembl_transcript"], row["rank"], row["ensembl_exon"], "", "homo_sapiens", "GRCh38", row["chr"],
                     row["start"], row["end"], row["strand"], key])

    def from_spans(self) -> None:
        """Transcribed spans of famous genes, checked against MANE Select."""
        self.refused = []
        for symbol, place, start, end, key in transcribed():
            mane = self.select.get(symbol)
            if mane is None or not admitted((place, start, end), mane):
                self.refused.append(f"{symbol} {place}:{start}-{end} ({key})")
                continue
            biotype = "protein_coding" if mane["refseq_protein"] else ""
            self.add_gene(bare(mane["gene"]), "", symbol, biotype, "homo_sapiens", "GRCh38", place, start, end, mane["strand"],
                          self.describe(mane["hgnc"], mane["name"]), "", 0, key)

    def from_opentargets(self) -> None:
        """Open Targets: gene spans, and exons of canonical transcripts that MANE v1.4 still has unchanged."""
        for row in read(self.tables / "opentargets_targets.canonical_exons.GRCh38.tsv"):
            hgnc = next((part for part in row["interpro_etc"].split("|") if part.startswith("HGNC:")), "")
            self.add_gene(row["ensembl_gene"], "", row["symbol"], row["biotype"], "homo_sapiens", "GRCh38", row["chr"],
                          row["start"], row["end"], row["strand"], self.describe(hgnc, row["approved_name"]), "", 0, "opentargets")
            mane = self.mane_transcript.get(row["canonical_transcript"])
            spans = sorted(tuple(map(int, part.split("-"))) for part in row["canonical_exons"].split(",") if part)
            if mane is None or not spans or (spans[0][0], spans[-1][1]) != (mane["start"], mane["end"]):
                continue
            ordered = spans if row["strand"] == "1" else spans[::-1]
            self.exons.setdefault(row["canonical_transcript"], [
                [row["canonical_transcript"], rank, "", "", "homo_sapiens", "GRCh38", row["chr"], start, end, row["strand"],
                 "opentargets"] for rank, (start, end) in enumerate(ordered, 1)])

    def from_mouse(self) -> None:
        """Mouse genes on GRCm39 with the Ensembl coordinates that MGI lists."""
        for row in read(self.tables / "MGI_HGNC_AllianceHomology.mouse_gene_coords.subset.tsv"):
            identifier = row["Ensembl Gene ID"]
            if not identifier.startswith("ENSMUSG") or "|" in identifier or not row["Ensembl Gene start"]:
                continue
            self.add_gene(identifier, "", row["Marker Symbol"], "protein_coding" if row["Feature Type"] == "protein coding gene" else "",
                          "mus_musculus", "GRCm39", row["Ensembl Gene chromosome"], row["Ensembl Gene start"], row["Ensembl Gene end"],
                          1 if row["Ensembl Gene strand"] == "+" else -1,
                          f"{row['Marker Name']} [Source:MGI Symbol;Acc:{row['MGI Accession ID']}]", "", 0, "mgi")

    def from_mane(self) -> None:
        """MANE Select and Plus Clinical transcripts of the genes that are known here, on the list of well-known genes, or with protein features."""
        listed = {row["symbol"] for row in self.hgnc_full.values()}
        featured = {transcript for _, transcript in PROTEIN_FEATURES}
        for row in self.mane:
            gene, transcript = bare(row["gene"]), bare(row["transcript"])
            if gene not in self.genes and row["symbol"] not in listed and transcript not in featured:
                continue
            self.transcripts.setdefault(transcript, [
                transcript, version(row["transcript"]), gene, "", "protein_coding" if row["protein"] else "", "homo_sapiens", "GRCh38",
                row["chromosome"], row["start"], row["end"], row["strand"], "", row["status"], row["refseq"], bare(row["protein"]),
                version(row["protein"]), "", "", "", 0, "mane14"])

    def from_gencode_exons(self) -> None:
        """HBB and TP53: exons and coding ranges of the current MANE transcript."""
        for row in read(self.tables / "famous_gene_exons.transcribed.tsv"):
            if row["symbol"] == "HBB":
                self.exons.setdefault("ENST00000335295", []).append(
                    ["ENST00000335295", row["exon_rank"], bare(row["exon_id"]), version(row["exon_id"]), "homo_sapiens", "GRCh38", "11",
                     row["start"], row["end"], -1, "gencode31_hbb"])
        self.coding("ENST00000335295", 5225598, 5227021, 147)
        for row in read(self.tables / "TP53.NM_000546.6_ENST00000269305.9.exons.GRCh38.transcribed.tsv"):
            self.exons.setdefault("ENST00000269305", []).append(
                ["ENST00000269305", row["rank"], "", "", "homo_sapiens", "GRCh38", "17", row["start"], row["end"], -1, "tp53_exons"])
        self.coding("ENST00000269305", 7669609, 7676594, 393)

    def coding(self, transcript: str, start: int, end: int, residues: int) -> None:
        """Set the coding range of a transcript, if the exons inside it have the length that the protein needs."""
        inside = sum(max(0, min(int(exon[8]), end) - max(int(exon[7]), start) + 1) for exon in self.exons[transcript])
        if inside != 3 * residues + 3:
            raise ValueError(f"{transcript}: {inside} coding bases cannot make {residues} residues")
        self.transcripts[transcript][16:19] = [start, end, residues]

    def write(self, out: Path) -> dict[str, int]:
        """Write the tables; returns their row counts."""
        for identifier, exons in self.exons.items():
            row = self.transcripts.get(identifier)
            if row is not None:
                row[19] = 1 if (min(int(e[7]) for e in exons), max(int(e[8]) for e in exons)) == (int(row[8]), int(row[9])) else 0
        known = list(self.transcripts.values())
        exons = [exon for row in known if row[19] for exon in self.exons.get(row[0], [])]
        return {
            "genes": write(out, "genes", GENE, self.genes.values()),
            "transcripts": write(out, "transcripts", TRANSCRIPT, known),
            "exons": write(out, "exons", EXON, exons),
            "translation_sequences": write(out, "translation_sequences", ["id:key", "version:int", "transcript:key", "sequence", "source"],
                                           self.proteins()),
            "ensembl_xrefs": write(out, "ensembl_xrefs", XREF, self.xrefs()),
            "homologies": write(out, "homologies", HOMOLOGY, self.homologies()),
            "archive_ids": write(out, "archive_ids", ["id:key", "version:int", "type", "release", "source"], self.archive()),
        }

    def proteins(self) -> list[list]:
        """Proteins of MANE transcripts whose RefSeq partner is sourced in exactly the same version, and recorded ones."""
        refseq = fasta(self.tables / "proteins.refseq.subset.fasta")
        rows = [[bare(m["protein"]), version(m["protein"]), bare(m["transcript"]), refseq[m["refseq_protein"]], "proteingym_mane14"]
                for m in self.mane if m["refseq_protein"] in refseq]
        have = {row[0] for row in rows}
        for name in ("r2_ENSG00000139618_protein_multiple_2018", "r2_ENSG00000157764_protein_multiple_2018"):
            for item in json.loads((self.recorded / f"ensembl/sequence_id/{name}.json").read_text(encoding="utf-8")):
                if item["id"] not in have:
                    parent = next((t[0] for t in self.transcripts.values() if t[14] == item["id"]), "")
                    rows.append([item["id"], item["version"], parent, item["seq"], "sequence_challenge_2018"])
        return rows

    def xrefs(self) -> list[list]:
        """Cross-references of genes (HGNC, NCBI gene), transcripts (RefSeq) and proteins (RefSeq)."""
        rows = []
        for hgnc in self.hgnc_full.values():
            gene = hgnc["ensembl_gene_id"]
            if not gene:
                continue
            synonyms = "|".join(part.strip('"') for column in ("alias_symbol", "prev_symbol")
                                for part in hgnc[column].strip('"').split("|") if part)
            lrg = next((part for part in hgnc["lsdb"].strip('"').split("|") if part.startswith("LRG_")), "")
            rows.append([gene, "gene", "homo_sapiens", "HGNC", "HGNC Symbol", hgnc["hgnc_id"], hgnc["symbol"], hgnc["name"], synonyms, lrg, "hgnc"])
            if hgnc["entrez_id"]:
                rows.append([gene, "gene", "homo_sapiens", "EntrezGene", "NCBI gene (formerly Entrezgene)", hgnc["entrez_id"],
                             hgnc["symbol"], hgnc["name"], "", "", "hgnc"])
        listed = {row["symbol"] for row in self.hgnc_full.values()}
        for row in self.mane:
            if row["symbol"] not in listed:
                continue
            rows.append([bare(row["transcript"]), "transcript", "homo_sapiens", "RefSeq_mRNA" if row["protein"] else "RefSeq_ncRNA",
                         "RefSeq mRNA" if row["protein"] else "RefSeq ncRNA", bare(row["refseq"]), row["refseq"], "", "", "", "mane14"])
            if row["protein"]:
                rows.append([bare(row["protein"]), "translation", "homo_sapiens", "RefSeq_peptide", "RefSeq peptide",
                             bare(row["refseq_protein"]), row["refseq_protein"], "", "", "", "mane14"])
        for row in read(self.tables / "MGI_HGNC_AllianceHomology.mouse_gene_coords.subset.tsv"):
            if row["Ensembl Gene ID"] in self.genes:
                rows.append([row["Ensembl Gene ID"], "gene", "mus_musculus", "MGI", "MGI Symbol", row["MGI Accession ID"],
                             row["Marker Symbol"], row["Marker Name"], "", "", "mgi"])
                if row["EntrezGene ID"]:
                    rows.append([row["Ensembl Gene ID"], "gene", "mus_musculus", "EntrezGene", "NCBI gene (formerly Entrezgene)",
                                 row["EntrezGene ID"], row["Marker Symbol"], row["Marker Name"], "", "", "mgi"])
        return rows

    def homologies(self) -> list[list]:
        """Human-mouse orthologues that the Alliance lists one to one, in both directions."""
        pairs = [(row["HGNC ID"], row["Ensembl Gene ID"], row["Marker Symbol"])
                 for row in read(self.tables / "MGI_HGNC_AllianceHomology.mouse_gene_coords.subset.tsv")
                 if row["HGNC ID"] and "|" not in row["HGNC ID"] and row["Ensembl Gene ID"].startswith("ENSMUSG")
                 and "|" not in row["Ensembl Gene ID"]]
        human = {h: (self.hgnc_full.get(h) or self.hgnc.get(h)) for h, _, _ in pairs}
        rows = []
        for hgnc, mouse, symbol in pairs:
            partner = human[hgnc]
            if not partner or not partner["ensembl_gene_id"] or [p[0] for p in pairs].count(hgnc) > 1 or [p[1] for p in pairs].count(mouse) > 1:
                continue
            gene = partner["ensembl_gene_id"]
            rows.append([gene, partner["symbol"], "homo_sapiens", 9606, mouse, symbol, "mus_musculus", 10090, "mgi"])
            rows.append([mouse, symbol, "mus_musculus", 10090, gene, partner["symbol"], "homo_sapiens", 9606, "mgi"])
        return rows

    def archive(self) -> list[list]:
        """Versions of stable identifiers as MANE v1.4 lists them; BRAF from a recorded reply."""
        listed = {row["symbol"] for row in self.hgnc_full.values()} - {"BRAF"}
        rows = [["ENSG00000157764", 15, "Gene", 115, "recorded_archive_115"]]
        for row in self.mane:
            if row["symbol"] in listed:
                for identifier, kind in ((row["gene"], "Gene"), (row["transcript"], "Transcript"), (row["protein"], "Translation")):
                    if identifier:
                        rows.append([bare(identifier), version(identifier), kind, "", "mane14"])
        return rows


XREF = ["id:key", "object_type", "species:key", "dbname", "db_display_name", "primary_id:key", "display_id:key", "description",
        "synonyms", "lrg", "source"]
HOMOLOGY = ["gene:key", "symbol:key", "species", "taxon_id:int", "target_gene:key", "target_symbol", "target_species", "target_taxon_id:int", "source"]
