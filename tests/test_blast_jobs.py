"""BLAST as a job: submitted once, looked at politely, resumed after a kill; counted by a loopback server."""

from __future__ import annotations

import time

import pytest
from fault_server import QUICK, SEARCH, FaultServer, answer, blast_service, client_of, python, reset


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("BIOTOOL_CACHE", str(tmp_path / "state"))


@pytest.fixture
def server():
    with FaultServer() as running:
        yield running


def puts(asked):
    return sum(row[1] == "POST" for row in asked)


def test_a_blast_search_is_submitted_once_polled_and_kept(server):
    server.behave = blast_service(ready_after=3)
    told = []
    client = client_of(server, progress=told.append)
    seen = client.call("blast", SEARCH)
    assert (seen.name, seen.outcome, seen.arguments["query"]) == ("blast", "ok", "MKV")
    gaps = [b[0] - a[0] for a, b in zip(server.asked[1:], server.asked[2:], strict=False)]
    assert len(server.asked) == 4 and min(gaps) > QUICK.poll / 2 and any("RID1: next look in" in text for text in told)
    assert client_of(server).call("blast", SEARCH).receipt["from"] == "cache"
    assert client_of(server, cache=None).call("blast", SEARCH).ok and puts(server.asked) == 1


def test_a_report_that_takes_too_long_is_pending_and_taken_up_later(server):
    server.behave = blast_service(ready_after=2, rtoe=600)
    waiting = client_of(server, blast_ceiling=5).call("blast", SEARCH)
    assert waiting.outcome == "pending" and "RID1" in waiting.error and len(server.asked) == 1
    server.behave = blast_service(ready_after=3)
    waiting = client_of(server, blast_ceiling=0.2).call("blast", {**SEARCH, "query": "MKL"})
    assert waiting.outcome == "pending"
    assert client_of(server).call("blast", {**SEARCH, "query": "MKL"}).ok and puts(server.asked) == 2


def test_a_submission_whose_fate_is_unknown_is_not_repeated(server):
    server.replies += [reset]
    server.behave = blast_service(ready_after=1)
    assert client_of(server).call("blast", SEARCH).outcome == "transport_error" and len(server.asked) == 1
    again = client_of(server).call("blast", SEARCH)
    assert again.outcome == "transport_error" and "not sent twice" in again.error and len(server.asked) == 1
    assert client_of(server, refresh=True).call("blast", SEARCH).ok and puts(server.asked) == 2


@pytest.mark.parametrize(("put", "outcome"), [
    (answer(200, b"<!--QBlastInfoBegin\n RID = \n RTOE = \nQBlastInfoEnd-->", "text/html"), "invalid_arguments"),
    (answer(429, b"slow down", "text/plain"), "rate_limited"), (answer(200, b"<html>Down for maintenance</html>", "text/html"), "bad_body"),
])
def test_a_refused_submission_says_so_and_may_be_sent_again(server, put, outcome):
    server.replies += [put]
    server.behave = blast_service(ready_after=1)
    assert client_of(server).call("blast", SEARCH).outcome == outcome
    assert client_of(server).call("blast", SEARCH).ok and puts(server.asked) == 2


@pytest.mark.parametrize(("status", "outcome"), [("UNKNOWN", "not_found"), ("FAILED", "server_error")])
def test_a_search_that_the_service_lost_or_failed(server, status, outcome):
    server.behave = blast_service(ready_after=1, report=f"<html><!--QBlastInfoBegin\n\tStatus={status}\nQBlastInfoEnd--></html>".encode())
    assert client_of(server).call("blast", SEARCH).outcome == outcome and puts(server.asked) == 1


def test_one_rid_is_looked_at_once_a_minute_by_direct_calls_too(server):
    server.behave = blast_service(ready_after=3)
    client = client_of(server)
    assert [client.call("blast_retrieve", {"rid": "ABC"}).outcome for _ in range(3)] == ["pending", "pending", "ok"]
    gaps = [b[0] - a[0] for a, b in zip(server.asked, server.asked[1:], strict=False)]
    assert min(gaps) > QUICK.poll / 2


SEARCHER = """
import sys
import biotool_lib as bt
from biotool_lib.gateway.live import Limits
client = bt.Client("live", endpoints={"blast.ncbi.nlm.nih.gov": sys.argv[1]}, limits=Limits(poll=0.5, first_poll=0.3),
                   progress=lambda text: print("waiting", flush=True))
print(client.call("blast", {"query": "MKV", "database": "swissprot", "program": "blastp"}).outcome, flush=True)
"""


def test_a_killed_search_is_resumed_and_never_submitted_twice(server):
    server.behave = blast_service(ready_after=4)
    for _ in range(2):
        killed = python(SEARCHER, server.url)
        assert killed.stdout.readline() == "waiting\n"
        killed.kill()
        killed.wait()
    three = [python(SEARCHER, server.url) for _ in range(3)]
    assert [process.communicate()[0].split()[-1] for process in three] == ["ok"] * 3
    assert puts(server.asked) == 1 and len({row[2] for row in server.asked if row[1] == "GET"}) == 1


def test_a_process_killed_while_it_submits_does_not_submit_again(server):
    def slow(connection, request):
        time.sleep(1)
        blast_service()(connection, request)
    server.behave = slow
    killed = python(SEARCHER, server.url)
    while not server.asked:
        time.sleep(0.02)
    killed.kill()
    killed.wait()
    assert python(SEARCHER, server.url).communicate()[0] == "transport_error\n"
    assert puts(server.asked) == 1
