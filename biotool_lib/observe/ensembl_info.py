"""Summaries of Ensembl's information pages, ontologies, taxonomy and binding matrices."""

from __future__ import annotations

from typing import Any

from biotool_lib.observe import Context
from biotool_lib.observe.ensembl_common import Summary, compact, counts, distinct, head, listing, names, number, order, pick, rows


def simple(data: Any, context: Context) -> dict[str, Any]:
    """A small object or list of words: its plain values, and its lists whole up to twenty entries."""
    if isinstance(data, list):
        return listing([compact(item) for item in data], 20)
    return {**head(data), **{key: compact(data[key], shown=20) for key in order(data) if isinstance(data[key], (list, dict))}}


def analysis(data: Any, context: Context) -> dict[str, Any]:
    """The analyses of a species: how many, in which databases, and the first names."""
    names_of = sorted(data)
    return {
        "total": len(data),
        "by_database": counts(group for name in names_of for group in data[name]),
        "shown": min(len(names_of), 30),
        "items": [{"name": name, "databases": data[name]} for name in names_of[:30]],
    }


def _region(item: dict[str, Any]) -> dict[str, Any]:
    small = pick(item, "name", "length", "coord_system")
    bands, synonyms = item.get("bands"), item.get("synonyms")
    if bands:
        small["bands"] = listing([pick(band, "id", "start", "end", "stain") for band in rows(bands)], 2)
    if synonyms:
        small["synonyms"] = listing([pick(word, "name", "dbname") if isinstance(word, dict) else word for word in synonyms], 3)
    return small


def assembly(data: Any, context: Context) -> dict[str, Any]:
    """A genome assembly: its name, accession and dates, its chromosomes, and its longest regions."""
    small = head(data)
    chromosomes = data.get("karyotype")
    if isinstance(chromosomes, list):
        small["chromosomes"] = len(chromosomes)
        small["karyotype"] = names(chromosomes, 50)
    small["coord_system_versions"] = names(data.get("coord_system_versions") or [], 15)
    if isinstance(data.get("top_level_seq_region_names"), list):
        small["top_level_seq_region_names"] = listing(data["top_level_seq_region_names"], 30)
    regions = rows(data.get("top_level_region") or [])
    if regions:
        longest = sorted(regions, key=lambda region: (-(number(region.get("length")) or 0), str(region.get("name"))))
        small["regions"] = {
            "total_length": int(sum(number(region.get("length")) or 0 for region in regions)),
            "by_coord_system": counts(region.get("coord_system") for region in regions),
            "bands": sum(len(region.get("bands") or []) for region in regions),
            "longest": pick(longest[0], "name", "length", "coord_system"),
            **listing([_region(region) for region in longest], 10),
        }
    return small


def assembly_region(data: Any, context: Context) -> dict[str, Any]:
    """A chromosome or other region: its plain values, bands and synonyms."""
    small = head(data)
    for key in order(data):
        if isinstance(data[key], list):
            small[key] = listing([compact(item) for item in data[key]], 15)
    return small


def biotypes(data: Any, context: Context) -> dict[str, Any]:
    """Biotypes or biotype groups: their names, counted by object type and group."""
    if isinstance(data, list) and all(isinstance(item, str) for item in data):
        return listing(data, 40)
    items = rows(data)
    objects = (kind for item in items for kind in (item.get("objects") or [item.get("object_type")]))
    return {
        "total": len(items),
        "by_object": counts(objects),
        "by_group": counts(item.get("biotype_group") for item in items),
        "names": names((item.get("biotype") or item.get("name") for item in items), 60),
        "shown": min(len(items), 15),
        "items": [compact(item) for item in items[:15]],
    }


def compara_methods(data: Any, context: Context) -> dict[str, Any]:
    """Comparative methods: every class with its methods."""
    classes = sorted(data)
    methods = [method for name in classes for method in data[name]]
    items = [{"class": name, "methods": sorted(data[name])} for name in classes]
    return {"total": len(methods), "classes": len(classes), "methods": names(sorted(methods)), "shown": len(items), "items": items}


