"""Traces facts of the atlas back to the files they come from: an error is found where a source does not say what a row says.

A fact is one cell of a row, with the row's key and source. The file is searched for a record of that key
(by `trace_files`, which knows formats, not collectors), and the record has to hold the value. `swapped` checks the
check: the same facts with another row's value have to be refused.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..errors import MissingArtefact
from .store import FACTS, read_table, table_name
from .trace_files import HGNC, MANE, Record, files_of, index, loose, read, records

# Columns that name a row, where the first alone does not.
KEYS: dict[str, Sequence[str]] = {
    "archive_ids": ("id",), "assembly_map": ("what", "start_one"), "chromosomes": ("name",), "entrez_elinks": ("id_from", "id_to"),
    "entrez_fields": ("db", "name"), "entrez_links": ("db", "name"), "entrez_taxon_names": ("taxon_id", "name"),
    "exons": ("transcript", "start", "end"), "genome_sequences": ("seq_region",), "homologies": ("gene", "target_gene"),
    "protein_comments": ("accession", "type"), "ld": ("variation1", "variation2", "population"),
    "ontology_relations": ("child", "parent"), "phenotype_features": ("variant", "study", "p_value"),
    "populations": ("name",), "protein_citations": ("accession", "citation_id", "number"), "protein_features": ("accession", "type", "start", "end"),
    "protein_xrefs": ("accession", "database", "id"), "species_sets": ("name",), "taxonomy_ensembl_names": ("id", "name"),
    "uniprot_records": ("id",), "variant_frequencies": ("variant", "population", "allele"),
}
# The same for a column or a source only.
KEYS_OF: dict[tuple[str, str], Sequence[str]] = {
    ("protein_comments", "uniprot_2025_03"): ("accession",), ("homologies", "symbol"): ("gene",), ("homologies", "target_symbol"): ("target_gene",),
    ("ensembl_recorded", "ontology_recorded_2013"): ("year",), ("entrez_genes", "organism"): ("taxon_id",), ("exons", "species"): ("transcript",),
}
# What a column says of the atlas itself: how much of a record is known here, or the number of a row.
OWN = {"source", "number", "complete", "coverage", "recorded", "exons_known", "relations_known", "children_complete", "listed"}
# What follows from the kind of the identifiers, or is the place of a row in its reply.
OWN_OF = {"entrez_elinks": {"dbfrom", "dbto", "linkname"}, "archive_ids": {"type"}, "ensembl_xrefs": {"object_type", "dbname", "db_display_name"},
          "entrez_databases": {"rank"}, "entrez_fields": {"rank"}, "entrez_links": {"rank"}, "binding_matrices": {"complexes"}}
# What a source says as a whole and therefore not in each record.
_HUMAN = {"homo_sapiens", "Homo sapiens", "human", "9606", "GRCh38"}
SAID: dict[str, set[str]] = {
    "mane": _HUMAN | {"refseq"}, "mane14": _HUMAN | {"protein_coding"}, "proteingym": _HUMAN | {"refseq"}, "hgnc": _HUMAN | {"Official"},
    "mgi": _HUMAN | {"mus_musculus", "Mus musculus", "house mouse", "10090", "GRCm39", "Official"}, "uniprot": _HUMAN | {"swissprot"},
    "pharmcat": _HUMAN | {"SNP", "snv"}, "dbsnp": _HUMAN, "dbsnp157": {"SNP"}, "clinvar": {"SNP"}, "opentargets": _HUMAN, "ensembl84_chr21": _HUMAN,
    "hmftools_egfr": _HUMAN | {"GRCh37"}, "ucsc_hg38_sizes": _HUMAN | {"chromosome", "scaffold"}, "refseq_mt": _HUMAN | {"MT"},
    "tp53_exons": _HUMAN, "gencode31_hbb": _HUMAN, "ensembl_variation_testdb": {"homo_sapiens"}, "gwas_catalog": {"NHGRI-EBI GWAS catalog"},
    "uniprot_2025_03": {"SUBCELLULAR LOCATION", "DISEASE", "journal article"}, "uniprot_subcell": {"Cellular component", "Topology", "Orientation"},
    "so_2024": {"SO", "sequence"}, "go_slim_2026": {"GO"},
}


@dataclass(frozen=True)
class Fact:
    """One cell: table, keys and other cells of its row, column, value and source; then what became of it."""

    table: str
    row: dict[str, str]
    column: str
    value: str
    found: str = ""  # yes, no, or no file
    file: str = ""

    @property
    def columns(self) -> Sequence[str]:
        """The columns that name the row."""
        return (KEYS_OF.get((self.table, self.column)) or KEYS_OF.get((self.table, self.row["source"])) or KEYS.get(self.table)
                or (next(iter(self.row)),))

    @property
    def keys(self) -> list[str]:
        """The cells that name the row."""
        cells = self.row | {self.column: self.value}
        return [cells[one] for one in self.columns if cells[one]]

    @property
    def sources(self) -> list[str]:
        """The keys of its sources."""
        return self.row["source"].split("|")

    def line(self) -> str:
        """The fact as one line of a tab-separated table."""
        cut = self.value if len(self.value) <= 60 else f"{self.value[:57]}..."
        return "\t".join([self.table, " ".join(self.keys), self.column, cut, self.row["source"], self.file or "-", self.found])


def sample(number: int, seed: int = 0, facts: Path = FACTS) -> list[Fact]:
    """Facts drawn at random: at least one of every table, the more the larger a table is."""
    chance, tables = random.Random(seed), {}
    for path in sorted(facts.iterdir()):
        if not table_name(path).startswith("sources_"):
            columns, lines = read_table(path)
            tables[table_name(path)] = [{name: cell or "" for (name, _), cell in zip(columns, line, strict=True)} for line in lines]
    weights = {name: len(rows) ** 0.5 for name, rows in tables.items()}
    names = [*tables, *chance.choices(list(weights), list(weights.values()), k=max(0, number - len(tables)))]
    return [_draw(name, chance.choice(tables[name]), chance) for name in sorted(names)]


def _draw(table: str, row: dict[str, str], chance: random.Random) -> Fact:
    columns = [one for one, cell in row.items() if cell and one not in OWN | OWN_OF.get(table, set())]
    column = chance.choice(columns[1:] or columns)
    return Fact(table, row, column, row[column])


def swapped(facts: list[Fact], seed: int = 0, folder: Path = FACTS) -> list[Fact]:
    """The same facts, each with the value that another row of its table has in that column; those without another value are left out."""
    chance, wrong = random.Random(seed), []
    for name in sorted({one.table for one in facts}):
        path = next(path for path in folder.iterdir() if table_name(path) == name)
        columns, lines = read_table(path)
        place = {column: number for number, (column, _) in enumerate(columns)}
        rows = list(lines)
        for one in facts:
            seen = chance.sample(rows, min(50, len(rows))) if one.table == name else []
            others = sorted({row[place[one.column]] or "" for row in seen} - {"", one.value})
            if others:
                wrong.append(replace(one, value=chance.choice(others)))
    return wrong


def trace(facts: list[Fact], sources: Path) -> list[Fact]:
    """The facts with what became of each: yes (and the file that says so), no, or no file; raises MissingArtefact without the folder."""
    if not (sources / "recorded" / "index.jsonl").is_file() or not (sources / "tables").is_dir():
        raise MissingArtefact(f"{sources}: no folder of sources; it has to hold tables/ and recorded/index.jsonl")
    wanted: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        for source in fact.sources:
            for pattern in files_of(fact.table, source):
                wanted[pattern].append(fact)
    aliases, about = _aliases(sources), index(sources)
    keys = {id(fact): [_spellings(fact, key, aliases) for key in fact.keys] for fact in facts}
    held: dict[int, list[Record]] = defaultdict(list)
    for pattern, those in wanted.items():
        asking: dict[str, list[int]] = defaultdict(list)
        for fact in those:
            for key in keys[id(fact)][0]:
                asking[key.lower()].append(id(fact))
        for path in sorted(sources.glob(pattern)):
            file = str(path.relative_to(sources))
            if not path.is_file() or (file.startswith("recorded/") and file not in about):
                continue
            for record, named in records(path, file, about.get(file), asking):
                for fact_id in {one for key in named for one in asking[key]}:
                    held[fact_id].append(record)
    return [_judged(fact, _of(held[id(fact)], keys[id(fact)], fact), held[id(fact)], aliases) for fact in facts]


def _aliases(sources: Path) -> dict[str, str]:
    """Identifiers and what they are called elsewhere: a gene's symbol and HGNC number, a protein's RefSeq accession."""
    found = {"MT": "NC_012920.1"}
    columns, lines = read_table(FACTS / "entrez_genes.tsv.gz")
    names = [name for name, _ in columns]
    for cells in lines:  # traced themselves
        found[cells[names.index("gene_id")] or ""] = cells[names.index("symbol")] or ""
    for file, name, other in ((HGNC[0], "ensembl_gene_id", "hgnc_id"), (MANE[0], "Ensembl_prot", "RefSeq_prot")):
        for row in csv.DictReader(io.StringIO(read(sources / file)), delimiter="\t"):
            found[row[name].split(".")[0]] = row[other]
    for matrix in read(sources / "tables/ensembl_funcgen_rest.binding_matrix.txt").splitlines():
        found[matrix.split("\t")[-1]] = matrix.split("\t")[0]
    return found


def _spellings(fact: Fact, key: str, aliases: dict[str, str]) -> list[str]:
    """A key as other files may write it."""
    found = [key]
    if bare := re.fullmatch(r"([A-Z]\w+)\.\d+", key):
        found.append(bare[1])
    if fact.table in ("snps", "entrez_elinks"):
        found.append(f"rs{key}")
    if fact.table == "chromosomes":
        found += [f"chr{key}", key.replace(".", "v"), *(["chrM"] if key == "MT" else [])]
    if key in aliases and fact.table.startswith(("entrez_", "homologies", "translation_", "binding_", "genome_")):
        found.append(aliases[key])
    return found


def _of(found: list[Record], keys: list[list[str]], fact: Fact) -> list[Record]:
    """The records of one row: those named by its one key, else the innermost that hold all its keys."""
    wanted = [{loose(one) for one in key} for key in keys]
    said_raw = {one.lower() for source in fact.sources for one in SAID.get(source, ())}
    said = {loose(one) for source in fact.sources for one in SAID.get(source, ())}
    raw = [{one.lower() for one in key} for key in keys]
    if len(keys) == 1:
        found = [one for one in found if any(key in one.within or not one.path for key in raw[0])]
        return [one for one in found if one.named & wanted[0]] or [one for one in found if (one.forms | one.around) & wanted[0]]
    # Cheap looks first: a body has thousands of records.
    found = [one for one in found if all(any(word in one.within for word in key) or key & said_raw for key in raw[1:])]
    holding = [one for one in found if (one.forms | one.around) & wanted[0] and all(key & (one.near | said) for key in wanted[1:])]
    return [one for one in holding if not any(other.file == one.file and len(other.path) > len(one.path) and other.path[:len(one.path)] == one.path
                                              for other in holding)]


def _judged(fact: Fact, held: list[Record], naming: list[Record], aliases: dict[str, str]) -> Fact:
    if not any(files_of(fact.table, source) for source in fact.sources):
        return replace(fact, found="no file")
    if held and fact.column in fact.columns:  # a record of that name is what had to be found
        return replace(fact, found="yes", file=held[0].file)
    for value in (*_readings(fact), *_by_place(fact, naming)) if held else ():
        places = [next((one.file for one in held if _says(one, fact.column, part)), None) or _joined(fact, part, aliases) for part in value]
        if places and None not in places:
            return replace(fact, found="yes", file=next((one for one in places if one), ""))
    return replace(fact, found="no", file=held[0].file if held else "")


def _says(record: Record, column: str, value: str) -> bool:
    """Whether a record holds the value: in the field of the column's name, if it has one, else anywhere."""
    own = record.field(column)
    return Record(record.file, [(column, one) for one in own]).holds(value) if own else record.holds(value)


