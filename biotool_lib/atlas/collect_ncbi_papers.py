"""Collects the papers: citations of UniProt and the GWAS Catalog, recorded PubMed records; never abstracts."""

from __future__ import annotations

import re

from biotool_lib.atlas import collect_ncbi_bodies as replies
from biotool_lib.atlas.collect_ncbi_room import Collector, Row


def collect_pubmed(room: Collector) -> None:
    """Write the papers, and link them to the genes they are cited for."""
    papers: dict[str, Row] = {}
    symbols = {gene["symbol"]: uid for uid, gene in room.genes.items() if gene["taxon_id"] == "9606" and gene.get("nomenclature_status") == "Official"}
    for row in room.read("uniprot_2025_03.pubmed_refs.tsv.gz"):
        cited = [symbols[one] for one in row["cited_by"].split("|") if one in symbols]
        if not cited:
            continue
        for uid in cited:
            room.link("gene", uid, "pubmed", row["pmid"], "gene_pubmed", "uniprot")
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
    for row in room.read("gwas_catalog.studies.gwasrapidd_mocks.tsv"):
        papers[row["pmid"]] = papers.get(row["pmid"], {}) | {
            "pmid": row["pmid"],
            "title": row["title"],
            "source_name": row["journal"],
            "first_author": row["first_author"],
            "pub_date": dashed_date(row["date"]),
            "source": "gwas",
        }
    for row in room.read("pubmed_records.tsv"):
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
    for _, text in replies.bodies(room.recorded, "efetch", "pubmed"):
        for root in replies.xml_roots(text):
            for article in root.iter("PubmedArticle"):
                record = replies.pubmed_record(article)
                if record["pmid"]:
                    papers[record["pmid"]] = record | {"source": "eutils"}
    for paper in papers.values():
        paper["sort_date"] = sort_date(paper.get("pub_date", ""))
    room.write(
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
