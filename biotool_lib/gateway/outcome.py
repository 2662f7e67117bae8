"""What came back: decided from status and body together, for each service in its own way.

An error body is never a success, whatever its HTTP status.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus
from xml.etree.ElementTree import Element

from ..catalogue import Tool
from ..observe.ncbi_blast import message_of
from ..observe.ncbi_xml import looks_like_xml, words
from ..observe.ncbi_xml import parse as parse_xml

OUTCOMES = (
    "ok", "empty", "invalid_arguments", "not_found", "rate_limited", "server_error", "transport_error",
    "bad_body", "pending", "not_recorded",
)
_RATE = re.compile(r"rate limit\b|too many requests|exceeded the (?:request|API)? ?limit", re.IGNORECASE)
_PLAIN_RATE = re.compile(r"\s*(?:You have exceeded|Too many requests|(?:API )?rate limit exceeded)", re.IGNORECASE)
_NOT_FOUND = re.compile(
    r"not found|no .{0,60}found|cannot find|can ?not find|can't find|could not find|does not exist|not exist|no such|unable to find|"
    r"could not fetch|unable to fetch|failed to retrieve sequence|no data for|no valid lookup found|cannot get document summary|"
    r"is not available|unable to obtain query|could not get genome info adaptor|uid=", re.IGNORECASE,
)
_BACKEND = re.compile(r"internal server error|exception|timed? ?out|unavailable", re.IGNORECASE)
_BROKEN = re.compile(r"backend failed|error calling|C\+\+ exception", re.IGNORECASE)  # whatever else it goes on to say was not found
_LIMIT = re.compile(r"cannot be larger|only retrieve the first", re.IGNORECASE)  # a failed backend that says what the caller may not ask
_PLAIN_ERROR = re.compile(r"\+?(?:Error|Supplied|Failed to|Failed\+|Cannot)\b")
_SPELLED = re.compile(r"(?:\S {1,2}){6,}\S")
_JSON = re.compile(r"[\[{]\s*(?:[\"\[{\]}]|$)")
_HUGE = re.compile(r"[eE]\+?\d{3}|\d{200}")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_BLAST_INFO = re.compile(r"QBlastInfoBegin(.*?)QBlastInfoEnd", re.DOTALL)
_BLAST_FAILED = re.compile(r"<(?:Iteration_)?message>([^<]*\bError:[^<]*)<")
_NO_HITS = re.compile(r"No significant similarity found|\*{3,} No hits found|^# 0 hits found", re.MULTILINE)
_HITS = re.compile(r"Sequences producing significant|^# [1-9]\d* hits found|^>", re.MULTILINE)
MAX_UNPACKED = 64 * 2**20


@dataclass(frozen=True)
class Judged:
    """The outcome of one exchange, its parsed body (JSON, or text), and what was wrong if something was."""

    outcome: str
    data: Any = None
    error: str | None = None


class _BadBody(ValueError):
    pass


def judge(tool: Tool, status: int | None, headers: Mapping[str, str], body: bytes) -> Judged:
    """Classify one response; `status` None means that the recording does not say, and the body decides."""
    try:
        data = parse(body, headers.get("content-type", ""))
    except _BadBody as problem:
        if status is not None and status >= 300:
            said = body[:500].decode("latin-1")
            return Judged(_from_status(tool, status, said), error=f"HTTP {status} with an unreadable body, {problem}: {said}")
        return Judged("bad_body", error=str(problem))
    root = _root(data)
    message = _message(tool, data, root)
    if status is not None and status >= 300:
        text = message or (data if isinstance(data, str) else json.dumps(data))[:500]
        return Judged(_from_status(tool, status, text), data, f"HTTP {status}: {text.strip() or 'no body'}")
    if message is not None:
        return Judged(_from_message(message), data, message)
    if tool.group == "blast" and (root is not None or not _is_xml(data)):
        return _blast(tool, data, root)
    if isinstance(data, str) and _is_html(data):
        return Judged("bad_body", data, "an HTML page where data was expected")
    if root is None and _is_xml(data):
        return Judged("bad_body", data, "XML that is not well-formed or not whole")
    nothing = _unmatched(data) if tool.name == "ecitmatch" and isinstance(data, str) else is_empty(data, root)
    return Judged("empty" if nothing else "ok", data)


def parse(body: bytes, content_type: str = "") -> Any:
    """A body as JSON where it is JSON, else as text; zipped and gzipped bodies are unpacked within a limit."""
    if body[:2] == b"\x1f\x8b":
        body = _gunzip(body)
    if body[:4] == b"PK\x03\x04":
        body = _unzip(body)
    declared = "json" in content_type
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        if declared or body.lstrip()[:1] in (b"{", b"["):
            raise _BadBody("the body is not valid UTF-8") from None
        text = body.decode("latin-1")
    stripped = text.strip("\ufeff \t\r\n")
    # Some text formats and messages open with a bracket; a body declared as JSON, or that starts as JSON does, must be whole.
    if stripped[:1] in ("{", "[") or (declared and stripped and not _is_html(text) and not _is_xml(text)):
        try:
            return _json(stripped)
        except (ValueError, RecursionError) as problem:
            if declared or _JSON.match(stripped):
                raise _BadBody(f"broken JSON ({problem})") from None
    return text


def _json(text: str) -> Any:
    """A JSON document; several behind one another, as efetch sends records of dbSNP, are a list. NCBI leaves raw newlines in texts."""
    huge = _HUGE.search(text)  # only then: a parser of one's own for numbers is slower
    decoder = json.JSONDecoder(strict=False, parse_float=_finite if huge else None, parse_constant=_finite)
    found, at = [], 0
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        found.append(value)
        at += len(text[at:]) - len(text[at:].lstrip())
        if at < len(text) and not isinstance(value, dict):
            raise ValueError(f"more text after position {at}")
    if _SURROGATE.search(text):  # half a character cannot be stored or sent on
        try:
            json.dumps(found, ensure_ascii=False).encode()
        except UnicodeEncodeError as problem:
            raise ValueError(f"half a character, {problem.object[problem.start]!r}") from None
    return found[0] if len(found) == 1 else found


def _finite(text: str) -> float:
    """A number that JSON can hold again: Python's parser takes NaN, Infinity and 1e999, its writer does not."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is no number of JSON")
    return number


