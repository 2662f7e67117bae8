"""The live backend against loopback servers: what is sent, paced, kept, recorded, resumed and kept secret."""

from __future__ import annotations

import json
import logging
import os
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from statistics import median

import pytest
from fault_server import SEARCH, FaultServer, alone, answer, blast_service, client_of, most_in_a_span, python, reset
from werkzeug.test import Client as Browser

import biotool_lib as bt
from biotool_lib.atlas.app import application
from biotool_lib.gateway import live
from biotool_lib.gateway.__main__ import main as canary
from biotool_lib.gateway.cache import Cache, StoreError, state_folder
from biotool_lib.gateway.canary import shape, watch
from biotool_lib.gateway.live import Limits, seconds_asked, with_identity
from biotool_lib.gateway.pacing import KEYED, RATES, NoTurn, Pace, interval

HOSTS = tuple(RATES)


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    """Each test has its own pace, jobs and cache, and no key."""
    monkeypatch.setenv("BIOTOOL_CACHE", str(tmp_path / "state"))
    monkeypatch.delenv("NCBI_API_KEY", raising=False)
    monkeypatch.delenv("NCBI_EMAIL", raising=False)


@pytest.fixture
def server():
    with FaultServer() as running:
        yield running


def test_live_sends_what_prepare_says_with_who_we_are(server):
    server.behave = answer(body=b'{"id": "ENSG00000012048"}')
    seen = client_of(server).call("lookup_by_symbol", {"species": "human", "symbol": "BRCA1"})
    _, method, target, headers, _ = server.asked[0]
    assert (seen.outcome, seen.source, method, target) == ("ok", "live", "GET", "/lookup/symbol/homo_sapiens/BRCA1")
    assert headers["accept"] == "application/json" and headers["user-agent"].startswith("biotool-book/")
    assert seen.url == "https://rest.ensembl.org/lookup/symbol/homo_sapiens/BRCA1"


def test_a_served_atlas_stays_labelled_as_the_atlas(server, tmp_path):
    def serve(connection, request):
        found = Browser(application()).get(request[2])
        answer(found.status_code, found.data, found.content_type, X_Atlas=found.headers["X-Atlas"])(connection, request)
    server.behave = serve
    client = client_of(server, record=tmp_path)
    bt.Client().call("get_info_ping")  # the facts are read before the clock runs
    seen = [client.call("lookup_by_symbol", {"species": "human", "symbol": "BRCA1"}) for _ in range(2)]
    assert [(s.outcome, s.source, s.receipt["from"]) for s in seen] == [("ok", "atlas", "network"), ("ok", "atlas", "cache")]
    again = bt.Client("replay", recordings=tmp_path).call("lookup_by_symbol", {"species": "human", "symbol": "BRCA1"})
    assert len(server.asked) == 1 and (again.source, again.data) == ("atlas", seen[0].data)


# Pace

COUNTED = """
import sys, time
from pathlib import Path
from biotool_lib.gateway.pacing import Pace
import http.client
port = int(sys.argv[1])
pace = Pace(Path(sys.argv[2]), {"x": (60, 3.0)})
http_ = http.client.HTTPConnection("127.0.0.1", port)
http_.connect()
print("ready", flush=True)
end = float(sys.stdin.readline())
while time.time() < end:
    pace.turn("x", 60)
    http_.request("GET", "/")
    http_.getresponse().read()
"""


def test_four_processes_together_keep_the_limit_and_use_it(tmp_path):
    port, ask = alone()
    four = [python(COUNTED, port, tmp_path) for _ in range(4)]
    for process in four:
        process.stdout.readline()
    for process in four:
        process.stdin.write(f"{time.time() + 7}\n")
        process.stdin.flush()
    assert [process.wait() for process in four] == [0] * 4
    times = sorted(row[0] for row in ask())
    # A machine that stands still for a moment costs starts in some spans, not in all: at least one is used to 95 %, and so is the usual gap.
    assert 0.95 * 60 <= most_in_a_span(times, 3.0) <= 60
    assert median(later - one for one, later in pairwise(times)) <= 3 / 60 / 0.95


def test_twelve_concurrent_calls_to_ncbi_succeed_where_more_than_three_a_second_are_refused(server):
    def strict(connection, request):
        with server.guard:
            lately = sum(request[0] - 1.0 < at <= request[0] for at, *_ in server.asked)
        answer(429 if lately > 3 else 200, b'{"esearchresult": {"count": "1", "idlist": ["7157"]}}')(connection, request)
    server.behave = strict
    client = client_of(server, limits=Limits(retries=2, rates=RATES))  # a busy machine may delay one start into the next second
    with ThreadPoolExecutor(12) as pool:
        seen = list(pool.map(lambda i: client.call("esearch", {"db": "gene", "term": f"TP53 {i}"}).outcome, range(12)))
    assert seen == ["ok"] * 12 and len(server.asked) <= 13


