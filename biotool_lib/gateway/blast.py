"""BLAST as a job: submit, wait, poll, fetch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..catalogue import Tool, tools
from .outcome import blast_info

if TYPE_CHECKING:
    from .client import Client, Observation

POLL = 60.0  # seconds: https://blast.ncbi.nlm.nih.gov/doc/blast-help/developerinfo.html asks for one poll a minute per RID
SHARED = ("FORMAT_TYPE", "DESCRIPTIONS", "ALIGNMENTS", "NCBI_GI")


def run(client: Client, tool: Tool, arguments: Mapping[str, Any]) -> Observation:
    """Submit a search and wait for its report, at most `client.blast_ceiling` seconds; later it is `pending`."""
    submitted = client.exchange(tool, arguments)
    if submitted.outcome != "ok":
        return submitted
    info = blast_info(submitted.data)
    sleep = client.sleep or (time.sleep if client.backend == "live" else lambda seconds: None)
    fetch = {"rid": info["RID"], **{key: arguments[key] for key in SHARED if key in arguments}}
    wait = max(float(info.get("RTOE") or 0), 10.0)
    waited = 0.0
    while True:
        if waited + wait > client.blast_ceiling:
            return _as_blast(submitted, submitted, "pending", f"RID {info['RID']} is not ready after {waited:.0f} s; fetch it later with blast_retrieve")
        sleep(wait)
        waited += wait
        report = client.exchange(tools()["blast_retrieve"], fetch)
        if report.outcome != "pending":
            return _as_blast(submitted, report, report.outcome, report.error)
        wait = POLL


def _as_blast(submitted: Observation, report: Observation, outcome: str, error: str | None) -> Observation:
    """The report as the observation of the search that asked for it."""
    return replace(report, name=submitted.name, arguments=submitted.arguments, outcome=outcome, error=error)
