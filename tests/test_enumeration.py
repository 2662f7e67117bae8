"""Enumeration over a served atlas that counts: several hosts at once, kills and interrupts, nothing lost, nothing asked twice.

Run as a script, `python tests/test_enumeration.py FOLDER PORT PROPOSED`, it makes the proposed calls into a run folder.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

import biotool_lib as bt
from biotool_lib import calls
from biotool_lib.atlas.app import application
from biotool_lib.common import lanes
from biotool_lib.common.runner import read_jsonl
from biotool_lib.gateway.live import Limits
from biotool_lib.gateway.request import prepare

ROOT = Path(__file__).parents[1]
FUNCTIONS = ["lookup_by_symbol", "get_homology_by_symbol", "get_uniprotkb_entry", "get_keyword_by_id", "esummary"]
SERVICES = {"uniprotkb": "uniprot", "keywords": "uniprot", "entrez": "ncbi"}
SCALE, ANSWERS_AFTER, WORKERS = 0.2, 0.1, 4


def served(port: int, **options) -> bt.Client:
    """A live client of the local server, without a cache: what is asked is seen by the server."""
    hosts = ("rest.ensembl.org", "rest.uniprot.org", "eutils.ncbi.nlm.nih.gov")
    return bt.Client("live", endpoints=dict.fromkeys(hosts, f"http://127.0.0.1:{port}"), cache=None, **options)


def enumerate_served(folder: Path, port: int, proposed: Path, **options):
    """Enumerate from the local server; what is proposed is read, since to propose anew costs seconds in every process."""
    with patch.object(calls, "propose", return_value=json.loads(proposed.read_text())):
        return calls.enumerate_calls(bt.Run(folder, backend="live"), served(port, **options), functions=FUNCTIONS, progress=False, workers=WORKERS)


class Counting:
    """The atlas behind a socket: every request is counted as it arrives and answered a little later."""

    def __init__(self) -> None:
        self.lock, self.asked, self.under_way, self.together = threading.Lock(), Counter(), Counter(), Counter()

    def __call__(self, environ, start_response):
        service = SERVICES.get(environ["PATH_INFO"].split("/")[1], "ensembl")
        with self.lock:
            self.asked[environ["PATH_INFO"] + "?" + environ["QUERY_STRING"]] += 1
            self.under_way[service] += 1
            self.together[frozenset(+self.under_way)] += 1
        try:
            time.sleep(ANSWERS_AFTER)
            return application()(environ, start_response)
        finally:
            with self.lock:
                self.under_way[service] -= 1


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *args):
        pass


@contextmanager
def serving(app=None, port: int = 0, handler=Quiet):
    app = app or Counting()
    httpd = make_server("127.0.0.1", port, app, threaded=True, request_handler=handler)
    app.port = httpd.server_port
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield app
    httpd.shutdown()
    httpd.server_close()


def hear_interrupts() -> None:
    """In a child before it starts: a shell that runs the tests in the background has interrupts ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def server():
    with serving() as app:
        yield app


@pytest.fixture(scope="module")
def proposed(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("proposed") / "calls.json"
    path.write_text(json.dumps(calls.propose(bt.Client(), 0, FUNCTIONS, SCALE)))
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory, proposed) -> bytes:
    """calls.jsonl of an uninterrupted run, in which hosts did work at once."""
    folder = tmp_path_factory.mktemp("whole")
    with serving() as app:
        made = enumerate_served(folder, app.port, proposed)
    assert set(app.asked.values()) == {1} and sum(app.asked.values()) == len(made) > 60
    assert max(map(len, app.together)) > 1 and (made.loc[~made["authored"], "outcome"] == "ok").all()
    return (folder / "calls.jsonl").read_bytes()


@pytest.fixture
def start(server, proposed):
    """Starts an enumeration in a process of its own, as if from a terminal."""
    begun = []

    def start(folder: Path) -> subprocess.Popen:
        command = [sys.executable, __file__, str(folder), str(server.port), str(proposed)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        begun.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True,
                                      preexec_fn=hear_interrupts))
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.wait()
        process.stderr.close()


def when_under_way(server: Counting, process: subprocess.Popen, more: int) -> None:
    """Wait until some more requests have come, and one is being answered."""
    before, deadline = sum(server.asked.values()), time.monotonic() + 60
    while sum(server.asked.values()) < before + more or not +server.under_way:
        assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
        time.sleep(0.001)


def finish(process: subprocess.Popen, folder: Path) -> bytes:
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return (folder / "calls.jsonl").read_bytes()


@pytest.mark.skipif(not lanes.DETACHED, reason="work is detached from its process on Linux only")
def test_kills_lose_nothing_and_repeat_nothing(server, start, whole, tmp_path):
    for more in (1, 17, 23):
        process = start(tmp_path)
        when_under_way(server, process, more)
        process.kill()
        process.communicate()
    assert not (tmp_path / "calls.jsonl").exists()
    assert finish(start(tmp_path), tmp_path) == whole
    assert set(server.asked.values()) == {1}
    assert not list(tmp_path.glob(".*.part.jsonl"))


