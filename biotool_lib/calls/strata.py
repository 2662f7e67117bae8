"""What people say and what they do not: the stratum of a call, and one spelling for each meaning of an Entrez query."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..catalogue import tools
from ..files import read_yaml

STRATA = ("ordinary", "technical")
MOST_TECHNICAL = 0.10  # of the calls of a dataset, so that questions stay those of people

# Field tags of Entrez that mean the same, and the one that is used here. einfo lists a field's short and full name (GENE, "Gene Name";
# ORGN, "Organism"; CHR, "Chromosome"; TITL, "Title"; JOUR, "Journal"; PDAT, "Date - Publication"; MAJR, "MeSH Major Topic"; PREF,
# "Preferred Symbol"); [au], [ta], [ti] and [dp] are PubMed's own abbreviations of Author, Journal, Title and publication date.
_TAGS = {
    "gene name": "gene", "organism": "orgn", "auth": "au", "author": "au", "jour": "ta", "journal": "ta", "titl": "title", "ti": "title",
    "chromosome": "chr", "pdat": "dp", "date - publication": "dp", "publication date": "dp", "mesh major topic": "majr", "mesh terms": "mesh",
    "preferred symbol": "sym", "pref": "sym", "sequence length": "slen", "properties": "prop", "filt": "filter", "title": "title",
}
_HUMAN = re.compile(r'"?homo sapiens"?(?=\[orgn\])', re.IGNORECASE)


def stratum(call: Mapping[str, Any]) -> str:
    """"technical" for a call with a parameter that nobody says in a question (see unspeakable.yaml), else "ordinary".

    Example: `stratum({"name": "esummary", "arguments": {"db": "gene", "id": "672", "retmode": "json"}})`
    """
    return "technical" if any(unspeakable(call["name"], *given) for given in call["arguments"].items()) else "ordinary"


def unspeakable(name: str, parameter: str, value: Any = None) -> str | None:
    """Why a parameter of a function is not said with this value ("format", "display", "machinery"), or None where people say it."""
    for why, entry in _declared().get(parameter, ()):
        if name in entry.get("functions", (name,)) and value not in entry.get("except", ()) and not tools()[name].parameters[parameter].required:
            return why
    return None


@cache
def _declared() -> dict[str, list[tuple[str, dict[str, Any]]]]:
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for why, entries in read_yaml(Path(__file__).parent / "unspeakable.yaml").items():
        for entry in entries:
            found.setdefault(entry["parameter"], []).append((why, entry))
    return found


def settle(term: str) -> str:
    """An Entrez query with one spelling for each field tag, and "human" for the organism Homo sapiens.

    No question can tell `BRCA1[Gene Name] AND Homo sapiens[Organism]` from `BRCA1[gene] AND human[orgn]`, so only one of them is asked.

    >>> settle("BRCA1[Gene Name] AND Homo sapiens[Organism]")
    'BRCA1[gene] AND human[orgn]'
    """
    tagged = re.sub(r"\[([^\]:]+)\]", lambda tag: f"[{_TAGS.get(tag[1].strip().lower(), tag[1].strip())}]", term)
    return _HUMAN.sub("human", tagged)
