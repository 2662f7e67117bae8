"""The gateway: three backends, and what came back decided from status and body."""

from __future__ import annotations

import gzip
import io
import json
import zipfile

import pytest

import biotool_lib as bt
from biotool_lib import errors
from biotool_lib.gateway.live import Limits
from biotool_lib.gateway.outcome import judge


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
    for option, value in [("record", tmp_path), ("refresh", True), ("limits", Limits()), ("cache", tmp_path), ("endpoints", {"rest.ensembl.org": "http://x"})]:
        with pytest.raises(bt.InvalidParameter, match=f"{option}.*only the live backend"):
            bt.Client("atlas", **{option: value})
    with pytest.raises(bt.InvalidParameter, match="map a service's host"):
        bt.Client("live", endpoints={"rest.ensembl.com": "http://127.0.0.1:1"})
    with pytest.raises(bt.InvalidParameter, match=r"limits.rates.*did you mean 'rest.ensembl.org'"):
        bt.Client("live", limits=Limits(rates={"rest.ensembl.com": (1, 1.0)}))
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


def test_the_receipt_of_a_recording_says_what_was_not_recorded(tmp_path):
    recording(tmp_path, [
        {"url": "https://rest.ensembl.org/info/ping", "status": None, "file": "p.json", "recorded": None, "headers": None},
        {"url": "https://rest.uniprot.org/uniprotkb/P04637", "status": 200, "file": "u.json", "recorded": "2025-07-01",
         "headers": {"X-UniProt-Release": "2025_03", "Server": "nginx"}},
    ], {"p.json": b'{"ping": 1}', "u.json": b'{"primaryAccession": "P04637"}'})
    client = bt.Client("replay", recordings=tmp_path)
    unsaid = client.call("get_info_ping").receipt
    assert unsaid["unknown"] == ["retrieved_at", "status", "headers"] and unsaid["from"] == "recording"
    said = client.call("get_uniprotkb_entry", {"accession": "P04637"})
    assert said.retrieved_at == "2025-07-01" and "unknown" not in said.receipt
    assert said.receipt["release"] == "2025_03" and said.receipt["headers"] == {"x-uniprot-release": "2025_03"}


def test_an_answer_of_the_atlas_has_a_receipt_that_says_so():
    seen = bt.Client().call("lookup_by_symbol", {"species": "human", "symbol": "BRCA1"})
    assert seen.receipt["from"] == "atlas" and len(seen.receipt["sha256"]) == 64 and "x-atlas" in seen.receipt["headers"]


def test_a_key_among_the_arguments_is_refused_and_not_shown():
    seen = bt.Client().call("einfo", {"db": "gene", "api_key": "s3cret-s3cret"})
    assert seen.outcome == "invalid_arguments" and "s3cret" not in repr(seen)


def test_recorded_traffic_replays(recorded):
    client = bt.Client("replay", recordings=recorded)
    seen = [client.call(**call) for call in client.recordings.calls]
    assert len(seen) > 2500 and not [o for o in seen if o.outcome == "not_recorded"]
    assert sum(o.outcome in ("ok", "empty") for o in seen) > 0.95 * len(seen)
    assert all(o.summary for o in seen if o.outcome == "ok")


def test_a_command_line_ends_with_one_line_and_a_status(capsys) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    def wrong() -> int:
        raise errors.RecordingError("no index at 'x': record one")

    assert [errors.status_of(one) for one in (lambda: 0, wrong, interrupted)] == [0, 2, 130]
    assert capsys.readouterr().err.splitlines() == ["error: no index at 'x': record one", "interrupted"]
