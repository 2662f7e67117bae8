"""Ontology terms, taxonomy, species, assemblies, service information and recorded replies for the Ensembl atlas."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .collect_ensembl_tables import fasta, read, read_plain, write

# Replies that the tables of this atlas answer better, are cut, or belong to an old interface.
SKIP_FUNCTIONS = {"lookup_by_id", "lookup_by_symbol", "get_ld_around_variant", "get_info_data", "get_info_software",
                  "get_info_assembly_region", "get_info_compara_methods", "get_archive_id"}
HUMAN = {"human", "9606", "h_sapiens", "homo_sapiens"}


def obo_terms(path: Path, prefix: str) -> list[dict]:
    """The living terms of an OBO file whose accession has the prefix."""
    terms = []
    for block in path.read_text(encoding="utf-8").split("\n[")[1:]:
        if not block.startswith("Term]"):
            continue
        term: dict[str, list[str]] = {}
        for line in block.splitlines()[1:]:
            key, _, value = line.partition(": ")
            term.setdefault(key, []).append(value)
        if term["id"][0].startswith(prefix) and "is_obsolete" not in term:
            terms.append(term)
    return terms


def synonym(text: str) -> str:
    """`"name" EXACT [x]` as the ontology database keeps it: the quoted name and its references."""
    match = re.match(r'("(?:[^"\\]|\\.)*").*?(\[.*\])\s*$', text)
    return f"{match[1]} {match[2]}" if match else text


def ontology(tables: Path, out: Path) -> dict[str, int]:
    """Terms of the Sequence Ontology with all relations, and of the generic GO slim without."""
    terms, edges = [], []
    for name, prefix, key in (("so-simple.obo", "SO:", "so_2024"), ("goslim_generic.obo", "GO:", "go_slim_2026")):
        for term in obo_terms(tables / name, prefix):
            terms.append([term["id"][0], term["name"][0], term.get("def", [""])[0], term.get("namespace", ["sequence"])[0], prefix[:-1],
                          "|".join(s.split(" ")[0] for s in term.get("subset", [])),
                          "|".join(synonym(s) for s in term.get("synonym", [])), 1 if prefix == "SO:" else 0, key])
            if prefix == "SO:":
                edges += [[term["id"][0], value.split(" ")[0], "is_a", key] for value in term.get("is_a", [])]
                edges += [[term["id"][0], value.split(" ")[1], value.split(" ")[0], key] for value in term.get("relationship", [])]
    return {"ontology_terms": write(out, "ontology_terms", ["accession:key", "name:key", "definition", "namespace", "ontology", "subsets",
                                                            "synonyms", "relations_known:int", "source"], terms),
            "ontology_relations": write(out, "ontology_relations", ["child:key", "parent:key", "relation", "source"], edges)}


def taxonomy(tables: Path, out: Path) -> dict[str, int]:
    """Nodes and names of the taxonomy in Ensembl's comparative database; children only where all of them are there."""
    nodes = {}
    for cells in read_plain(tables / "ensembl_compara.ncbi_taxa_node.txt"):
        nodes[int(cells[0])] = (int(cells[1]), cells[2], int(cells[4]), int(cells[5]))
    inside: dict[int, int] = {}
    for number, (parent, _, left, right) in nodes.items():
        if number != parent:
            inside[parent] = inside.get(parent, 0) + right - left + 1
    rows = [[number, parent, rank, 1 if right - left == 1 else 0, 1 if inside.get(number, 0) == right - left - 1 else 0, "ensembl_compara_testdb"]
            for number, (parent, rank, left, right) in nodes.items()]
    names = [[cells[0], cells[1], cells[2], "ensembl_compara_testdb"]
             for cells in read_plain(tables / "ensembl_compara.ncbi_taxa_name.txt")
             if int(cells[0]) in nodes and cells[2] not in ("import date", "merged_taxon_id")]
    return {"taxonomy_ensembl": write(out, "taxonomy_ensembl", ["id:intkey", "parent:intkey", "rank", "leaf:int", "children_complete:int", "source"], rows),
            "taxonomy_ensembl_names": write(out, "taxonomy_ensembl_names", ["id:intkey", "name:key", "class", "source"], names)}


