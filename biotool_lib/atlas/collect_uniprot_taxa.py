"""Taxa, proteomes and the recorded UniRef, UniParc, gene-centric and rule records as fact tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from biotool_lib.atlas.collect_uniprot_io import Table, read_text, read_tsv
from biotool_lib.atlas.collect_uniprot_proteins import recorded_entries

RECORDED = "uniprot_rest"
FIELDS = ("scientific_name", "common_name", "mnemonic", "rank", "parent_id", "hidden", "other_names", "lineage",
          "statistics")


class Taxa:
    """Facts about taxa; a fact that is set stays, so the most trusted source is asked first."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, object]] = {}

    def add(self, taxon_id: int, source: str, **facts: object) -> None:
        """Set the facts that are not known yet and name their source."""
        row = self.rows.setdefault(taxon_id, {"sources": []})
        new = {key: value for key, value in facts.items() if value not in (None, "", []) and key not in row}
        if new:
            row.update(new)
            row["sources"].append(source)  # type: ignore[attr-defined]

    def add_record(self, item: dict, source: str) -> None:
        """A taxon in the service's shape, with its lineage, root first."""
        lineage = item.get("lineage") or []
        line = [*lineage, item]
        if lineage and isinstance(lineage[0], dict):
            for above, taxon in zip([None, *line], line, strict=False):
                self.add(taxon["taxonId"], source, parent_id=above["taxonId"] if above else None, **_own(taxon))
        else:
            self.add(item["taxonId"], source, lineage="|".join(lineage), **_own(item))


def _own(taxon: dict) -> dict[str, object]:
    hidden = taxon.get("hidden")
    return {"scientific_name": taxon.get("scientificName"), "common_name": taxon.get("commonName"),
            "mnemonic": taxon.get("mnemonic"), "rank": taxon.get("rank"),
            "hidden": None if hidden is None else int(hidden), "statistics": taxon.get("statistics"),
            "other_names": "|".join(taxon.get("otherNames") or taxon.get("synonyms") or [])}


def _recorded(taxa: Taxa, answers: list[tuple[str, dict, str]]) -> None:
    for folder, body, _ in reversed(answers):
        if folder == "taxonomy":
            for item in body["results"]:
                taxa.add_record(item, RECORDED)
        elif folder == "proteomes":
            taxa.add_record(body["taxonomy"] | {"lineage": body["taxonLineage"]}, RECORDED)
    for entry in recorded_entries(answers).values():
        taxa.add_record(entry["organism"] | _code(entry["uniProtkbId"], "Swiss-Prot" in entry["entryType"]), RECORDED)


def _code(entry_name: str, reviewed: bool) -> dict[str, str]:
    """The species code at the end of a reviewed entry's name; unreviewed names may carry a group's code."""
    return {"mnemonic": entry_name.split("_")[1]} if reviewed else {}


def _listed(taxa: Taxa, tables: Path) -> None:
    for row in read_tsv(tables / "uniprot_2025_03.entries.tsv.gz"):
        taxa.add(int(row["taxid"]), "uniprot_2025_03", scientific_name=row["organism"],
                 common_name=row["common_name"], **_code(row["entry_name"], row["status"] == "reviewed"))


def _compara(taxa: Taxa, tables: Path) -> None:
    names: dict[int, dict[str, list[str]]] = {}
    for line in read_text(tables / "ensembl_compara.ncbi_taxa_name.txt").splitlines():
        key, name, kind = line.split("\t")[:3]
        names.setdefault(int(key), {}).setdefault(kind, []).append(name)
    for line in read_text(tables / "ensembl_compara.ncbi_taxa_node.txt").splitlines():
        key, parent, rank, hidden = line.split("\t")[:4]
        own = names.get(int(key), {})
        if own.get("scientific name") and key != "1":
            taxa.add(int(key), "ensembl_compara_taxonomy", scientific_name=own["scientific name"][0],
                     parent_id=int(parent), rank=rank, hidden=int(hidden),
                     common_name=next(iter(own.get("genbank common name", [])), None),
                     other_names="|".join(own.get("synonym", []) + own.get("common name", [])))


def _taxdump(taxa: Taxa, tables: Path) -> None:
    names: dict[int, dict[str, list[str]]] = {}
    for line in read_text(tables / "ncbi_taxdump.subset.names.dmp").splitlines():
        key, name, _, kind = (part.strip() for part in line.split("|")[:4])
        names.setdefault(int(key), {}).setdefault(kind, []).append(name)
    for line in read_text(tables / "ncbi_taxdump.subset.nodes.dmp").splitlines():
        cells = [part.strip() for part in line.split("|")]
        own = names.get(int(cells[0]), {})
        if own.get("scientific name") and cells[0] != "1":
            taxa.add(int(cells[0]), "ncbi_taxdump_2017", scientific_name=own["scientific name"][0],
                     parent_id=int(cells[1]), rank=cells[2], hidden=int(cells[10]),
                     common_name=next(iter(own.get("genbank common name", [])), None),
                     other_names="|".join(own.get("synonym", []) + own.get("common name", [])))


def _others(taxa: Taxa, tables: Path) -> None:
    for row in read_tsv(tables / "uniprot_species_proteomes.linkml_valuesets.tsv"):
        taxa.add(int(row["taxon"].split(":")[1]), "uniprot_proteomes", scientific_name=row["title"],
                 mnemonic=row["code"])
    for row in read_tsv(tables / "ncbi_taxonomy.taxize_fixtures.tsv"):
        taxa.add(int(row["taxid"]), "ncbi_taxonomy_taxize", scientific_name=row["scientific_name"],
                 rank=row["rank"], common_name=row["common_name"])


