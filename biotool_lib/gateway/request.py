"""A call as an HTTP request, and a recorded URL as the call that it was."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import requests

from ..catalogue import InvalidArguments, Parameter, Tool, canonical, check, tools
from ..catalogue.canonical import wire_text

# Parameters that clients add for themselves; a recorded URL may carry them, a call never does.
CLIENT_PARAMETERS = {"tool", "email", "api_key", "callback", "content-type", "jsonp", "_"}
_SECRETS = re.compile(
    r"((?:\b\w*api[_-]?key|(?<!\w)(?:email|token|key))=)[^&;\s\"']+"  # in an address; query_key is no secret
    r"|([\"']api[_-]?key[\"']\s*:\s*[\"'])[^\"']+",  # in JSON: NCBI's rate limit names the caller's machine there
    re.IGNORECASE,
)
# Other names under which the same services answer or answered (https://rest.ensembl.org/documentation).
_OLD_PATHS = {"/blast/Blast.cgi": "/Blast.cgi"}
_HOSTS = {"beta.rest.ensembl.org": "rest.ensembl.org", "grch37.rest.ensembl.org": "rest.ensembl.org"}


def prepare(name: str, arguments: Mapping[str, Any] | None) -> requests.PreparedRequest:
    """The request that a call becomes; nothing is sent and no default is added that the caller did not ask for.

    Raises InvalidArguments, which lists every problem with its value and remedy.
    Example: `bt.prepare("lookup_by_symbol", {"species": "human", "symbol": "BRCA1"}).url`
    """
    tool, typed = tools()[name], check(name, arguments)
    pairs: dict[str, list[tuple[str, str]]] = {"query": [], "form": []}
    where = "form" if tool.method == "POST" else "query"
    pairs[where] += [(key, str(value)) for key, value in tool.constants.items()]
    for parameter in tool.parameters.values():
        value = typed.get(parameter.name, parameter.send)
        if value is None or parameter.location == "path":
            continue
        values = value if isinstance(value, list) else [value]
        pairs[parameter.location] += [(parameter.wire, wire_text(tool, item)) for item in values]
    url = tool.base + "/" + "/".join(_path(tool, typed))
    if pairs["query"]:
        url += "?" + urlencode(pairs["query"])
    data = urlencode(pairs["form"]) if tool.method == "POST" else None
    return requests.Request(tool.method, url, headers=dict(tool.headers), data=data).prepare()


def _path(tool: Tool, typed: Mapping[str, Any]) -> list[str]:
    """Path segments with every argument percent-encoded, so that none can leave its place."""
    parts = []
    for text, is_parameter, _ in tool.segments():
        if not is_parameter:
            parts.append(text)
        elif text in typed:
            parts.append(quote(wire_text(tool, typed[text]), safe=":,@"))
    if tool.path.endswith("/"):
        parts.append("")
    return parts


def call_from_url(url: str, body: str | bytes | None = None) -> dict[str, Any] | None:
    """The canonical call that a recorded request was, or None where it is none of the catalogue's.

    `body` is a form body (BLAST). A paged search gives `search_*`: `stream_*` sends the same request.
    Example: `bt.call_from_url("https://rest.ensembl.org/lookup/symbol/human/BRCA1")`
    """
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url)
        host = _HOSTS.get(parts.hostname or "", parts.hostname or "")
    except ValueError:
        return None
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    # Ensembl separates parameters by ";" as well as by "&".
    query = parse_qsl(parts.query.replace(";", "&") if "ensembl" in host else parts.query, keep_blank_values=True)
    form = parse_qsl(text or "", keep_blank_values=True)
    path = _OLD_PATHS.get(parts.path, parts.path)
    segments = [unquote(part) for part in path.strip("/").split("/")]
    for tool in _by_path().get((host, len(segments)), ()):
        found = _match(tool, segments)
        if found is None:
            continue
        arguments = _arguments(tool, found, query + form)
        if arguments is None:
            continue
        try:
            return canonical(tool.name, arguments)
        except InvalidArguments:
            continue
    return None


@cache
def _by_path() -> dict[tuple[str, int], list[Tool]]:
    """Tools by host and number of path segments, the most literal paths first and `search_*` before `stream_*`."""
    index: dict[tuple[str, int], list[Tool]] = {}
    for tool in tools().values():
        segments = tool.segments()
        fixed = sum(not optional for _, _, optional in segments)
        for length in range(fixed, len(segments) + 1):
            index.setdefault((urlsplit(tool.base).hostname or "", length), []).append(tool)
    for found in index.values():
        found.sort(key=lambda t: (sum(is_p for _, is_p, _ in t.segments()), t.name.startswith("stream_")))
    return index


def _match(tool: Tool, segments: list[str]) -> dict[str, str] | None:
    found = {}
    for (text, is_parameter, _), given in zip(tool.segments(), segments, strict=False):
        if is_parameter:
            # UniProt takes the format as a file ending, too: /uniprotkb/P04637.json
            found[text] = given.removesuffix(".json") if tool.database == "uniprot" else given
        elif text != given:
            return None
    return found


def _arguments(tool: Tool, path: dict[str, str], pairs: list[tuple[str, str]]) -> dict[str, Any] | None:
    """The arguments on the wire, or None if a constant is missing or a parameter is not the tool's."""
    fold = str.lower if tool.database == "ncbi" else str  # NCBI reads parameter names in any case
    by_wire = {fold(p.wire): p for p in tool.parameters.values() if p.location != "path"}
    constants = {fold(key): str(value) for key, value in tool.constants.items()}
    arguments: dict[str, Any] = dict(path)
    for key, value in ((fold(key), value) for key, value in pairs):
        if key in constants:
            if value.lower() != constants.pop(key).lower():
                return None
        elif key in by_wire:
            if value != "" and not _add(arguments, by_wire[key], value):
                return None
        elif not _harmless(tool, key, value):
            return None
    if constants:
        return None
    for parameter in tool.parameters.values():
        # What was not on the wire was the service's own default, which may differ from what we would send.
        if parameter.send is not None and parameter.name not in arguments:
            if parameter.default is None:
                return None
            arguments[parameter.name] = parameter.default
    return arguments


def _add(arguments: dict[str, Any], parameter: Parameter, value: str) -> bool:
    """Add one value from the wire; False where a parameter that takes one value comes twice."""
    before = arguments.get(parameter.name)
    if before is None:
        arguments[parameter.name] = value
    elif parameter.list:
        arguments[parameter.name] = [*(before if isinstance(before, list) else [before]), value]
    else:
        return before == value
    return True


def _harmless(tool: Tool, key: str, value: str) -> bool:
    """Whether a parameter outside the catalogue changes nothing: a client's mark, or one the service ignores here."""
    if key.lower() in CLIENT_PARAMETERS or (tool.database == "uniprot" and (key, value) == ("format", "json")):
        return True
    # The E-utilities share one parameter reader and ignore what belongs to another utility.
    return tool.database == "ncbi" and tool.group != "blast" and key in _entrez_parameters()


@cache
def _entrez_parameters() -> frozenset[str]:
    return frozenset(
        p.wire.lower() for t in tools().values() if t.database == "ncbi" and t.group != "blast" for p in t.parameters.values()
    )


def redact(text: str) -> str:
    """A URL or message without the values of keys and addresses.

    Example: `redact("https://x/?db=gene&api_key=abc")`
    """
    return _SECRETS.sub(r"\1\2…", text)
