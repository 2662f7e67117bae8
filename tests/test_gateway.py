"""The gateway: three backends, and what came back decided from status and body."""

from __future__ import annotations

import gzip
import http.server
import io
import json
import threading
import zipfile

import pytest
from urllib3.util import Retry

import biotool_lib as bt
from biotool_lib.gateway import blast as blast_job
from biotool_lib.gateway.live import LiveAdapter, with_identity
from biotool_lib.gateway.outcome import judge
from biotool_lib.gateway.request import redact


def outcome(name, status, body, kind="application/json"):
    return judge(bt.tools()[name], status, {"content-type": kind}, body if isinstance(body, bytes) else json.dumps(body).encode()).outcome


@pytest.mark.parametrize(("name", "status", "body", "kind", "expected"), [
    ("lookup_by_id", 200, {"id": "ENSG1"}, "application/json", "ok"),
    ("lookup_by_id", 400, {"error": "ID 'X' not found"}, "application/json", "not_found"),
    ("lookup_by_id", 200, {"error": "ID 'X' not found"}, "application/json", "not_found"),
    ("lookup_by_id", 429, b"You have exceeded the limit", "text/plain", "rate_limited"),
    ("lookup_by_id", 503, b"<html>down</html>", "text/html", "server_error"),
    ("lookup_by_id", 200, b"<html>maintenance</html>", "text/html", "bad_body"),
    ("lookup_by_id", 200, b'{"id": "ENSG', "application/json", "bad_body"),
    ("lookup_by_id", 301, b"", "text/html", "transport_error"),
    ("get_homology_by_id", 200, {"data": []}, "application/json", "empty"),
    ("search_uniprotkb", 200, {"results": []}, "application/json", "empty"),
    ("search_uniprotkb", 400, {"url": "u", "messages": ["'x' is not a valid search field"]}, "application/json", "invalid_arguments"),
    ("get_uniprotkb_entry", 404, {"url": "u", "messages": ["Resource not found"]}, "application/json", "not_found"),
    ("esearch", 200, {"error": "API rate limit exceeded", "count": "4"}, "application/json", "rate_limited"),
    ("esearch", 200, {"esearchresult": {"ERROR": "Search Backend failed: x"}}, "application/json", "server_error"),
    ("esearch", 200, {"esearchresult": {"count": "0", "idlist": []}}, "application/json", "empty"),
    ("esearch", 200, {"esearchresult": {"count": "3", "idlist": ["1"]}}, "application/json", "ok"),
    ("efetch", 200, b"<?xml version='1.0'?><eFetchResult><ERROR>ID list is empty</ERROR></eFetchResult>", "text/xml", "invalid_arguments"),
    ("efetch", 200, b">NP_1\nMKV\n", "text/plain", "ok"),
    ("efetch", 200, b"", "text/plain", "empty"),
    ("esummary", 200, {"result": {"uids": ["9"], "9": {"uid": "9", "error": "cannot get document summary"}}}, "application/json", "not_found"),
    ("elink", 200, {"linksets": [{"dbfrom": "gene", "ids": ["1"]}]}, "application/json", "empty"),
    ("blast_retrieve", 200, b"<!--QBlastInfoBegin\n\tStatus=WAITING\nQBlastInfoEnd-->", "text/html", "pending"),
    ("blast_retrieve", 200, b"<!--QBlastInfoBegin\n\tStatus=UNKNOWN\nQBlastInfoEnd-->", "text/html", "not_found"),
    ("blast", 200, b"<!--QBlastInfoBegin\n RID = \n RTOE = \nQBlastInfoEnd-->", "text/html", "invalid_arguments"),
])
def test_outcome_is_decided_from_status_and_body(name, status, body, kind, expected):
    assert outcome(name, status, body, kind) == expected


def test_packed_bodies_are_unpacked_and_broken_ones_are_named():
    whole = gzip.compress(b'{"id": "ENSG1"}')
    assert outcome("lookup_by_id", 200, whole) == "ok"
    assert outcome("lookup_by_id", 200, whole[:-9]) == "bad_body"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("report.json", '{"BlastJSON": [{"File": "a"}]}')
    assert outcome("blast_retrieve", 200, packed.getvalue(), "application/zip") == "ok"


