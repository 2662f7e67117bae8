"""UniProtKB: entries by accession and searches over them."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from werkzeug import Request, Response

from biotool_lib.atlas.store import row, rows
from biotool_lib.atlas.uniprot_entries import ancestors, entry, keyword_table, load, parts, taxa
from biotool_lib.atlas.uniprot_query import Field
from biotool_lib.atlas.uniprot_return_fields import COMMENTS, RETURN_FIELDS, shape_entry
from biotool_lib.atlas.uniprot_service import Collection, not_found, one, problem, search

ACCESSION = r"([OPQ][0-9][A-Z0-9]{3}[0-9]|[A-NR-Z]([0-9][A-Z][A-Z0-9]{2}){1,2}[0-9])"
BAD_ACCESSION = "The 'accession' value has invalid format. It should be a valid UniProtKB accession"
FEATURES = {
    "ft_act_site": "Active site", "ft_binding": "Binding site", "ft_dna_bind": "DNA binding", "ft_site": "Site",
    "ft_transmem": "Transmembrane", "ft_topo_dom": "Topological domain", "ft_intramem": "Intramembrane",
    "ft_mod_res": "Modified residue", "ft_lipid": "Lipidation", "ft_carbohyd": "Glycosylation",
    "ft_disulfid": "Disulfide bond", "ft_crosslnk": "Cross-link", "ft_chain": "Chain", "ft_peptide": "Peptide",
    "ft_init_met": "Initiator methionine", "ft_signal": "Signal", "ft_propep": "Propeptide",
    "ft_transit": "Transit peptide", "ft_domain": "Domain", "ft_coiled": "Coiled coil",
    "ft_compbias": "Compositional bias", "ft_motif": "Motif", "ft_region": "Region", "ft_repeat": "Repeat",
    "ft_zn_fing": "Zinc finger",
}
# Asked of the facts for every entry; other comments are known for the recorded entries only.
COVERED_COMMENTS = {"cc_disease", "cc_subcellular_location"}
# Fields of the service that the facts do not cover.
UNCOVERED = """cc_scl_note cc_sc_framesh cc_sc_einit cc_sc_eterm cc_sc_epred cc_sc_etran cc_sc_misc cc_ap cc_ap_as
cc_ap_apu cc_ap_ai cc_ap_rf cc_bpcp cc_bpcp_absorption cc_bpcp_kinetics cc_bpcp_ph_dependence
cc_bpcp_redox_potential cc_bpcp_temp_dependence cc_cofactor_chebi cc_cofactor_note cc_webresource
ft_positional ft_molecule_processing ft_sites ft_variants ft_secstruct ft_non_std ft_non_ter ft_non_cons ft_unsure
fragment precursor encoded_in tissue strain plasmid transposon virus_host_name virus_host_id proteomecomponent chebi
inchikey lit_journal lit_title lit_pubdate computational_pubmed_id community_pubmed_id source scope is_isoform
is_gene_centric active date_sequence_modified uniref_cluster_50 uniref_cluster_90 uniref_cluster_100""".split()  # noqa: SIM905
FEATURES_OF_FULL = {"ft_mutagen": "Mutagenesis", "ft_variant": "Natural variant", "ft_helix": "Helix",
                    "ft_turn": "Turn", "ft_strand": "Beta strand", "ft_var_seq": "Alternative sequence",
                    "ft_conflict": "Sequence conflict"}
FIRST_HUMAN = {9606: 0, 10090: 1, 10116: 2}


class Protein(dict):
    """A search document; a subclass only so that it can be hashed by identity."""

    __hash__ = object.__hash__  # type: ignore[assignment]


@cache
def _grouped(query: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for item in rows(query):
        found[item[0]].append(item)
    return found


def _comment_texts(body: dict) -> Iterable[str]:
    if "disease" in body:
        disease = body["disease"]
        yield from (disease.get(key, "") for key in ("diseaseId", "acronym", "diseaseAccession", "description"))
    for text in body.get("texts", []):
        yield text["value"]
    for place in body.get("subcellularLocations", []):
        yield place["location"]["value"]
    if "reaction" in body:
        yield body["reaction"]["name"]
    for item in body.get("cofactors", []):
        yield item["name"]
    for item in body.get("interactions", []):
        yield f"{item['interactantTwo'].get('geneName', '')} {item['interactantTwo'].get('uniProtKBAccession', '')}"


@cache
def documents() -> list[Protein]:
    """One search document for each entry."""
    comments = _grouped("SELECT accession, type, body_json FROM protein_comments")
    found_features = _grouped("SELECT accession, type, description, extra_json FROM protein_features")
    references = _grouped("SELECT accession, database, id FROM protein_xrefs")
    table = keyword_table()
    made = []
    for item in rows("SELECT * FROM proteins ORDER BY accession"):
        bodies = [(line["type"], json.loads(line["body_json"])) for line in comments.get(item["accession"], [])]
        made.append(Protein(
            item, taxon=taxa()[item["taxon_id"]], above=ancestors(item["taxon_id"]),
            all_genes=_gene_names(item), names=[item["name"], *parts(item["short_names"]),
                                                *parts(item["alternative_names"])],
            keyword_ids=[table[name][0] for name in parts(item["keywords"]) if name in table],
            bodies=bodies, feature_rows=found_features.get(item["accession"], []),
            references=[(line["database"], line["id"]) for line in references.get(item["accession"], [])],
        ))
    return made


def _gene_names(item: Any) -> list[str]:
    names = [item["gene"], *parts(item["gene_synonyms"])]
    for gene in load(item["genes_json"]) or []:
        for key in ("geneName", "synonyms", "orderedLocusNames", "orfNames"):
            value = gene.get(key, [])
            names += [name["value"] for name in (value if isinstance(value, list) else [value])]
    return list(dict.fromkeys(name for name in names if name))


def _enzyme_numbers(item: Any) -> list[str]:
    """The EC numbers of an entry, those of its other names included."""
    def within(body: Any) -> Iterable[str]:
        if isinstance(body, dict):
            yield from (number["value"] for number in body.get("ecNumbers", []))
        for inner in body.values() if isinstance(body, dict) else body if isinstance(body, list) else ():
            yield from within(inner)

    return list(dict.fromkeys([*parts(item["ec_numbers"]), *within(load(item["description_json"]))]))


def _texts(kind: str) -> Callable[[Protein], Iterable[str]]:
    return lambda item: [text for name, body in item["bodies"] if name == kind for text in _comment_texts(body) if text]


def _feature_texts(kind: str) -> Callable[[Protein], Iterable[str]]:
    def values(item: Protein) -> Iterable[str]:
        for line in item["feature_rows"]:
            if line["type"] == kind:
                ligand = (load(line["extra_json"]) or {}).get("ligand", {}).get("name", "")
                yield f"{kind} {line['description'] or ''} {ligand}"
    return values


def _locations(item: Protein) -> Iterable[str]:
    for kind, body in item["bodies"]:
        if kind == "SUBCELLULAR LOCATION":
            for place in body.get("subcellularLocations", []):
                for part in ("location", "topology", "orientation"):
                    if part in place:
                        yield place[part]["value"]
                        yield place[part].get("id", "")


def _xrefs(item: Protein) -> Iterable[str]:
    for database, key in item["references"]:
        for form in {key, key.split(".")[0]}:
            yield form
            yield f"{database}-{form}"


def _full(item: Protein) -> bool:
    return item["coverage"] == "full"


def _never(item: Protein) -> bool:
    return False


def _featured(item: Protein) -> bool:
    return _full(item) or bool(item["feature_rows"])


def _commented(item: Protein) -> bool:
    return item["coverage"] != "excerpt"


def _go(item: Protein) -> Iterable[str]:
    for line in _grouped("SELECT accession, id, properties FROM protein_xrefs WHERE database = 'GO'").get(
            item["accession"], []):
        name = next((pair[7:].partition(":")[2] for pair in (line["properties"] or "").split(";")
                     if pair.startswith("GoTerm=")), "")
        yield from (line["id"], line["id"].removeprefix("GO:"), name)


def _authors(item: Protein) -> Iterable[str]:
    query = ("SELECT p.accession, c.authors FROM protein_citations p JOIN citations c USING (citation_id) "
             "WHERE c.authors IS NOT NULL")
    for line in _grouped(query).get(item["accession"], []):
        yield from parts(line["authors"])


def _papers(item: Protein) -> Iterable[str]:
    lines = _grouped("SELECT accession, citation_id FROM protein_citations").get(item["accession"], [])
    return [line["citation_id"] for line in lines]


def _partners(item: Protein) -> Iterable[str]:
    for _, body in item["bodies"]:
        for pair in body.get("interactions", []):
            yield pair["interactantTwo"].get("uniProtKBAccession", "")


def _full_text(item: Protein) -> Iterable[str]:
    yield from (item["accession"], item["entry_name"], *item["all_genes"], *item["names"])
    yield from (item["taxon"]["scientific_name"], item["taxon"]["common_name"] or "")
    yield from parts(item["keywords"])
    yield from parts(item["ec_numbers"])
    for _, body in item["bodies"]:
        yield from _comment_texts(body)
    for line in item["feature_rows"]:
        yield line["description"] or ""
    yield from (key for _, key in item["references"])


def _taxon_names(item: Protein) -> Iterable[str]:
    for key in (*item["above"], item["taxon_id"]):
        taxon = taxa()[key]
        yield taxon["scientific_name"]
        yield taxon["common_name"] or ""


def _flag(test: Callable[[Protein], bool], name: str) -> Field:
    return Field("id", lambda item: ["true" if test(item) else "false"], "true|false",
                 f"The '{name}' filter value can only be true or false")


def _number(name: str, values: Callable[[Protein], Iterable[Any]]) -> Field:
    return Field("id", values, r"\d+", f"The '{name}' filter value should be a number")


def _search_fields() -> dict[str, Field]:
    fields = {name: Field(known=_never) for name in UNCOVERED}
    fields |= {f"{name}_exp": Field(known=_never) for name in [*FEATURES, *FEATURES_OF_FULL, *COMMENTS]}
    fields |= {name: Field("text", _feature_texts(kind), known=_featured) for name, kind in FEATURES.items()}
    fields |= {name: Field("text", _feature_texts(kind), known=_full) for name, kind in FEATURES_OF_FULL.items()}
    fields |= {name: Field("text", _texts(kind), known=_commented if name in COVERED_COMMENTS else _full)
               for name, kind in COMMENTS.items() if name.startswith("cc_")}
    fields |= {
        "": Field("text", _full_text),
        "accession": Field("id", lambda item: [item["accession"]], rf"{ACCESSION}(-[0-9]+)?",
                           "The 'accession' filter value '{}' has invalid format. It should be a valid UniProtKB accession"),
        "accession_id": Field("id", lambda item: [item["accession"]], rf"{ACCESSION}(-[0-9]+)?",
                              "The 'accession_id' filter value '{}' has invalid format. It should be a valid UniProtKB accession"),
        "sec_acc": Field("id", lambda item: [item["accession"], *parts(item["secondary_accessions"])]),
        "id": Field("id", lambda item: [item["entry_name"]]),
        "gene": Field("text", lambda item: item["all_genes"]),
        "gene_exact": Field("id", lambda item: item["all_genes"]),
        "protein_name": Field("text", lambda item: item["names"]),
        "ec": Field("id", _enzyme_numbers),
        "organism_id": _number("organism_id", lambda item: [item["taxon_id"]]),
        "organism_name": Field("text", lambda item: [item["taxon"]["scientific_name"],
                                                     item["taxon"]["common_name"] or "",
                                                     item["taxon"]["mnemonic"] or ""]),
        "taxonomy_id": _number("taxonomy_id", lambda item: [item["taxon_id"], *item["above"]]),
        "taxonomy_name": Field("text", _taxon_names),
        "reviewed": _flag(lambda item: item["status"] == "reviewed", "reviewed"),
        "keyword": Field("text", lambda item: [*parts(item["keywords"]), *item["keyword_ids"]]),
        "existence": Field("id", lambda item: [item["existence"]]),
        "annotation_score": Field("id", lambda item: [int(item["annotation_score"])]),
        "length": Field("range", lambda item: [item["length"]]),
        "mass": Field("range", lambda item: [item["mass"]]),
        "date_created": Field("date", lambda item: [item["first_public"]]),
        "date_modified": Field("date", lambda item: [item["last_annotation"]]),
        "checksum": Field("id", lambda item: [item["crc64"], item["md5"]]),
        "uniparc": Field("id", lambda item: [item["uniparc"]]),
        "cc_scl_term": Field("text", _locations, known=_commented),
        "go": Field("text", _go, known=_full),
        "family": Field("text", _texts("SIMILARITY"), known=_full),
        "interactor": Field("id", _partners, known=_full),
        "proteome": Field("id", lambda item: [key for name, key in item["references"] if name == "Proteomes"],
                          "UP[0-9]{9}", "The 'proteome' filter value has invalid format. "
                          "It should match the regular expression UP[0-9]{9}", known=_full),
        "lit_author": Field("text", _authors, known=_full),
        "lit_pubmed": Field("id", _papers, known=_full),
        "lit_citation_id": Field("id", _papers, known=_full),
        "database": Field("id", lambda item: {name for name, _ in item["references"]}),
        "xref": Field("id", lambda item: set(_xrefs(item))),
        "structure_3d": _flag(lambda item: any(name == "PDB" for name, _ in item["references"]), "structure_3d"),
    }
    return fields


def _rank(item: Protein, terms: list[str]) -> tuple:
    """Named by a bare word first, then reviewed, human, best annotated."""
    own = {name.lower() for name in (*item["all_genes"], item["accession"], item["entry_name"])}
    names = {word for name in item["names"] for word in re.findall(r"[^\W_]+", name.lower())}
    named = any(term in own for term in terms)
    mentioned = any(term in names for term in terms)
    return (not named, not mentioned, item["status"] != "reviewed",
            FIRST_HUMAN.get(item["taxon_id"], 3), -(item["annotation_score"] or 0))


PROTEINS = Collection(
    path="uniprotkb", documents=documents, search_fields=_search_fields(), body=lambda item: entry(item["accession"]),
    key=lambda item: item["accession"], return_fields=RETURN_FIELDS, always=(), rank=_rank, shape=shape_entry,
    sort_fields={
        "accession": lambda item: item["accession"], "id": lambda item: item["entry_name"],
        "gene": lambda item: item["gene"], "length": lambda item: item["length"], "mass": lambda item: item["mass"],
        "organism_name": lambda item: item["taxon"]["scientific_name"],
        "protein_name": lambda item: item["name"], "annotation_score": lambda item: item["annotation_score"],
        "date_created": lambda item: item["first_public"], "date_modified": lambda item: item["last_annotation"],
    },
)


def get_entry(request: Request, accession: str) -> Response:
    """One entry by accession, secondary accession or entry name."""
    accession = accession.removesuffix(".json").upper()
    if re.fullmatch(r"[A-Z0-9]{1,10}_[A-Z0-9]{2,5}", accession):
        named = row("SELECT accession FROM proteins WHERE entry_name = ?", accession)
        if named is None:
            return not_found(request)
        accession = named["accession"]
    elif not re.fullmatch(rf"{ACCESSION}((-[0-9]{{1,3}})|(\.[0-9]{{1,3}}))?", accession):
        return problem(request, 400, BAD_ACCESSION)
    # Isoforms and old versions are other texts than the current entry, and not among the facts.
    return one(request, PROTEINS, _merged(accession))


@cache
def _secondary() -> dict[str, str]:
    found: dict[str, list[str]] = defaultdict(list)
    for item in rows("SELECT accession, secondary_accessions FROM proteins"):
        for other in parts(item["secondary_accessions"]):
            found[other].append(item["accession"])
    return {other: owners[0] for other, owners in found.items() if len(owners) == 1}


def _merged(accession: str) -> str:
    return _secondary().get(accession, accession)


def search_entries(request: Request) -> Response:
    """A page of entries that match a query."""
    return search(request, PROTEINS)


def stream_entries(request: Request) -> Response:
    """All entries that match a query."""
    return search(request, PROTEINS, paged=False)


ROUTES: list[tuple[str, Callable[..., Response]]] = [
    ("/uniprotkb/search", search_entries),
    ("/uniprotkb/stream", stream_entries),
    ("/uniprotkb/<accession>", get_entry),
]
