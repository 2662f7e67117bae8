"""How a finished BLAST search is written: XML, JSON2 (zip or single file), text, tabular, HTML."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from biotool_lib.atlas.ncbi_blast_search import Hit, Report
from biotool_lib.atlas.ncbi_common import tag

ROUTES: list = []
REFERENCE = (
    "Stephen F. Altschul, Thomas L. Madden, Alejandro A. Schaffer, Jinghui Zhang, Zheng Zhang, Webb Miller, and David J. Lipman (1997), "
    '"Gapped BLAST and PSI-BLAST: a new generation of protein database search programs", Nucleic Acids Res. 25:3389-3402.'
)
VERSION = "ATLAS"  # no release of the real program: these alignments are the atlas's own


@dataclass(frozen=True)
class Job:
    """A submitted search."""

    rid: str
    program: str
    database: str
    query: str
    query_id: str
    title: str
    expect: float
    most: int
    form: str = "HTML"


def rounded(value: float) -> float:
    """A number with six significant digits, as BLAST prints them."""
    return float(f"{value:.6g}")


def _protein(job: Job) -> bool:
    return job.program != "blastn"


def xml(job: Job, report: Report) -> str:
    """BlastOutput XML."""
    s = report.scoring
    scores = tag("Parameters_matrix", "BLOSUM62") if _protein(job) else ""
    pair = "" if _protein(job) else tag("Parameters_sc-match", s.match) + tag("Parameters_sc-mismatch", s.mismatch)
    gaps = tag("Parameters_gap-open", s.gap_open) + tag("Parameters_gap-extend", s.gap_extend)
    parameters = scores + tag("Parameters_expect", f"{job.expect:g}") + pair + gaps + tag("Parameters_filter", "F")
    hits = "".join(_xml_hit(number, hit) for number, hit in enumerate(report.hits, 1))
    numbers = (
        ("db-num", report.sequences),
        ("db-len", report.letters),
        ("hsp-len", report.length_adjustment),
        ("eff-space", report.space),
        ("kappa", s.k),
        ("lambda", s.lam),
        ("entropy", s.h),
    )
    stat = "".join(tag(f"Statistics_{name}", value) for name, value in numbers)
    query = f"{tag('X_query-ID', job.query_id)}{tag('X_query-def', job.title or 'No definition line')}{tag('X_query-len', len(job.query))}"
    message = "" if report.hits else tag("Iteration_message", "No hits found")
    return (
        '<?xml version="1.0"?>\n<!DOCTYPE BlastOutput PUBLIC "-//NCBI//NCBI BlastOutput/EN" "http://www.ncbi.nlm.nih.gov/dtd/NCBI_BlastOutput.dtd">\n<BlastOutput>\n'
        + tag("BlastOutput_program", job.program)
        + tag("BlastOutput_version", f"{job.program.upper()} {VERSION}")
        + tag("BlastOutput_reference", REFERENCE)
        + tag("BlastOutput_db", job.database)
        + query.replace("X_", "BlastOutput_")
        + f"<BlastOutput_param><Parameters>{parameters}</Parameters></BlastOutput_param>\n<BlastOutput_iterations>\n<Iteration>"
        + tag("Iteration_iter-num", 1)
        + query.replace("X_", "Iteration_")
        + f"<Iteration_hits>\n{hits}</Iteration_hits><Iteration_stat><Statistics>{stat}</Statistics></Iteration_stat>"
        + message
        + "</Iteration>\n</BlastOutput_iterations>\n</BlastOutput>\n"
    )


def _seqid(hit: Hit) -> str:
    accession = hit.subject.accession
    return f"ref|{accession}|" if "_" in accession else f"sp|{accession}|" if hit.subject.title.startswith("RecName") else f"gb|{accession}|"


def _xml_hit(number: int, hit: Hit) -> str:
    pairs = (
        ("num", 1),
        ("bit-score", rounded(hit.bits)),
        ("score", hit.score),
        ("evalue", f"{hit.evalue:.6g}"),
        ("query-from", min(hit.query_from, hit.query_to)),
        ("query-to", max(hit.query_from, hit.query_to)),
        ("hit-from", hit.hit_from if hit.query_frame == 1 and hit.hit_frame in (1, -1) else min(hit.hit_from, hit.hit_to)),
        ("hit-to", hit.hit_to if hit.query_frame == 1 and hit.hit_frame in (1, -1) else max(hit.hit_from, hit.hit_to)),
        ("query-frame", hit.query_frame),
        ("hit-frame", hit.hit_frame),
        ("identity", hit.identity),
        ("positive", hit.positive),
        ("gaps", hit.gaps),
        ("align-len", len(hit.middle)),
        ("qseq", hit.query_row),
        ("hseq", hit.hit_row),
    )
    hsp = "".join(f"<Hsp_{name}>{escape(str(value))}</Hsp_{name}>" for name, value in pairs) + f"<Hsp_midline>{escape(hit.middle)}</Hsp_midline>"
    return (
        "<Hit>"
        + tag("Hit_num", number)
        + tag("Hit_id", _seqid(hit))
        + tag("Hit_def", hit.subject.title)
        + tag("Hit_accession", hit.subject.accession.split(".")[0])
        + tag("Hit_len", len(hit.subject.sequence))
        + f"<Hit_hsps><Hsp>{hsp}</Hsp></Hit_hsps></Hit>\n"
    )


def report_json(job: Job, report: Report) -> dict[str, Any]:
    """The `report` object of the JSON formats."""
    s = report.scoring
    params: dict[str, Any] = {"expect": job.expect}
    params |= {"matrix": "BLOSUM62"} if _protein(job) else {"sc_match": s.match, "sc_mismatch": s.mismatch}
    params |= {"gap_open": s.gap_open, "gap_extend": s.gap_extend, "filter": "F"}
    if _protein(job):
        params["cbs"] = 0
    search: dict[str, Any] = {"query_id": job.query_id}
    if job.title:
        search["query_title"] = job.title
    search |= {
        "query_len": len(job.query),
        "hits": [_json_hit(number, hit, job) for number, hit in enumerate(report.hits, 1)],
        "stat": {
            "db_num": report.sequences,
            "db_len": report.letters,
            "hsp_len": report.length_adjustment,
            "eff_space": report.space,
            "kappa": s.k,
            "lambda": s.lam,
            "entropy": s.h,
        },
    }
    if not report.hits:
        search["message"] = "No hits found"
    return {
        "program": job.program,
        "version": f"{job.program.upper()} {VERSION}",
        "reference": REFERENCE,
        "search_target": {"db": job.database},
        "params": params,
        "results": {"search": search},
    }


def _json_hit(number: int, hit: Hit, job: Job) -> dict[str, Any]:
    described: dict[str, Any] = {"id": _seqid(hit), "accession": hit.subject.accession.split(".")[0], "title": hit.subject.title}
    if hit.subject.taxon:
        described |= {"taxid": hit.subject.taxon, "sciname": hit.subject.organism}
    hsp: dict[str, Any] = {"num": 1, "bit_score": rounded(hit.bits), "score": hit.score, "evalue": rounded(hit.evalue), "identity": hit.identity}
    if _protein(job):
        hsp["positive"] = hit.positive
    hsp |= {"query_from": hit.query_from, "query_to": hit.query_to}
    if job.program == "blastn":
        hsp |= {"query_strand": "Plus", "hit_from": hit.hit_from, "hit_to": hit.hit_to, "hit_strand": "Plus" if hit.hit_frame > 0 else "Minus"}
    else:
        hsp |= {"hit_from": hit.hit_from, "hit_to": hit.hit_to}
        hsp |= {"query_frame": hit.query_frame} if hit.query_frame else {}
        hsp |= {"hit_frame": hit.hit_frame} if hit.hit_frame else {}
    hsp |= {"align_len": len(hit.middle), "gaps": hit.gaps, "qseq": hit.query_row, "hseq": hit.hit_row, "midline": hit.middle}
    return {"num": number, "description": [described], "len": len(hit.subject.sequence), "hsps": [hsp]}


def zipped(job: Job, report: Report) -> bytes:
    """JSON2: an archive with a list of files and one report per query."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (
            (f"{job.rid}.json", {"BlastJSON": [{"File": f"{job.rid}_1.json"}]}),
            (f"{job.rid}_1.json", {"BlastOutput2": {"report": report_json(job, report)}}),
        ):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), json.dumps(content, indent=1))
    return buffer.getvalue()


