"""Every function against a server that fails in every way: the right outcome, in bounded time and memory, and nothing kept."""

from __future__ import annotations

import resource
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from fault_server import FAULTS, FaultServer, answer, client_of, flood

import biotool_lib as bt
from biotool_lib.gateway.cache import Cache, state_folder
from biotool_lib.gateway.live import Limits
from biotool_lib.gateway.pacing import RATES

FREE = dict.fromkeys(RATES, (100_000, 1.0))
ONCE = Limits(deadline=60, retries=0, backoff=1000, body=2**20, poll=0.1, first_poll=0.0, rates=FREE)
SLOW = {"hang", "slow drip", "slow drip of the head"}


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("BIOTOOL_CACHE", str(tmp_path / "state"))


@pytest.mark.parametrize("fault", FAULTS)
def test_every_function_tells_every_fault(fault, tmp_path):
    behave, expected = FAULTS[fault]
    with FaultServer(behave) as server, ThreadPoolExecutor(68) as pool:
        limits = replace(ONCE, read=0.4, deadline=5) if fault in SLOW else ONCE  # a busy machine needs seconds for the turns alone
        client = client_of(server, limits, record=tmp_path / "recorded")
        start = time.monotonic()
        seen = list(pool.map(lambda tool: client.call(tool.name, tool.example), bt.tools().values()))
        taken = time.monotonic() - start
    told = {s.name: (s.outcome, s.error) for s in seen if s.outcome != expected}
    assert not told, f"{len(told)} of {len(seen)} are not {expected}: {dict(list(told.items())[:5])}"
    assert all(s.error and s.summary is None for s in seen)
    assert taken < 60 and len(Cache(state_folder())) == 0
    assert not (tmp_path / "recorded" / "index.jsonl").exists()


def test_two_gigabytes_are_neither_read_nor_held(tmp_path):
    sent = []

    def counted(connection, request):
        class Counting:
            def sendall(self, data):
                connection.sendall(data)
                sent.append(len(data))
        flood(Counting(), request)

    with FaultServer(counted) as server:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seen = client_of(server, Limits(retries=0, rates=FREE)).call("get_info_ping")
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert seen.outcome == "bad_body" and f"larger than {64 * 2**20}" in seen.error
    assert sum(sent) < 80 * 2**20 and grown < 200 * 2**10


def test_a_fault_that_passes_is_repeated_for_every_function_that_only_reads():
    tools = [tool for tool in bt.tools().values() if tool.method == "GET"]
    limits = Limits(deadline=60, retries=1, backoff=0.01, rates=FREE)
    with FaultServer() as server:
        client = client_of(server, limits)
        for tool in tools[::9]:
            server.asked.clear()
            server.replies[:] = [answer(503, b""), answer(404, b'{"error": "nothing found"}')]
            seen = client.call(tool.name, tool.example)
            assert seen.status == 404 and len(server.asked) == 2, tool.name


@pytest.mark.parametrize("fault", ["reset", "hang", "500", "503", "429", "cut off", "another host"])
def test_a_submission_is_never_repeated_by_itself(fault):
    behave, expected = FAULTS[fault]
    limits = Limits(read=0.5 if fault == "hang" else 20, deadline=30, retries=3, backoff=0.01, first_poll=0.0, rates=FREE)
    with FaultServer(behave) as server:
        seen = client_of(server, limits).call("blast", bt.tools()["blast"].example)
        assert seen.outcome == expected and len(server.asked) == 1


def test_a_server_that_is_not_there_is_a_transport_error_and_a_submission_may_be_repeated():
    with FaultServer() as server:
        gone = server.url
    limits = Limits(retries=1, backoff=0.01, deadline=5, rates=FREE)
    client = bt.Client("live", endpoints=dict.fromkeys(RATES, gone), limits=limits)
    for tool in (bt.tools()["get_info_ping"], bt.tools()["blast"], bt.tools()["blast"]):
        seen = client.call(tool.name, tool.example)
        assert seen.outcome == "transport_error" and "NewConnectionError" in seen.error
