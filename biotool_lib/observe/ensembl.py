"""Summaries of all Ensembl functions, each made safe and bounded to 6,000 characters."""

from __future__ import annotations

from biotool_lib.observe import ensembl_compara, ensembl_genes, ensembl_info, ensembl_variation
from biotool_lib.observe.ensembl_common import LIMIT, Summary, guarded

SUMMARIES: dict[str, Summary] = {
    name: guarded(function)
    for part in (ensembl_genes, ensembl_compara, ensembl_info, ensembl_variation)
    for name, function in part.SUMMARIES.items()
}

__all__ = ["LIMIT", "SUMMARIES"]
