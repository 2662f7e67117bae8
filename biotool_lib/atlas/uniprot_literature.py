"""Papers that UniProt cites."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from sqlite3 import Row

from werkzeug import Response

from biotool_lib.atlas.store import rows
from biotool_lib.atlas.uniprot_entries import citation, filled, load, parts
from biotool_lib.atlas.uniprot_query import Field
from biotool_lib.atlas.uniprot_service import Collection
from biotool_lib.atlas.uniprot_vocabularies import routes

MONTHS = dict(zip(["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], range(1, 13), strict=True))


def body(item: Row) -> dict:
    """A citation in the service's shape."""
    paper = citation(item)
    if paper["citationType"] == "journal article" and item["pubmed_id"]:
        # The service calls papers of PubMed so on this path, although entries call them journal articles.
        paper["citationType"] = "UniProt indexed literatures"
    paper |= {"literatureAbstract": item["abstract"]} if item["abstract"] else {}
    return filled({"citation": paper, "statistics": load(item["statistics_json"])})


def _published(item: Row) -> Iterable[str]:
    """The date of publication as a day, the first of the month or year where no more is given."""
    found = re.fullmatch(r"(?:([A-Z]{3})-)?(\d{4})", (item["date"] or "").upper())
    if found:
        yield f"{found[2]}-{MONTHS.get(found[1] or 'JAN', 1):02d}-01"


def _column(kind: str, *names: str) -> Field:
    return Field(kind, lambda item: [value for name in names for value in parts(item[name])])


CITATIONS = Collection(
    path="citations", documents=lambda: rows("SELECT * FROM citations ORDER BY citation_id"), body=body,
    key=lambda item: item["citation_id"], always=("citation.id",),
    search_fields={
        "": _column("text", "citation_id", "title", "authors", "journal", "abstract", "doi", "date"),
        "id": _column("id", "citation_id"), "doi": _column("id", "doi"), "title": _column("text", "title"),
        "author": Field("text", lambda item: parts(item["authors"]),
                        known=lambda item: bool(item["authors"])),
        "journal": _column("text", "journal"), "published": Field("date", _published),
        **{name: Field(known=lambda item: False) for name in (
            "citations_with", "is_uniprotkb_mapped", "is_computational_mapped", "is_community_mapped",
            "is_uniprotkb_reviewed_mapped", "is_uniprotkb_unreviewed_mapped", "author_group", "lit_type")},
    },
    return_fields={
        "id": ("citation.id",), "title": ("citation.title",), "authors": ("citation.authors",),
        "authoring_group": ("citation.authoringGroup",),
        "author_and_group": ("citation.authors", "citation.authoringGroup"),
        "publication_date": ("citation.publicationDate",), "journal": ("citation.journal",),
        "first_page": ("citation.firstPage",), "last_page": ("citation.lastPage",), "volume": ("citation.volume",),
        "doi": ("citation.citationCrossReferences",), "lit_abstract": ("citation.literatureAbstract",),
        "reference": ("citation.journal", "citation.firstPage", "citation.lastPage", "citation.volume",
                      "citation.publicationDate"),
        "type": ("citation.citationType",), "statistics": ("statistics",),
    },
    sort_fields={"id": lambda item: item["citation_id"], "title": lambda item: item["title"]},
)

ROUTES: list[tuple[str, Callable[..., Response]]] = routes(
    CITATIONS, r"[0-9]+|CI-\w{1,13}|IND[0-9]+",
    r"The citation id has invalid format. It should be a PubMedId (number) or with CI-\w{1,13} or IND[0-9]+")
