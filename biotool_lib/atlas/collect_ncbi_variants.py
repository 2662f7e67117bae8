"""Collects the variants: PharmCAT, dbSNP, recorded dbSNP records."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from biotool_lib.atlas import collect_ncbi_bodies as replies
from biotool_lib.atlas.collect_ncbi_room import Collector, Row


def collect_snps(room: Collector) -> None:
    """Write the variants, and link them to genes and papers."""
    snps: dict[str, Row] = {}
    symbols = {gene["symbol"]: uid for uid, gene in room.genes.items() if gene["taxon_id"] == "9606"}
    for row in room.read("pharmcat_variants.GRCh38.tsv"):
        _snp_of_pharmcat(snps, row, symbols)
    mafs = defaultdict(list)
    for row in room.read("dbsnp157.frequencies.tsv"):
        mafs[row["rsid"][2:]].append(row)
    for row in room.read("dbsnp157.variants.GRCh38.tsv"):
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
        for _, text in replies.bodies(room.recorded, function, "snp"):
            for root in replies.xml_roots(text):
                for one in root.iter("DocumentSummary"):
                    record = replies.snp_record(one)
                    if record["rs"] and record["acc"]:
                        snps[record["rs"]] = record | {"complete": "yes", "source": "eutils"}
    for _, record in replies.docsums(room.recorded, "snp"):
        if record.get("acc"):
            snps[record["uid"]] = snp_of_docsum(record) | {"complete": "yes", "source": "eutils"}
    _snps_of_uniprot(room, snps, symbols)
    for uid, row in snps.items():
        for gene in filter(None, row.get("genes", "").split("|")):
            room.link("gene", gene.rpartition(":")[2], "snp", uid, "gene_snp", row["source"])
    for row in room.read("gwas_catalog.pigmentation_2026-07.tsv"):
        if row["rsid"][2:] in snps and row["pubmed"]:
            room.link("snp", row["rsid"][2:], "pubmed", row["pubmed"], "snp_pubmed_cited", "gwas_pigmentation")
    room.write(
        "snps",
        [
            "rs:intkey",
            "snp_id:int",
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
            "text",
            "clinical_sort",
            "merged",
            "complete",
            "source",
        ],
        snps.values(),
    )


def _snps_of_uniprot(room: Collector, snps: dict[str, Row], symbols: dict[str, str]) -> None:
    """The natural variants of human proteins that carry an rsID: which gene they lie in, and no more."""
    genes: dict[str, set[str]] = defaultdict(set)
    for row in room.read("uniprot_2025_03.variants_dbsnp.tsv.gz"):
        if row["taxid"] == "9606" and row["gene"] in symbols and re.fullmatch(r"rs\d+", row["rsid"]):
            genes[row["rsid"][2:]].add(row["gene"])
    for uid, named in genes.items():
        if uid not in snps:
            snps[uid] = {"rs": uid, "taxon_id": "9606", "genes": "|".join(f"{gene}:{symbols[gene]}" for gene in sorted(named)), "source": "uniprot"}


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


def snp_of_docsum(record: dict[str, Any]) -> Row:
    """A JSON document summary of dbSNP as a flat row."""
    text = {key: str(value) for key, value in record.items() if isinstance(value, (str, int))}
    return {
        "rs": text["uid"],
        "snp_id": text["snp_id"],
        "genes": "|".join(f"{one['name']}:{one['gene_id']}" for one in record["genes"]),
        "mafs": "|".join(f"{one['study']}~{one['freq']}" for one in record["global_mafs"]),
        "taxon_id": text["tax_id"],
        "created": text["createdate"],
        "updated": text["updatedate"],
        "chrpos_prev": text["chrpos_prev_assm"],
        "clinical": text["clinical_significance"],
        "text": text["text"],
        "clinical_sort": text["clinical_sort"],
        "merged": text["merged_sort"],
        **{
            key: text[key]
            for key in ("acc", "chr", "handle", "spdi", "fxn_class", "validated", "docsum", "orig_build", "upd_build", "ss", "allele", "snp_class", "chrpos")
        },
    }