def tabular(job: Job, report: Report) -> str:
    """Tab-separated lines with comments, as inside the <PRE> of the web answer."""
    lines = [f"# {job.program} {VERSION}", f"# Query: {job.title or job.query_id}", f"# RID: {job.rid}", f"# Database: {job.database}"]
    if report.hits:
        lines.append(
            "# Fields: query acc.ver, subject acc.ver, % identity, alignment length, mismatches, gap opens, "
            "q. start, q. end, s. start, s. end, evalue, bit score"
            + (", % positives" if _protein(job) else "")
        )
    lines.append(f"# {len(report.hits)} hits found")
    for hit in report.hits:
        opens = sum(len([part for part in _runs(row) if part]) for row in (hit.query_row, hit.hit_row))
        cells = [
            job.query_id,
            hit.subject.accession,
            f"{100 * hit.identity / len(hit.middle):.3f}",
            len(hit.middle),
            len(hit.middle) - hit.identity - hit.gaps,
            opens,
            hit.query_from,
            hit.query_to,
            hit.hit_from,
            hit.hit_to,
            short(hit.evalue),
            f"{hit.bits:.0f}" if hit.bits >= 99.95 else f"{hit.bits:.1f}",
        ]
        lines.append("\t".join(map(str, [*cells, f"{100 * hit.positive / len(hit.middle):.2f}"] if _protein(job) else cells)))
    return "\n".join(lines) + "\n"


