"""Summaries of Ensembl gene trees, CAFE trees, homologies and genomic alignments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from biotool_lib.observe import Context, shorten
from biotool_lib.observe.ensembl_common import Summary, compact, counts, distinct, head, listing, names, number, pick, rows


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    # A stack, as trees of large families are deeper than Python likes to recurse.
    stack = [node]
    while stack:
        one = stack.pop()
        yield one
        stack.extend(reversed(one.get("children") or []))


def _first(value: Any, key: str) -> Any:
    entry = value[0] if isinstance(value, list) and value else value
    return entry.get(key) if isinstance(entry, dict) else entry


def _member(leaf: dict[str, Any]) -> dict[str, Any]:
    sequence = leaf.get("sequence") or {}
    entry = {
        "id": _first(leaf.get("id"), "accession"),
        "species": (leaf.get("taxonomy") or {}).get("scientific_name"),
        "protein": _first(sequence.get("id"), "accession"),
        "location": sequence.get("location"),
        "name": sequence.get("name"),
        "branch_length": leaf.get("branch_length"),
    }
    molecule = sequence.get("mol_seq") or {}
    if molecule.get("seq"):
        entry["sequence_length"] = len(str(molecule["seq"]).replace("-", ""))
    if molecule.get("is_aligned") in (1, "1", True):
        entry["aligned_length"] = len(str(molecule.get("seq") or ""))
    return {key: value for key, value in entry.items() if value not in (None, "")}


def genetree(data: Any, context: Context) -> dict[str, Any]:
    """A gene tree: its root, how many nodes, genes and species, its events, and sampled members."""
    tree = data["tree"]
    nodes = list(_walk(tree))
    leaves = [node for node in nodes if not node.get("children")]
    species = [(leaf.get("taxonomy") or {}).get("scientific_name") for leaf in leaves]
    supports = [value for value in (number((node.get("confidence") or {}).get("bootstrap")) for node in nodes) if value is not None]
    small = {
        **head(data),
        "root": {"event": (tree.get("events") or {}).get("type"), **compact(tree.get("taxonomy") or {})},
        "nodes": len(nodes), "genes": len(leaves), "species": len(distinct(species)),
        "by_event": counts((node.get("events") or {}).get("type") for node in nodes),
        "genes_by_species": counts(species, 12),
        "children": [
            {**pick(child.get("taxonomy") or {}, "scientific_name", "common_name"),
             "branch_length": child.get("branch_length"),
             "genes": sum(not node.get("children") for node in _walk(child))}
            for child in (tree.get("children") or [])[:5]
        ],
        "members": listing([_member(leaf) for leaf in leaves], 10),
    }
    if supports:
        small["bootstrap"] = {"nodes": len(supports), "mean": round(sum(supports) / len(supports), 2), "minimum": min(supports)}
    return small


def _taxon(node: dict[str, Any]) -> str | None:
    return (node.get("tax") or node.get("taxonomy") or {}).get("scientific_name") or node.get("name")


def _yes(value: Any) -> bool:
    return value not in (None, 0, "0", False, "")


def _cafe_node(node: dict[str, Any]) -> dict[str, Any]:
    entry = {"species": _taxon(node), **pick(node, "name", "n_members", "pvalue", "lambda")}
    tax = node.get("tax") or {}
    return {**entry, **pick(tax, "common_name")}


def cafe(data: Any, context: Context) -> dict[str, Any]:
    """A CAFE tree: the family's p-value and rate, expansions and contractions, and the largest families by species."""
    tree = data["tree"]
    nodes = list(_walk(tree))
    leaves = sorted((node for node in nodes if not node.get("children")), key=lambda leaf: (-(number(leaf.get("n_members")) or 0), str(_taxon(leaf))))
    changed = {
        "expansions": [node for node in nodes if _yes(node.get("is_expansion"))],
        "contractions": [node for node in nodes if _yes(node.get("is_contraction"))],
        "significant": [node for node in nodes if _yes(node.get("is_node_significant"))],
    }
    return {
        **head(data),
        "root": {**_cafe_node(tree), **pick(tree, "id", "p_value_lim"), "timetree_mya": (tree.get("tax") or {}).get("timetree_mya")},
        "lambda": tree.get("lambda", data.get("lambda")),
        "nodes": len(nodes), "species": len(leaves),
        "members": int(sum(number(leaf.get("n_members")) or 0 for leaf in leaves)),
        **{name: {"total": len(found), "taxa": names((_taxon(node) for node in found), 10)} for name, found in changed.items()},
        "largest": _cafe_node(leaves[0]) if leaves else None,
        "families": listing([_cafe_node(leaf) for leaf in leaves], 12),
    }


