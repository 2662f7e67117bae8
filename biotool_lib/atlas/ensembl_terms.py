"""Ensembl endpoints about ontology terms and taxa."""

from __future__ import annotations

import sqlite3

from werkzeug import Request

from biotool_lib.atlas.ensembl_service import Refusal, flag, like, served
from biotool_lib.atlas.store import row, rows

CLOSURE = ("is_a", "part_of")  # the relations that the ontology database follows to ancestors and descendants


def term_body(entry: sqlite3.Row) -> dict[str, object]:
    """A term without its neighbours."""
    return {"accession": entry["accession"], "name": entry["name"], "ontology": entry["ontology"], "namespace": entry["namespace"],
            "definition": entry["definition"], "subsets": entry["subsets"].split("|") if entry["subsets"] else [],
            "synonyms": entry["synonyms"].split("|") if entry["synonyms"] else []}


def term(accession: str) -> sqlite3.Row:
    """A term by its accession; raises Refusal if it is unknown."""
    entry = row("SELECT * FROM ontology_terms WHERE accession = ?", accession)
    if entry is None:
        raise Refusal(f"No ontology term found for '{accession}'")
    return entry


def neighbours(accession: str, near: str, far: str, relations: list[str]) -> list[dict]:
    """The terms one step away, by any or the given relations."""
    found = rows(f"SELECT DISTINCT t.* FROM ontology_relations r JOIN ontology_terms t ON t.accession = r.{far} WHERE r.{near} = ?"
                 + (f" AND r.relation IN ({','.join('?' * len(relations))})" if relations else "") + " ORDER BY t.accession",
                 accession, *relations)
    return [term_body(e) for e in found]


def with_relations(entry: sqlite3.Row, request: Request) -> dict[str, object]:
    """A term with its parents and children, unless only the term is wanted."""
    body = term_body(entry)
    if flag(request, "simple"):
        return body
    # Of some ontologies only terms are held: then nothing true can be said about their neighbours.
    if not entry["relations_known"]:
        raise Refusal(f"No ontology term found for '{entry['accession']}'")
    relations = request.args.getlist("relation")
    return body | {"parents": neighbours(entry["accession"], "child", "parent", relations),
                   "children": neighbours(entry["accession"], "parent", "child", relations)}


@served
def ontology_id(request: Request, accession: str) -> object:
    """A term by its accession."""
    return with_relations(term(accession), request)


@served
def ontology_name(request: Request, name: str) -> object:
    """Terms by their name; `%` stands for anything."""
    wanted = request.args.get("ontology")
    found = rows(r"SELECT * FROM ontology_terms WHERE name LIKE ? ESCAPE '\' ORDER BY accession", like(name))
    found = [e for e in found if not wanted or e["ontology"] == wanted]
    if not found:
        raise Refusal(f"No ontology term found for '{name}'")
    return [with_relations(e, request) for e in found]


def closure(accession: str, near: str, far: str) -> list[tuple[str, int]]:
    """Every term that can be reached along is_a and part_of, with its least distance."""
    distance, front, steps = {accession: 0}, [accession], 0
    while front:
        steps += 1
        marks = ",".join("?" * len(front))
        found = rows(f"SELECT DISTINCT {far} FROM ontology_relations WHERE {near} IN ({marks}) AND relation IN (?, ?)", *front, *CLOSURE)
        front = [e[0] for e in found if e[0] not in distance]
        distance |= dict.fromkeys(front, steps)
    return sorted((item for item in distance.items() if item[0] != accession), key=lambda item: item[0])


def reached(entry: sqlite3.Row, near: str, far: str) -> list[tuple[sqlite3.Row, int]]:
    """The terms above or below a term with their distances; raises Refusal where relations are not held."""
    if not entry["relations_known"]:
        raise Refusal(f"No ontology term found for '{entry['accession']}'")
    found = [(row("SELECT * FROM ontology_terms WHERE accession = ?", accession), steps)
             for accession, steps in closure(entry["accession"], near, far)]
    return [(e, steps) for e, steps in found if e is not None]


@served
def ancestors(request: Request, accession: str) -> object:
    """All terms above a term."""
    wanted = request.args.get("ontology")
    return [term_body(e) for e, _ in reached(term(accession), "child", "parent") if not wanted or e["ontology"] == wanted]


