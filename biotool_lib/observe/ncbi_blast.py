"""Summaries of BLAST: the ticket of a submission, its state, and reports as JSON2, XML, text, table or HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element

from biotool_lib.observe import Context, generic, text_summary
from biotool_lib.observe.fit import capped, cut, dig, kept
from biotool_lib.observe.ncbi_xml import at, looks_like_xml, number, parse

HITS = 8
_INFO = re.compile(r"QBlastInfoBegin(.{0,1000}?)QBlastInfoEnd", re.S)
_PAIR = re.compile(r"^\s*(RID|RTOE|Status|ThereAreHits)\s*=[ \t]*(\S*)\s*$", re.M)
_SCORED = re.compile(r"^(?P<title>\S.*?)\s{2,}(?P<score>[\d.]+)\s+(?P<evalue>\d[\d.e+-]*|e-\d+)(?:\s+(?P<ident>\d+)%)?\s*$")
_WIDE = re.compile(
    r"^(?P<title>\S.*?)\s{2,}(?P<max>[\d.]+)\s+(?P<total>[\d.]+)\s+(?P<cover>\d+)%\s+(?P<evalue>[\d.e+-]+)\s+(?P<ident>[\d.]+)%?\s+(?P<length>\d+)\s+(?P<accession>\S+)\s*$"
)
_NUMBER = ("evalue", "bit_score", "identity", "align_len", "gaps", "query_from", "query_to", "hit_from", "hit_to")


def info(text: str) -> dict[str, Any]:
    """What the QBlastInfo comments say: rid, rtoe (estimated seconds), status, whether there are hits."""
    pairs = {key: value for block in _INFO.findall(text) for key, value in _PAIR.findall(block)}
    rtoe = pairs.get("RTOE", "")
    return kept(
        {
            "rid": pairs.get("RID"),
            "rtoe_seconds": int(rtoe) if rtoe.isdigit() else None,
            "status": pairs.get("Status"),
            "there_are_hits": {"yes": True, "no": False}.get(pairs.get("ThereAreHits", "")),
        }
    )


def report(fields: Mapping[str, Any], hits: list[dict[str, Any]], total: int | None = None, **more: Any) -> dict[str, Any]:
    """A report in the one form that all formats get: what was searched with what, and the hits."""
    return {
        **kept(fields),
        **kept(more),
        "total": len(hits) if total is None else total,
        "total_counts": "hits in this report",
        "shown": min(len(hits), HITS),
        "items": hits[:HITS],
    }


def best(hsp: Mapping[str, Any], query_length: Any) -> dict[str, Any]:
    """The numbers of a hit's best alignment, with percent identity and query cover worked out from them."""
    line = {key: number(hsp.get(key)) for key in _NUMBER if hsp.get(key) is not None}
    length, same = line.get("align_len"), line.get("identity")
    if isinstance(length, int) and isinstance(same, int) and length:
        line["percent_identity"] = round(100 * same / length, 2)
    start, stop, full = line.get("query_from"), line.get("query_to"), number(query_length)
    if isinstance(start, int) and isinstance(stop, int) and isinstance(full, int) and full:
        line["query_cover"] = round(100 * (abs(stop - start) + 1) / full)
    return line


def from_json(data: Any) -> dict[str, Any] | None:
    """The summary of a JSON2 report (a single one or the first of several), or None if it is none."""
    outputs = data.get("BlastOutput2") if isinstance(data, Mapping) else None
    outputs = outputs if isinstance(outputs, list) else [outputs]
    reports = [found for found in (dig(item, "report") for item in outputs) if found]
    if not reports:
        return None
    first = reports[0]
    search = dig(first, "results", "search") or dig(first, "results", "iterations", 0, "search") or dig(first, "results", "bl2seq", 0) or {}
    hits = []
    for hit in search.get("hits") or []:
        named = dig(hit, "description", 0) or {}
        hsps = [{**hsp, "bit_score": hsp.get("bit_score")} for hsp in hit.get("hsps") or []]
        hits.append(
            kept(
                {
                    "accession": named.get("accession"),
                    "title": cut(named.get("title") or "", 160),
                    "taxid": named.get("taxid"),
                    "organism": named.get("sciname"),
                    "length": hit.get("len"),
                    "alignments": len(hsps),
                    **(best(hsps[0], search.get("query_len")) if hsps else {}),
                }
            )
        )
    fields = {
        "program": first.get("program"),
        "database": dig(first, "search_target", "db"),
        "query": search.get("query_title") or search.get("query_id"),
        "query_length": search.get("query_len"),
        "message": search.get("message"),
        "reports": len(reports) if len(reports) > 1 else None,
    }
    return report(fields, hits, sequences_searched=dig(search, "stat", "db_num"))


