"""Collects the genes: HGNC and MANE, MGI, recorded Gene records, HomoloGene."""

from __future__ import annotations

import re
from typing import Any

from biotool_lib.atlas import collect_ncbi_bodies as replies
from biotool_lib.atlas.collect_ncbi_room import Collector, Row

HUMAN = {"taxon_id": "9606", "organism": "Homo sapiens", "common_name": "human"}
MOUSE = {"taxon_id": "10090", "organism": "Mus musculus", "common_name": "house mouse"}


def collect_genes(room: Collector) -> None:
    """Write the genes."""
    _genes_of_hgnc(room)
    _genes_of_mouse(room)
    _genes_recorded(room)
    _genes_of_homologene(room)
    room.write(
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
            "sort_start:int",
            "chr_loc",
            "gene_type",
            "refseq_rna",
            "refseq_protein",
            "complete",
            "source",
        ],
        room.genes.values(),
    )


def _genes_of_hgnc(room: Collector) -> None:
    mane = {}
    for row in room.read("MANE.GRCh38.v1.4.summary.full.tsv.gz"):
        if row["MANE_status"] == "MANE Select":
            mane[row["NCBI_GeneID"].removeprefix("GeneID:")] = row
    for row in room.read("hgnc_complete_set.subset.tsv"):
        uid = row["entrez_id"]
        if not uid or row["status"] != "Approved":
            continue
        place = re.match(r"(\d+|X|Y|mitochondria)", row["location"] or "")
        chosen = mane.get(uid, {})
        aliases = [one for key in ("alias_symbol", "prev_symbol") for one in (row[key] or "").split("|") if one]
        room.genes[uid] = HUMAN | {
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
            room.link("gene", uid, "pubmed", pmid, "gene_pubmed", "hgnc")


def _genes_of_mouse(room: Collector) -> None:
    for row in room.read("MGI_HGNC_AllianceHomology.mouse_gene_coords.subset.tsv"):
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
        room.genes[uid] = gene
    for row in room.read("MGI_HOM_MouseHumanSequence.subset.tsv"):
        mouse = room.genes.get(row["EntrezGene ID"])
        if mouse and mouse["taxon_id"] == "10090":
            mouse["map_location"] = row["Genetic Location"].removeprefix("Chr").strip()


def _genes_recorded(room: Collector) -> None:
    for _, text in replies.bodies(room.recorded, "efetch", "gene"):
        for record in replies.gene_texts(text):
            official = record.pop("official", "")
            old = room.genes.get(record["gene_id"], {})
            if official:
                record |= {"nomenclature_symbol": record["symbol"], "nomenclature_name": record.get("name", ""), "nomenclature_status": "Official"}
            keep = {key: old[key] for key in ("refseq_rna", "refseq_protein", "taxon_id", "gene_type") if old.get(key)}
            room.genes[record["gene_id"]] = record | keep | {"source": _told_by(keep, old)}
    for _, summary in replies.docsums(room.recorded, "gene"):
        before: Row = room.genes.get(summary["uid"], {})
        kept = {key: before.get(key, "") for key in ("refseq_rna", "refseq_protein", "gene_type")}
        spot: dict[str, Any] = (summary.get("genomicinfo") or [{}])[0]
        room.genes[summary["uid"]] = {
            "gene_id": summary["uid"],
            "symbol": summary["name"],
            "name": summary["description"],
            "taxon_id": str(summary["organism"]["taxid"]),
            "organism": summary["organism"]["scientificname"],
            "common_name": summary["organism"]["commonname"],
            "chromosome": summary["chromosome"],
            "map_location": summary["maplocation"],
            "aliases": summary["otheraliases"].replace(", ", "|"),
            "designations": summary["otherdesignations"],
            "nomenclature_symbol": summary["nomenclaturesymbol"],
            "nomenclature_name": summary["nomenclaturename"],
            "nomenclature_status": summary["nomenclaturestatus"],
            "chr_accession": spot.get("chraccver", ""),
            "chr_start": str(spot.get("chrstart", "")),
            "chr_stop": str(spot.get("chrstop", "")),
            "exon_count": str(spot.get("exoncount", "")),
            "gene_weight": str(summary["geneweight"]),
            "summary": summary["summary"],
            "status": str(summary["status"]),
            "current_id": str(summary["currentid"]),
            "genetic_source": summary["geneticsource"],
            "chr_sort": summary["chrsort"],
            "sort_start": str(summary["chrstart"]),
            "chr_loc": spot.get("chrloc", ""),
            **kept,
            "complete": "yes",
            "source": _told_by(kept, before),
        }
    known = {gene["organism"]: gene["taxon_id"] for gene in room.genes.values() if gene.get("taxon_id")}
    for gene in room.genes.values():
        gene.setdefault("taxon_id", known.get(gene.get("organism", ""), ""))


def _told_by(kept: dict[str, str], before: Row) -> str:
    """The sources of a recorded gene, with those of what it keeps of the row that a table gave."""
    return "|".join(dict.fromkeys(["eutils", *(before["source"].split("|") if any(kept.values()) else ())]))


def _genes_of_homologene(room: Collector) -> None:
    names = {row["tax_id"]: row["name_txt"] for row in room.read("homologene_taxData.tsv")}
    for row in room.read("homologene.human_mouse_rat_zebrafish_fly_worm_yeast.subset.tsv"):
        if row["Taxonomy"] in ("9606", "10090") or row["Gene.ID"] in room.genes:
            continue
        room.genes[row["Gene.ID"]] = {
            "gene_id": row["Gene.ID"],
            "symbol": row["Gene.Symbol"],
            "taxon_id": row["Taxonomy"],
            "organism": names.get(row["Taxonomy"], ""),
            "source": "homologene",
        }