def _gunzip(body: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as packed:
            unpacked = packed.read(MAX_UNPACKED + 1)
    except (OSError, EOFError, zlib.error) as problem:
        raise _BadBody(f"broken gzip ({problem})") from None
    if len(unpacked) > MAX_UNPACKED:
        raise _BadBody(f"unpacks to more than {MAX_UNPACKED} bytes")
    return unpacked


def _unzip(body: bytes) -> bytes:
    """The report in a zip as BLAST sends it: the one JSON or XML file that is not the list of the others."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as packed:
            files = sorted(packed.infolist(), key=lambda i: i.file_size)
            if not files or files[-1].file_size > MAX_UNPACKED:
                raise _BadBody("an empty or too large zip")
            return packed.read(files[-1])
    except (zipfile.BadZipFile, RuntimeError, zlib.error) as problem:
        raise _BadBody(f"broken zip ({problem})") from None


def _is_html(text: str) -> bool:
    start = text.lstrip()[:200].lower()
    return start.startswith(("<!doctype html", "<html")) or "<html" in start


def _is_xml(data: Any) -> bool:
    return isinstance(data, str) and looks_like_xml(data) and not _is_html(data)


def _root(data: Any) -> Element | None:
    return parse_xml(data) if _is_xml(data) else None


def _message(tool: Tool, data: Any, root: Element | None) -> str | None:
    """The error that a body carries, or None; an error beside records is told in the summary and does not spoil them."""
    if root is not None:
        return _xml_message(root)
    if isinstance(data, str):
        if _PLAIN_RATE.match(data):
            return data.strip()[:500]
        if tool.database == "ncbi" and tool.group != "blast" and _PLAIN_ERROR.match(data.strip()):
            return _readable(data)
        return None
    if not isinstance(data, dict):
        return None
    if tool.database == "uniprot" and isinstance(data.get("messages"), list):
        return "; ".join(map(str, data["messages"]))
    if data.get("error") and not {"result", "results", "data"} & set(data):
        return str(data["error"])
    return _entrez_message(data) if tool.database == "ncbi" else None


def _xml_message(root: Element) -> str | None:
    """What the ERROR elements of the E-utilities say, unless there are records beside them."""
    errors = [text for text in (words(e) for e in root.iter() if e.tag in ("ERROR", "error", "Error")) if text]
    whole = any(e.tag in ("DocSum", "Link", "ObjUrl") or (e.tag == "DocumentSummary" and e.find("error") is None) for e in root.iter())
    return "; ".join(errors) if errors and not whole else None


def _readable(text: str) -> str:
    """An error text of efetch in words: it comes encoded as in an address, at times with a blank after every letter."""
    plain = re.sub(r"\s*\n\s*", " ", unquote_plus(text) if "+" in text and " " not in text.strip() else text).strip()
    return _SPELLED.sub(lambda found: found[0].replace("  ", "\0").replace(" ", "").replace("\0", " "), plain)[:500]


def _entrez_message(data: dict[str, Any]) -> str | None:
    """Errors that the E-utilities send with HTTP 200, wherever they put them."""
    for key in ("esearchresult", "einforesult", "esummaryresult"):
        inner = data.get(key)
        if isinstance(inner, list) and inner and all(isinstance(item, str) for item in inner):
            return "; ".join(inner)
        if isinstance(inner, dict):
            for name in ("ERROR", "error"):
                if inner.get(name):
                    return str(inner[name])
    if data.get("ERROR"):
        return str(data["ERROR"])
    linksets = data.get("linksets")
    if isinstance(linksets, list) and linksets:
        errors = [str(s["ERROR"]) for s in linksets if isinstance(s, dict) and s.get("ERROR")]
        if len(errors) == len(linksets):
            return "; ".join(errors)
    result = data.get("result")
    if isinstance(result, dict):
        records = [v for k, v in result.items() if k != "uids"]
        if records and all(isinstance(r, dict) and r.get("error") for r in records):
            return "; ".join(str(r["error"]) for r in records)
        records = [r for r in records if r != []]
        if data.get("error") and not records:
            return str(data["error"])
    return None


def _from_status(tool: Tool, status: int, message: str) -> str:
    # Ensembl answers 403 to who asked too fast for too long, and 408 when it gave up: github.com/Ensembl/ensembl-rest/wiki/HTTP-Response-Codes
    if status == 429 or (_RATE.search(message) and status < 500) or (status == 403 and tool.database == "ensembl"):
        return "rate_limited"
    if status >= 500 or status == 408:
        return "server_error"
    if status < 400 or status in (401, 403, 407):
        return "transport_error"
    if status in (404, 410) or (status == 400 and _NOT_FOUND.search(message)):
        return "not_found"
    if tool.database == "ncbi" and _from_message(message) == "server_error":
        return "server_error"
    return "invalid_arguments"


def _from_message(message: str) -> str:
    """An error that came with a success status."""
    if _RATE.search(message):
        return "rate_limited"
    if _BROKEN.search(message):
        return "invalid_arguments" if _LIMIT.search(message) else "server_error"
    if _NOT_FOUND.search(message):
        return "not_found"
    return "server_error" if _BACKEND.search(message) else "invalid_arguments"


def _blast(tool: Tool, data: Any, root: Element | None) -> Judged:
    """BLAST's own signs: the QBlastInfo comment, the waiting page, the failed search, the report without hits."""
    text = data if isinstance(data, str) else ""
    info = blast_info(text)
    if tool.name == "blast" and "RID" in info:
        return Judged("ok", data) if info["RID"] else Judged("invalid_arguments", data, _refusal(text))
    outcome, told = {
        "WAITING": ("pending", "the search is still running"),
        "UNKNOWN": ("not_found", "the service does not know this RID, or has dropped it"),
        "FAILED": ("server_error", "the search failed"),
    }.get(info.get("Status", "").upper(), ("", ""))
    if outcome:
        return Judged(outcome, data, told)
    failed = _BLAST_FAILED.search(text)
    if failed:
        return Judged("server_error", data, failed[1].strip())
    if _is_html(text) and not info.get("Status"):
        refused = message_of(text)
        return Judged("invalid_arguments", data, refused) if refused else Judged("bad_body", data, "an HTML page that is no report")
    return Judged("empty" if _no_hits(data, text, root, info) else "ok", data)


def _no_hits(data: Any, text: str, root: Element | None, info: Mapping[str, str]) -> bool:
    """Whether a report says that nothing was found."""
    if root is not None:
        return next(root.iter("Hit"), None) is None
    if isinstance(data, dict) and "BlastOutput2" in data:
        return '"hits": [{' not in json.dumps(data)
    if not text:
        return is_empty(data)
    return info.get("ThereAreHits") == "no" or not text.strip() or bool(_NO_HITS.search(text) and not _HITS.search(text))


def blast_info(text: str) -> dict[str, str]:
    """The fields of BLAST's QBlastInfo comments (RID, RTOE, Status, ThereAreHits)."""
    fields: dict[str, str] = {}
    for block in _BLAST_INFO.findall(text):
        for line in block.splitlines():
            name, sign, value = line.partition("=")
            if sign:
                fields[name.strip()] = value.strip()
    return fields


def _refusal(page: str) -> str:
    return message_of(page) or "the service refused the search without saying why"


def is_empty(data: Any, root: Element | None = None) -> bool:
    """Whether an error-free body says nothing: no text, no element, no hit, no link."""
    if root is not None:
        return _is_empty_xml(root)
    if data is None or isinstance(data, str):
        return not data or not data.strip()
    if isinstance(data, list):
        return all((item is None or isinstance(item, list | dict)) and is_empty(item) for item in data)
    if not isinstance(data, dict):
        return False
    search = data.get("esearchresult")
    if isinstance(search, dict):
        return str(search.get("count", "0")) == "0"
    if isinstance(data.get("linksets"), list):
        return not any(_has_links(part) for part in data["linksets"] if isinstance(part, dict))
    if isinstance(data.get("result"), dict) and set(data) <= {"header", "result", "error"}:
        return not data["result"].get("uids")
    for key in ("results", "data", "mappings", "homologies"):
        if key in data:
            return is_empty(data[key])
    return not data


def _unmatched(text: str) -> bool:
    """Whether no citation found its paper: every line ends in NOT_FOUND, with or without a reason. AMBIGUOUS tells of papers and is content."""
    return all(line.rstrip("| ").rpartition("|")[2].startswith("NOT_FOUND") for line in text.splitlines() if line.strip())


def _has_links(part: Mapping[str, Any]) -> bool:
    targets = part.get("linksetdbs")
    if isinstance(targets, list) and any(isinstance(t, dict) and t.get("links") for t in targets):
        return True
    return any(part.get(key) for key in ("linksetdbhistories", "idurllist", "idchecklist", "idlinksets"))


def _is_empty_xml(root: Element) -> bool:
    """The same for XML: a search that counted none, links that lead nowhere, a root without records."""
    if root.tag == "eSearchResult":
        return words(root.find("Count")) == "0"
    if root.tag == "eLinkResult":
        return not any(e.tag in ("Link", "LinkSetDbHistory", "IdUrlSet", "IdCheckList") for e in root.iter())
    if root.tag == "eSummaryResult":
        return not any(e.tag in ("DocSum", "DocumentSummary") for e in root.iter())
    return len(root) == 0 and not words(root)