@served
def descendants(request: Request, accession: str) -> object:
    """All terms below a term; optionally those of a subset, the nearest only, or the term itself too."""
    entry = term(accession)
    found = reached(entry, "parent", "child")
    if flag(request, "zero_distance"):
        found = [(entry, 0), *found]
    subset, wanted = request.args.get("subset"), request.args.get("ontology")
    found = [(e, n) for e, n in found if (not wanted or e["ontology"] == wanted) and (not subset or subset in (e["subsets"] or "").split("|"))]
    if flag(request, "closest_term") and found:
        nearest = min(n for _, n in found)
        found = [(e, n) for e, n in found if n == nearest]
    return [term_body(e) for e, _ in found]


@served
def chart(request: Request, accession: str) -> object:
    """The terms above a term, each with its own parents by relation."""
    entry = term(accession)
    out = {}
    for above in [entry, *(e for e, _ in reached(entry, "child", "parent"))]:
        part: dict[str, object] = {"term": term_body(above)}
        for relation in CLOSURE:
            parents = neighbours(above["accession"], "child", "parent", [relation])
            if parents:
                part[relation] = parents
        out[above["accession"]] = part
    return out


def taxon(text: str) -> sqlite3.Row:
    """A taxon by its number or by any of its names."""
    if text.isdigit():
        entry = row("SELECT * FROM taxonomy_ensembl WHERE id = ?", int(text))
    else:
        entry = row("SELECT t.* FROM taxonomy_ensembl t JOIN taxonomy_ensembl_names n ON n.id = t.id WHERE n.name = ? COLLATE NOCASE", text)
    if entry is None:
        raise Refusal(f"No taxon node found for '{text}'")
    return entry


def taxon_body(entry: sqlite3.Row, relatives: bool) -> dict[str, object]:
    """A taxon with its names; its parent, and its children where all of them are known."""
    tags: dict[str, list[str]] = {}
    for name in rows("SELECT * FROM taxonomy_ensembl_names WHERE id = ? ORDER BY class, name", entry["id"]):
        tags.setdefault(name["class"].replace(" ", "_"), []).append(name["name"])
    scientific = (tags.get("scientific_name") or [str(entry["id"])])[0]
    body: dict[str, object] = {"id": str(entry["id"]), "name": scientific, "scientific_name": scientific, "leaf": entry["leaf"],
                               "tags": tags | {"name": [scientific]}}
    if relatives:
        parent = row("SELECT * FROM taxonomy_ensembl WHERE id = ? AND id != ?", entry["parent"], entry["id"])
        if parent is not None:
            body["parent"] = taxon_body(parent, False)
        children = rows("SELECT * FROM taxonomy_ensembl WHERE parent = ? AND id != ? ORDER BY id", entry["id"], entry["id"])
        if children and entry["children_complete"]:
            body["children"] = [taxon_body(child, False) for child in children]
    return body


@served
def taxonomy_id(request: Request, text: str) -> object:
    """A taxon by number or name."""
    return taxon_body(taxon(text), not flag(request, "simple"))


@served
def taxonomy_name(request: Request, name: str) -> object:
    """Taxa by name; `%` stands for anything."""
    found = rows("SELECT DISTINCT t.* FROM taxonomy_ensembl t JOIN taxonomy_ensembl_names n ON n.id = t.id "
                 r"WHERE n.name LIKE ? ESCAPE '\' ORDER BY t.id", like(name))
    if not found:
        raise Refusal(f"No taxons found with given name '{name}'")
    return [taxon_body(e, not flag(request, "simple")) for e in found]


@served
def classification(request: Request, text: str) -> object:
    """The taxa above a taxon, the nearest first; the service leaves the unnamed top levels out."""
    entry = taxon(text)
    out: list[object] = []
    while True:
        above = row("SELECT * FROM taxonomy_ensembl WHERE id = ? AND id != ?", entry["parent"], entry["id"])
        if above is None or above["id"] in (1, 131567):
            return out
        out.append(taxon_body(above, True))
        entry = above


ROUTES = [
    ("/ontology/id/<path:accession>", ontology_id),
    ("/ontology/name/<path:name>", ontology_name),
    ("/ontology/ancestors/<path:accession>", ancestors),
    ("/ontology/ancestors/chart/<path:accession>", chart),
    ("/ontology/descendants/<path:accession>", descendants),
    ("/taxonomy/id/<text>", taxonomy_id),
    ("/taxonomy/name/<path:name>", taxonomy_name),
    ("/taxonomy/classification/<text>", classification),
]