ASSEMBLIES = {"homo_sapiens": "GRCh38", "mus_musculus": "GRCm39", "danio_rerio": "GRCz11"}
# Species of recorded lookups that the comparative table does not list.
EXTRA_SPECIES = ["arabidopsis_thaliana", "brassica_oleracea", "brassica_rapa"]


def species(tables: Path, recorded: Path, out: Path) -> dict[str, int]:
    """Production names with taxon, display name and the aliases of a recorded species list."""
    body = json.loads((recorded / "ensembl/info_species/species_2013beta.json").read_text(encoding="utf-8"))
    aliases = {item["name"]: item["aliases"] for item in body["species"]}
    rows: dict[str, list] = {}
    # The dog was renamed after these tables were made.
    aliases["canis_familiaris"] = [*aliases.get("canis_familiaris", []), "canis_lupus_familiaris"]
    for cells in read_plain(tables / "ensembl_compara.genome_db.txt"):
        rows.setdefault(cells[2], [cells[2], cells[9], cells[1], ASSEMBLIES.get(cells[2], ""),
                                   "|".join(sorted(aliases.get(cells[2], []))), 1, "ensembl_compara_testdb"])
    for name in EXTRA_SPECIES:
        rows.setdefault(name, [name, "", "", "", "", 0, "lookup_galaxytools_plants_2016"])
    return {"species": write(out, "species", ["name:key", "display_name", "taxon_id:intkey", "assembly", "aliases", "listed:int", "source"], rows.values())}


def assembly(tables: Path, out: Path) -> dict[str, int]:
    """Lengths of the sequences of GRCh38 (without alternative loci), the mitochondrial genome, and pieces mapped from GRCh37."""
    rows = []
    for line in (tables / "hg38.chrom.sizes").read_text(encoding="utf-8").splitlines():
        name, length = line.split("\t")
        if name.endswith(("_alt", "_fix")):
            continue
        parts = name.removeprefix("chr").split("_")
        plain = parts[0] if len(parts) == 1 else parts[1].replace("v", ".")
        rows.append(["homo_sapiens", "MT" if plain == "M" else plain, length, "chromosome" if len(parts) == 1 else "scaffold", "GRCh38", "ucsc_hg38_sizes"])
    genome = fasta(tables / "nucleotide_refseq.fasta")["NC_012920.1"]
    mapped = [["homo_sapiens", r["chr"], r["GRCh37_start"], r["GRCh37_end"], "GRCh37", r["GRCh38_start"], r["GRCh38_end"], "GRCh38", r["what"], "hmftools_egfr"]
              for r in read(tables / "EGFR.hotspots.GRCh38_GRCh37.transcribed.tsv")]
    return {"chromosomes": write(out, "chromosomes", ["species:key", "name:key", "length:int", "coord_system", "assembly", "source"], rows),
            "genome_sequences": write(out, "genome_sequences", ["species", "seq_region:key", "assembly", "sequence", "source"],
                                      [["homo_sapiens", "MT", "GRCh38", genome.upper(), "refseq_mt"]]),
            "assembly_map": write(out, "assembly_map", ["species", "seq_region:key", "start_one:int", "end_one:int", "assembly_one", "start_two:int",
                                                        "end_two:int", "assembly_two", "what", "source"], mapped)}


def information(tables: Path, recorded: Path, out: Path) -> dict[str, int]:
    """External databases, methods and releases."""
    external = [[c[1], c[5], c[2], c[9] if len(c) > 9 else "", "ensembl_rest_testdb"] for c in read_plain(tables / "ensembl_external_db.txt")]
    methods = json.loads((recorded / "ensembl/info_compara_methods/r2_all_e115.json").read_text(encoding="utf-8"))
    values = [["data", "116", "info_recorded_2026"], ["software", "116", "info_recorded_2026"], ["rest", "15.10", "info_recorded_115"],
              ["ping", "1", "info_recorded_2013"]]
    return {"external_dbs": write(out, "external_dbs", ["name:key", "display_name", "release", "description", "source"], external),
            "compara_methods": write(out, "compara_methods", ["class:key", "method", "source"],
                                     [[kind, method, "info_recorded_115"] for kind, names in methods.items() for method in names]),
            "ensembl_releases": write(out, "ensembl_releases", ["what:key", "value", "source"], values)}


