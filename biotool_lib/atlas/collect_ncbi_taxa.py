"""Collects taxa, ClinVar records and the descriptions of the Entrez databases."""

from __future__ import annotations

import re

from biotool_lib.atlas import collect_ncbi_bodies as replies
from biotool_lib.atlas.collect_ncbi_room import Collector, Row


def collect_taxonomy(room: Collector) -> None:
    """Write the taxa and their names."""
    taxa: dict[str, Row] = {}
    names: set[tuple[str, str, str, str]] = set()
    for row in room.read("ncbi_taxonomy.taxize_fixtures.tsv"):
        taxa[row["taxid"]] = {
            "taxon_id": row["taxid"],
            "rank": row["rank"],
            "name": row["scientific_name"],
            "common_name": row["common_name"],
            "division": row["division"],
            "source": "taxize",
        }
    scientific: Row = {}
    for line in (room.tables / "ncbi_taxdump.subset.names.dmp").read_text().splitlines():
        uid, name, _, kind = [cell.strip() for cell in line.split("|")[:4]]
        if kind == "scientific name":
            scientific[uid] = name
        else:
            names.add((uid, kind, name, "taxdump"))
    for line in (room.tables / "ncbi_taxdump.subset.nodes.dmp").read_text().splitlines():
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
    for _, text in replies.bodies(room.recorded, "efetch", "taxonomy"):
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
    room.write(
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
    room.write(
        "entrez_taxon_names",
        ["taxon_id:intkey", "class", "name", "source"],
        [dict(zip(("taxon_id", "class", "name", "source"), one, strict=True)) for one in names if one[0] in taxa],
    )


def collect_clinvar(room: Collector) -> None:
    """Write the ClinVar records, and link them to genes and variants."""
    rows = []
    for row in room.read("clinvar_vcv.extracted.tsv"):
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
            room.link("gene", uid, "clinvar", row["variation_id"], "gene_clinvar", "clinvar")
        if row["rsid"]:
            room.link("snp", row["rsid"].removeprefix("rs"), "clinvar", row["variation_id"], "snp_clinvar", "clinvar")
    room.write(
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


def collect_databases(room: Collector) -> None:
    """Write the databases of Entrez with the fields and links of those that were described."""
    infos, fields, links = [], [], []
    listing = (room.recorded / "ncbi/einfo/xml.xml").read_text()
    for file in ("biopython_einfo2", "protein_xml", "reutils_test_03_b"):
        parsed = replies.einfo_rows((room.recorded / f"ncbi/einfo/{file}.xml").read_text())
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
    room.write(
        "entrez_databases",
        ["dbname:key", "rank:int", "menuname", "description", "dbbuild", "count", "lastupdate", "source"],
        [one | {"rank": ranks[one["dbname"]]} for one in infos],
    )
    room.write(
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
    room.write("entrez_links", ["db:key", "rank:int", "name", "menu", "description", "dbto", "source"], links)
