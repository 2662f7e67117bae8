"""What all UniProt endpoints share: error bodies, pages with cursors, sorting and the choice of fields.

The sentences of errors are those of the service's own message files and tests (github.com/ebi-uniprot/uniprot-rest-api,
common-message.properties, message.properties of each part, and the *ControllerIT tests).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from werkzeug import Request, Response

from biotool_lib.atlas.uniprot_query import Field, QueryError, Searcher

ROUTES: list[tuple[str, Callable[..., Response]]] = []
HOST = "rest.uniprot.org"
RELEASE = {"X-UniProt-Release": "2025_03", "X-UniProt-Release-Date": "18-June-2025"}
MAX_SIZE, DEFAULT_SIZE = 500, 25
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer with the headers of the service."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    response = Response(text, status=status, content_type="application/json")
    response.headers.update(RELEASE | dict(headers or {}))
    return response


def problem(request: Request, status: int, *messages: str) -> Response:
    """The service's error body: the address without its query, and sentences."""
    path = quote(request.path.removesuffix(".json"), safe="/:%")
    return answer({"url": f"http://{HOST}{path}", "messages": list(messages)}, status)


def not_found(request: Request) -> Response:
    """The answer for an identifier of the right form that is not there."""
    return problem(request, 404, "Resource not found")


def wanted(request: Request) -> list[str]:
    """The names given in `fields`, written with commas or as repeated parameters."""
    return [name.strip() for value in request.args.getlist("fields") for name in value.split(",") if name.strip()]


def choose(body: dict, keys: Sequence[str]) -> dict:
    """The chosen keys of a body in its own order; a dotted key chooses within an object."""
    out: dict[str, Any] = {}
    for key, value in body.items():
        inner = [name.split(".", 1)[1] for name in keys if name.startswith(f"{key}.")]
        if key in keys:
            out[key] = value
        elif inner and isinstance(value, dict):
            part = choose(value, inner)
            if part:
                out[key] = part
    return out


@dataclass
class Collection:
    """One kind of record: how to find, search, sort and show it."""

    path: str
    documents: Callable[[], Sequence[Any]]
    search_fields: Mapping[str, Field]
    body: Callable[[Any], dict]
    key: Callable[[Any], str]
    return_fields: Mapping[str, Sequence[str]]  # name in `fields` -> keys of the body
    always: Sequence[str]
    sort_fields: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    rank: Callable[[Any, list[str]], Any] | None = None
    shape: Callable[[dict, list[str]], dict] | None = None
    _searcher: Searcher | None = None
    _places: dict[str, int] | None = None

    @property
    def searcher(self) -> Searcher:
        """The index over the documents, made once."""
        if self._searcher is None:
            self._searcher = Searcher(self.documents(), self.search_fields)
        return self._searcher

    def get(self, key: str) -> Any | None:
        """The document with an identifier, in any case, or None."""
        if self._places is None:
            self._places = {self.key(item).lower(): n for n, item in enumerate(self.searcher.documents)}
        place = self._places.get(key.lower())
        return None if place is None else self.searcher.documents[place]

    def show(self, body: dict, names: list[str]) -> dict:
        """A body reduced to what `fields` asks for."""
        if not names:
            return body
        if self.shape:
            return self.shape(body, names)
        return choose(body, [*self.always, *(key for name in names for key in self.return_fields[name.lower()])])

    def bad_fields(self, names: list[str]) -> list[str]:
        """The service's sentences about unknown names in `fields`."""
        return [f"Invalid fields parameter value '{name}'" for name in names if name.lower() not in self.return_fields]


def one(request: Request, collection: Collection, key: str) -> Response:
    """Answer for one identifier of the right form."""
    names = wanted(request)
    messages = collection.bad_fields(names) + bad_format(request)
    if messages:
        return problem(request, 400, *messages)
    document = collection.get(key)
    return not_found(request) if document is None else answer(collection.show(collection.body(document), names))


def bad_format(request: Request) -> list[str]:
    """The service's sentence about a format; the atlas answers in JSON only."""
    wish = request.args.get("format", "json")
    return [] if wish == "json" else [f"Invalid format received, '{wish}'. Expected one of [json]."]


def search(request: Request, collection: Collection, paged: bool = True) -> Response:
    """Answer a search: one page with its total, or everything for the stream paths."""
    names, messages = wanted(request), bad_format(request)
    query = request.args.get("query", "")
    if not query.strip():
        messages.append("'query' is a required parameter")
    messages += collection.bad_fields(names)
    order, complaints = sort_order(request.args.get("sort", ""), collection.sort_fields)
    messages += complaints
    size, complaint = page_size(request)
    messages += complaint
    hits: set[int] = set()
    if query.strip():
        try:
            hits = collection.searcher.search(query)
        except QueryError as refusal:
            messages += refusal.messages
    if messages:
        return problem(request, 400, *messages)
    found = arrange(collection, hits, query, order)
    return page(request, found, lambda item: collection.show(collection.body(item), names), size, paged)


