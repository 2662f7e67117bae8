"""Is an answer the right one, could it have been read from the response, and does everything it names stand there?"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from ..common.runner import dumps
from .reader import candidates

_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?")
_FIGURE = re.compile(r"(?<![\w.])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w])")
_IDENTIFIER = re.compile(r"(?<![\w.])(?!\d+e[-+]?\d+\b)(?=[\w:\-]*[A-Za-z])(?=[\w:\-]*\d)\w[\w:\-]*(?:\.\d+)?")
_YES, _NO = ("true", "yes"), ("false", "no")


def equal(given: Any, wanted: Any) -> bool:
    """Whether an answer is the right one, type by type.

    Truth values equal themselves and yes or no; numbers equal numbers, and texts that are wholly a number (`43,124,096`), to a relative
    1e-9; texts equal texts without regard to case and spacing; lists equal lists with the same members in any order, and a list of one
    equals its member; tables equal tables with the same keys and equal values. Example: `equal("43,124,096", 43124096)`
    """
    given, wanted = _alone(given), _alone(wanted)
    if isinstance(given, bool) or isinstance(wanted, bool):
        return _truth(given) is not None and _truth(given) == _truth(wanted)
    if isinstance(given, Mapping) and isinstance(wanted, Mapping):
        return given.keys() == wanted.keys() and all(equal(given[key], wanted[key]) for key in wanted)
    if isinstance(given, list) and isinstance(wanted, list):
        left = list(wanted)
        for member in given:
            place = next((i for i, other in enumerate(left) if equal(member, other)), None)
            if place is None:
                return False
            left.pop(place)
        return not left
    if isinstance(given, str) and isinstance(wanted, str):
        return _plain(given) == _plain(wanted)
    one, other = number(given), number(wanted)
    return one is not None and other is not None and math.isclose(one, other, rel_tol=1e-9)


def number(value: Any) -> float | None:
    """A number, or a text that is wholly one, as a float; else None. Example: `number("1,024")`"""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        value = value.strip()
        if len(value) > 40 or not _NUMBER.fullmatch(value):
            return None
        value = value.replace(",", "")
    try:
        return float(value)
    except OverflowError:
        return None


def present(wanted: Any, summary: Any) -> bool:
    """Whether the right answer stands anywhere in a response: more than that no reader can find in it.

    A small number stands in many responses by chance. Example: `present("13", {"seq_region_name": "13"})`
    """
    return any(equal(value, wanted) for _, value in candidates(summary))


def groundedness(text: str, summary: Any, question: str = "") -> dict[str, list[str]]:
    """The numbers and identifiers of an answer, sorted out: those `found` in the response, those only `asked` in the question, those
    `unfounded`, which stand in neither.

    Numbers are compared by value, so that a rounded one is not found; identifiers without regard to case, and with or without their
    version. Example: `groundedness("It is ENSG00000139618.", {"id": "ENSG00000139618"})["unfounded"]`
    """
    sorted_out: dict[str, list[str]] = {"found": [], "asked": [], "unfounded": []}
    names, values = _named(dumps(summary)), _named(question)
    for word in dict.fromkeys([*_IDENTIFIER.findall(text), *_FIGURE.findall(_IDENTIFIER.sub(" ", text))]):
        place = "found" if _stands(word, names) else "asked" if _stands(word, values) else "unfounded"
        sorted_out[place].append(word)
    return sorted_out


def _named(text: str) -> tuple[set[str], set[float]]:
    """The identifiers of a text, also without their versions, and the values of its numbers, also of those inside coordinates."""
    words = {word.casefold() for word in _IDENTIFIER.findall(text)}
    words |= {word.rsplit(".", 1)[0] for word in words} | {part for word in words for part in re.split(r"[:\-]", word)}
    return words, {value for found in _NUMBER.findall(text) if (value := number(found.lstrip("+-"))) is not None}


def _stands(word: str, known: tuple[set[str], set[float]]) -> bool:
    words, values = known
    value = number(word)
    return value in values if value is not None else word.casefold() in words


def _alone(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    word = value.strip().casefold() if isinstance(value, str) else None
    return True if word in _YES else False if word in _NO else None


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