def test_the_limits_are_those_that_the_services_publish(monkeypatch, tmp_path):
    pace = Pace(tmp_path)
    assert [pace.rate(host) for host in HOSTS] == [(3, 1.0), (1, 10.0), (15, 1.0), (10, 1.0)]
    assert {tool.base.split("/")[2] for tool in bt.tools().values()} == set(HOSTS)
    assert 3600 / interval(pace.rate("rest.ensembl.org")) < 55_000
    monkeypatch.setenv("NCBI_API_KEY", "k" * 36)
    assert pace.rate("eutils.ncbi.nlm.nih.gov") == KEYED


def test_a_pause_holds_everybody_and_is_not_slept_through_past_the_deadline(tmp_path):
    first, second = Pace(tmp_path, {"x": (50, 1.0)}), Pace(tmp_path, {"x": (50, 1.0)})
    first.hold("x", 0.4)
    start = time.monotonic()
    second.turn("x", 5)
    assert time.monotonic() - start >= 0.39
    first.hold("x", 1e9)
    with pytest.raises(NoTurn, match=r"again in 3[56]"):
        second.turn("x", 5)
    assert time.monotonic() - start < 5


def test_a_clock_that_was_set_back_does_not_stop_the_pace(tmp_path, monkeypatch):
    pace, real = Pace(tmp_path, {"x": (50, 1.0)}), time.time
    monkeypatch.setattr(time, "time", lambda: real() + 86_400)
    pace.turn("x", 1)
    pace.hold("x", 60)
    with pytest.raises(NoTurn):  # the pause holds while the clock goes right
        pace.turn("x", 1)
    monkeypatch.setattr(time, "time", real)
    assert pace.turn("x", 1) is None and pace.turn("x", 1) is None  # a turn a day off would raise NoTurn


@pytest.mark.parametrize(("text", "low", "high"), [("0", 0, 0), ("40.0", 40, 40), ("1.0232", 1, 1.1), (None, None, None), ("soon", None, None), ("-3", None, None),
                                                   ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0), ("Fri, 31 Dec 2999 23:59:59 GMT", 1e9, 1e11)])
def test_retry_after_is_a_number_or_a_date(text, low, high):
    found = seconds_asked(text)
    assert found is None if low is None else low <= found <= high


def test_what_a_server_asks_for_is_heeded_by_all(server):
    server.replies += [answer(429, b"wait", "text/plain", Retry_After="0.5")]
    assert client_of(server).call("get_info_ping").outcome == "ok"
    assert server.asked[1][0] - server.asked[0][0] >= 0.5
    server.replies += [answer(X_RateLimit_Remaining=0, X_RateLimit_Reset=0.5, X_RateLimit_Limit=55000)]
    assert client_of(server, refresh=True).call("get_info_ping").outcome == "ok"
    assert client_of(server, refresh=True).call("get_info_ping").outcome == "ok"
    assert server.asked[3][0] - server.asked[2][0] >= 0.49
    server.replies += [answer(429, b"wait", "text/plain", Retry_After="600")]
    seen = client_of(server, refresh=True).call("get_info_ping")
    assert (seen.outcome, seen.status) == ("rate_limited", 429) and len(server.asked) == 5
    other = client_of(server, refresh=True).call("get_info_ping")
    assert other.outcome == "rate_limited" and "again in" in other.error and len(server.asked) == 5


# Retries and redirects

def test_live_repeats_what_may_pass_and_reports_what_does_not(server):
    server.replies += [answer(503, b""), reset, answer()]
    assert client_of(server).call("get_info_ping").outcome == "ok" and len(server.asked) == 3
    server.replies += [answer(404, b'{"error": "page not found"}')]
    assert client_of(server, refresh=True).call("get_info_ping").outcome == "not_found" and len(server.asked) == 4
    server.replies += [answer(500, b"")] * 3
    assert client_of(server, refresh=True).call("get_info_ping").outcome == "server_error" and len(server.asked) == 7