def test_the_cards_question_on_the_atlas():
    seen = bt.Client().call("lookup_by_symbol", {"species": "human", "symbol": "BRCA1"})
    assert (seen.outcome, seen.source, seen.status) == ("ok", "atlas", 200)
    assert seen.data["seq_region_name"] == "17" and seen.data["id"] == "ENSG00000012048"
    assert seen.data["start"] <= 43044295 and seen.data["end"] >= 43125364  # the MANE Select transcript lies within
    assert seen.summary["seq_region_name"] == "17"


def test_at_least_sixty_functions_answer_from_all_three_databases():
    client = bt.Client()
    answered = {name for name, tool in bt.tools().items() if client.call(name, tool.example).ok}
    assert len(answered) >= 60
    assert {bt.tools()[name].database for name in answered} == {"ncbi", "uniprot", "ensembl"}


@pytest.mark.parametrize(("name", "arguments"), [
    ("lookup_by_symbol", {"species": "human", "symbol": "NOTAGENE1"}), ("get_uniprotkb_entry", {"accession": "Q00000"}),
    ("get_variation", {"species": "human", "id": "rs999999999999"}),
])
def test_what_the_atlas_does_not_know_is_not_found(name, arguments):
    assert bt.Client().call(name, arguments).outcome == "not_found"


def test_a_call_never_raises_for_what_a_model_wrote():
    client = bt.Client()
    for name, arguments in [("no_such", {}), ("einfo", "x"), ("lookup_by_id", {"id": {"a": 1}}), (None, None), (["x"], {}), ("einfo", {1: 2})]:
        seen = client.call(name, arguments)
        assert seen.outcome == "invalid_arguments" and seen.error and seen.url is None


def test_wrong_options_of_a_client_are_clear_errors(tmp_path):
    with pytest.raises(bt.InvalidParameter, match="one of atlas, replay, live"):
        bt.Client("atlass")
    with pytest.raises(bt.RecordingError, match="needs recordings"):
        bt.Client("replay")
    with pytest.raises(bt.RecordingError, match="is not there"):
        bt.Client("replay", recordings=tmp_path)


