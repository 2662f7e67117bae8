"""Collects the sequences: RefSeq and reviewed UniProt proteins, GenBank and RefSeq nucleotides."""

from __future__ import annotations

import re
from collections.abc import Iterator

from biotool_lib.atlas import collect_ncbi_bodies as replies
from biotool_lib.atlas.collect_ncbi_room import Collector, Row

# Whole records in GBSet replies; the index does not say what was asked for.
_PROTEIN_SETS = ("biopython_protein2",)
_NUCLEOTIDE_SETS = ("nuccore_xml_nm_152783_3", "nuccore_319655736_xml_example")


def _whole_records(room: Collector, files: tuple[str, ...]) -> Iterator[Row]:
    for file in files:
        yield from replies.refseq_records((room.recorded / f"ncbi/efetch/{file}.xml").read_text(encoding="utf-8"))


def collect_sequences(room: Collector) -> None:
    """Write proteins and nucleotides, and link them to genes and taxa."""
    by_protein = {gene["refseq_protein"].partition(".")[0]: gene for gene in room.genes.values() if gene.get("refseq_protein")}
    human = {gene["symbol"]: gene for gene in room.genes.values() if gene["taxon_id"] == "9606" and gene.get("nomenclature_status") == "Official"}
    proteins: dict[str, Row] = {}
    for head, sequence in room.fasta("proteins.refseq.subset.fasta"):
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
    entries = {row["accession"]: row for row in room.read("uniprot_2025_03.entries.tsv.gz")}
    for head, sequence in room.fasta("uniprot_2025_03.sequences.fasta.gz"):
        entry = entries.get(head.partition("/")[0].split("|")[0].strip())
        if not entry or entry["status"] != "reviewed" or len(sequence) > 1500:
            continue
        known = human.get(entry["gene"]) if entry["taxid"] == "9606" else None
        if not known and entry["taxid"] in ("9606", "10090", "10116"):
            continue
        proteins[entry["accession"]] = {
            "accession": f"{entry['accession']}.{entry['seq_version']}",
            "entry_name": entry["entry_name"],
            "gene": entry["gene"],
            "gene_id": known["gene_id"] if known else "",
            "title": f"RecName: Full={entry['name']}",
            "organism": entry["organism"],
            "taxon_id": entry["taxid"],
            "database": "swissprot",
            "sequence": sequence,
            "source": "uniprot",
        }
    for gene in room.genes.values():
        accession = gene.get("refseq_protein", "")
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
    for _, text in replies.bodies(room.recorded, "efetch", "protein"):
        titled = re.match(r">(NP_\S+?)(?::\S+)? (.*)\n", text)
        if titled and titled.group(1) in proteins:
            proteins[titled.group(1)]["title"] = titled.group(2)
    for row in _whole_records(room, _PROTEIN_SETS):
        proteins[row["accession"]] = row | {"database": "refseq"}
    for row in proteins.values():
        row["length"] = str(len(row["sequence"]) or "")
    room.write(
        "entrez_proteins",
        [
            "accession:key", "gi:key", "title", "entry_name", "gene", "gene_id:intkey", "organism", "taxon_id:int", "database", "length:int",
            "sequence", "source",
        ],
        proteins.values(),
    )
    nucleotides = dict(_nucleotides(room))
    for row in _whole_records(room, _NUCLEOTIDE_SETS):
        nucleotides[row["accession"]] = row | {"length": str(len(row["sequence"]))}
    for gene in room.genes.values():
        accession = gene.get("refseq_rna", "")
        if accession and accession not in nucleotides:
            nucleotides[accession] = {
                "accession": accession,
                "gene": gene["symbol"],
                "gene_id": gene["gene_id"],
                "organism": "Homo sapiens",
                "taxon_id": "9606",
                "source": "mane",
            }
    room.write(
        "entrez_nucleotides",
        ["accession:key", "gi", "title", "gene", "gene_id:intkey", "organism", "taxon_id:int", "length:int", "created", "updated", "sequence", "source"],
        nucleotides.values(),
    )
    for kind, target, rows in (("refseq_protein", "protein", "gene_protein_refseq"), ("refseq_rna", "nuccore", "gene_nuccore_refseqrna")):
        for uid, gene in room.genes.items():
            if gene.get(kind):
                room.link("gene", uid, target, gene[kind], rows, "mane")
    for row in proteins.values():
        if row["gene_id"]:
            room.link("protein", row["accession"], "gene", row["gene_id"], "protein_gene", row["source"])
            room.link("gene", row["gene_id"], "protein", row["accession"], "gene_protein", row["source"])
            room.link("protein", row["accession"], "taxonomy", row["taxon_id"], "protein_taxonomy", row["source"])
    for row in nucleotides.values():
        if row.get("gene_id"):
            room.link("nuccore", row["accession"], "gene", row["gene_id"], "nuccore_gene", row["source"])
            room.link("nuccore", row["accession"], "taxonomy", row["taxon_id"], "nuccore_taxonomy", row["source"])


def _nucleotides(room: Collector) -> Iterator[tuple[str, Row]]:
    human = {gene["symbol"]: uid for uid, gene in room.genes.items() if gene["taxon_id"] == "9606"}
    recorded = [(row["file"], text) for row, text in replies.bodies(room.recorded, "efetch", "nuccore") if text.startswith(">")]
    pairs = list(room.fasta("nucleotide_refseq.fasta"))
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