def from_xml(root: Element) -> dict[str, Any] | None:
    """The summary of an XML or XML2 report, or None if the root is another."""
    if root.tag == "BlastOutput":
        return _old_xml(root)
    search = next(root.iter("Search"), None)
    if search is None:
        return None
    length = at(search, "query-len")
    hits = []
    for hit in search.findall("hits/Hit"):
        named, hsps = hit.find("description/HitDescr"), hit.findall("hsps/Hsp")
        line = {key: at(hsps[0], key.replace("_", "-")) for key in _NUMBER} if hsps else {}
        hits.append(
            kept(
                {
                    "accession": at(named, "accession"),
                    "title": cut(at(named, "title") or "", 160),
                    "taxid": number(at(named, "taxid")),
                    "organism": at(named, "sciname"),
                    "length": number(at(hit, "len")),
                    "alignments": len(hsps),
                    **best(line, length),
                }
            )
        )
    found = next(root.iter("Report"), root)
    fields = {
        "program": at(found, "program"),
        "database": at(found, "search-target/Target/db"),
        "query": at(search, "query-title") or at(search, "query-id"),
        "query_length": number(length),
        "message": at(search, "message"),
    }
    return report(fields, hits, sequences_searched=number(at(search, "stat/Statistics/db-num")))


def _old_xml(root: Element) -> dict[str, Any]:
    rounds = root.findall("BlastOutput_iterations/Iteration")
    names = {
        "evalue": "Hsp_evalue",
        "bit_score": "Hsp_bit-score",
        "identity": "Hsp_identity",
        "align_len": "Hsp_align-len",
        "gaps": "Hsp_gaps",
        "query_from": "Hsp_query-from",
        "query_to": "Hsp_query-to",
        "hit_from": "Hsp_hit-from",
        "hit_to": "Hsp_hit-to",
    }
    length, hits = at(root, "BlastOutput_query-len"), []
    for hit in rounds[0].findall("Iteration_hits/Hit") if rounds else []:
        hsps = hit.findall("Hit_hsps/Hsp")
        line = {key: at(hsps[0], name) for key, name in names.items()} if hsps else {}
        hits.append(
            kept(
                {
                    "accession": at(hit, "Hit_accession"),
                    "title": cut(at(hit, "Hit_def") or "", 160),
                    "length": number(at(hit, "Hit_len")),
                    "alignments": len(hsps),
                    **best(line, length),
                }
            )
        )
    message = next((text for text in (at(item, "Iteration_message") for item in rounds) if text), None)
    fields = {
        "program": at(root, "BlastOutput_program"),
        "database": at(root, "BlastOutput_db"),
        "query": at(root, "BlastOutput_query-def"),
        "query_length": number(length),
        "message": message,
        "rounds": len(rounds) if len(rounds) > 1 else None,
    }
    return report(fields, hits, sequences_searched=number(at(rounds[0], "Iteration_stat/Statistics/Statistics_db-num")) if rounds else None)


def from_table(text: str) -> dict[str, Any] | None:
    """The summary of a tabular report (# comment lines, then columns), or None if it has no such lines."""
    lines = text.split("\n")
    heads = [line[2:] for line in lines if line.startswith("# ")]
    columns = next((head.partition(":")[2].strip().split(", ") for head in heads if head.startswith("Fields:")), None)
    rows = [line.split("\t") for line in lines if "\t" in line and not line.startswith("#")]
    if columns is None and not any(head.endswith("hits found") for head in heads):
        return None
    said = {key: next((head.partition(":")[2].strip() for head in heads if head.startswith(f"{key}:")), None) for key in ("Query", "Database", "RID")}
    hits = [kept(dict(zip(columns or [], map(number, row), strict=False))) for row in rows]
    return report({"format": "table", "program": heads[0] if heads else None, "query": said["Query"], "database": said["Database"], "rid": said["RID"]}, hits)


