"""UniProt's controlled vocabularies: keywords, subcellular locations, human diseases, linked databases."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from sqlite3 import Row

from werkzeug import Request, Response

from biotool_lib.atlas.store import rows
from biotool_lib.atlas.uniprot_entries import filled, load, parts
from biotool_lib.atlas.uniprot_query import Field
from biotool_lib.atlas.uniprot_service import Collection, one, problem, search


def _terms(text: str | None) -> list[dict]:
    return [{"goId": item.split("=", 1)[0], "name": item.split("=", 1)[1]} for item in parts(text)]


def _text(*columns: str) -> Field:
    """A text field over some columns, lists among them."""
    return Field("text", lambda item: [value for name in columns for value in parts(item[name])])


def _id(column: str, pattern: str = "", message: str = "") -> Field:
    return Field("id", lambda item: [item[column]] if item[column] else [], pattern, message)


# Keywords

@cache
def keywords() -> list[Row]:
    """All keywords and categories, by identifier."""
    return rows("SELECT * FROM keywords ORDER BY keyword_id")


@cache
def _keyword_by_name() -> dict[str, Row]:
    return {item["name"]: item for item in keywords()}


def _named(item: Row) -> dict:
    return {"name": item["name"], "id": item["keyword_id"]}


def _paths(item: Row) -> list[list[str]]:
    """Paths from the category to the keyword, by name."""
    found = []
    for path in parts(item["hierarchy"]):
        category, _, rest = path.partition(":")
        found.append([category.strip(), *(name.strip() for name in rest.split(";"))])
    return found


def _parent_names(item: Row) -> list[str]:
    return list(dict.fromkeys(path[-2] for path in _paths(item) if len(path) > 1))


def _parents(item: Row) -> list[dict]:
    known = _keyword_by_name()
    return [filled({"keyword": _named(known[name]), "parents": _parents(known[name])})
            for name in _parent_names(item) if name in known]


def keyword_body(item: Row) -> dict:
    """A keyword in the service's shape."""
    known = _keyword_by_name()
    category = known.get(item["category"] or "")
    return filled({
        "keyword": _named(item), "definition": item["definition"], "synonyms": parts(item["synonyms"]),
        "geneOntologies": _terms(item["gene_ontology"]), "links": parts(item["links"]), "parents": _parents(item),
        "category": _named(category) if category else None, "statistics": load(item["statistics_json"]),
    })