def recording(folder, rows, bodies):
    for name, body in bodies.items():
        (folder / name).write_bytes(body)
    (folder / "index.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_replay_answers_what_was_recorded_and_nothing_else(tmp_path):
    url = "https://rest.ensembl.org/lookup/symbol/human/BRCA2?expand=0"
    recording(tmp_path, [
        {"url": url, "status": 200, "file": "old.json", "recorded": "2014-01", "content_type": "application/json"},
        {"url": url, "status": 200, "file": "new.json", "recorded": "2025-06", "content_type": "application/json"},
        {"url": url, "status": 503, "file": "down.html", "recorded": "2026-01"},
    ], {"old.json": b'{"id": "OLD"}', "new.json": b'{"id": "NEW"}', "down.html": b"<html></html>"})
    client = bt.Client("replay", recordings=tmp_path)
    seen = client.call("lookup_by_symbol", {"symbol": "BRCA2", "species": "homo_sapiens"})
    assert (seen.outcome, seen.source, seen.data) == ("ok", "replay", {"id": "NEW"})
    missed = client.call("lookup_by_symbol", {"symbol": "BRCA1", "species": "human"})
    assert missed.outcome == "not_recorded" and "record=" in missed.error


@pytest.mark.parametrize(("row", "says"), [
    ("not json", "line 1 is not a JSON object"), ('{"url": "x"}', "lacks file, status"),
    ('{"url": "x", "status": 200, "file": "gone.json"}', "'gone.json'"), ('{"url": "x", "status": 200, "file": "../../etc/passwd"}', "no file of"),
])
def test_an_unreadable_recording_is_one_clear_error(tmp_path, row, says):
    (tmp_path / "index.jsonl").write_text(row + "\n")
    with pytest.raises(bt.RecordingError, match=says):
        bt.Client("replay", recordings=tmp_path)


def test_a_changed_body_is_refused(tmp_path):
    recording(tmp_path, [{"url": "https://rest.ensembl.org/info/ping", "status": 200, "file": "p.json", "sha256": "0" * 64}], {"p.json": b'{"ping": 1}'})
    with pytest.raises(bt.RecordingError, match="sha256 differs"):
        bt.Client("replay", recordings=tmp_path).call("get_info_ping")


def test_recorded_traffic_replays(recorded):
    client = bt.Client("replay", recordings=recorded)
    seen = [client.call(**call) for call in client.recordings.calls]
    assert len(seen) > 2500 and not [o for o in seen if o.outcome == "not_recorded"]
    assert sum(o.outcome in ("ok", "empty") for o in seen) > 0.95 * len(seen)
    assert all(o.summary for o in seen if o.outcome == "ok")


@pytest.fixture
def server():
    """A loopback server that answers what the test put into `replies` and remembers what was asked."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append((self.path, dict(self.headers)))
            status, headers, body = self.server.replies.pop(0) if self.server.replies else (200, {}, b'{"ping": 1}')
            self.send_response(status)
            for key, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.asked, httpd.replies = [], []
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield httpd
    httpd.shutdown()
    httpd.server_close()


def live_client(server, monkeypatch, **options):
    """A live client whose requests to the services' hosts go to the loopback server."""
    client = bt.Client("live", **options)
    send = LiveAdapter.send

    def redirected(self, request, **kwargs):
        request = request.copy()
        request.url = request.url.replace("https://rest.ensembl.org", f"http://127.0.0.1:{server.server_port}")
        return send(self, request, **kwargs)

    monkeypatch.setattr(LiveAdapter, "send", redirected)
    monkeypatch.setattr(LiveAdapter.pace, "wait", lambda host: None)
    return client


def test_live_sends_what_prepare_says_and_records_it_for_replay(server, monkeypatch, tmp_path):
    client = live_client(server, monkeypatch, record=tmp_path)
    server.replies.append((200, {}, b'{"id": "ENSG00000012048", "seq_region_name": "17"}'))
    seen = client.call("lookup_by_symbol", {"species": "human", "symbol": "BRCA1"})
    path, headers = server.asked[0]
    assert (seen.outcome, seen.source) == ("ok", "live")
    assert path == "/lookup/symbol/homo_sapiens/BRCA1" and headers["Accept"] == "application/json"
    assert headers["User-Agent"].startswith("biotool-book/")
    index = (tmp_path / "index.jsonl").read_text().replace(f"http://127.0.0.1:{server.server_port}", "https://rest.ensembl.org")
    (tmp_path / "index.jsonl").write_text(index)
    again = bt.Client("replay", recordings=tmp_path).call("lookup_by_symbol", {"species": "9606", "symbol": "BRCA1"})
    assert (again.outcome, again.data) == ("ok", seen.data)


def test_live_retries_what_may_pass_and_reports_what_does_not(server, monkeypatch):
    client = live_client(server, monkeypatch)
    server.replies += [(429, {"Retry-After": "0"}, b"slow down"), (200, {}, b'{"ping": 1}')]
    assert client.call("get_info_ping").outcome == "ok" and len(server.asked) == 2
    server.replies.append((302, {"Location": "http://127.0.0.1:1/elsewhere"}, b""))
    assert client.call("get_info_ping").outcome == "transport_error" and len(server.asked) == 3


def test_a_refused_connection_is_an_outcome(monkeypatch, server):
    client = live_client(server, monkeypatch)
    client._session.get_adapter("https://").max_retries = Retry(0, read=False)
    server.shutdown()
    server.server_close()
    seen = client.call("get_info_ping")
    assert seen.outcome == "transport_error" and seen.error


def test_keys_come_from_the_environment_and_are_never_shown(monkeypatch):
    monkeypatch.setenv("NCBI_API_KEY", "s3cret")
    sent = with_identity(bt.prepare("einfo", {"db": "gene"}))
    assert "api_key=s3cret" in sent.url and "tool=biotool-book" in sent.url
    assert "s3cret" not in redact(sent.url) and "s3cret" not in redact(f"ConnectionError: {sent.url}")


def test_blast_waits_and_gives_up_at_its_ceiling(monkeypatch):
    waits: list[float] = []
    client = bt.Client(blast_ceiling=100, sleep=waits.append)
    submitted = bt.Observation("blast", {}, "ok", "atlas", data="<!--QBlastInfoBegin\n RID = ABC\n RTOE = 20\nQBlastInfoEnd-->")
    waiting = bt.Observation("blast_retrieve", {}, "pending", "atlas")
    monkeypatch.setattr(client, "exchange", lambda tool, arguments: submitted if tool.name == "blast" else waiting)
    seen = blast_job.run(client, bt.tools()["blast"], {"query": "MKV", "database": "swissprot"})
    assert seen.outcome == "pending" and "ABC" in seen.error and waits == [20.0, 60.0]