@pytest.mark.skipif(not lanes.DETACHED, reason="work is detached from its process on Linux only")
def test_where_every_process_is_killed_only_what_was_under_way_is_repeated(server, start, whole, tmp_path):
    process = start(tmp_path)
    when_under_way(server, process, 20)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in (*children, process.pid):
        os.kill(int(pid), signal.SIGKILL)
    process.communicate()
    assert finish(start(tmp_path), tmp_path) == whole
    repeated = [path for path, times in server.asked.items() if times > 1]
    assert set(server.asked.values()) <= {1, 2} and len(repeated) <= 3 * WORKERS


def down_after(app: Counting, answers: int):
    """Requests after so many find the network down: their connection is dropped before the application hears of them."""
    taken = itertools.count(1)

    class Down(Quiet):
        def run_wsgi(self):
            if next(taken) > answers:
                self.close_connection = True
            else:
                super().run_wsgi()

    return serving(app, handler=Down)


def test_a_network_that_goes_down_stops_the_run_and_what_was_not_answered_is_asked_again(whole, proposed, tmp_path):
    app, quick = Counting(), Limits(retries=1, backoff=0.02)
    with down_after(app, 40):
        port = app.port
        with pytest.raises(bt.BioToolError, match=r"^rest\.\w+\.org gives no answer|^eutils.* gives no answer") as told:
            enumerate_served(tmp_path, port, proposed, limits=quick)
    assert re.search(r"5 calls one after another failed, the last with \w*Error: .*, then give the same command again", str(told.value))
    assert not (tmp_path / "calls.jsonl").exists()
    kept = [r["outcome"] for r in read_jsonl(next(tmp_path.glob(".calls.*.part.jsonl")))]
    assert kept.count("ok") == 40 and 4 <= kept.count("transport_error") <= 3 * (calls.UNREACHED + WORKERS)
    with serving(app, port):
        enumerate_served(tmp_path, port, proposed, limits=quick)
    assert (tmp_path / "calls.jsonl").read_bytes() == whole and set(app.asked.values()) == {1}
    assert not list(tmp_path.glob(".calls.*.part.jsonl"))


def test_single_calls_that_failed_do_not_stop_the_run_and_are_asked_again_after_its_end(whole, proposed, tmp_path):
    app, bad = Counting(), [call for call in json.loads(proposed.read_text()) if call["name"] == "lookup_by_symbol"][::4]
    refused = {urlsplit(prepare(call["name"], call["arguments"]).url).path for call in bad}

    class Flaky(Counting):
        def __call__(self, environ, start_response):
            if environ["PATH_INFO"] in refused:
                start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
                return [b"busy"]
            return super().__call__(environ, start_response)

    with serving(Flaky()) as flaky:
        first = enumerate_served(tmp_path, flaky.port, proposed, limits=Limits(retries=0))
    assert Counter(first["outcome"]) == {"ok": len(first) - len(bad), "server_error": len(bad)}
    with serving(app, flaky.port):
        enumerate_served(tmp_path, app.port, proposed)
    assert (tmp_path / "calls.jsonl").read_bytes() == whole
    assert len(app.asked) == sum(app.asked.values()) == len(bad)


def test_without_a_child_process_the_same_comes_out(server, whole, proposed, tmp_path, monkeypatch):
    monkeypatch.setattr(lanes, "DETACHED", False)
    enumerate_served(tmp_path, server.port, proposed)
    assert (tmp_path / "calls.jsonl").read_bytes() == whole and set(server.asked.values()) == {1}


def test_an_interrupt_finishes_what_is_under_way_and_the_rest_comes_later(server, start, whole, tmp_path):
    process = start(tmp_path)
    when_under_way(server, process, 20)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and said == "finishing what is under way; interrupt again to leave at once\ninterrupted\n"
    part = next(tmp_path.glob(".calls.*.part.jsonl"))
    kept, asked = len(read_jsonl(part)), sum(server.asked.values())
    assert 20 <= kept == asked < len(whole.splitlines()) and not +server.under_way
    assert finish(start(tmp_path), tmp_path) == whole and set(server.asked.values()) == {1}


