"""What all Ensembl endpoints share: error bodies, species names, regions, and whole recorded replies."""

from __future__ import annotations

import functools
import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from werkzeug import Request, Response

from biotool_lib.atlas.store import row, rows

ROUTES: list[tuple[str, Callable[..., Response]]] = []
HUMAN = {"human", "h_sapiens", "homo_sapiens"}
# What the service says where it gives no reason. The other error texts of these modules are those of recorded replies and of the
# service's own code: Ensembl/ensembl-rest, lib/EnsEMBL/REST/Controller and Model (2025); of regions also Ensembl/ensembl, SliceAdaptor.
GENERIC = "something bad has happened"
REGION = re.compile(r"^(?:chr)?([\w.]+):(\d[\d,]*)(?:(?:\.\.|-|_)(\d[\d,]*))?(?::(-?1))?$")


class Refusal(Exception):
    """An answer that is the service's own error: a message and a status (400 unless said)."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def answer(body: object, status: int = 200, callback: str | None = None) -> Response:
    """A JSON answer; with a callback the answer is a script, as the service does for JSONP."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    if callback:
        return Response(f"{callback}({text});", status=status, content_type="text/javascript")
    return Response(text, status=status, content_type="application/json")


def recorded(request: Request) -> Any | None:
    """The whole reply that was recorded for exactly this request, or None."""
    path = "/".join("homo_sapiens" if part.lower() in HUMAN else part for part in request.path.rstrip("/").split("/"))
    pairs = [f"{k}={v}" for k, v in request.args.items(multi=True) if k not in ("content-type", "callback")]
    found = row("SELECT body FROM ensembl_recorded WHERE path = ? AND coalesce(query, '') = ?", path, "&".join(sorted(pairs)))
    return json.loads(found["body"]) if found else None


def served(handler: Callable[..., object]) -> Callable[..., Response]:
    """Turns a function that returns plain data (or raises Refusal) into a handler."""

    @functools.wraps(handler)
    def run(request: Request, **path: str) -> Response:
        callback = request.args.get("callback")
        wanted = request.args.get("content-type", "application/json")
        if wanted not in ("application/json", "text/javascript"):
            return answer({"error": GENERIC}, 415)
        try:
            whole = recorded(request)
            return answer(handler(request, **path) if whole is None else whole, callback=callback)
        except Refusal as problem:
            return answer({"error": str(problem)}, problem.status, callback)

    return run


def species(name: str) -> sqlite3.Row:
    """The species that a production name, taxon id or alias means; raises Refusal for an unknown one."""
    plain = name.strip().lower().replace(" ", "_")
    found = row("SELECT * FROM species WHERE name = ?", plain)
    if found is None and plain.isdigit():
        found = row("SELECT * FROM species WHERE taxon_id = ?", int(plain))
    if found is None:
        words = plain.replace("_", " ")
        found = next((s for s in rows("SELECT * FROM species") if words in _aliases(s) or plain in _aliases(s)), None)
    if found is None:
        raise Refusal(f"Can not find internal name for species '{name}'")
    return found


def _aliases(entry: sqlite3.Row) -> set[str]:
    short = entry["name"].split("_")
    names = {alias.lower() for alias in (entry["aliases"] or "").split("|") if alias}
    names |= {(entry["display_name"] or "").lower(), f"{short[0][0]}_{short[-1]}"}
    return names - {""}


def refuses(message: str = GENERIC, status: int = 400) -> Callable[..., Response]:
    """A handler for an endpoint without sourced content: the service's words for an unknown thing."""

    @served
    def handler(request: Request, **parts: str) -> object:
        if "name" in parts:
            species(parts["name"])
        raise Refusal(message.format(**parts), status)

    return handler


def nothing() -> Callable[..., Response]:
    """A handler for an endpoint without sourced content that lists nothing for an unknown thing."""

    @served
    def handler(request: Request, **parts: str) -> object:
        return []

    return handler


def flag(request: Request, name: str) -> bool:
    """Whether a switch is on; the service takes everything but nothing and 0 for yes."""
    return request.args.get(name, "") not in ("", "0")


def number(request: Request, name: str) -> float | None:
    """A numeric parameter, or None where it is absent or no number."""
    try:
        return float(request.args[name])
    except (KeyError, ValueError):
        return None


def unanswerable(request: Request, names: Iterable[str], message: str) -> None:
    """Refuse with the service's not-found where a parameter would change the answer in a way not known here."""
    if any(request.args.get(name, "") not in ("", "0") for name in names):
        raise Refusal(message)


def region(text: str) -> tuple[str, int, int, int]:
    """Name, start, end and strand of `7:100..200:-1`; raises Refusal where it cannot be read."""
    match = REGION.match(text)
    if not match:
        raise Refusal(f"Could not decode region {text}")
    start = int(match[2].replace(",", ""))
    end = int(match[3].replace(",", "")) if match[3] else start
    if end < start:
        raise Refusal(f"Cannot request a slice whose start is greater than its end. Start: {start}. End: {end}")
    return match[1], start, end, int(match[4] or 1)


def slice_of(name: str, text: str, longest: int = 5_000_000) -> tuple[str, int, int, int]:
    """A region of a species, checked against the lengths of its sequences where these are known."""
    place, start, end, strand = region(text)
    known = rows("SELECT name, length FROM chromosomes WHERE species = ?", name)
    length = next((r["length"] for r in known if r["name"] == place), None)
    if known and length is None:
        raise Refusal(f"No slice found for location {text}")
    if length and start > length:
        raise Refusal(f"Cannot request a slice whose start ({start}) is greater than {length} for {place}.")
    end = min(end, length or end)
    if end - start + 1 > longest:
        raise Refusal(f"{end - start + 1} is greater than the maximum allowed length of {longest}. Request smaller regions of sequence")
    return place, start, end, strand


def like(text: str) -> str:
    """A pattern in which `%` stands for anything, as in the service, and an underscore only for itself (`ESCAPE '\\'`)."""
    return text.replace("\\", "\\\\").replace("_", "\\_")


def kept(pairs: Mapping[str, object]) -> dict[str, object]:
    """The keys that have a sourced value."""
    return {key: value for key, value in pairs.items() if value is not None}


def bare(identifier: str) -> str:
    """A stable id without the version that may follow it."""
    return re.sub(r"\.\d+$", "", identifier) if identifier.startswith("ENS") else identifier


def find(identifier: str) -> tuple[str, sqlite3.Row]:
    """The kind (Gene, Transcript, Translation, Exon) and row of a stable id; raises Refusal if it is unknown."""
    plain = bare(identifier)
    asked = identifier[len(plain) + 1:]
    for kind, query in (("Gene", "SELECT * FROM genes WHERE id = ?"), ("Transcript", "SELECT * FROM transcripts WHERE id = ?"),
                        ("Translation", "SELECT * FROM transcripts WHERE translation = ?"), ("Exon", "SELECT * FROM exons WHERE id = ?")):
        found = row(query, plain)
        if found is not None:
            version = found["translation_version"] if kind == "Translation" else found["version"]
            # A version that is not the known one is another object, as for the service.
            if asked and str(version) != asked:
                break
            return kind, found
    raise Refusal(f"ID '{identifier}' not found")


def gene_by_symbol(name: str, symbol: str) -> sqlite3.Row | None:
    """A gene of a species by its name, whatever the letter case."""
    return row("SELECT * FROM genes WHERE species = ? AND symbol = ? COLLATE NOCASE ORDER BY symbol = ? DESC", name, symbol, symbol)
