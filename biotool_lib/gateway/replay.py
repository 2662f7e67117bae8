"""Recorded real traffic as a transport: a folder with an `index.jsonl` and one file per body.

Each index row has at least `url`, `status` (null if unknown) and `file`; `method`, `request_body`, `headers`,
`content_type`, `recorded` (a date or time), `confidence` and `sha256` are read where they stand.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from pathlib import Path
from typing import Any

import requests
from filelock import FileLock
from requests.adapters import BaseAdapter

from ..catalogue import Tool
from ..errors import RecordingError
from .atlas import build_response
from .cache import Answer, make_receipt
from .request import call_from_url, prepare, redact

NOT_RECORDED = "X-Biotool-Not-Recorded"


class Recordings:
    """The index of a folder of recordings, by call."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._rows: dict[tuple[str, str], dict[str, Any]] = {}
        self.calls: list[dict[str, Any]] = []
        seen: set[str] = set()
        for row in self._read():
            call = call_from_url(row["url"], row.get("request_body")) if row["url"] else None
            if call is None:
                continue
            key = request_key(prepare(**call))
            if key not in self._rows or _rank(row) > _rank(self._rows[key]):
                self._rows[key] = row
            name = json.dumps(call, sort_keys=True)
            if name not in seen:
                seen.add(name)
                self.calls.append(call)

    def _read(self) -> list[dict[str, Any]]:
        index = self.folder / "index.jsonl"
        if not index.is_file():
            raise RecordingError(
                f"{index} is not there: name a folder of recordings that has an index.jsonl, "
                "or record one with Client(backend='live', record='FOLDER')"
            )
        rows = []
        for number, line in enumerate(index.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                missing = {"url", "status", "file"} - set(row)
            except (ValueError, TypeError):
                raise RecordingError(f"{index}, line {number} is not a JSON object: {line[:60]!r}; repair or remove it") from None
            if missing:
                raise RecordingError(f"{index}, line {number} lacks {', '.join(sorted(missing))}: add it or remove the line")
            path = (self.folder / row["file"]).resolve()
            if not path.is_relative_to(self.folder.resolve()) or not path.is_file():
                raise RecordingError(f"{index}, line {number} names {row['file']!r}, which is no file of {self.folder}: restore it or remove the line")
            rows.append(row)
        return rows

    def recorded(self, call: dict[str, Any]) -> str:
        """When a call was recorded, as a text that sorts: a year, a date or a time; "" where the index does not say it."""
        return _date(self._rows[request_key(prepare(**call))])

    def find(self, request) -> tuple[dict[str, Any], bytes] | None:
        """The newest genuine recording of a request, with its body."""
        row = self._rows.get(request_key(request))
        if row is None:
            return None
        body = (self.folder / row["file"]).read_bytes()
        if row.get("sha256") and hashlib.sha256(body).hexdigest() != row["sha256"]:
            raise RecordingError(f"{self.folder / row['file']} is not the body that its index describes (sha256 differs): restore it")
        return row, body


def _date(row: dict[str, Any]) -> str:
    found = re.findall(r"(?:19|20)\d\d(?:-\d\d(?:-\d\d(?:T[\d:]+)?)?)?", str(row.get("recorded") or ""))
    return max(found, default="")


def _rank(row: dict[str, Any]) -> tuple:
    """Better recordings rank higher: a success, of the main host, of high confidence, recent, whole."""
    return (
        row["status"] in (200, None), not re.search(r"//(beta|grch37)\.", row["url"]),
        row.get("confidence") != "medium", "cut" not in (row.get("fidelity") or ""), _date(row), row["file"],
    )


def request_key(request) -> tuple[str, str]:
    """What makes two requests the same: the URL that the catalogue prepares, and the form body."""
    body = request.body.decode() if isinstance(request.body, bytes) else request.body or ""
    return request.url, body


class ReplayAdapter(BaseAdapter):
    """Answers from recordings; what was not recorded is marked so, never invented."""

    def __init__(self, recordings: Recordings) -> None:
        super().__init__()
        self.recordings = recordings

    def send(self, request, stream=False, timeout=None, verify=True, cert=None, proxies=None):  # noqa: D102
        found = self.recordings.find(request)
        if found is None:
            return build_response(request, 0, {NOT_RECORDED: "1"}, b"")
        row, body = found
        recorded = row.get("headers") or {}
        pairs = recorded.items() if isinstance(recorded, dict) else recorded
        headers = {str(key).lower(): str(value) for key, value in pairs}
        headers.pop("content-encoding", None)  # bodies are stored decoded
        if row.get("content_type"):
            headers.setdefault("content-type", row["content_type"])
        response = build_response(request, row["status"] or 0, headers, body)
        receipt = make_receipt(row.get("recorded"), row["status"], headers, hashlib.sha256(body).hexdigest(), "recording")
        told = {"retrieved_at": row.get("recorded"), "status": row["status"], "headers": row.get("headers")}
        unknown = [key for key, value in told.items() if value is None]
        response.receipt = {**receipt, "unknown": unknown} if unknown else receipt  # type: ignore[attr-defined]
        return response

    def close(self) -> None:  # noqa: D102
        pass


class Recorder:
    """Appends genuine exchanges to a folder that `Recordings` reads; several processes may write to the same one."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def write(self, tool: Tool, request: requests.PreparedRequest, answer: Answer) -> None:
        """Store one answer: its body first, then its index row, so that no row lacks its body."""
        receipt = answer.receipt("network")
        file = f"{tool.database}/{tool.name}/{receipt['sha256'][:16]}.body"
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
        part.write_bytes(answer.body)
        part.replace(path)
        sent = request.body
        row = {
            "database": tool.database, "function": tool.name, "method": request.method, "url": redact(request.url or ""),
            "request_body": redact(sent.decode() if isinstance(sent, bytes) else str(sent)) if sent else None,
            "status": answer.status, "content_type": answer.headers.get("content-type"), "headers": receipt["headers"],
            "recorded": answer.retrieved_at, "release": receipt["release"], "sha256": receipt["sha256"], "file": file,
        }
        with FileLock(self.folder / ".lock"), (self.folder / "index.jsonl").open("a", encoding="utf-8") as index:
            index.write(json.dumps(row) + "\n")
