"""What came back: decided from status and body together, for each service in its own way.

An error body is never a success, whatever its HTTP status.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..catalogue import Tool

OUTCOMES = (
    "ok", "empty", "invalid_arguments", "not_found", "rate_limited", "server_error", "transport_error",
    "bad_body", "pending", "not_recorded",
)
_RATE = re.compile(r"rate limit|too many requests|exceeded the (?:request|API) limit", re.IGNORECASE)
_NOT_FOUND = re.compile(
    r"not found|no .{0,60}found|cannot find|can't find|could not find|does not exist|not exist|no such|unable to find|could not fetch|"
    r"no valid lookup found|cannot get document summary|is not available|uid=", re.IGNORECASE,
)
_BACKEND = re.compile(r"backend failed|error calling|internal server error|unable to obtain|exception|timed? ?out|unavailable", re.IGNORECASE)
_XML_ERROR = re.compile(r"<(ERROR|error|Error)>(.*?)</\1>", re.DOTALL)
_BLAST_INFO = re.compile(r"QBlastInfoBegin(.*?)QBlastInfoEnd", re.DOTALL)
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
    kind = headers.get("content-type", "")
    try:
        data = parse(body, kind)
    except _BadBody as problem:
        if status is not None and status >= 400:
            return Judged(_from_status(status, ""), error=f"HTTP {status} with an unreadable body: {problem}")
        return Judged("bad_body", error=str(problem))
    message = _message(tool, data)
    if status is not None and status >= 300:
        text = message or (data if isinstance(data, str) else json.dumps(data))[:500]
        return Judged(_from_status(status, text), data, f"HTTP {status}: {text.strip() or 'no body'}")
    if message is not None:
        return Judged(_from_message(message), data, message)
    if isinstance(data, str) and _is_html(data) and tool.group != "blast":
        return Judged("bad_body", data, "an HTML page where data was expected")
    if tool.group == "blast":
        return _blast(tool, data)
    return Judged("empty" if is_empty(data) else "ok", data)


def parse(body: bytes, content_type: str = "") -> Any:
    """A body as JSON where it is JSON, else as text; zipped and gzipped bodies are unpacked within a limit."""
    if body[:2] == b"\x1f\x8b":
        body = _gunzip(body)
    if body[:4] == b"PK\x03\x04":
        body = _unzip(body)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        if "json" in content_type:
            raise _BadBody("the body is not valid UTF-8") from None
        text = body.decode("latin-1")
    stripped = text.lstrip("\ufeff \t\r\n")
    if stripped[:1] in ("{", "[") and "xml" not in content_type:
        try:
            return json.loads(stripped, strict=False)
        except (ValueError, RecursionError) as problem:
            # Ensembl's text formats and ASN.1 may open with a bracket; a body declared as JSON may not be broken.
            if "json" in content_type or stripped[:2] in ('{"', "[{", '["'):
                raise _BadBody(f"broken JSON ({problem})") from None
    elif "json" in content_type and stripped and not _is_html(text):
        try:
            return json.loads(stripped, strict=False)
        except ValueError:
            return text
    return text


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


def _message(tool: Tool, data: Any) -> str | None:
    """The error that a body carries, or None."""
    if isinstance(data, str):
        if tool.database == "ncbi":
            summaries, failed = data.count("<DocumentSummary "), re.findall(r"<error>(.*?)</error>", data)
            if summaries and len(failed) == summaries:
                return "; ".join(failed)
            found = _XML_ERROR.search(data[:20_000])
            if found and "<DocumentSummary " not in data[: found.start()]:
                return found[2].strip()
            if data.lstrip().startswith(("Error:", "Error occurred", "Failed to")):
                return data.strip()[:500]
        return None
    if not isinstance(data, dict):
        return None
    if tool.database == "uniprot" and isinstance(data.get("messages"), list):
        return "; ".join(map(str, data["messages"]))
    if "error" in data and data["error"] and not {"result", "results", "data"} & set(data):
        return str(data["error"])
    return _entrez_message(data) if tool.database == "ncbi" else None


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
    return None


def _from_status(status: int, message: str) -> str:
    if status == 429 or (_RATE.search(message) and status < 500):
        return "rate_limited"
    if status >= 500:
        return "server_error"
    if status < 400:
        return "transport_error"
    if status in (404, 410) or (status == 400 and _NOT_FOUND.search(message)):
        return "not_found"
    return "invalid_arguments"


def _from_message(message: str) -> str:
    """An error that came with a success status."""
    if _RATE.search(message):
        return "rate_limited"
    if _NOT_FOUND.search(message):
        return "not_found"
    return "server_error" if _BACKEND.search(message) else "invalid_arguments"


def _blast(tool: Tool, data: Any) -> Judged:
    """BLAST's own signs: the QBlastInfo comment, the waiting page, the failed search."""
    info = blast_info(data) if isinstance(data, str) else {}
    if tool.name == "blast" and "RID" in info:
        return Judged("ok", data) if info["RID"] else Judged("invalid_arguments", data, _html_error(data))
    status = info.get("Status", "").upper()
    if status == "WAITING":
        return Judged("pending", data, "the search is still running")
    if status == "UNKNOWN":
        return Judged("not_found", data, "the service does not know this RID, or has dropped it")
    if status == "FAILED":
        return Judged("server_error", data, "the search failed")
    if isinstance(data, str) and _is_html(data) and "Error" in data[:20_000] and not info.get("Status"):
        return Judged("invalid_arguments", data, _html_error(data))
    return Judged("empty" if is_empty(data) else "ok", data)


def blast_info(text: str) -> dict[str, str]:
    """The fields of BLAST's QBlastInfo comments (RID, RTOE, Status, ThereAreHits)."""
    fields: dict[str, str] = {}
    for block in _BLAST_INFO.findall(text):
        for line in block.splitlines():
            name, sign, value = line.partition("=")
            if sign:
                fields[name.strip()] = value.strip()
    return fields


def _html_error(text: str) -> str:
    found = re.search(r'class="error[^"]*">(.*?)<', text, re.DOTALL) or re.search(r"Message ID#\d+ Error: (.*?)<", text)
    return found[1].strip()[:300] if found else "the service refused the search without saying why"


def is_empty(data: Any) -> bool:
    """Whether an error-free body says nothing: no text, no element, no hit."""
    if data is None or isinstance(data, str):
        return not data or not data.strip() or bool(re.search(r"<Count>0</Count>", data[:2000])) or bool(
            re.fullmatch(r"\s*(<\?xml[^>]*>)?\s*(<!DOCTYPE[^>]*>)?\s*<(\w+)[^>]*?(/>|>\s*</\3>)\s*", data[:2000])
        )
    if isinstance(data, list):
        return all(is_empty(item) for item in data if isinstance(item, list | dict)) if data else True
    if not isinstance(data, dict):
        return False
    search = data.get("esearchresult")
    if isinstance(search, dict):
        return str(search.get("count", "0")) == "0"
    if isinstance(data.get("linksets"), list):
        keys = ("linksetdbs", "linksetdbhistories", "idurllist", "idchecklist", "idlinksets")
        return not any(isinstance(s, dict) and any(s.get(k) for k in keys) for s in data["linksets"])
    if isinstance(data.get("result"), dict) and set(data) <= {"header", "result"}:
        return not data["result"].get("uids")
    for key in ("results", "data", "mappings"):
        if key in data:
            return is_empty(data[key])
    return not data
