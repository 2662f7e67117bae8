"""Reads the files that facts come from into records, knowing their formats only: nothing here knows how a fact was made.

A record is a line of a table, an entry of a flat file or FASTA file, or an item of a recorded JSON or
XML body together with the plain values of what encloses it.
"""

from __future__ import annotations

import csv
import gzip
import html
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET

Leaf = tuple[str, str]  # name of a field, value
UNIPROT = [f"tables/uniprot_2025_03.{part}" for part in (
    "entries.tsv.gz", "features.human.tsv.gz", "subcellular.tsv.gz", "diseases.tsv.gz", "xrefs.tsv.gz", "pubmed_refs.tsv.gz",
    "variants_dbsnp.tsv.gz", "sequences.fasta.gz")]
TAXDUMP = ["tables/ncbi_taxdump.subset.names.dmp", "tables/ncbi_taxdump.subset.nodes.dmp"]
HGNC = ["tables/hgnc_complete_set.subset.tsv", "tables/hgnc_core_columns.protein_coding.tsv.gz"]
MANE = ["tables/MANE.GRCh38.v1.4.summary.full.tsv.gz"]
MGI = ["tables/MGI_HGNC_AllianceHomology.mouse_gene_coords.subset.tsv", "tables/MGI_HOM_MouseHumanSequence.subset.tsv"]
LOOKUPS = [f"tables/ensembl_lookup.{part}.tsv" for part in ("genes", "transcripts", "exons")]
# Files of each source, below the folder of sources; a source that is not here was transcribed by hand, as its note says.
FILES: dict[str, list[str]] = {
    "clinvar": ["tables/clinvar_vcv.extracted.tsv"],
    "dbsnp": ["tables/dbsnp157.variants.GRCh38.tsv", "tables/dbsnp157.frequencies.tsv"],
    "dbsnp157": ["tables/dbsnp157.variants.GRCh38.tsv"],
    "ensembl84_chr21": [f"tables/ensembl84_GRCh38_chr21.{part}.tsv" for part in ("genes", "transcripts", "exons")],
    "ensembl_compara_testdb": ["tables/ensembl_compara.genome_db.txt", "tables/ensembl_compara.ncbi_taxa_node.txt",
                               "tables/ensembl_compara.ncbi_taxa_name.txt", "recorded/ensembl/info_species/species_2013beta.json"],
    "ensembl_compara_taxonomy": ["tables/ensembl_compara.ncbi_taxa_node.txt", "tables/ensembl_compara.ncbi_taxa_name.txt"],
    "ensembl_variation_code": ["tables/ensembl_consequence_types.tsv"],
    "ensembl_variation_testdb": ["tables/ensembl_variation_testdb.population.txt"],
    "eutils": [f"recorded/ncbi/{part}/*" for part in (
        "efetch", "esummary", "elink", "einfo", "genegpt/efetch", "genegpt/esummary", "genegpt/elink")],
    "gencode31_hbb": ["tables/famous_gene_exons.transcribed.tsv"],
    "go_slim_2026": ["tables/goslim_generic.obo"],
    "gwas": ["tables/gwas_catalog.studies.gwasrapidd_mocks.tsv"],
    "gwas_catalog": ["tables/gwas_catalog.pigmentation_2026-07.tsv"],
    "gwas_pigmentation": ["tables/gwas_catalog.pigmentation_2026-07.tsv"],
    "hgnc": HGNC,
    "hmftools_egfr": ["tables/EGFR.hotspots.GRCh38_GRCh37.transcribed.tsv"],
    "homologene": ["tables/homologene.human_mouse_rat_zebrafish_fly_worm_yeast.subset.tsv", "tables/homologene_taxData.tsv"],
    "info_recorded_115": ["recorded/ensembl/info_*/*"],
    "info_recorded_2013": ["recorded/ensembl/info_*/*"],
    "info_recorded_2026": ["recorded/ensembl/info_*/*"],
    "ld_2026": ["tables/ensembl_ld.r2_pairs.1000G_phase3.tsv"],
    "lookup_challenge_2018": ["recorded/ensembl/lookup_symbol/r2_BRCA2_expand_2018.json"],
    "lookup_galaxytools_2017": LOOKUPS,
    "lookup_galaxytools_plants_2016": LOOKUPS,
    "lookup_mutalyzer": LOOKUPS,
    "lookup_ngb_2016": LOOKUPS,
    "mane": MANE,
    "mane14": MANE,
    "mgi": MGI,
    "ncbi_taxdump_2017": TAXDUMP,
    "ncbi_taxonomy_taxize": ["tables/ncbi_taxonomy.taxize_fixtures.tsv"],
    "ontology_recorded_2013": ["recorded/ensembl/ontology_*/*_2013beta.json"],
    "opentargets": ["tables/opentargets_targets.canonical_exons.GRCh38.tsv"],
    "pharmcat": ["tables/pharmcat_variants.GRCh38.tsv"],
    "proteingym": ["tables/proteins.refseq.subset.fasta"],
    "proteingym_mane14": ["tables/proteins.refseq.subset.fasta", *MANE],
    "pubmed_fixtures": ["tables/pubmed_records.tsv"],
    "recorded_archive_115": ["recorded/ensembl/archive/*"],
    "recorded_replies": ["recorded/ensembl/**/*.json"],
    "refseq_mt": ["tables/nucleotide_refseq.fasta"],
    "retriever": ["tables/nucleotide_refseq.fasta"],
    "sequence_challenge_2018": ["recorded/ensembl/sequence*/*"],
    "so_2024": ["tables/so-simple.obo"],
    "taxdump": TAXDUMP,
    "taxize": ["tables/ncbi_taxonomy.taxize_fixtures.tsv"],
    "tp53_exons": ["tables/TP53.NM_000546.6_ENST00000269305.9.exons.GRCh38.transcribed.tsv"],
    "ucsc_hg38_sizes": ["tables/hg38.chrom.sizes"],
    "uniprot": [*UNIPROT, *HGNC],
    "uniprot_2025_03": UNIPROT,
    "uniprot_humdisease": ["tables/uniprot_humdisease.txt.gz"],
    "uniprot_keywlist": ["tables/uniprot_keywlist.txt"],
    "uniprot_proteomes": ["tables/uniprot_species_proteomes.linkml_valuesets.tsv"],
    "uniprot_qfo": ["tables/reference_proteomes.QfO.transcribed.tsv"],
    "uniprot_rest": ["recorded/uniprot/**/*"],
    "uniprot_subcell": ["tables/uniprot_subcell.txt"],
    "variation_recorded_115": ["recorded/ensembl/variation/*_e115.json"],
    "variation_recorded_2016": ["recorded/ensembl/variation/*_2016.json"],
    "variation_recorded_2026": ["recorded/ensembl/variation*/*_2026.json"],
}
# Where only one table of a source has its file here, and rows of a recorded vocabulary that keep their words from the flat file.
FILES_OF_TABLE = {
    ("external_dbs", "ensembl_rest_testdb"): ["tables/ensembl_external_db.txt"],
    ("binding_matrices", "ensembl_funcgen_testdb"): ["tables/ensembl_funcgen_rest.binding_matrix.txt",
                                                   "tables/ensembl_funcgen_rest.binding_matrix_frequencies.txt"],
    ("translation_sequences", "sequence_challenge_2018"): ["recorded/ensembl/sequence*/*", "recorded/ensembl/lookup_*/*", LOOKUPS[1]],
    ("keywords", "uniprot_rest"): ["recorded/uniprot/keywords/*", "tables/uniprot_keywlist.txt"],
    ("diseases", "uniprot_rest"): ["recorded/uniprot/diseases/*", "tables/uniprot_humdisease.txt.gz"],
    ("subcellular_locations", "uniprot_rest"): ["recorded/uniprot/locations/*", "tables/uniprot_subcell.txt"],
}