def _homologue(item: dict[str, Any]) -> dict[str, Any]:
    target, source = item.get("target"), item.get("source")
    target = target if isinstance(target, dict) else item
    source = source if isinstance(source, dict) else {}
    entry = {
        **pick(target, "id", "species", "protein_id", "taxon_id", "perc_id", "perc_pos"),
        **pick(item, "type", "taxonomy_level", "dn_ds", "method_link_type", "confidence"),
        "source_perc_id": source.get("perc_id"),
    }
    for key in ("align_seq", "seq", "cigar_line"):
        if target.get(key):
            entry[key] = shorten(str(target[key]), 60)
    return {key: value for key, value in entry.items() if value not in (None, "")}


def homology(data: Any, context: Context) -> dict[str, Any]:
    """Homologues of a gene: counts by type and taxonomic level, the closest one, and the first ten."""
    blocks = rows(data["data"]) if isinstance(data, dict) else rows(data)
    items = [item for block in blocks for item in rows(block.get("homologies") or [])]
    small = [_homologue(item) for item in items]
    scored = [item for item in small if number(item.get("perc_id")) is not None]
    result = {
        "id": blocks[0].get("id") if blocks else None,
        "total": len(items),
        "species": len(distinct(item.get("species") for item in small)),
        "by_type": counts(item.get("type") for item in small),
        "by_taxonomy_level": counts((item.get("taxonomy_level") for item in small), 20),
        "target_ids": names((item.get("id") for item in small), 20),
    }
    if scored:
        best = max(scored, key=lambda item: (number(item["perc_id"]), number(item.get("perc_pos")) or 0))
        result["closest"] = pick(best, "id", "species", "perc_id", "perc_pos", "type", "protein_id")
    return {**result, "shown": min(len(small), 10), "items": small[:10]}


def _row(item: dict[str, Any]) -> dict[str, Any]:
    sequence = str(item.get("seq") or "")
    return {
        **pick(item, "species", "seq_region", "start", "end", "strand", "description"),
        "length": len(sequence), "gaps": sequence.count("-"), "seq": shorten(sequence, 160),
    }


def alignment(data: Any, context: Context) -> dict[str, Any]:
    """Aligned regions: how many blocks and species, the tree, and the aligned rows with their beginnings."""
    blocks = rows(data)
    lines = [line for block in blocks for line in rows(block.get("alignments") or [])]
    ancestors = [line for line in lines if str(line.get("seq_region") or "").startswith("Ancestor")]
    present = [line for line in lines if line not in ancestors]
    species = distinct(line.get("species") for line in present)
    return {
        "total": len(blocks),
        "rows": len(lines), "ancestral_rows": len(ancestors),
        "species_total": len(species), "species": names(species, 25),
        "alignment_length": max((len(str(line.get("seq") or "")) for line in lines), default=0),
        "tree": shorten(str(blocks[0]["tree"]), 500) if blocks and blocks[0].get("tree") else None,
        "shown": min(len(lines), 10),
        "items": [_row(line) for line in (present + ancestors)[:10]],
    }


SUMMARIES: dict[str, Summary] = {
    "get_genetree_by_id": genetree,
    "get_genetree_member_by_id": genetree,
    "get_genetree_member_by_symbol": genetree,
    "get_cafe_genetree_by_id": cafe,
    "get_cafe_genetree_by_member_id": cafe,
    "get_cafe_genetree_by_member_symbol": cafe,
    "get_homology_by_id": homology,
    "get_homology_by_symbol": homology,
    "get_alignment_region": alignment,
}