def _joined(fact: Fact, part: str, aliases: dict[str, str]) -> str | None:
    """The file that gives the part where the records do not: HGNC for the NCBI id of a symbol of the row, or what a source says as a whole."""
    if part in aliases and any(aliases[part] in re.split(r"[|:]", cell) for cell in fact.row.values()):
        return HGNC[0]
    return "(whole source)" if any(part in SAID.get(source, ()) for source in fact.sources) else None


def _readings(fact: Fact) -> Iterator[list[str]]:
    """The parts that have to be found, in the ways in which a source may write them."""
    yield [fact.value]
    if fact.column.endswith("json") or fact.column == "body":
        yield [one for one in _scalars(json.loads(fact.value)) if one]
        return
    parts = [one for one in fact.value.split("|") if one]
    yield parts
    if credited := re.fullmatch(r"(.+) \[Source:.+;Acc:(.+)\]", fact.value):
        yield list(credited.groups())
    if fact.column == "external_reference":
        yield [fact.value.removeprefix("PMID:")]
    if fact.column == "sort_date":  # the first month and day stand for unknown ones
        yield fact.value.removesuffix("/01").removesuffix("/01").split("/")
        yield [fact.value[:4]]
    yield [word for part in parts for word in re.split(r"[=~:;,/ ]+|(?<=\d)-(?=\d)", part) if word]
    if fact.table == "ontology_terms":  # without the kind of a synonym
        yield re.findall(r'"(.*?)" \[', fact.value)
    if fact.column in ("chr_start", "chr_stop", "sort_start"):  # counted from 0
        yield [str(int(fact.value) + 1)]
    if fact.column == "spdi":
        yield [word for part in fact.value.split(",") for accession, place, *letters in [part.split(":")] for word in
               (accession, str(int(place) + 1), *letters) if word]


def _by_place(fact: Fact, naming: list[Record]) -> Iterator[list[str]]:
    """What stands in a source that says the value by the place of things: the number of authors, of an exon in a list, the taxon before in a lineage."""
    if fact.column == "author_count" and len(authors := fact.row["authors"].split("|")) == int(fact.value):
        yield authors
    if (fact.table, fact.column) == ("exons", "rank"):
        span = f"{fact.row['start']}-{fact.row['end']}"
        for spans in (value.split(",") for one in naming for _, value in one.own if span in value.split(",")):
            if spans[::int(fact.row["strand"])].index(span) + 1 == int(fact.value):
                yield [span]
    if (fact.table, fact.column) == ("entrez_taxonomy", "parent_id"):
        for one in naming:
            if (fact.value, fact.row["taxon_id"]) in pairwise(value for name, value in one.own if name == "TaxId"):
                yield [fact.row["taxon_id"]]


def _scalars(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for value in node.values():
            yield from _scalars(value)
    elif isinstance(node, list):
        for value in node:
            yield from _scalars(value)
    elif node is not None:
        yield str(int(node) if isinstance(node, bool) else node)