def test_a_redirect_is_followed_on_the_same_server_only(server):
    server.replies += [answer(303, b"", Location="/uniprotkb/P04637"), answer(body=b'{"primaryAccession": "P04637"}')]
    seen = client_of(server).call("get_uniprotkb_entry", {"accession": "Q15086"})
    assert seen.outcome == "ok" and [row[2] for row in server.asked] == ["/uniprotkb/Q15086", "/uniprotkb/P04637"]
    server.behave = answer(302, b"", Location="/info/ping")
    seen = client_of(server).call("get_info_ping")
    assert seen.outcome == "transport_error" and "more than three" in seen.error


# Keys

def test_keys_come_from_the_environment_and_never_come_back(server, monkeypatch, tmp_path, caplog):
    key = "abcdef0123456789abcdef0123456789abcd"
    monkeypatch.setenv("NCBI_API_KEY", key)
    monkeypatch.setenv("NCBI_EMAIL", "someone@example.org")
    monkeypatch.setattr(live, "with_identity", lambda request, key: with_identity(request))  # as if the server were NCBI
    caplog.set_level(logging.DEBUG)
    refusal = b'{"error":"API key invalid","api-key":"' + key.encode() + b'","type":"client"}'
    server.replies += [answer(body=b'{"einforesult": {"dblist": ["gene"]}}', Link=f"<https://x/?api_key={key}>"), answer(400, refusal)]
    client = client_of(server, record=tmp_path / "recorded")
    seen = [client.call("einfo", {}), client.call("einfo", {"db": "gene"})]
    server.behave = reset
    seen.append(client.call("einfo", {"db": "snp"}))
    assert [s.outcome for s in seen] == ["ok", "invalid_arguments", "transport_error"]
    assert all(f"api_key={key}" in row[2] and "email=someone%40example.org" in row[2] for row in server.asked)
    shown = repr([(s, s.data, s.headers, s.receipt) for s in seen]) + caplog.text
    assert "connectionpool" in caplog.text and key not in shown and "someone" not in shown
    files = [p for folder in (tmp_path / "recorded", state_folder()) for p in folder.rglob("*") if p.is_file()]
    assert len(files) >= 6 and all(key.encode() not in p.read_bytes() and b"someone" not in p.read_bytes() for p in files)


def test_a_traceback_of_the_adapter_shows_no_key(server, monkeypatch):
    key = "abcdef0123456789abcdef0123456789abcd"
    monkeypatch.setenv("NCBI_API_KEY", key)
    server.behave = reset
    adapter = live.LiveAdapter(Pace(state_folder()), Limits(retries=0))
    adapter.endpoints = {"eutils.ncbi.nlm.nih.gov": server.url}
    monkeypatch.setattr(live, "with_identity", lambda request, key: with_identity(request))
    with pytest.raises(live.Unanswered) as caught:
        adapter.send(bt.prepare("einfo", {"db": "gene"}))
    assert key in server.asked[0][2] and key not in "".join(traceback.format_exception(caught.value))


def test_a_server_of_ones_own_gets_no_key(server, monkeypatch):
    monkeypatch.setenv("NCBI_API_KEY", "k" * 36)
    client_of(server).call("einfo", {})
    assert "api_key" not in server.asked[0][2] and "tool=biotool-book" in server.asked[0][2]


# Cache and recordings

def test_the_cache_keeps_successes_only_by_canonical_call_and_for_other_processes(server, tmp_path):
    server.replies += [answer(400, b'{"error": "ID not found"}'), answer(body=b'{"id": "E"}', X_UniProt_Release="2025_03")]
    first, second = client_of(server), client_of(server)
    assert first.call("lookup_by_symbol", {"species": "human", "symbol": "BRCA1"}).outcome == "not_found"
    asked = first.call("lookup_by_symbol", {"species": "human", "symbol": "BRCA1"})
    again = second.call("lookup_by_symbol", {"symbol": "BRCA1", "species": "9606"})
    assert len(server.asked) == 2 and (again.data, again.summary) == (asked.data, asked.summary) and again.source == "live"
    assert again.receipt == {**asked.receipt, "from": "cache"} and again.receipt["release"] == "2025_03"
    assert client_of(server, refresh=True).call("lookup_by_symbol", {"species": "human", "symbol": "BRCA1"}).ok and len(server.asked) == 3
    assert client_of(server, refresh=1.0).call("lookup_by_symbol", {"species": "human", "symbol": "BRCA1"}).ok and len(server.asked) == 3
    assert client_of(server, cache=None).call("lookup_by_symbol", {"species": "human", "symbol": "BRCA1"}).ok and len(server.asked) == 4
    assert client_of(server, cache=tmp_path / "other").call("lookup_by_symbol", {"species": "human", "symbol": "BRCA1"}).ok
    assert len(server.asked) == 5 and (tmp_path / "other" / "cache.sqlite").is_file()