def from_text(text: str) -> dict[str, Any]:
    """The summary of a pairwise text report: the lines that describe hits, and what was searched."""
    plain = html.unescape(re.sub(r"</?(?:PRE|a|b|br)\b[^>]*>", "", text, flags=re.I))
    plain = re.sub(r"<!--.*?-->", "", plain, flags=re.S)
    lines = plain.split("\n")
    start = next((number_ for number_, line in enumerate(lines) if line.startswith("Sequences producing")), None)
    hits = []
    for line in lines[start + 1 :] if start is not None else []:
        if line.startswith((">", "ALIGNMENTS", "Alignments")):
            break
        wide, scored = _WIDE.match(line), _SCORED.match(line)
        if wide:
            parts = re.split(r"\s{2,}", wide["title"])
            hits.append(
                kept(
                    {
                        "accession": wide["accession"],
                        "title": parts[0],
                        "organism": parts[1] if len(parts) > 2 else None,
                        "max_score": number(wide["max"]),
                        "query_cover": int(wide["cover"]),
                        "evalue": number(wide["evalue"]),
                        "percent_identity": number(wide["ident"]),
                        "length": int(wide["length"]),
                    }
                )
            )
        elif scored:
            first, _, rest = scored["title"].partition(" ")
            hits.append(
                kept(
                    {
                        "accession": first,
                        "title": rest.strip(),
                        "bit_score": number(scored["score"]),
                        "evalue": number(scored["evalue"]),
                        "percent_identity": number(scored["ident"]) if scored["ident"] else None,
                    }
                )
            )

    def said(pattern: str) -> str | None:
        found = re.search(pattern, plain, re.M)
        return found.group(1).strip() or None if found else None

    fields = {
        "format": "text",
        **info(text),
        "program": said(r"^(T?BLAST\w+ [\d.+]+|Program: .*)$"),
        "rid": said(r"^RID: *(\S+)"),
        "database": said(r"^ *Database: *(.+)$"),
        "query": said(r"^Query(?:=| #\d+:) *(.*)$"),
        "query_length": number(said(r"^ *Length ?= ?(\d+)") or said(r"^Query #1:.*Length: (\d+)")),
        "message": "No significant similarity found." if "No significant similarity found" in plain else None,
    }
    return report(fields, hits)


def message_of(page: str) -> str | None:
    """The message of an HTML error page, or None."""
    found = re.search(r'(?s)<(?:ul|p|div)[^>]*(?:id|class)="(?:msgR|blastErr|error[^"]*)"[^>]*>(.*?)</(?:ul|p|div)>', page)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found.group(1))).strip() if found else ""
    return html.unescape(text)[:300] or None


def from_html(page: str) -> dict[str, Any]:
    """The summary of an HTML page: a submission's ticket, a waiting page, an error, or a report's table of hits."""
    hits = []
    for row in re.findall(r'(?s)<tr[^>]*id="dtr_[^"]*"[^>]*>(.*?)</tr>', page):
        cells = [html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", cell))).strip() for cell in re.findall(r"(?s)<td[^>]*>(.*?)</td>", row)]
        hits.append({"cells": [cell for cell in cells if cell][:12]})
    title = re.search(r"(?s)<title>(.*?)</title>", page)
    fields = {"format": "html", **info(page), "message": message_of(page), "title": title.group(1).strip() if title else None}
    return report(fields, hits) if hits else {**kept(fields), "characters": len(page)}


def blast(data: Any, context: Context) -> dict[str, Any]:
    """The summary of whatever a BLAST call brought back."""
    if not isinstance(data, str):
        found = from_json(data)
        return generic(data, context) if found is None else found
    if looks_like_xml(data):
        root = parse(data)
        found = None if root is None else from_xml(root)
        if found:
            return found
    table = from_table(data)
    if table:
        return table
    if re.search(r"^(?:Sequences producing|T?BLAST\w+ \d|Program: T?BLAST)|No significant similarity found", data, re.M):
        return from_text(data)
    if "<html" in data[:3000].lower() or "QBlastInfo" in data:
        return from_html(data)
    if data.startswith("@HD") or data.startswith("@SQ"):
        return {"format": "sam", **capped([line.split("\t")[2] for line in data.split("\n") if "\t" in line and not line.startswith("@")])}
    return text_summary(data)
