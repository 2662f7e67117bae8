"""The BLAST URL service: submit a search (CMD=Put), ask for its state, fetch its report (CMD=Get).

Refusals: message 29 is recorded; 24 and 32 are quoted in Biopython's Bio.Blast, 36 by users of it; what stands behind 24 and 36
are the sentences of the NCBI C++ toolkit (blast_fasta_input.cpp, blast_stat.c). Where no sentence is known, the page has none.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from html import escape

from werkzeug import Request, Response

from biotool_lib.atlas import ncbi_blast_formats as formats
from biotool_lib.atlas import ncbi_blast_search as engine
from biotool_lib.atlas import ncbi_records as records
from biotool_lib.atlas.ncbi_blast_formats import Job
from biotool_lib.atlas.ncbi_common import Parameters

_ALPHABET = "0123456789ABCDEFGHJKMNPRSTUVWXYZ"
_MOST_LETTERS = {"protein": 3_000, "dna": 10_000}


class Desk:
    """The searches that were submitted to this process, and their reports."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._reports: dict[str, engine.Report] = {}
        self._running: set[str] = set()
        self._lock = threading.Lock()

    def put(self, job: Job) -> None:
        """Take a search in."""
        with self._lock:
            self._jobs[job.rid] = job

    def state(self, rid: str) -> str:
        """READY, WAITING while another request computes it, or UNKNOWN."""
        with self._lock:
            return "UNKNOWN" if rid not in self._jobs else "WAITING" if rid in self._running else "READY"

    def report(self, rid: str) -> tuple[Job, engine.Report]:
        """The report of a known search; computed when it is first asked for."""
        with self._lock:
            job, known = self._jobs[rid], self._reports.get(rid)
            if known:
                return job, known
            self._running.add(rid)
        try:
            made = engine.run(job.program, job.database, job.query, job.expect, job.most)
        finally:
            with self._lock:
                self._running.discard(rid)
        with self._lock:
            self._reports[rid] = made
        return job, made


DESK = Desk()


def blast(request: Request) -> Response:
    """One request of the URL service."""
    given = Parameters(request)
    command = given.get("cmd", "").lower()
    if command == "put":
        return _put(given)
    if command == "get":
        return _get(given)
    return _page("<p>NCBI BLAST</p>")


def _page(body: str) -> Response:
    return Response(f"<!DOCTYPE html>\n<html><head><title>NCBI Blast</title></head><body>\n{body}\n</body></html>\n", content_type="text/html; charset=UTF-8")


def _refused(message: str = "") -> Response:
    """Bad input: HTTP 200, both fields of the comment empty, the message in the page if there is one."""
    shown = f'<ul id="msgR" class="msg"><li class="error"><p class="error">{escape(message)}</p></li></ul>\n' if message else ""
    return _page(f"{shown}<!--QBlastInfoBegin\n    RID =\n    RTOE =\nQBlastInfoEnd\n-->")


def _put(given: Parameters) -> Response:
    program = given.get("program", "blastn").lower() or "blastn"
    database = given.get("database", "").strip()
    if not given.get("query", "").strip():
        return _refused("Message ID#29 Error: Query string not found in the CGI context")
    if program not in engine.PROGRAMS or not engine.known_database(program, database):
        return _refused()
    problem = _unsupported(given, program)
    if problem:
        return _refused(f"Message ID#36 Error: Cannot validate the Blast options: {problem}")
    query = _query(given["query"], engine.PROGRAMS[program][0])
    if isinstance(query, str):
        return _refused(query)
    identifier, title, sequence = query
    expect, most = _number(given.get("expect"), 10.0), int(_number(given.get("hitlist_size"), 100))
    seed = f"{program}\n{database}\n{sequence}\n{title}\n{expect}\n{most}"
    digest = int(hashlib.sha1(seed.encode()).hexdigest(), 16)
    rid = "".join(_ALPHABET[digest >> shift & 31] for shift in range(0, 40, 5)) + "013"
    DESK.put(Job(rid, program, database, sequence, identifier, title, expect, max(most, 1), given.get("format_type", "")))
    return _page(f"<p>Your search is queued. Request ID <b>{rid}</b></p>\n<!--QBlastInfoBegin\n    RID = {rid}\n    RTOE = 1\nQBlastInfoEnd\n-->")