def species_sets(data: Any, context: Context) -> dict[str, Any]:
    """The species sets of a comparative method: their names, groups and sizes."""
    items = rows(data)
    small = [
        {**pick(item, "name", "method", "species_set_group"), "size": len(item.get("species_set") or []),
         "species": names(sorted(item.get("species_set") or []), 6)}
        for item in items
    ]
    largest = sorted(small, key=lambda item: (-item["size"], str(item.get("name"))))
    return {
        "total": len(items),
        "by_group": counts(item.get("species_set_group") for item in items),
        "names": names((item.get("name") for item in items), 25),
        "largest": pick(largest[0], "name", "size", "species_set_group") if largest else None,
        "shown": min(len(small), 8),
        "items": small[:8],
    }


def external_dbs(data: Any, context: Context) -> dict[str, Any]:
    """External databases: names and the first records."""
    items = rows(data)
    return {
        "total": len(items), "names": names((item.get("name") for item in items), 60),
        "shown": min(len(items), 10), "items": [compact(item, limit=100) for item in items[:10]],
    }


GENOME = (
    "name", "display_name", "scientific_name", "strain", "taxonomy_id", "species_taxonomy_id", "assembly_name",
    "assembly_accession", "assembly_level", "base_count", "division", "genebuild",
)


def genome(data: Any, context: Context) -> dict[str, Any]:
    """One genome: all its plain values and its lists counted; or many genomes, counted and sampled."""
    if isinstance(data, dict):
        return {**head(data), **{key: compact(data[key], shown=5) for key in order(data) if isinstance(data[key], (list, dict))}}
    items = rows(data)
    bases = [value for value in (number(item.get("base_count")) for item in items) if value]
    flags = sorted({key for item in items for key in item if key.startswith("has_")})
    small = {
        "total": len(items),
        "species_total": len(distinct(item.get("species_taxonomy_id") or item.get("taxonomy_id") for item in items)),
        "by_division": counts(item.get("division") for item in items),
        "by_assembly_level": counts(item.get("assembly_level") for item in items),
        "names": names((item.get("name") for item in items), 25),
        "with": {flag: sum(item.get(flag) in (1, "1", True) for item in items) for flag in flags},
    }
    if bases:
        small["largest"] = pick(max(items, key=lambda item: number(item.get("base_count")) or 0), "name", "display_name", "base_count")
    return {**small, "shown": min(len(items), 6), "items": [pick(item, *GENOME) for item in items[:6]]}


def _species(item: dict[str, Any]) -> dict[str, Any]:
    small = pick(item, "name", "display_name", "common_name", "taxon_id", "assembly", "accession", "strain",
                 "strain_collection", "division", "release", "groups")
    aliases = sorted(item.get("aliases") or [])
    return {**small, "aliases": names(aliases, 4)} if aliases else small


def species(data: Any, context: Context) -> dict[str, Any]:
    """The species of a division: how many, their names, and the first records."""
    items = sorted(rows(data["species"]), key=lambda item: str(item.get("name")))
    return {
        "total": len(items),
        "release": items[0].get("release") if items else None,
        "by_division": counts(item.get("division") for item in items),
        "by_database": counts(group for item in items for group in item.get("groups") or []),
        "by_strain_collection": counts(item.get("strain_collection") for item in items),
        "names": names((item.get("name") for item in items), 40),
        "shown": min(len(items), 6),
        "items": [_species(item) for item in items[:6]],
    }


def variation_sources(data: Any, context: Context) -> dict[str, Any]:
    """Sources of variation data: names with versions, and the first records."""
    items = rows(data)
    return {
        "total": len(items),
        "names": names((item.get("name") for item in items), 60),
        "by_somatic_status": counts(item.get("somatic_status") for item in items),
        "by_data_type": counts(kind for item in items for kind in item.get("data_types") or []),
        "shown": min(len(items), 8),
        "items": [compact(item) for item in items[:8]],
    }


def consequence_types(data: Any, context: Context) -> dict[str, Any]:
    """Consequence types: all terms, the most severe first where the ranks were sent."""
    items = sorted(rows(data), key=lambda item: (number(item.get("consequence_ranking")) or 999, str(item.get("SO_term"))))
    small = {
        "total": len(items),
        "ranked": any(item.get("consequence_ranking") is not None for item in items),
        "terms": names((item.get("SO_term") for item in items), 60),
        "shown": min(len(items), 12),
        "items": [compact(item, limit=120) for item in items[:12]],
    }
    if small["ranked"]:
        ends = [item for item in items if item.get("consequence_ranking") is not None]
        small["most_severe"], small["least_severe"] = ends[0].get("SO_term"), ends[-1].get("SO_term")
    return small


