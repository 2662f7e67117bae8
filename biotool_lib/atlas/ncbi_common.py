"""What all E-utilities handlers share: parameters, JSON and XML answers, the history server."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import urllib.parse
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from werkzeug import Request, Response

ROUTES: list = []
EUTILS = "/entrez/eutils/"
DTD = "https://eutils.ncbi.nlm.nih.gov/eutils/dtd/"
# The names under which one set of records is known.
SAME = {"nucleotide": "nuccore", "nuc": "nuccore", "dbsnp": "snp"}
# A result set that the history server does not have; EFetch and ESearch are quoted with it by many clients (e.g. in their tests).
LOST_QUERY = "Unable to obtain query #{}"


class Parameters(dict[str, str]):
    """Query and form values of one request under lower-case names; of a repeated name the last one stays, all are in `every`."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.every: dict[str, list[str]] = {}
        for source in (request.args, request.form):
            for name, values in source.lists():
                key = name.lower()
                self.every.setdefault(key, []).extend(values)
                self[key] = values[-1]

    def whole(self, name: str, default: int) -> int:
        """A whole number, or the default where it is absent or not one."""
        text = self.get(name, "").strip()
        return int(text) if re.fullmatch(r"-?\d+", text) else default

    def json(self) -> bool:
        """Whether JSON was asked for."""
        return self.get("retmode", "").lower() == "json"


def json_answer(kind: str, body: Mapping[str, Any], status: int = 200) -> Response:
    """A JSON body with the header that every E-utility writes."""
    text = json.dumps({"header": {"type": kind, "version": "0.3"}, **body}, ensure_ascii=False, separators=(",", ":")) + "\n"
    return Response(text, status=status, content_type="application/json; charset=UTF-8")


def xml_answer(root: str, doctype: str, inner: str, status: int = 200, open_tag: str | None = None) -> Response:
    """An XML body: prolog, document type, root element."""
    text = f'<?xml version="1.0" encoding="UTF-8" ?>\n<!DOCTYPE {root} {doctype}>\n<{open_tag or root}>{inner}</{root}>\n'
    return Response(text, status=status, content_type="text/xml; charset=UTF-8")


def nlm(kind: str, version: str, file: str | None = None) -> str:
    """The public document type of an E-utility, e.g. nlm('esearch', '20060628')."""
    return f'PUBLIC "-//NLM//DTD {kind} {version}//EN" "{DTD}{version}/{file or kind}.dtd"'


def text_answer(text: str, status: int = 200) -> Response:
    """A plain text body."""
    return Response(text, status=status, content_type="text/plain; charset=UTF-8")


def tag(name: str, value: Any, attributes: str = "") -> str:
    """One XML element with text."""
    return f"<{name}{attributes}>{escape(str(value))}</{name}>" if value not in (None, "") else f"<{name}{attributes}/>"


def spaced(message: str) -> Response:
    """The error of the sequence fetcher: HTTP 400, the message URL-encoded, a blank before every letter of its inner text."""
    outer, _, inner = message.partition("|")
    wide = "".join(letter if letter == " " else f"{letter} " for letter in inner)
    return text_answer(urllib.parse.quote_plus(f" {outer}{wide}\n\n", safe="(),"), 400)


def database(parameters: Parameters, name: str = "db", default: str = "") -> str:
    """The database asked for, under its own name; `default` where the parameter is absent."""
    asked = parameters.get(name, default).strip().lower()
    return SAME.get(asked, asked)


def id_list(texts: list[str]) -> list[str]:
    """The ids of an id parameter: separated by commas or blanks, in order."""
    return [one for text in texts for one in re.split(r"[,\s]+", text.strip()) if one]


class History:
    """The history server: WebEnv -> numbered result sets. A WebEnv is named after its first search, so equal runs give equal names."""

    def __init__(self) -> None:
        self._sets: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
        self._lock = threading.Lock()

    def keep(self, db: str, ids: list[str], env: str | None = None, seed: str = "") -> tuple[str, int]:
        """Store a result set; returns its WebEnv and query key. The same set in the same WebEnv keeps its key."""
        entry = (db, tuple(ids))
        with self._lock:
            name = env if env in self._sets else "MCID_" + hashlib.sha1(f"{db}\n{seed}\n{','.join(ids)}".encode()).hexdigest()[:24]
            known = self._sets.setdefault(name, [])
            if entry not in known:
                known.append(entry)
            return name, known.index(entry) + 1

    def get(self, env: str, key: int) -> tuple[str, list[str]] | None:
        """The (database, ids) of a stored set, or None."""
        with self._lock:
            known = self._sets.get(env, [])
            return (known[key - 1][0], list(known[key - 1][1])) if 0 < key <= len(known) else None

    def sets(self, env: str) -> dict[int, set[str]]:
        """All sets of a WebEnv by key."""
        with self._lock:
            return {number: set(ids) for number, (_, ids) in enumerate(self._sets.get(env, []), 1)}


HISTORY = History()