def test_an_interrupted_sweep_over_the_atlas_says_how_to_go_on(tmp_path):
    process = subprocess.Popen([sys.executable, "-m", "biotool_lib.calls", "--run", str(tmp_path)], cwd=ROOT,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=hear_interrupts)
    deadline = time.monotonic() + 120
    while not any(p.stat().st_size > 20_000 for p in tmp_path.glob(".calls.*.part.jsonl")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == "finishing what is under way; interrupt again to leave at once\ninterrupted; the same command goes on from here\n"
    rows = read_jsonl(next(tmp_path.glob(".calls.*.part.jsonl")))
    assert len({r["id"] for r in rows}) == len(rows) >= 5 and not (tmp_path / "calls.jsonl").exists()


def test_work_that_breaks_is_an_error_and_what_was_done_stays(tmp_path):
    run = bt.Run(tmp_path)
    stage, items = run.stage("calls", writes=["calls.jsonl"]), [{"id": str(i)} for i in range(12)]

    def work(item):
        if item["id"] == "8":
            raise bt.InvalidParameter("work", [])
        return item

    def lane(item):
        return str(int(item["id"]) % 2)

    with pytest.raises(RuntimeError, match="InvalidParameter: work"):  # it cannot travel between processes: its text does
        run.resume(stage, items, work, lane=lane, progress=False)
    kept = {r["id"] for r in read_jsonl(run.part(stage))}
    assert {"0", "2", "4", "6"} <= kept and "8" not in kept and "10" not in kept
    asked: list[str] = []
    rows = run.resume(stage, items, lambda item: asked.append(item["id"]) or item, progress=False)
    assert rows == items and set(asked) == {i["id"] for i in items} - kept


def test_a_killed_worker_is_noticed(tmp_path):
    run = bt.Run(tmp_path)
    stage = run.stage("calls", writes=["calls.jsonl"])

    def work(item):
        os.kill(os.getpid(), signal.SIGKILL)

    if not lanes.DETACHED:
        pytest.skip("work is detached from its process on Linux only")
    with pytest.raises(bt.BioToolError, match="was killed; the same command goes on"):
        run.resume(stage, [{"id": "1"}], work, lane=str, progress=False)


def test_two_runs_of_one_stage_do_not_work_at_once(tmp_path, capfd):
    run = bt.Run(tmp_path)
    stage, items, done = run.stage("calls", writes=["calls.jsonl"]), [{"id": str(i)} for i in range(5)], []

    def slow(item):
        done.append(item["id"])
        time.sleep(0.05)
        return item

    first = threading.Thread(target=run.resume, args=(stage, items, slow), kwargs={"progress": False})
    first.start()
    while not done:
        time.sleep(0.001)
    assert run.resume(stage, items, slow, progress=False) == items
    first.join()
    assert done == [i["id"] for i in items] and "waiting for a process" in capfd.readouterr().err


def test_the_progress_bar_shows_rate_and_outcomes(tmp_path, capfd):
    run = bt.Run(tmp_path)
    items = [{"id": str(i), "outcome": "ok" if i else "empty"} for i in range(4)]
    run.resume(run.stage("calls", writes=["calls.jsonl"]), items, dict, tally="outcome", label="calls", progress=True)
    last = capfd.readouterr().err.split("\r")[-1]
    assert last.startswith("calls: 100%") and "it/s, ok 3, empty 1" in last


def test_coverage_counts_every_function_of_the_catalogue(tmp_path):
    run = bt.Run(tmp_path)
    one = {"outcome": "ok", "name": "lookup_by_symbol", "arguments": {"species": "homo_sapiens", "symbol": "BRCA1"}}
    run.write("calls.jsonl", [one, {**one, "arguments": {**one["arguments"], "expand": True}, "outcome": "not_found"}, {**one, "outcome": "empty"}])
    table = calls.coverage(run)
    assert list(table.index) == list(bt.tools())
    expected = {"database": "ensembl", "proposed": 3, "ok": 1, "empty": 1, "other": 1, "parameters_used": 3,
                "parameters": len(bt.tools()["lookup_by_symbol"].parameters)}
    assert table.loc["lookup_by_symbol"].to_dict() == expected
    assert table["proposed"].sum() == 3 and table.loc["einfo", "parameters_used"] == 0
    with pytest.raises(bt.MissingArtefact):
        calls.coverage(bt.Run(tmp_path / "empty"))


def test_coverage_by_value_says_why_a_value_has_no_call(tmp_path):
    run = bt.Run(tmp_path)
    made = [("lookup_by_symbol", {"species": "homo_sapiens", "symbol": "BRCA1", "expand": True}), ("overlap_by_id", {"id": "x", "feature": ["gene", "cds"]}),
            ("vep_by_id", {"species": "homo_sapiens", "id": "rs1"})]
    run.write("calls.jsonl", [{"outcome": "ok", "name": name, "arguments": given} for name, given in made])
    table = calls.value_coverage(run).set_index(["function", "parameter", "value"])
    assert table["reason"].isna().equals(table["calls"] > 0) and set(table.index.get_level_values(0)) == {t.name for t in bt.tools().values() if t.parameters}
    assert table.loc[("lookup_by_symbol", "expand", "True"), "calls"] == 1 and table.loc[("overlap_by_id", "feature", "cds"), "calls"] == 1
    why = table["reason"]
    assert why["overlap_by_id", "feature", "exon"] == "not proposed" and why["lookup_by_symbol", "format", "condensed"] == "unspeakable (format)"
    assert why["lookup_by_symbol", "format", "full"].startswith("unspeakable") and why["vep_by_id", "CADD", "snv"] == "recorded"
    assert why["get_keyword_by_id", "id", "any"] == "unanswered"
    kinds = calls.kinds_coverage(run)
    assert kinds["calls"].sum() == 3 and set(kinds["database"]) == {"ensembl"} and "homo_sapiens" in set(kinds["species"])


if __name__ == "__main__":
    try:
        enumerate_served(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