def populations(data: Any, context: Context) -> dict[str, Any]:
    """Populations: how many, the largest, and the first records by name."""
    items = sorted(rows(data), key=lambda item: str(item.get("name")))
    sized = [item for item in items if number(item.get("size"))]
    return {
        "total": len(items),
        "names": names((item.get("name") for item in items), 40),
        "largest": pick(max(sized, key=lambda item: number(item["size"]) or 0.0), "name", "size", "description") if sized else None,
        "shown": min(len(items), 12),
        "items": [pick(item, "name", "size", "description", limit=120) for item in items[:12]],
    }


def population(data: Any, context: Context) -> dict[str, Any]:
    """One population: its size, description, and its individuals counted by sex."""
    items = rows(data)
    if not items:
        return listing([])
    people = rows(items[0].get("individuals") or [])
    return {
        **head(items[0]),
        "by_gender": counts(person.get("gender") for person in people),
        "individuals": listing([compact(person) for person in people], 15),
    }


def _term(item: dict[str, Any], limit: int = 300) -> dict[str, Any]:
    return pick(item, "accession", "name", "namespace", "definition", "ontology", limit=limit)


def _details(item: dict[str, Any]) -> dict[str, Any]:
    small: dict[str, Any] = {**head(item, limit=500)}
    for key in ("synonyms", "subsets"):
        if isinstance(item.get(key), list):
            small[key] = names(item[key], 15)
    for key in ("parents", "children"):
        if isinstance(item.get(key), list):
            small[key] = listing([pick(term, "accession", "name") for term in rows(item[key])], 15)
    return small


def ontology_term(data: Any, context: Context) -> dict[str, Any]:
    """One ontology term: definition, synonyms, parents and children."""
    return _details(rows(data)[0]) if rows(data) else listing([])


def ontology_terms(data: Any, context: Context) -> dict[str, Any]:
    """The terms of a name: the first in full, the others listed."""
    items = rows(data)
    if not items:
        return listing([])
    return {"total": len(items), "first": _details(items[0]), **listing([_term(item, 100) for item in items], 8)}


def ontology_list(data: Any, context: Context) -> dict[str, Any]:
    """Ancestors or descendants of a term: counts by namespace, their names by accession, a few in full."""
    items = sorted(rows(data), key=lambda item: str(item.get("accession")))
    return {
        "total": len(items),
        "by_namespace": counts(item.get("namespace") for item in items),
        "by_ontology": counts(item.get("ontology") for item in items),
        "names": names((item.get("name") for item in items), 60),
        "shown": min(len(items), 30),
        "items": [pick(item, "accession", "name") for item in items[:30]],
    }


def ontology_chart(data: Any, context: Context) -> dict[str, Any]:
    """The graph above a term: its own relations, all relations counted, and the terms of the graph."""
    own = data.get(str(context.arguments.get("id"))) or {}
    relations = [(accession, kind) for accession in data for kind, value in data[accession].items() if kind != "term" for _ in value]
    direct = {kind: [pick(term, "accession", "name") for term in rows(value)] for kind, value in sorted(own.items()) if kind != "term"}
    accessions = sorted(data)
    return {
        "total": len(data),
        "term": _term(own.get("term") or {}),
        "direct": direct,
        "by_relation": counts(kind for _, kind in relations),
        "names": names(((data[key].get("term") or {}).get("name") for key in accessions), 60),
        "shown": min(len(accessions), 20),
        "items": [
            {**pick(data[key].get("term") or {}, "accession", "name"),
             "parents": sorted(term.get("accession") or "" for kind, value in data[key].items() if kind != "term" for term in rows(value))}
            for key in accessions[:20]
        ],
    }


def _tags(item: dict[str, Any]) -> dict[str, Any]:
    # Releases differ in how they write the kinds of names: with blanks or with underscores.
    tags = {key.replace("_", " "): value for key, value in (item.get("tags") or {}).items()}
    common = tags.get("genbank common name") or tags.get("common name") or tags.get("ensembl alias name")
    small = {"common_name": common[0] if isinstance(common, list) and common else common}
    for key in ("synonym", "authority", "ensembl timetree mya", "includes"):
        if tags.get(key):
            small[key.replace(" ", "_")] = names(tags[key] if isinstance(tags[key], list) else [tags[key]], 6)
    return {key: value for key, value in small.items() if value}