def _runs(row: str) -> list[str]:
    return "".join("-" if letter == "-" else " " for letter in row).split()


def short(value: float) -> str:
    """An E-value as tables show it."""
    if value < 1e-180:
        return "0.0"
    return f"{value:.0e}" if value < 0.0009 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}" if value < 1 else f"{value:.1f}"


def text(job: Job, report: Report, descriptions: int, alignments: int) -> str:
    """The pairwise text report."""
    lines = [
        f"{job.program.upper()} {VERSION}",
        "",
        f"RID: {job.rid}",
        "",
        f"Database: {job.database}",
        f"           {report.sequences:,} sequences; {report.letters:,} total letters",
        "",
        f"Query= {job.title}",
        f"Length={len(job.query)}",
        "",
    ]
    if not report.hits:
        lines.append("No significant similarity found.")
    else:
        lines += [f"{'':67}Score     E", f"{'Sequences producing significant alignments:':66}(Bits)  Value", ""]
        lines += [f"{(hit.subject.accession + ' ' + hit.subject.title)[:65]:66}{hit.bits:>6.0f}  {short(hit.evalue)}" for hit in report.hits[:descriptions]]
        lines += ["", "ALIGNMENTS"]
        for hit in report.hits[:alignments]:
            lines += _pairwise(hit, job)
    lines += ["", "Lambda      K        H", f"   {report.scoring.lam:<8} {report.scoring.k:<8} {report.scoring.h}", f"Effective search space: {report.space}"]
    return "\n".join(lines) + "\n"


def _pairwise(hit: Hit, job: Job) -> list[str]:
    size = len(hit.middle)
    lines = [
        f">{hit.subject.accession} {hit.subject.title}",
        f"Length={len(hit.subject.sequence)}",
        "",
        f" Score = {hit.bits:.1f} bits ({hit.score}),  Expect = {short(hit.evalue)}",
        f" Identities = {hit.identity}/{size} ({100 * hit.identity // size}%)"
        + (f", Positives = {hit.positive}/{size} ({100 * hit.positive // size}%)" if _protein(job) else "")
        + f", Gaps = {hit.gaps}/{size} ({100 * hit.gaps // size}%)",
        "",
    ]
    query_step, hit_step = (3 if _protein(job) and hit.query_frame else 1), (3 if _protein(job) and hit.hit_frame else 1)
    query_at, hit_at = hit.query_from, hit.hit_from
    turn, hit_turn = (1 if hit.query_to >= hit.query_from else -1), (1 if hit.hit_to >= hit.hit_from else -1)
    for start in range(0, size, 60):
        parts = [row[start : start + 60] for row in (hit.query_row, hit.middle, hit.hit_row)]
        counts = [len(parts[0].replace("-", "")) * query_step, len(parts[2].replace("-", "")) * hit_step]
        query_end, hit_end = query_at + turn * max(counts[0] - 1, 0), hit_at + hit_turn * max(counts[1] - 1, 0)
        lines += [f"Query  {query_at:<6} {parts[0]}  {query_end}", f"              {parts[1]}", f"Sbjct  {hit_at:<6} {parts[2]}  {hit_end}", ""]
        query_at, hit_at = query_at + turn * counts[0], hit_at + hit_turn * counts[1]
    return lines


def html(job: Job, report: Report, descriptions: int) -> str:
    """A small web page with the table of descriptions."""
    heads = "".join(
        f"<th>{name}</th>"
        for name in ("Description", "Scientific Name", "Max Score", "Total Score", "Query Cover", "E value", "Per. Ident", "Acc. Len", "Accession")
    )
    lines = []
    for hit in report.hits[:descriptions]:
        cover = 100 * (abs(hit.query_to - hit.query_from) + 1) / len(job.query)
        cells = (
            hit.subject.title,
            hit.subject.organism,
            f"{hit.bits:.0f}",
            f"{hit.bits:.0f}",
            f"{cover:.0f}%",
            short(hit.evalue),
            f"{100 * hit.identity / len(hit.middle):.2f}%",
            len(hit.subject.sequence),
            hit.subject.accession,
        )
        lines.append("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>")
    table = (
        f'<table id="dscTable"><thead><tr>{heads}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
        if report.hits
        else "<p>No significant similarity found.</p>"
    )
    return (
        f"<!DOCTYPE html>\n<html><head><title>NCBI Blast:{escape(job.title)}</title></head><body>\n"
        "<p><!--\nQBlastInfoBegin\n\tStatus=READY\nQBlastInfoEnd\n--></p>\n"
        f"<p>RID {job.rid}; program {job.program}; database {escape(job.database)}; query length {len(job.query)}</p>\n{table}\n</body></html>\n"
    )
