"""Ensembl endpoints about gene trees and genomic alignments: only what was recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from werkzeug import Request, Response

from biotool_lib.atlas.ensembl_service import (
    Refusal,
    bare,
    find,
    gene_by_symbol,
    refuses,
    served,
    slice_of,
    species,
)
from biotool_lib.atlas.store import row, rows

# What a tree request means when it says nothing; any other value gives another tree.
TREE_DEFAULTS = {"aligned": "0", "sequence": "protein", "cigar_line": "0", "compara": "vertebrates", "nh_format": "simple"}
PATH = "/genetree/id/"


def leaves(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The members of a tree."""
    for child in node.get("children", []):
        yield from leaves(child)
    if "children" not in node:
        yield node


@cache
def members() -> dict[tuple[str, int], str]:
    """Gene and taxon -> the recorded tree that holds the gene."""
    found = {}
    for entry in rows("SELECT path, body FROM ensembl_recorded WHERE function = 'get_genetree_by_id'"):
        for leaf in leaves(json.loads(entry["body"])["tree"]):
            found[leaf["id"]["accession"], int(leaf["taxonomy"]["id"])] = entry["path"].removeprefix(PATH)
    return found


def tree(request: Request, identifier: str, message: str) -> object:
    """A recorded tree, if the request changes nothing of it; raises Refusal otherwise."""
    plain = all(TREE_DEFAULTS.get(key) == value for key, value in request.args.items() if key not in ("content-type", "callback"))
    entry = row("SELECT body FROM ensembl_recorded WHERE path = ?", PATH + identifier) if plain else None
    if entry is None:
        raise Refusal(message)
    return json.loads(entry["body"])


@served
def genetree(request: Request, what: str) -> object:
    """A gene tree by its id."""
    return tree(request, what, f"No GeneTree found for ID {what}")


def member_gene(name: str, member: str, by_symbol: bool) -> tuple[str, int, str]:
    """The gene and taxon of a tree member, and the kind of object it was named by; raises Refusal if it is unknown."""
    plain = species(name)
    taxon = int(plain["taxon_id"] or 0)
    if by_symbol:
        entry = gene_by_symbol(plain["name"], member)
        if entry is None:
            raise Refusal("Lookup found nothing.")
        return entry["id"], taxon, "Gene"
    if (bare(member), taxon) in members():
        return bare(member), taxon, "Gene"
    try:
        kind, entry = find(member)
    except Refusal as unknown:
        raise Refusal(f"Unable to find given object: {member}") from unknown
    return (entry["id"] if kind == "Gene" else entry["gene"] if kind != "Exon" else ""), taxon, kind


def by_member(by_symbol: bool, cafe: bool) -> Callable[..., Response]:
    """A handler for the tree of a member; of trees of family sizes (CAFE) none is sourced."""

    @served
    def handler(request: Request, name: str, member: str) -> object:
        gene, taxon, kind = member_gene(name, member, by_symbol)
        message = f"No GeneTree found for {kind} ID {gene if by_symbol else member}"
        if cafe or (gene, taxon) not in members():
            raise Refusal(message)
        return tree(request, members()[gene, taxon], message)

    return handler


@served
def alignment(request: Request, name: str, text: str) -> object:
    """Alignments of a region: only what was recorded."""
    slice_of(species(name)["name"], text)
    raise Refusal("no alignment available for this region")


ROUTES = [
    ("/alignment/region/<name>/<text>", alignment),
    ("/genetree/id/<what>", genetree),
    ("/genetree/member/id/<name>/<member>", by_member(False, False)),
    ("/genetree/member/symbol/<name>/<member>", by_member(True, False)),
    ("/cafe/genetree/id/<what>", refuses("No GeneTree found for ID {what}")),
    ("/cafe/genetree/member/id/<name>/<member>", by_member(False, True)),
    ("/cafe/genetree/member/symbol/<name>/<member>", by_member(True, True)),
]