def test_an_old_answer_is_asked_for_anew(server, monkeypatch):
    assert client_of(server).call("get_info_ping").ok
    monkeypatch.setattr("biotool_lib.gateway.cache.datetime", _Later)
    assert client_of(server).call("get_info_ping").receipt["from"] == "cache"
    assert client_of(server, refresh=30.0).call("get_info_ping").receipt["from"] == "network"


class _Later(__import__("datetime").datetime):
    @classmethod
    def now(cls, zone=None):
        from datetime import datetime, timedelta
        return datetime.now(zone) + timedelta(days=31)


def test_an_answer_to_another_endpoint_is_another_answer(server):
    with FaultServer(answer(body=b'{"ping": 2}')) as other:
        assert client_of(server).call("get_info_ping").data == {"ping": 1}
        assert client_of(other).call("get_info_ping").data == {"ping": 2}


def test_a_cache_that_cannot_be_used_is_one_clear_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(bt.InvalidParameter, match=r"cache.*cannot be used.*BIOTOOL_CACHE"):
        bt.Client("live", cache=tmp_path / "file")
    (tmp_path / "cache.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(bt.InvalidParameter, match="not a database"):
        bt.Client("live", cache=tmp_path)


def test_a_damaged_row_is_not_passed_on(tmp_path, server):
    client = client_of(server, cache=tmp_path)
    client.call("get_info_ping")
    with Cache(tmp_path)._store.change() as db:
        db.execute("UPDATE answers SET sha256 = 'x'")
    with pytest.raises(StoreError, match="is not what was stored"):
        client.call("get_info_ping")


WRITER = """
import itertools, sys
from pathlib import Path
import biotool_lib as bt
from biotool_lib.gateway.cache import Answer, Cache
from biotool_lib.gateway.replay import Recorder
folder, name, many = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
cache, recorder, tool = Cache(folder), Recorder(folder), bt.tools()["lookup_by_id"]
for i in range(many) if many else itertools.count():
    answer = Answer(200, {}, (f"{name}{i}" * 500).encode(), "2026-01-01T00:00:00+00:00")
    cache.put(f"{name} {i}", "f", "u", answer)
    recorder.write(tool, bt.prepare("lookup_by_id", {"id": f"{name}{i}"}), answer)
    print(i, flush=True)
"""


def test_several_processes_write_one_cache_and_one_recording(tmp_path):
    three = [python(WRITER, tmp_path, name, 40) for name in "abc"]
    assert [process.communicate()[0].split()[-1] for process in three] == ["39"] * 3
    assert len(Cache(tmp_path)) == 120 and Cache(tmp_path).get("b 7").body == b"b7" * 500
    assert len(bt.Client("replay", recordings=tmp_path).recordings.calls) == 120


def test_a_kill_while_writing_leaves_whole_answers(tmp_path):
    killed = python(WRITER, tmp_path, "a", 0)
    while int(killed.stdout.readline()) < 20:
        pass
    killed.kill()
    last = max([20, *map(int, killed.communicate()[0].split())])
    cache = Cache(tmp_path)
    assert len(cache) >= last and all(cache.get(f"a {i}").body for i in range(last))
    assert len(bt.Client("replay", recordings=tmp_path).recordings.calls) >= last


FORKED = """
import os, sys
import biotool_lib as bt
client = bt.Client("live", endpoints={"rest.ensembl.org": sys.argv[1]})
def ask(who):
    seen = [client.call("lookup_by_id", {"id": f"{who}{i}"}) for i in range(30)]
    assert all(s.ok and s.data["target"].endswith(s.arguments["id"]) for s in seen), [s.error for s in seen]
ask("before")
child = os.fork()
ask("child" if child == 0 else "parent")
if child == 0:
    os._exit(0)
sys.exit(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_client_has_connections_of_its_own(server):
    server.behave = lambda connection, request: answer(body=json.dumps({"target": request[2]}).encode())(connection, request)
    forked = python(FORKED, server.url)
    assert forked.wait() == 0 and len(server.asked) == 90


def test_record_writes_what_replay_reads(server, tmp_path):
    calls = [("get_info_ping", {}), ("get_uniprotkb_entry", {"accession": "P04637"}), ("lookup_by_id", {"id": "ENSG0"}), ("efetch", {"db": "protein", "id": "NP_1"}),
             ("blast", SEARCH)]
    server.replies += [
        answer(Server="x", X_RateLimit_Remaining=54000), answer(body=b'{"primaryAccession": "P04637"}', X_UniProt_Release="2025_03"),
        answer(400, b'{"error": "ID \'ENSG0\' not found"}'), answer(body=b">NP_1 caf\xc3\xa9\nMKV\n", kind="text/plain"),
    ]
    server.behave = blast_service()
    client = client_of(server, record=tmp_path)
    seen = [client.call(*call) for call in calls]
    assert [s.outcome for s in seen] == ["ok", "ok", "not_found", "ok", "ok"]
    again = [bt.Client("replay", recordings=tmp_path).call(*call) for call in calls]
    for one, two in zip(seen, again, strict=True):
        assert (two.outcome, two.data, two.summary, two.status) == (one.outcome, one.data, one.summary, one.status)
        assert two.receipt == {**one.receipt, "from": "recording"} and two.source == "replay"
    assert {json.loads(line)["function"] for line in (tmp_path / "index.jsonl").open()} == {name for name, _ in calls}


def test_what_came_from_the_cache_is_recorded_too(server, tmp_path):
    client_of(server).call("get_info_ping")
    client_of(server, record=tmp_path).call("get_info_ping")
    assert bt.Client("replay", recordings=tmp_path).call("get_info_ping").ok and len(server.asked) == 1



# Canary

def test_the_canary_says_what_drifted(server, tmp_path, capsys):
    bodies = {
        "/info/ping": b'{"ping": 1}', "/lookup/id/ENSG1": b'{"id": "ENSG1", "start": 1, "Transcript": [{"id": "T"}], "note": null}',
        "/archive/id/ENSG1": b'{"id": "ENSG1", "version": "14"}', "/info/software": b'{"release": 115}',
    }
    calls = [("get_info_ping", {}), ("lookup_by_id", {"id": "ENSG1"}), ("get_archive_id", {"id": "ENSG1"}), ("get_info_software", {})]
    server.behave = lambda connection, request: answer(body=bodies[request[2].split("?")[0]])(connection, request)
    client = client_of(server, record=tmp_path)
    assert all(client.call(*call).ok for call in calls)
    bodies["/info/ping"] = b'{"ping": 2}'
    bodies["/lookup/id/ENSG1"] = b'{"id": "ENSG1", "start": "1", "Transcript": [{"id": "T"}, {"id": "U", "tags": ["x"]}], "note": "said"}'
    bodies["/archive/id/ENSG1"] = b'{"id": "ENSG1"}'
    bodies["/info/software"] = b'{"error": "ID not found"}'
    command = ["canary", "--recordings", str(tmp_path), "--endpoint", f"rest.ensembl.org={server.url}"]
    assert canary([*command, "--json"]) == 1
    rows = {row["function"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "get_info_ping": "same", "lookup_by_id": "drifted", "get_archive_id": "drifted", "get_info_software": "drifted"}
    assert rows["lookup_by_id"]["changed"] == ["start: number → string"]
    assert rows["lookup_by_id"]["new"] == ["Transcript[].tags", "Transcript[].tags[]"] and rows["get_archive_id"]["gone"] == ["version"]
    assert rows["get_info_software"]["now"] == "not_found"
    assert canary([*command, "--functions", "get_info_ping"]) == 0
    assert "1 calls: 1 same" in capsys.readouterr().out
    assert canary([*command, "--functions", "get_info_pong"]) == 2 and "get_info_ping" in capsys.readouterr().err
    assert canary([*command, "--functions", "einfo"]) == 2 and "no successful recording of einfo" in capsys.readouterr().err


def test_shapes_fold_lists_numbered_keys_and_elements():
    assert shape({"result": {"uids": ["7", "8"], "7": {"uid": "7"}, "8": {"uid": None}}}) == {
        "": {"object"}, "result": {"object"}, "result.uids": {"array"}, "result.uids[]": {"string"}, "result.*": {"object"}, "result.*.uid": {"string", "null"}}
    assert set(shape("<a x='1'><b/><b><c/></b></a>")) == {"/a", "/a@x", "/a/b", "/a/b/c"}
    assert shape(">NP_1\nMKV") == {"": {"FASTA"}}


def test_every_recorded_function_equals_itself(recorded):
    client = bt.Client("replay", recordings=recorded)
    seen = list(watch(client, client))
    assert len(seen) > 50 and {s.verdict for s in seen} == {"same"}
