"""Summaries of UniProt's responses, one per resource; keys that the service sends keep the service's names.

`total` is the server's number of matches; where a response does not say it, `total_counts` says that the
number is that of this page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from biotool_lib.observe import Context, generic, reduce
from biotool_lib.observe.fit import Summariser, capped, counted, cut, dig, kept, picked, safely
from biotool_lib.observe.uniprot_archive import cluster, cluster_row, member_row, uniparc, uniparc_row, upi_links
from biotool_lib.observe.uniprot_entry import entry, row, texts, wanted

Shape = Callable[[Mapping[str, Any], set[str]], dict[str, Any]]
PAGE = 25  # the service's page when no size is asked for
ROWS = 5


def total_of(found: int, context: Context) -> tuple[int, str]:
    """The number of matches and what it counts: all of them, or only this page where the server did not say."""
    if context.total is not None:
        return context.total, "all matches"
    try:
        page = int(context.arguments.get("size") or PAGE)
    except (TypeError, ValueError):
        page = PAGE
    return (found, "all matches") if found != page else (found, "this page only; the response does not give the number of all matches")


def facets(items: Any) -> dict[str, dict[str, int]]:
    """Facet counts as {facet: {label: number}}, the first six values of each."""
    return {
        str(item.get("name")): {str(pair.get("label") or pair.get("value")): pair.get("count") for pair in (item.get("values") or [])[:6]}
        for item in items or []
    }


def listing(shape: Shape) -> Summariser:
    """The summariser of a result page whose hits have this shape."""

    def summary(data: Any, context: Context) -> dict[str, Any]:
        if not isinstance(data, Mapping) or not isinstance(data.get("results"), list):
            return generic(data, context)
        results = data["results"]
        total, counts = total_of(len(results), context)
        fields = wanted(context.arguments)
        return kept(
            {
                "total": total,
                "total_counts": counts,
                "on_page": len(results),
                "shown": min(len(results), ROWS),
                "items": [shape(item, fields) or reduce(item) for item in results[:ROWS]],
                "facets": facets(data.get("facets")),
                "warnings": data.get("warnings"),
            }
        ) | ({"items": []} if not results else {})

    return safely(summary)


def single(shape: Shape) -> Summariser:
    """The summariser of one record of this shape; an error body is passed on as it is."""

    def summary(data: Any, context: Context) -> dict[str, Any]:
        if not isinstance(data, Mapping) or "messages" in data:
            return generic(data, context)
        if isinstance(data.get("results"), list):
            return listing(shape)(data, context)
        return shape(data, wanted(context.arguments)) or generic(data, context)

    return safely(summary)


def statistics(data: Mapping[str, Any]) -> Any:
    """The protein and proteome counts that UniProt attaches to many records."""
    return data.get("statistics")


def condition(item: Mapping[str, Any]) -> str:
    """One condition of an annotation rule as text: InterPro id = IPR004825; not taxon = Mammalia (40674)."""
    values = [f"{pair.get('value')} ({pair['cvId']})" if pair.get("cvId") else str(pair.get("value")) for pair in item.get("conditionValues") or []]
    span = item.get("range") or {}
    if span:
        values.append(f"{dig(span, 'start', 'value')}-{dig(span, 'end', 'value')}")
    return f"{'not ' if item.get('isNegative') else ''}{item.get('type')}{' = ' + ' or '.join(values) if values else ''}"


def annotation(item: Mapping[str, Any]) -> dict[str, Any]:
    """What a rule writes into an entry: a name, comment, keyword, gene or cross-reference."""
    comment = item.get("comment") or {}
    places = [text for text in (dig(place, "location", "value") for place in comment.get("subcellularLocations") or []) if text]
    said = texts(comment.get("texts")) or places or [cofactor.get("name") for cofactor in comment.get("cofactors") or []]
    reaction = dig(comment, "reaction", "name")
    names = item.get("proteinDescription") or {}
    return kept(
        {
            "protein": dig(names, "recommendedName", "fullName", "value"),
            "ec": texts(dig(names, "recommendedName", "ecNumbers")) or dig(comment, "reaction", "ecNumber"),
            "comment": comment.get("commentType"),
            "text": cut("; ".join(map(str, said)) or reaction or "", 200),
            "keyword": dig(item, "keyword", "name"),
            "gene": [name for name in (dig(gene, "geneName", "value") for gene in item.get("gene") or []) if name],
            "reference": " ".join(str(part) for part in (dig(item, "dbReference", "database"), dig(item, "dbReference", "id")) if part),
        }
    )


def rule(data: Mapping[str, Any], _fields: set[str]) -> dict[str, Any]:
    """A UniRule or ARBA rule: conditions, annotations, how many proteins it annotates."""
    main = data.get("mainRule") or {}
    sets = main.get("conditionSets") or []
    notes = [*(main.get("annotations") or []), *(item for other in data.get("otherRules") or [] for item in other.get("annotations") or [])]
    exceptions = [accession for item in main.get("ruleExceptions") or [] for accession in item.get("accessions") or []]
    return kept(
        {
            "uniRuleId": data.get("uniRuleId"),
            "information": {key: capped(item) if isinstance(item, list) else item for key, item in (data.get("information") or {}).items()},
            "statistics": statistics(data),
            **picked(data, "createdDate", "modifiedDate"),
            "annotations": capped(list(map(annotation, notes)), 8),
            "conditions": {
                "sets": len(sets),
                "total": sum(len(item.get("conditions") or []) for item in sets),
                "types": counted(part.get("type") for item in sets for part in item.get("conditions") or []),
                "first_sets": [[condition(part) for part in (item.get("conditions") or [])[:6]] for item in sets[:3]],
            },
            "exceptions": capped(exceptions) if exceptions else None,
            "cases": len(data.get("otherRules") or []) or None,
            "features": capped(
                [
                    kept({"type": dig(item, "samTrigger", "samTriggerType"), "annotations": len(item.get("annotations") or [])})
                    for item in data.get("samFeatureSets") or []
                ]
            )
            if data.get("samFeatureSets")
            else None,
            "positionFeatures": len(data.get("positionFeatureSets") or []) or None,
        }
    )


def keyword(data: Mapping[str, Any], _fields: set[str]) -> dict[str, Any]:
    """A keyword: name, definition, category, parents, GO terms."""
    names = data.get("keyword") or {}
    return kept(
        {
            "id": names.get("id"),
            "name": names.get("name"),
            "definition": cut(data.get("definition") or "", 700),
            "category": dig(data, "category", "name") or data.get("category"),
            "synonyms": capped(data["synonyms"]) if data.get("synonyms") else None,
            "geneOntologies": [picked(item, "goId", "name") for item in (data.get("geneOntologies") or [])[:4]],
            "parents": [picked(item.get("keyword") or {}, "name", "id") for item in (data.get("parents") or [])[:5]],
            "children": capped([picked(item.get("keyword") or {}, "name", "id") for item in data["children"]]) if data.get("children") else None,
            "links": (data.get("sites") or data.get("links") or [])[:3],
            "statistics": statistics(data),
        }
    )


def location(data: Mapping[str, Any], _fields: set[str]) -> dict[str, Any]:
    """A subcellular location: name, definition, category, what it is a part or a kind of."""
    return kept(
        {
            **picked(data, "id", "name", "category"),
            "definition": cut(data.get("definition") or "", 700),
            "note": data.get("note"),
            "synonyms": capped(data["synonyms"]) if data.get("synonyms") else None,
            "keyword": data.get("keyword"),
            "geneOntologies": [picked(item, "goId", "name") for item in (data.get("geneOntologies") or [])[:4]],
            **{key: [picked(item, "name", "id") for item in (data.get(key) or [])[:5]] for key in ("isA", "partOf")},
            "links": (data.get("links") or [])[:3],
            "statistics": statistics(data),
        }
    )


def disease(data: Mapping[str, Any], _fields: set[str]) -> dict[str, Any]:
    """A disease: name, acronym, definition, other names, identifiers elsewhere."""
    links = data.get("crossReferences") or []
    mim = next((item.get("id") for item in links if item.get("databaseType") == "MIM"), None)
    return kept(
        {
            **picked(data, "id", "name", "acronym"),
            "definition": cut(data.get("definition") or "", 900),
            "mim": mim,
            "alternativeNames": capped(data["alternativeNames"]) if data.get("alternativeNames") else None,
            "crossReferences": capped([picked(item, "databaseType", "id") for item in links], 8) if links else None,
            "keywords": [picked(item, "name", "id") for item in (data.get("keywords") or [])[:5]],
            "statistics": statistics(data),
        }
    )


def database(data: Mapping[str, Any], _fields: set[str]) -> dict[str, Any]:
    """A database that UniProt links to: name, abbreviation, category, address, paper."""
    return kept(
        {
            **picked(data, "id", "abbrev", "name", "category", "linkType", "dbUrl", "pubMedId", "doiId"),
            "servers": (data.get("servers") or [])[:3],
            "statistics": statistics(data),
        }
    )


def paper(data: Mapping[str, Any], _fields: set[str]) -> dict[str, Any]:
    """A publication: title, authors, journal, year, abstract, how many entries cite it."""
    source = data.get("citation") or {}
    links = {str(item.get("database")).lower(): item.get("id") for item in source.get("citationCrossReferences") or []}
    pages = "-".join(str(source[key]) for key in ("firstPage", "lastPage") if source.get(key))
    return kept(
        {
            **picked(source, "id", "title", "journal", "publicationDate", "volume", "citationType"),
            "pages": pages,
            "authors": capped(source["authors"]) if source.get("authors") else None,
            "pubmed": links.get("pubmed"),
            "doi": links.get("doi"),
            "abstract": cut(source.get("literatureAbstract") or "", 900),
            "statistics": statistics(data),
        }
    )


def proteome(data: Mapping[str, Any], _fields: set[str]) -> dict[str, Any]:
    """A proteome: organism, kind, protein count, components, completeness."""
    parts = data.get("components") or []
    return kept(
        {
            **picked(data, "id", "proteomeType"),
            "organism": picked(data.get("taxonomy") or {}, "scientificName", "commonName", "taxonId", "mnemonic"),
            "strain": data.get("strain"),
            "proteinCount": data.get("proteinCount") or (sum(part.get("proteinCount") or 0 for part in parts) or None),
            **picked(data, "geneCount", "superkingdom", "modified", "annotationScore", "redundantTo", "panproteome", "exclusionReasons", "isolate"),
            "components": capped([picked(part, "name", "proteinCount") for part in parts], 8) if parts else None,
            "genomeAssembly": picked(data.get("genomeAssembly") or {}, "assemblyId", "level", "source", "genomeAssemblyUrl"),
            "proteomeCompletenessReport": data.get("proteomeCompletenessReport"),
            "proteomeStatistics": data.get("proteomeStatistics"),
            "description": cut(data.get("description") or "", 500),
            "citations": len(data.get("citations") or []) or None,
            "lineage": " > ".join(str(item.get("scientificName")) for item in data.get("taxonLineage") or []),
        }
    )


def related(item: Mapping[str, Any]) -> dict[str, Any]:
    """One protein of a gene-centric group."""
    return kept({**picked(item, "id", "uniProtkbId", "entryType", "proteinName", "geneName"), "length": dig(item, "sequence", "length")})


def gene_group(data: Mapping[str, Any], _fields: set[str]) -> dict[str, Any]:
    """A gene-centric group: the canonical protein and the others of the same gene."""
    canonical = data.get("canonicalProtein") or {}
    others = data.get("relatedProteins") or []
    return kept(
        {
            "proteomeId": data.get("proteomeId"),
            "gene": canonical.get("geneName"),
            "canonical": related(canonical),
            "organism": picked(canonical.get("organism") or {}, "scientificName", "commonName", "taxonId"),
            "related": capped(list(map(related, others)), 4),
        }
    )


def taxon(data: Mapping[str, Any], _fields: set[str]) -> dict[str, Any]:
    """A taxon: names, rank, parent, lineage from the root, ranks by name, protein and proteome counts."""
    line = data.get("lineage") or []
    if len(line) > 1 and dig(line, 0, "taxonId") == dig(data, "parent", "taxonId"):
        line = line[::-1]  # the service has sent either order; here the root always comes first
    main = ("superkingdom", "domain", "realm", "kingdom", "phylum", "class", "order", "family", "genus", "species")
    ranks = {item["rank"]: item.get("scientificName") for item in line if item.get("rank") in main}
    return kept(
        {
            **picked(data, "taxonId", "scientificName", "commonName", "mnemonic", "rank", "hidden", "active", "inactiveReason"),
            "parent": picked(data.get("parent") or {}, "scientificName", "commonName", "taxonId"),
            "lineage": " > ".join(str(item.get("scientificName")) for item in line),
            "ranks": ranks,
            **{key: capped(data[key]) for key in ("otherNames", "synonyms") if data.get(key)},
            "strains": capped([item.get("name") if isinstance(item, Mapping) else item for item in data["strains"]]) if data.get("strains") else None,
            "hosts": [picked(item, "scientificName", "taxonId") for item in (data.get("hosts") or [])[:5]],
            "links": (data.get("links") or [])[:3],
            "statistics": statistics(data),
        }
    )


def uniparc_databases(data: Any, context: Context) -> dict[str, Any]:
    """The records of one UniParc sequence as a page."""
    if not isinstance(data, Mapping) or not isinstance(data.get("results"), list):
        return generic(data, context)
    total, counts = total_of(len(data["results"]), context)
    page = upi_links(data["results"], total)
    return {
        "total": total,
        "total_counts": counts,
        "on_page": len(data["results"]),
        **{f"{key}_on_page" if key in ("active", "databases", "organisms") else key: item for key, item in page.items() if key != "total"},
    }


SUMMARIES: dict[str, Summariser] = {
    "get_uniprotkb_entry": single(entry),
    "search_uniprotkb": listing(row),
    "stream_uniprotkb": listing(row),
    "get_uniparc_by_upi": single(uniparc),
    "get_uniparc_light": single(uniparc),
    "get_uniparc_databases": safely(uniparc_databases),
    "search_uniparc": listing(uniparc_row),
    "stream_uniparc": listing(uniparc_row),
    "get_uniref_by_id": single(cluster),
    "get_uniref_light": single(cluster),
    "get_uniref_members": listing(member_row),
    "search_uniref": listing(cluster_row),
    "stream_uniref": listing(cluster_row),
    "get_genecentric_by_accession": single(gene_group),
    "get_genecentric_by_proteome_id": listing(gene_group),
    "search_genecentric": listing(gene_group),
    "stream_genecentric": listing(gene_group),
    "get_arba_by_id": single(rule),
    "search_arba": listing(rule),
    "stream_arba": listing(rule),
    "get_unirule_by_id": single(rule),
    "search_unirule": listing(rule),
    "stream_unirule": listing(rule),
    "get_keyword_by_id": single(keyword),
    "search_keywords": listing(keyword),
    "stream_keywords": listing(keyword),
    "get_location_by_id": single(location),
    "search_subcellular_locations": listing(location),
    "stream_subcellular_locations": listing(location),
    "get_disease_by_id": single(disease),
    "search_human_diseases": listing(disease),
    "stream_human_diseases": listing(disease),
    "get_crossref_database_by_id": single(database),
    "search_crossref_databases": listing(database),
    "stream_crossref_databases": listing(database),
    "get_citation_by_id": single(paper),
    "search_literature_citations": listing(paper),
    "stream_literature_citations": listing(paper),
    "get_proteome_by_upid": single(proteome),
    "search_proteomes": listing(proteome),
    "stream_proteomes": listing(proteome),
    "get_taxonomy_by_id": single(taxon),
    "search_taxonomy": listing(taxon),
    "stream_taxonomy": listing(taxon),
}