def files_of(table: str, source: str) -> list[str]:
    """The files of a source for the rows of a table, as patterns below the folder of sources."""
    return FILES_OF_TABLE.get((table, source)) or FILES.get(source, [])


# Fields that name an object of a recorded body or the row of a table.
_NAMES = ("id uid name accession primaryAccession uniParcId taxonId TaxId PMID SNP_ID uniRuleId variation_id key dbname "
          "GBSeq_accession-version citation_id")


@lru_cache(maxsize=200_000)
def loose(value: str) -> str:
    """A value without what formats change: case, punctuation, markup; a number in one spelling."""
    text = html.unescape(value).strip().casefold()
    if re.fullmatch(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", text):
        return f"{float(text):.12g}" if len(text) < 16 else text
    if text in ("+", "-"):
        return {"+": "1", "-": "-1"}[text]
    return re.sub(r"[\W_]+", "", re.sub(r"</?[a-z]+>", "", text))


def tokens(text: str) -> Iterator[str]:
    """The words of a short value and what identifiers are written as elsewhere."""
    yield from re.split(r"[|;,\s]+", text)
    for word in re.split(r"[|;,:=~/\s()\[\]\"<>*]+", text):
        yield word
        yield word.rstrip(".")
        if bare := re.fullmatch(r"(\w+)\.(\d+)", word):  # accession.version
            yield from bare.groups()
        if scaffold := re.fullmatch(r"chr\w+?_(\w+)v(\d+)(_random)?", word):
            yield f"{scaffold[1]}.{scaffold[2]}"
        if place := re.fullmatch(r"NC_0000(\d\d)\.\d+", word):
            yield {"23": "X", "24": "Y"}.get(place[1], place[1].lstrip("0"))
        yield from (word[len(start):] for start in ("chr", "rs", "GeneID:") if word.startswith(start))
        if len(word) < 40 and ("-" in word[1:] or "_" in word):
            yield from re.split("[-_]", word)


NAMES = set(_NAMES.split())


class Record:
    """One record: its file, the leaves (field, value) that stand in it, and the plain values above it in a body."""

    def __init__(self, file: str, own: list[Leaf], above: Sequence[Leaf] = (), path: tuple[int, ...] = (), node: Any = None) -> None:
        self.file, self.own, self.above, self.path = file, own, above, path  # path: where it lies in its body
        self._nearest = own if node is None else list(_near(node))

    @cached_property
    def within(self) -> str:
        """Its own names and values as they stand, in small letters."""
        return "\n".join(f"{name} {value}" for name, value in self.own).lower()

    @cached_property
    def raw(self) -> str:
        """The same with what is above it."""
        return "\n".join([*(f"{name} {value}" for name, value in self.above), self.within]).lower()

    @cached_property
    def forms(self) -> set[str]:
        """Every value of its own and its words, loosely written."""
        return _forms(self.own)

    @cached_property
    def around(self) -> set[str]:
        """The same of what is above it."""
        return _forms(self.above)

    @cached_property
    def named(self) -> set[str]:
        """The identifiers that it carries as its own."""
        return _forms([(name, value) for name, value in (*self._nearest, *self.above[-3:]) if name in NAMES]) if self.above else self.forms

    @cached_property
    def near(self) -> set[str]:
        """The values of its fields, without those of lists of objects below it."""
        return _forms(self._nearest)

    @cached_property
    def texts(self) -> list[str]:
        """Every value that is long enough to hold another, loosely written."""
        return [text for _, value in (*self.own, *self.above) if len(text := loose(value)) >= 8]

    def holds(self, value: str) -> bool:
        """Whether the value stands in the record: as a whole value, a word of one, or a passage of eight letters or more."""
        wanted = loose(value)
        return not wanted or wanted in self.forms or wanted in self.around or (len(wanted) >= 8 and any(wanted in text for text in self.texts))

    def field(self, name: str) -> list[str]:
        """The values of its fields of that name."""
        wanted = loose(name)
        return [value for other, value in self.own if value and loose(other) == wanted]


def _forms(leaves: Sequence[Leaf]) -> set[str]:
    found = {loose(value) for _, value in leaves} | {loose(name) for name, _ in leaves}
    for _, value in leaves:
        if len(value) < 4000:
            found |= {loose(word) for word in tokens(value) if word}
    return found


def read(path: Path) -> str:
    """The text of a file, compressed or not."""
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8", errors="replace")


def index(sources: Path) -> dict[str, dict[str, Any]]:
    """What is known of each recorded body, by its path below the folder of sources."""
    lines = (sources / "recorded" / "index.jsonl").read_text(encoding="utf-8").splitlines() if (sources / "recorded").is_dir() else []
    return {f"recorded/{row['file']}": row for row in map(json.loads, lines)}


def records(path: Path, file: str, about: dict[str, Any] | None, keys: Iterable[str]) -> Iterator[tuple[Record, list[str]]]:
    """The records of one file that hold some of the keys (in small letters), each with those."""
    text = read(path)
    small = f"{text}\n{_path(about)}".lower() if about is not None else text.lower()
    some = [key for key in keys if _stands(key, small)]
    if not some:
        return
    for one in body_records(text, file, about) if about is not None else _pieces(path, file, text, small, some):
        if held := [key for key in some if key in one.raw]:
            yield one, held


def _stands(word: str, text: str) -> bool:
    """Whether the word stands in the text as a whole one; a search by a pattern takes five times as long."""
    place = text.find(word)
    while place >= 0:
        end = place + len(word)
        if not (place and text[place - 1].isalnum()) and not text[end:end + 1].isalnum():
            return True
        place = text.find(word, place + 1)
    return False


def _pieces(path: Path, file: str, text: str, small: str, some: list[str]) -> Iterator[Record]:
    """The records of a table, a flat file or a FASTA file in whose text a key stands."""
    name = path.name.removesuffix(".gz")
    mark = "\n>" if name.endswith(".fasta") else "\n\n" if name.endswith(".obo") else "\n//" if "\n//\n" in text else "\n"
    pieces = text.split(mark)
    columns = pieces[0].split("\t")
    for number in sorted(_places(small, mark, some)):
        piece = pieces[number]
        if name.endswith(".fasta"):
            head, _, chain = piece.lstrip(">").partition("\n")
            yield Record(file, [("header", head), ("sequence", "".join(chain.split()))])
        elif name.endswith(".obo"):
            yield Record(file, [(key, value) for key, _, value in (line.partition(": ") for line in piece.splitlines())])
        elif mark == "\n//":
            yield Record(file, flat_entry(piece))
        elif name.endswith(".tsv"):
            (cells,) = csv.reader([piece], delimiter="\t", quoting=csv.QUOTE_MINIMAL if name.startswith("hgnc") else csv.QUOTE_NONE)
            yield Record(file, list(zip(columns, cells, strict=False)))
        else:
            yield Record(file, [("", cell.strip(" |")) for cell in piece.split(" | " if name.endswith(".dmp") else "\t")])


def _places(small: str, mark: str, keys: list[str]) -> set[int]:
    """The numbers of the pieces of a text in which a key stands."""
    ends, place = [], small.find(mark)
    while place >= 0:
        ends.append(place)
        place = small.find(mark, place + len(mark))
    found = set()
    for key in keys:
        place = small.find(key)
        while place >= 0:
            found.add(bisect_right(ends, place))
            place = small.find(key, place + 1)
    return found


def flat_entry(text: str) -> list[Leaf]:
    """The lines of one entry of a UniProt flat file, wrapped ones also put together, a cut word made whole."""
    lines: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line[2:5] == "   ":
            lines.setdefault(line[:2], []).append(line[5:].strip())
    return [(code, one) for code, found in lines.items() for one in (*found, " ".join(found))]


def body_records(text: str, file: str, about: dict[str, Any]) -> Iterator[Record]:
    """The records of a recorded body: each item of a list, each block of a text, and the whole with its address."""
    whole: list[Leaf] = [("url", unquote(about["url"] or "")), ("path", _path(about)), ("asked", unquote(str(about.get("request_body") or ""))),
                         ("recorded", str(about.get("recorded") or "")), ("function", str(about["function"])), ("", file)]
    try:
        tree = json.loads(text, strict=False)
    except ValueError:
        tree = _xml(text) if text.lstrip().startswith("<") else None
    if tree is not None:
        yield from _items(tree, whole, file)
        return
    blocks = re.split(r"\n\s*\n(?=\d+\. )", "\n" + text) if re.search(r"^\d+\. ", text, re.M) else text.split("\n>") if ">" in text[:2] else [text]
    for number, block in enumerate(blocks):
        head, _, rest = block.strip().lstrip(">").partition("\n")
        named = [(name, value) for name, _, value in (line.partition(": ") for line in block.splitlines())]
        # What stands between places in a list of aliases or a wrapped line belongs together.
        yield Record(file, [("header", head), *named, ("", " ".join(block.split())), ("", "".join(rest.split()))], whole, (number,) if blocks[1:] else ())


def _path(about: dict[str, Any]) -> str:
    """The path of a recorded request, in which a species has one name."""
    return re.sub(r"/(human|9606)(?=/|$)", "/homo_sapiens", unquote(urlsplit(about["url"] or "").path))


def _xml(text: str) -> Any:
    text = re.sub(r"<\?xml[^>]*>|<!DOCTYPE[^>\[]*(\[.*?\])?>|\sxmlns(:\w+)?=\"[^\"]*\"|\sxsi:\w+=\"[^\"]*\"", "", text, flags=re.S)
    try:
        return _element(ET.fromstring(f"<all>{text}</all>"))
    except ET.ParseError:
        return None


def _element(node: ET.Element) -> Any:
    found: dict[str, Any] = dict(node.attrib)
    if not len(node):
        return {**found, "": node.text or ""} if found else node.text or ""
    found[""] = " ".join("".join(node.itertext()).split()) if (node.text or "").strip() or any((child.tail or "").strip() for child in node) else ""
    for child in node:
        found.setdefault(child.tag, []).append(_element(child))
    return {tag: value[0] if isinstance(value, list) and len(value) == 1 else value for tag, value in found.items()}


def _items(node: Any, above: list[Leaf], file: str, path: tuple[int, ...] = (), item: bool = True) -> Iterator[Record]:
    """The records of a JSON value; an object under an identifier is an item as one of a list is."""
    plain = list(_near(node, "", 1)) if isinstance(node, dict) else []
    children = list(node.items()) if isinstance(node, dict) else [("", node)]
    for place, (key, value) in enumerate(children):
        for number, one in enumerate(value if isinstance(value, list) else [value], 1):
            if isinstance(one, (dict, list)):
                several = isinstance(value, list) and (len(value) > 1 or isinstance(node, list))
                numbered = [("number", str(number)), ("rank", str(number)), ("key", key)] if several or isinstance(value, dict) else []
                yield from _items(one, [*above, *plain, *numbered], file, (*path, place, number), several or bool(re.fullmatch(r"(rs)?\d+|ENS\w+", key)))
    if item:
        yield Record(file, list(_leaves(node, "")), above, path, node)


def _near(node: Any, name: str = "", depth: int = 3) -> Iterator[Leaf]:
    if isinstance(node, dict) and depth:
        for key, value in node.items():
            yield from _near(value, str(key) or name, depth - 1)
    elif isinstance(node, list):
        yield from ((name, _plain(one)) for one in node if isinstance(one, (str, int, float)))
    elif isinstance(node, (str, int, float)):
        yield name, _plain(node)


def _plain(value: Any) -> str:
    return str(int(value) if isinstance(value, bool) else value)


def _leaves(node: Any, name: str) -> Iterator[Leaf]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, name if key == "value" and name and "key" not in node else str(key))  # {"sequence": {"value": …}}
    elif isinstance(node, list):
        for value in node:
            yield from _leaves(value, name)
    elif node is not None:
        yield name, _plain(node)