def canonical_path(path: str) -> str:
    """A path as the recorded replies are found: decoded, human always written homo_sapiens."""
    return "/".join("homo_sapiens" if part in HUMAN and part != "9606" else part for part in unquote(path).rstrip("/").split("/"))


def canonical_query(query: str) -> str:
    """A query without display-only parameters, in alphabetical order."""
    pairs = [p for p in re.split(r"[&;]", query) if p and p.split("=")[0] not in ("content-type", "callback")]
    return "&".join(sorted(unquote(p) for p in pairs))


def ontology_2013(recorded: Path) -> list[list]:
    """Replies about GO:0005667; in 2013 the address of the ancestors gave the descendants, and the other way round."""
    found = []
    for folder, path, function in (
            ("id", "id/GO:0005667", "get_ontology_id"), ("name", "name/transcription factor complex", "get_ontology_name"),
            ("ancestors_chart", "ancestors/chart/GO:0005667", "get_ontology_ancestors_chart"),
            ("descendants", "ancestors/GO:0005667", "get_ontology_ancestors"), ("ancestors", "descendants/GO:0005667", "get_ontology_descendants")):
        (file,) = (recorded / f"ensembl/ontology_{folder}").glob("*_2013beta.json")
        found.append([f"/ontology/{path}", "", function, "2013", packed(json.loads(file.read_text(encoding="utf-8"))), "ontology_recorded_2013"])
    return found


def packed(body: object) -> str:
    """A body on one line."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def vep_regions(entries: list[list]) -> list[list]:
    """The replies for known variants as replies for their place and allele, where there is one other allele only."""
    found = []
    for _, query, function, year, text, _ in entries:
        if function != "vep_by_id" or query:
            continue
        for body in json.loads(text):
            alleles = body["allele_string"].split("/")
            if len(alleles) != 2 or "-" in alleles:
                continue
            place, start, end = body["seq_region_name"], body["start"], body["end"]
            body |= {"id": f"{place}_{start}_{body['allele_string']}", "input": f"{place} {start} {end} {body['allele_string']} 1"}
            path = f"/vep/homo_sapiens/region/{place}:{start}-{end}:1/{alleles[1]}"
            found.append([path, "", "vep_by_region", year, packed([body]), "vep_region_derived"])
    return found


def recorded_replies(recorded: Path, out: Path) -> dict[str, int]:
    """Whole recorded GRCh38 replies of the present interface, the newest of each request."""
    best: dict[tuple[str, str], tuple[str, list]] = {}
    for line in (recorded / "index.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        parts = urlsplit(row["url"] or "")
        if row["database"] != "ensembl" or parts.hostname != "rest.ensembl.org" or row["status"] != 200 or row["request_body"]:
            continue
        if not row["function"] or row["function"] in SKIP_FUNCTIONS or "cut" in row["fidelity"] or "replaced" in row["fidelity"] or "text/x-nh" in row["url"]:
            continue
        # Two recordings name themselves pieces: a first element, and a list of frequencies copied in part.
        if "_first_" in row["file"] or "_pops_grch38_" in row["file"] or not row["file"].endswith(".json"):
            continue
        year = str(row.get("recorded") or "")[:4]
        year = year if year.isdigit() else "2025"  # release 115 appeared in 2025
        body = packed(json.loads((recorded / row["file"]).read_text(encoding="utf-8")))
        # A reply on another assembly is true of another service.
        if '"GRCh37"' in body and "/map/" not in parts.path:
            continue
        key = (canonical_path(parts.path), canonical_query(parts.query))
        entry = [*key, row["function"], year, body, "recorded_replies"]
        if key not in best or best[key][0] < year:
            best[key] = (year, entry)
    entries = [entry for _, entry in best.values()]
    return {"ensembl_recorded": write(out, "ensembl_recorded", ["path:key", "query", "function:key", "year", "body", "source"],
                                      [*entries, *ontology_2013(recorded), *vep_regions(entries)])}