def taxa_table(tables: Path, answers: list[tuple[str, dict, str]]) -> Table:
    """All taxa, each fact from the most trusted source that has it; returns their table."""
    taxa = Taxa()
    _recorded(taxa, answers)
    _listed(taxa, tables)
    _compara(taxa, tables)
    _taxdump(taxa, tables)
    _others(taxa, tables)
    rows = [[key, *(row.get(field) for field in FIELDS), "|".join(dict.fromkeys(row["sources"]))]  # type: ignore
            for key, row in sorted(taxa.rows.items()) if row.get("scientific_name")]
    header = ("taxon_id:intkey", "scientific_name:key", "common_name:key", "mnemonic:key", "rank", "parent_id:intkey",
              "hidden:int", "other_names", "lineage", "statistics_json", "source")
    return header, rows


def proteomes_table(tables: Path, answers: list[tuple[str, dict, str]]) -> Table:
    """Proteomes with their taxon; returns the table, the recorded one with its body."""
    found: dict[str, list[Any]] = {}
    for folder, body, _ in answers:
        if folder == "proteomes":
            taxon = body["taxonomy"]
            found[body["id"]] = [body["id"], taxon["taxonId"], taxon.get("mnemonic"), body["proteomeType"],
                                 body["geneCount"], body, RECORDED]
    for row in read_tsv(tables / "reference_proteomes.QfO.transcribed.tsv"):
        found.setdefault(row["proteome"], [row["proteome"], row["taxid"], row["code"], "Reference proteome",
                                           row["canonical"], "", "uniprot_qfo"])
    for row in read_tsv(tables / "uniprot_species_proteomes.linkml_valuesets.tsv"):
        upid = next((part.split(":")[1] for part in row["mappings"].split("|") if "uniprot.proteome" in part), "")
        if upid:
            found.setdefault(upid, [upid, row["taxon"].split(":")[1], row["code"], "", "", "", "uniprot_proteomes"])
    header = ("proteome_id:key", "taxon_id:intkey", "mnemonic", "proteome_type", "gene_count:int", "body_json",
              "source")
    return header, [found[key] for key in sorted(found)]


def cytochrome_clusters(text: str, dated: str) -> dict[tuple[str, str], dict]:
    """UniRef clusters from recorded FASTA and the tab-separated answer with their dates; returns short forms."""
    dates = {line.split("\t")[0]: line.split("\t")[4].strip() for line in dated.splitlines()[1:] if line.strip()}
    found = {}
    for block in text.split(">")[1:]:
        head, _, chain = block.partition("\n")
        shape = re.fullmatch(r"(\S+) (.*) n=(\d+) Tax=(.*) TaxID=(\d+) RepID=(\S+)", head.strip())
        if shape:
            key, name, count, taxon, number, member = shape.groups()
            sequence = "".join(chain.split())
            found["uniref_light", key] = {
                "id": key, "name": f"Cluster: {name}", "updated": dates[key], "entryType": key.split("_")[0],
                "commonTaxon": {"scientificName": taxon, "taxonId": int(number)}, "memberCount": int(count),
                "representativeMember": {
                    "memberIdType": "UniProtKB ID", "memberId": member, "sequenceLength": len(sequence),
                    "proteinName": name, "sequence": {"value": sequence, "length": len(sequence)}}}
    return found


def records_table(recorded: Path, answers: list[tuple[str, dict, str]]) -> Table:
    """Recorded UniRef, UniParc, gene-centric and rule records, the newest of each; returns their table."""
    place = recorded / "uniprot" / "uniref_stream"
    found = cytochrome_clusters(
        read_text(place / "csdaw_stream-f72464.txt"),
        read_text(place / "csdaw_uniprot_search__rest.uniprot.org__uniref__stream-1cd203.txt"))
    for folder, body, _ in answers:
        items = body.get("results", [body])
        if folder in ("uniref_entry", "uniref_search"):
            for item in items:
                if "memberCount" in item:
                    kind = "uniref_light" if "organisms" in item else "uniref"
                    found[kind, item["id"]] = item
        elif folder in ("arba", "unirule"):
            found.update({(folder, item["uniRuleId"]): item for item in items})
        elif folder == "genecentric":
            found.update({("genecentric", item["canonicalProtein"]["id"]): item for item in items})
        elif folder in ("uniparc_entry", "uniparc_light"):
            found[folder, body["uniParcId"]] = body
        elif folder == "uniparc_databases":
            found[folder, "UPI0000000001"] = body
        elif folder == "idmapping":
            for item in items:
                target = item.get("to")
                if isinstance(target, dict) and "uniParcCrossReferences" in target:
                    found["uniparc_entry", target["uniParcId"]] = target
    return ("kind:key", "id:key", "body_json", "source"), [
        [kind, key, body, RECORDED] for (kind, key), body in sorted(found.items(), key=lambda item: item[0])]


def taxon_tables(tables: Path, recorded: Path, answers: list[tuple[str, dict, str]]) -> dict[str, Table]:
    """Taxa, proteomes and other records; returns name -> (header, rows)."""
    return {"taxa": taxa_table(tables, answers), "proteomes": proteomes_table(tables, answers),
            "uniprot_records": records_table(recorded, answers)}
