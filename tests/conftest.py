"""Shared fixtures: the folder of real recordings where it exists, and no network for anybody."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["BIOTOOL_CACHE"] = tempfile.mkdtemp(prefix="biotool-tests-")  # no test reads or writes the user's own cache
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The folder of recorded responses, which is not part of the repository."""
    folder = Path(os.environ.get("BIOTOOL_RECORDED", ROOT.parent / "shared" / "recorded"))
    if not (folder / "index.jsonl").is_file():
        pytest.skip(f"no recordings at {folder}; set BIOTOOL_RECORDED to a folder with an index.jsonl")
    return folder


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch):
    """Fail a test that reaches for another machine."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to connect to {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