def _unsupported(given: Parameters, program: str) -> str | None:
    """Settings that would change the scores and that the atlas does not have, refused as the service refuses its own."""
    costs = "5 2" if program == "blastn" else "11 1"
    matrix = (given.get("matrix") or given.get("matrix_name") or "BLOSUM62").upper()
    asked = (given.get("gapcosts") or costs).split()
    if program == "blastn":
        known, scores = asked == costs.split(), "are not supported for substitution scores 2 and -3"
        return None if known else f"Gap existence and extension values {' and '.join(asked)} {scores}"
    known = matrix == "BLOSUM62" and asked == costs.split()
    return None if known else f"Gap existence and extension values of {' and '.join(asked)} not supported for {matrix}"


def _number(text: str | None, default: float) -> float:
    try:
        return float(text) if text else default
    except ValueError:
        return default


def _query(text: str, kind: str) -> tuple[str, str, str] | str:
    """The query as (id, definition, letters): FASTA, bare letters, or an accession of the atlas; else the service's refusal."""
    unread = "Message ID#24 Error: Failed to read the Blast query: "
    text = text.strip()
    head, _, rest = text.partition("\n") if text.startswith(">") else ("", "", text)
    letters = re.sub(r"[\s\d]+", "", rest) if head or not re.fullmatch(r"\S*\d\S*", text) else ""
    if head and not letters:
        return "Message ID#32 Error: Query contains no data: Query contains no sequence data"
    if not letters:
        db = "protein" if kind == "protein" else "nuccore"
        found = records.fetch(db, text.split("|")[1] if text.count("|") >= 2 else text)
        if found is None or not found["sequence"]:
            return f"{unread}Sequence ID not found: '{text}'"
        return (found["accession"], found["title"] or "", found["sequence"]) if len(found["sequence"]) <= _MOST_LETTERS[kind] else ""
    looks_dna = len(re.sub(r"[^ACGTUN]", "", letters.upper())) >= 0.9 * len(letters)
    allowed = r"[A-Za-z*-]+" if kind == "protein" else r"[ACGTUNRYSWKMBDHVacgtunryswkmbdhv-]+"
    if not re.fullmatch(allowed, letters) or ((kind == "dna") != looks_dna and len(letters) > 10):
        return unread + ("Protein FASTA provided for nucleotide sequence" if kind == "dna" else "Nucleotide FASTA provided for protein sequence")
    if len(letters) > _MOST_LETTERS[kind]:
        return ""
    name = hashlib.sha1(letters.encode()).hexdigest()
    return (
        f"Query_{int(name[:6], 16) % 100_000}",
        head[1:].strip(),
        letters.upper().replace("-", "").replace("U", "T") if kind == "dna" else letters.upper().replace("-", ""),
    )


def _get(given: Parameters) -> Response:
    rid = given.get("rid", "").strip()
    state = DESK.state(rid)
    if state != "READY":
        lost = f'<hr><p id="blastErr"><font color="red">Results for RID {escape(rid)} not found.</font></p><hr>\n' if state == "UNKNOWN" else ""
        return _page(f"{lost}<p><!--\nQBlastInfoBegin\n\tStatus={state}\nQBlastInfoEnd\n--></p>")
    job, report = DESK.report(rid)
    if given.get("format_object", "").lower() == "searchinfo":
        some = "yes" if report.hits else "no"
        return _page(f"<p><!--\nQBlastInfoBegin\n\tStatus=READY\nQBlastInfoEnd\n--></p>\n<!--\nQBlastInfoBegin\n\tThereAreHits={some}\nQBlastInfoEnd\n--><p>")
    kind = (given.get("format_type") or job.form or "HTML").upper()
    shown, aligned = int(_number(given.get("descriptions"), 100)), int(_number(given.get("alignments"), 100))
    ready = "<p><!--\nQBlastInfoBegin\n\tStatus=READY\nQBlastInfoEnd\n--><p>\n<PRE>\n"
    if kind == "XML":
        return Response(formats.xml(job, report), content_type="text/xml")
    if kind == "JSON2":
        return Response(formats.zipped(job, report), content_type="application/zip", headers={"Content-Disposition": f"attachment; filename={rid}.zip"})
    if kind == "JSON2_S":
        return Response(json.dumps({"BlastOutput2": [{"report": formats.report_json(job, report)}]}, indent=1), content_type="application/json")
    if kind == "TABULAR" or given.get("alignment_view", "").lower() == "tabular":
        return Response(f"{ready}{escape(formats.tabular(job, report), False)}</PRE>\n", content_type="text/html; charset=UTF-8")
    if kind == "TEXT":
        return Response(f"{ready}{escape(formats.text(job, report, shown, aligned), False)}</PRE>\n", content_type="text/html; charset=UTF-8")
    return Response(formats.html(job, report, shown), content_type="text/html; charset=UTF-8")


ROUTES = [("/Blast.cgi", blast), ("/blast/Blast.cgi", blast)]