def arrange(collection: Collection, hits: set[int], query: str, order: list[tuple[Callable, bool]]) -> list[Any]:
    """The hits in the order asked for, by default the most fitting first and then by identifier."""
    documents = collection.searcher.documents
    found = sorted((documents[n] for n in hits), key=collection.key)
    if not order and collection.rank:
        terms = collection.searcher.bare_terms(query)
        rank = collection.rank
        found.sort(key=lambda item: rank(item, terms))
    for value, descending in reversed(order):
        found.sort(key=lambda item: _sortable(value(item)), reverse=descending)
    return found


def _sortable(value: Any) -> tuple[int, Any]:
    return (0, 0) if value is None else (1, value.lower() if isinstance(value, str) else value)


def sort_order(text: str, fields: Mapping[str, Callable]) -> tuple[list[tuple[Callable, bool]], list[str]]:
    """Read `sort`; returns (value, descending) pairs and the service's complaints."""
    order, messages = [], []
    for part in [part.strip() for part in text.split(",") if part.strip()]:
        pieces = part.split()
        if len(pieces) != 2:
            messages.append("Invalid sort parameter format. Expected format fieldName asc|desc.")
            continue
        name, direction = pieces
        if name not in fields:
            messages.append(f"Invalid sort field '{name}'")
        if direction.lower() not in ("asc", "desc"):
            messages.append(f"Invalid sort field order '{direction}'. Expected asc or desc")
        if not messages:
            order.append((fields[name], direction.lower() == "desc"))
    return order, messages


def page_size(request: Request) -> tuple[int, list[str]]:
    """Read `size`; returns it with the service's complaint, if any."""
    text = request.args.get("size")
    if text is None:
        return DEFAULT_SIZE, []
    try:
        size = int(text)
    except ValueError:
        # The service passes on what Spring says when a word does not fit a whole number.
        return DEFAULT_SIZE, [f"Failed to convert property value of type 'java.lang.String' to required type 'java.lang.Integer' for property "
                              f"'size'; nested exception is java.lang.NumberFormatException: For input string: \"{text}\""]
    if size > MAX_SIZE:
        return DEFAULT_SIZE, [f"'size' must be less than or equal to {MAX_SIZE}"]
    return (size, []) if size >= 0 else (DEFAULT_SIZE, ["'size' must be greater than or equal to 0"])


def page(request: Request, found: Sequence[Any], show: Callable[[Any], dict], size: int,
         paged: bool = True) -> Response:
    """One page of results with its total and the link to the next."""
    if not paged:
        return packed(request, answer({"results": [show(item) for item in found]}))
    start = read_cursor(request.args.get("cursor", ""))
    if start is None or start > len(found):
        # A cursor that cannot be read ends in the service's handler of unexpected errors (CursorPage, ResponseExceptionHandler).
        return problem(request, 500, "Internal server error")
    headers = {"X-Total-Results": str(len(found))}
    if size and start + size < len(found):
        arguments = [(key, value) for key, value in request.args.items(multi=True) if key not in ("cursor", "size")]
        arguments += [("cursor", write_cursor(start + size)), ("size", str(size))]
        headers["Link"] = f'<https://{HOST}{request.path}?{urlencode(arguments)}>; rel="next"'
    return packed(request, answer({"results": [show(item) for item in found[start:start + size]]}, headers=headers))


def packed(request: Request, response: Response) -> Response:
    """The response as a gzip file where `compressed=true` asks for one; it is not marked as a content encoding."""
    if request.args.get("compressed", "").lower() == "true":
        response.set_data(gzip.compress(response.get_data(), mtime=0))
    return response


def write_cursor(start: int) -> str:
    """A position as an opaque word."""
    text, rest = "", start * 36**4 + (start * 7919) % 36**4
    while rest:
        rest, digit = divmod(rest, 36)
        text = DIGITS[digit] + text
    return text


def read_cursor(text: str) -> int | None:
    """The position of a cursor, 0 for none; None when it was not made by write_cursor."""
    if not text:
        return 0
    if not text.isalnum() or not text.isascii() or len(text) > 20:
        return None
    start, check = divmod(int(text, 36), 36**4)
    return start if check == (start * 7919) % 36**4 else None