def _taxon(item: dict[str, Any]) -> dict[str, Any]:
    small = {**pick(item, "id", "scientific_name", "name"), "leaf": item.get("leaf"), **_tags(item)}
    if isinstance(item.get("parent"), dict):
        small["parent"] = pick(item["parent"], "id", "scientific_name")
    if isinstance(item.get("children"), list):
        small["children"] = listing([{**pick(child, "id", "scientific_name"), **pick(_tags(child), "common_name")} for child in rows(item["children"])], 10)
    return small


def taxon(data: Any, context: Context) -> dict[str, Any]:
    """One taxon: names, parent and children."""
    return _taxon(rows(data)[0]) if rows(data) else listing([])


def taxa(data: Any, context: Context) -> dict[str, Any]:
    """The taxa of a name: the first in full, the others listed."""
    items = rows(data)
    if not items:
        return listing([])
    return {"total": len(items), "first": _taxon(items[0]), **listing([pick(item, "id", "scientific_name", "name") for item in items], 15)}


def classification(data: Any, context: Context) -> dict[str, Any]:
    """The lineage of a taxon, in the order that the service sends it: the nearest ancestor first, the root last."""
    items = rows(data)
    if not items:
        return listing([])
    return {
        "total": len(items),
        "parent": pick(items[0], "id", "scientific_name"),
        "root": pick(items[-1], "id", "scientific_name"),
        "names": names((item.get("scientific_name") or item.get("name") for item in items), 60),
        "shown": min(len(items), 40),
        "items": [{**pick(item, "id", "scientific_name"), **pick(_tags(item), "common_name")} for item in items[:40]],
    }


def binding_matrix(data: Any, context: Context) -> dict[str, Any]:
    """A binding motif: its values, its factors, its matrix (30 positions), and the highest letter at each position."""
    elements = data.get("elements") or {}
    positions = sorted(elements, key=lambda key: (number(key) or 0, str(key)))
    best = [max(sorted(elements[key]), key=lambda letter: number(elements[key][letter]) or 0) for key in positions]
    factors = data.get("associated_transcription_factor_complexes") or []
    return {
        **head(data, "elements_string"),
        "associated_transcription_factor_complexes": listing([compact(item) for item in factors], 15),
        "highest_letters": "".join(best),
        "positions": len(positions),
        "elements": {key: {letter: elements[key][letter] for letter in sorted(elements[key])} for key in positions[:30]},
    }


SUMMARIES: dict[str, Summary] = {
    "get_info_analysis": analysis,
    "get_info_assembly": assembly,
    "get_info_assembly_region": assembly_region,
    "get_info_biotypes": biotypes,
    "get_info_biotypes_groups": biotypes,
    "get_info_biotypes_name": biotypes,
    "get_info_compara_methods": compara_methods,
    "get_info_compara_species_sets": species_sets,
    "get_info_data": simple,
    "get_info_divisions": simple,
    "get_info_eg_version": simple,
    "get_info_external_dbs": external_dbs,
    "get_info_genomes": genome,
    "get_info_genomes_accession": genome,
    "get_info_genomes_assembly": genome,
    "get_info_genomes_division": genome,
    "get_info_genomes_taxonomy": genome,
    "get_info_ping": simple,
    "get_info_rest": simple,
    "get_info_software": simple,
    "get_info_species": species,
    "get_info_variation_consequence_types": consequence_types,
    "get_info_variation_population_name": population,
    "get_info_variation_populations": populations,
    "get_info_variation_sources": variation_sources,
    "get_ontology_ancestors": ontology_list,
    "get_ontology_ancestors_chart": ontology_chart,
    "get_ontology_descendants": ontology_list,
    "get_ontology_id": ontology_term,
    "get_ontology_name": ontology_terms,
    "get_taxonomy_classification": classification,
    "get_taxonomy_id": taxon,
    "get_taxonomy_name": taxa,
    "get_binding_matrix": binding_matrix,
}