def _keyword_ids(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        yield name
        if name in _keyword_by_name():
            yield _keyword_by_name()[name]["keyword_id"]


BAD_KEYWORD = "The keyword {} value has invalid format. It should match the regular expression 'KW-[0-9]{{4}}'"
KEYWORDS = Collection(
    path="keywords", documents=keywords, body=keyword_body, key=lambda item: item["keyword_id"], always=("keyword",),
    search_fields={
        "": _text("keyword_id", "name", "definition", "synonyms"),
        "id": _id("keyword_id", "KW-[0-9]{4}", BAD_KEYWORD.format("id filter")),
        "keyword_id": _id("keyword_id", "KW-[0-9]{4}", BAD_KEYWORD.format("keyword_id filter")),
        "name": _text("name", "synonyms"), "category": _text("category"),
        "parent": Field("text", lambda item: _keyword_ids(_parent_names(item))),
        "ancestor": Field("text", lambda item: _keyword_ids({n for path in _paths(item) for n in path[:-1]})),
    },
    return_fields={
        "id": ("keyword",), "name": ("keyword",), "description": ("definition",), "category": ("category",),
        "synonym": ("synonyms",), "synonyms": ("synonyms",), "gene_ontology": ("geneOntologies",),
        "gene_ontologies": ("geneOntologies",), "sites": ("links",), "links": ("links",), "parents": ("parents",),
        "parent": ("parents",), "children": ("children",), "statistics": ("statistics",),
    },
    sort_fields={"name": lambda item: item["name"], "keyword_id": lambda item: item["keyword_id"]},
    rank=lambda item, terms: not any(term in item["name"].lower() for term in terms),
)


# Subcellular locations

@cache
def locations() -> list[Row]:
    """All subcellular locations, by identifier."""
    return rows("SELECT * FROM subcellular_locations ORDER BY location_id")


@cache
def _location_by_name() -> dict[str, Row]:
    return {item["name"]: item for item in locations()}


def _above(names: str | None) -> list[dict]:
    known = _location_by_name()
    return [_location(known[name], nested=True) for name in parts(names) if name in known]


def _location(item: Row, nested: bool = False) -> dict:
    keyword = next((word for word in keywords() if word["keyword_id"] == item["keyword_id"]), None)
    return filled({
        "name": item["name"], "id": item["location_id"], "definition": item["definition"], "content": item["content"],
        "keyword": _named(keyword) if keyword else None,
        "statistics": None if nested else load(item["statistics_json"]), "note": item["note"],
        "category": item["category"], "geneOntologies": _terms(item["gene_ontology"]),
        "synonyms": parts(item["synonyms"]), "links": parts(item["links"]), "isA": _above(item["is_a"]),
        "partOf": _above(item["part_of"]),
    })


LOCATIONS = Collection(
    path="locations", documents=locations, body=_location, key=lambda item: item["location_id"], always=("id",),
    search_fields={
        "": _text("location_id", "name", "definition", "synonyms", "content", "note"),
        "id": _id("location_id", "SL-[0-9]{4}", "The subcellular location id filter value has invalid format. "
                                                "It should match the regular expression 'SL-[0-9]{4}'"),
        "name": _text("name", "synonyms"), "category": _text("category"),
    },
    return_fields={
        "id": ("id",), "name": ("name",), "definition": ("definition",), "category": ("category",),
        "keyword": ("keyword",), "synonyms": ("synonyms",), "content": ("content",),
        "gene_ontologies": ("geneOntologies",), "gene_ontology": ("geneOntologies",), "note": ("note",),
        "references": ("references",), "links": ("links",), "is_a": ("isA",), "part_of": ("partOf",),
        "statistics": ("statistics",),
    },
    sort_fields={"name": lambda item: item["name"], "id": lambda item: item["location_id"],
                 "category": lambda item: item["category"]},
    rank=lambda item, terms: not any(term in item["name"].lower() for term in terms),
)


# Human diseases

def _disease_reference(text: str) -> dict:
    database, key, *properties = text.split(";")
    return filled({"databaseType": database, "id": key, "properties": properties})


def _disease(item: Row) -> dict:
    return filled({
        "name": item["name"], "id": item["disease_id"], "acronym": item["acronym"], "definition": item["definition"],
        "alternativeNames": parts(item["synonyms"]),
        "crossReferences": [_disease_reference(text) for text in parts(item["cross_references"])],
        "keywords": [{"name": text.partition(":")[2], "id": text.partition(":")[0]}
                     for text in parts(item["keywords"])],
        "statistics": load(item["statistics_json"]),
    })


DISEASES = Collection(
    path="diseases", documents=lambda: rows("SELECT * FROM diseases ORDER BY disease_id"), body=_disease,
    key=lambda item: item["disease_id"], always=("id",),
    search_fields={
        "": _text("disease_id", "name", "acronym", "definition", "synonyms", "cross_references", "keywords"),
        "id": _id("disease_id"),
        "name": _text("name", "acronym", "synonyms"),
    },
    return_fields={
        "id": ("id",), "name": ("name",), "acronym": ("acronym",), "definition": ("definition",),
        "alternative_names": ("alternativeNames",), "cross_references": ("crossReferences",),
        "keywords": ("keywords",), "statistics": ("statistics",),
    },
    sort_fields={"name": lambda item: item["name"], "id": lambda item: item["disease_id"]},
    rank=lambda item, terms: not any(term in item["name"].lower() for term in terms),
)


# Cross-referenced databases

def _database(item: Row) -> dict:
    return filled({
        "name": item["name"], "id": item["database_id"], "abbrev": item["abbreviation"],
        "pubMedId": item["pubmed_id"], "doiId": item["doi"], "linkType": item["link_type"],
        "servers": parts(item["servers"]), "dbUrl": item["url"], "category": item["category"],
        "statistics": load(item["statistics_json"]),
    })


DATABASES = Collection(
    path="database", documents=lambda: rows("SELECT * FROM crossref_databases ORDER BY database_id"), body=_database,
    key=lambda item: item["database_id"], always=("id",),
    search_fields={
        "": _text("database_id", "name", "abbreviation", "category"), "id": _id("database_id"), "name": _text("name"),
        "abbrev": _text("abbreviation"), "category": _text("category"), "category_str": _id("category"),
    },
    return_fields={
        "id": ("id",), "name": ("name",), "abbrev": ("abbrev",), "pubmed_id": ("pubMedId",), "doi_id": ("doiId",),
        "link_type": ("linkType",), "server": ("servers",), "servers": ("servers",), "db_url": ("dbUrl",),
        "category": ("category",), "statistics": ("statistics",),
    },
    sort_fields={"name": lambda item: item["name"], "id": lambda item: item["database_id"],
                 "abbrev": lambda item: item["abbreviation"]},
    rank=lambda item, terms: not any(term in item["abbreviation"].lower() for term in terms),
)


def _getter(collection: Collection, pattern: str, message: str) -> Callable[..., Response]:
    def get(request: Request, key: str) -> Response:
        key = key.removesuffix(".json")
        if not re.fullmatch(pattern, key, re.IGNORECASE):
            return problem(request, 400, message)
        return one(request, collection, key)
    return get


def _searcher(collection: Collection, paged: bool) -> Callable[[Request], Response]:
    def find(request: Request) -> Response:
        return search(request, collection, paged)
    return find


def routes(collection: Collection, pattern: str, message: str) -> list[tuple[str, Callable[..., Response]]]:
    """The three usual paths of a collection: search, stream and by identifier."""
    return [
        (f"/{collection.path}/search", _searcher(collection, True)),
        (f"/{collection.path}/stream", _searcher(collection, False)),
        (f"/{collection.path}/<key>", _getter(collection, pattern, message)),
    ]


ROUTES: list[tuple[str, Callable[..., Response]]] = [
    *routes(KEYWORDS, "KW-[0-9]{4}", BAD_KEYWORD.format("id")),
    *routes(LOCATIONS, "SL-[0-9]{4}", "The subcellular location id value has invalid format. "
                                      "It should match the regular expression 'SL-[0-9]{4}'"),
    *routes(DISEASES, "DI-[0-9]{5}", "The disease id value has invalid format. "
                                     "It should match the regular expression 'DI-[0-9]{5}'"),
    *routes(DATABASES, "DB-[0-9]{4}", "The cross ref id value should be in the form of DB-XXXX"),
]
