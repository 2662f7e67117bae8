"""Families of phrasings that training never sees, and the calls that are asked in their words only.

A model that has learned to invert the phrasings would look as good as one that has understood; questions in unseen words tell them apart.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from ..calls.strata import stratum
from . import grammar
from .grammar import Fit

STYLES = ("plain", "expert")
QUARTER = 4  # one family of so many is held out
CALLS = 0.08  # share of the calls that are asked in held-out families
PER_FUNCTION = 3  # at most one call of so many, so that training keeps most of every function


def write_all(calls: Sequence[Mapping[str, Any]], seed: int) -> tuple[dict[str, dict[str, dict[str, Any]]], dict[str, list[str]]]:
    """Questions of all calls by call and style, each with `held_out`, and the held-out families by function.

    A call chosen for it has both its questions from held-out families, every other call from the others.
    """
    found = {call["id"]: grammar.fits(call) for call in calls}
    families = choose_families(calls, found, seed)
    chosen = choose_calls(calls, found, families, seed)
    written: dict[str, dict[str, dict[str, Any]]] = {}
    for call in calls:
        held = call["id"] in chosen
        among = [fit for fit in found[call["id"]] if (grammar.family(fit[0]) in families.get(call["name"], ())) == held]
        before, of_call = None, {}
        for style in STYLES:
            before = grammar.write(call, style, seed, among, before)
            of_call[style] = {**before, "held_out": held} if before else {"refused": "no phrasing fits"}
        written[call["id"]] = of_call
    return written, {name: sorted(held) for name, held in sorted(families.items())}


def choose_families(calls: Sequence[Mapping[str, Any]], found: Mapping[str, Sequence[Fit]], seed: int) -> dict[str, set[str]]:
    """By function a quarter of the families that its calls can be asked in, where these are at least four.

    A family without which some call could no longer be asked as well, in one of the styles, stays; a function may so give fewer.
    """
    of_function: dict[str, list[str]] = defaultdict(list)
    for call in calls:
        of_function[call["name"]].append(call["id"])
    held: dict[str, set[str]] = {}
    for name, ids in of_function.items():
        families = {grammar.family(fit[0]) for i in ids for fit in found[i]}
        # What must keep a member: the families of the phrasings that a call is asked in, for each style.
        needs = {frozenset(grammar.family(fit[0]) for fit in grammar.preferred(found[i], style)) for i in ids if found[i] for style in STYLES}
        out: set[str] = set()
        for family in sorted(families, key=lambda family: _hash(seed, name, family)):
            if len(out) < len(families) // QUARTER and all(need - out - {family} for need in needs):
                out.add(family)
        if out:
            held[name] = out
    return held


def choose_calls(calls: Sequence[Mapping[str, Any]], found: Mapping[str, Sequence[Fit]], families: Mapping[str, set[str]], seed: int) -> set[str]:
    """The calls asked in held-out families: a seeded share of all, of the ordinary calls that two phrasings of such families fit."""
    sizes = Counter(call["name"] for call in calls)
    room: dict[str, int] = {}
    able = []
    for call in calls:
        texts = {fit[0]["text"] for fit in found[call["id"]] if grammar.family(fit[0]) in families.get(call["name"], ())}
        if len(texts) > 1 and stratum(call) == "ordinary":
            able.append(call)
    chosen: set[str] = set()
    for call in sorted(able, key=lambda call: _hash(seed, "call", call["id"])):
        left = room.setdefault(call["name"], sizes[call["name"]] // PER_FUNCTION)
        if left and len(chosen) < round(CALLS * len(calls)):
            chosen.add(call["id"])
            room[call["name"]] -= 1
    return chosen


def _hash(seed: int, *parts: str) -> str:
    return hashlib.sha256(":".join((str(seed), *parts)).encode()).hexdigest()
