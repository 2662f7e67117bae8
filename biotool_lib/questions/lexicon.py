"""How values of arguments are said in words, and which words stand for a value."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import biotool_lib.catalogue as catalogue_package

from ..catalogue import Tool
from ..files import read_yaml


@cache
def _species() -> dict[str, dict[str, Any]]:
    path = Path(catalogue_package.__file__).parent / "species.yaml"
    return read_yaml(path)["species"]


@cache
def species_words() -> dict[str, tuple[str, ...]]:
    """The words for each production name: common name first, then the scientific one."""
    return {name: (entry["common"], entry["scientific"]) for name, entry in _species().items()}


@cache
def taxon_words() -> dict[str, tuple[str, ...]]:
    """The same words by NCBI taxon identifier."""
    return {str(entry["taxon_id"]): (entry["common"], entry["scientific"]) for entry in _species().values()}


def words(tool: Tool, name: str, value: Any) -> tuple[str, ...]:
    """Every way in which a question may say a value, the literal one last."""
    text = literal(value)
    parameter = tool.parameters.get(name)
    kind = parameter.kind if parameter else None
    if kind == "species" or name in ("species", "target_species", "organism_species"):
        known = species_words().get(text)
        return (*known, text) if known else (text.replace("_", " ").capitalize(), text)
    if kind == "taxon_id" or name in ("taxon_id", "organism_id", "taxonId", "taxonomy_id"):
        known = taxon_words().get(text)
        return (*known, text) if known else (f"taxon {text}", text) if text.isdigit() else (text,)
    return (text,)


def literal(value: Any) -> str:
    """A value as it is written out in a sentence."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(literal(item) for item in value)
    return str(value)
