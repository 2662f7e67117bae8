"""Shared fixtures: the folder of real recordings where it exists, and no network for anybody."""

from __future__ import annotations

import atexit
import json
import os
import socket
import tempfile
from collections import defaultdict
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

import biotool_lib as bt
from biotool_lib import calls, dataset, filters, questions
from biotool_lib.calls import authored
from biotool_lib.observe import Context
from biotool_lib.observe.fit import LIMIT, size

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
_CACHE = tempfile.TemporaryDirectory(prefix="biotool-tests-", ignore_cleanup_errors=True)
atexit.register(_CACHE.cleanup)
os.environ["BIOTOOL_CACHE"] = _CACHE.name  # no test reads or writes the user's own cache
ROOT = Path(__file__).parents[1]
RECORDED = Path(os.environ.get("BIOTOOL_RECORDED", ROOT.parent / "shared" / "recorded"))
NO_RECORDINGS = f"no recordings at {RECORDED}; set BIOTOOL_RECORDED to a folder with an index.jsonl"


@cache
def recorded_rows() -> tuple[dict, ...]:
    """The rows of the index of recordings; none where the folder is missing."""
    index = RECORDED / "index.jsonl"
    lines = index.read_text(encoding="utf-8").splitlines() if index.is_file() else []
    return tuple(json.loads(line) for line in lines)


def recorded_body(file: str) -> object:
    """A recorded body as JSON where it is JSON, else as text; skips where it is missing."""
    path = RECORDED / file
    if not path.is_file():
        pytest.skip(f"no recorded body {path}")
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        return json.loads(text, strict=False)
    except ValueError:
        return text


@cache
def recorded_bodies(database: str) -> dict[str, list[tuple[str, object, dict[str, str]]]]:
    """Files, bodies and arguments (as they stood in the URL) of one database's recordings, by function."""
    found: dict[str, list[tuple[str, object, dict[str, str]]]] = defaultdict(list)
    for row in recorded_rows():
        if row["database"] == database and row["function"]:
            found[row["function"]].append((row["file"], recorded_body(row["file"]), dict(parse_qsl(urlsplit(row["url"] or "").query))))
    return found


def sound_summary(summarise, data: object) -> dict:
    """A summary that says something, is small, is JSON, and comes out alike a second time."""
    summary = summarise(data, Context())
    assert isinstance(summary, dict) and summary and size(summary) <= LIMIT
    assert json.loads(json.dumps(summary)) == summary == summarise(data, Context())
    return summary


def run_up_to_the_dataset(folder: Path, functions: list[str]) -> bt.Run:
    """A small finished run over the atlas: calls, questions, verdicts, dataset."""
    run = bt.Run(folder)
    calls.enumerate_calls(run, functions=functions, scale=0.2, progress=False)
    questions.write_questions(run)
    filters.apply_filters(run)
    dataset.build(run)
    return run


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The folder of recorded responses, which is not part of the repository."""
    if not recorded_rows():
        pytest.skip(NO_RECORDINGS)
    return RECORDED


@pytest.fixture(scope="session", autouse=True)
def no_authored_questions(tmp_path_factory):
    """Small runs are without the questions written by hand, of which every function has some; tests of those name a file of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(authored, "PATH", tmp_path_factory.mktemp("none") / "authored.tsv")
        yield


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch):
    """Fail a test that reaches for another machine."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to connect to {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
