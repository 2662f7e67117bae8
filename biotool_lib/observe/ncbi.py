"""Summaries of the Entrez utilities: searches, document summaries, links, database facts, citation matches.

JSON and XML answers to the same question get the same keys, so that a question does not depend on the format.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from biotool_lib.observe import Context, generic, reduce, text_summary
from biotool_lib.observe.fit import Summariser, capped, cut, kept, safely, size
from biotool_lib.observe.ncbi_blast import blast
from biotool_lib.observe.ncbi_links import elink
from biotool_lib.observe.ncbi_records import efetch
from biotool_lib.observe.ncbi_xml import at, docsum, every, plain, root_of, said_wrong, whole

IDS = 20
# What a record is called, in the order in which its fields are tried.
LABELS = (
    "title",
    "nomenclaturename",
    "name",
    "scientificname",
    "assemblyname",
    "project_title",
    "caption",
    "term",
    "snp_id",
    "fulltitle",
    "ds_meshterms",
    "protname",
    "description",
    "accession",
    "synonymlist",
    "organism",
    "expxml",
    "uid",
)
# Fields shown first, whatever the database; the others follow as far as there is room.
FIRST = (
    "error",
    "title",
    "name",
    "description",
    "nomenclaturesymbol",
    "nomenclaturename",
    "scientificname",
    "commonname",
    "organism",
    "taxid",
    "rank",
    "division",
    "chromosome",
    "maplocation",
    "chr",
    "chrpos",
    "genes",
    "spdi",
    "snp_class",
    "fxn_class",
    "clinical_significance",
    "germline_classification",
    "locus",
    "authors",
    "authorlist",
    "source",
    "fulljournalname",
    "pubdate",
    "volume",
    "issue",
    "pages",
    "articleids",
    "elocationid",
    "doi",
    "pubtype",
    "lang",
    "otheraliases",
    "otherdesignations",
    "mim",
    "summary",
    "genomicinfo",
    "caption",
    "accessionversion",
    "slen",
    "length",
    "moltype",
    "biomol",
    "assemblyaccession",
    "assemblyname",
    "assemblystatus",
    "speciesname",
    "definition",
    "semantictype",
    "oid",
    "alttitles",
    "accession",
    "docsum",
    "global_mafs",
)
SKIPPED = {
    "uid",
    "history",
    "references",
    "sortdate",
    "sorttitle",
    "chrsort",
    "chrstart",
    "snp_id_sort",
    "clinical_sort",
    "cited_sort",
    "chrpos_sort",
    "merged_sort",
    "meta",
    "conceptmeta",
    "locationhist",
    "handle",
    "ss",
    "recordstatus",
    "attributes",
    "sortpubdate",
    "text",
    "sampledata",
}


def pages(total: Any, retstart: Any, ids: list[str], **more: Any) -> dict[str, Any]:
    """The common form of a search result."""
    total = whole(total)
    return {**kept({"total": total, "retstart": whole(retstart) or None}), "ids": capped(ids, IDS, total if isinstance(total, int) else None), **kept(more)}


def esearch_json(result: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON search result: how many records match, their identifiers, how the query was understood."""
    wrong, warned = result.get("errorlist") or {}, result.get("warninglist") or {}
    return pages(
        result.get("count"),
        result.get("retstart"),
        [str(item) for item in result.get("idlist") or []],
        querytranslation=result.get("querytranslation"),
        error=result.get("ERROR") or result.get("error"),
        translations=[f"{item.get('from')} -> {item.get('to')}" for item in (result.get("translationset") or [])[:3] if isinstance(item, Mapping)],
        webenv=result.get("webenv"),
        query_key=result.get("querykey"),
        phrases_not_found=wrong.get("phrasesnotfound"),
        fields_not_found=wrong.get("fieldsnotfound"),
        phrases_ignored=warned.get("phrasesignored"),
        warnings=warned.get("outputmessages"),
    )


def esearch(data: Any, context: Context) -> dict[str, Any]:
    """The summary of a search, from JSON or XML."""
    result = data.get("esearchresult") if isinstance(data, Mapping) else None
    if isinstance(result, Mapping):
        return esearch_json(result)
    root = root_of(data)
    if root is None or root.tag != "eSearchResult":
        return said_wrong(data) or text_summary(data) if isinstance(data, str) else generic(data, context)
    return pages(
        at(root, "Count"),
        at(root, "RetStart"),
        every(root, "IdList/Id"),
        querytranslation=at(root, "QueryTranslation"),
        error=at(root, "ERROR"),
        translations=[f"{at(item, 'From')} -> {at(item, 'To')}" for item in root.findall("TranslationSet/Translation")[:3]],
        webenv=at(root, "WebEnv"),
        query_key=at(root, "QueryKey"),
        phrases_not_found=every(root, "ErrorList/PhraseNotFound"),
        fields_not_found=every(root, "ErrorList/FieldNotFound"),
        phrases_ignored=every(root, "WarningList/PhraseIgnored"),
        warnings=every(root, "WarningList/OutputMessage"),
    )


def label(record: Mapping[str, Any]) -> str | None:
    """What the record is called."""
    for key in LABELS:
        found = record.get(key)
        if isinstance(found, (str, int)) and str(found).strip():
            return f"rs{found}" if key == "snp_id" else cut(str(found), 200)
    return None


def summary_row(record: Mapping[str, Any], room: int) -> dict[str, Any]:
    """One document summary: uid, label, then its fields in order of interest as far as there is room; the rest is counted."""
    lowered = {str(key).lower(): value for key, value in record.items()}
    row: dict[str, Any] = kept({"uid": str(lowered.get("uid") or ""), "label": label(lowered)})
    order = [key for key in FIRST if key in lowered] + [key for key in lowered if key not in FIRST and key not in SKIPPED]
    left = 0
    for key in order:
        value = lowered[key]
        if value in (None, "", [], {}):
            continue
        if key == "authors" and isinstance(value, list):
            value = [author.get("name") if isinstance(author, Mapping) else author for author in value]
        value = (
            cut(value, 500)
            if isinstance(value, str)
            else capped([reduce(item) for item in value[:5]], 5, len(value))
            if isinstance(value, list)
            else reduce(value)
        )
        if size(row) + size({key: value}) <= room or key in FIRST[:8]:
            row[key] = value
        else:
            left += 1
    return {**row, "fields_not_shown": left} if left else row


def summary_page(records: list[Mapping[str, Any]], error: Any = None) -> dict[str, Any]:
    """A page of document summaries; a single one gets more room than each of several."""
    room = 3000 if len(records) == 1 else 900
    return {
        **kept({"error": error}),
        **capped([summary_row(record, room) for record in records[:5]], 5, len(records)),
        **({"uids": capped([str(record.get("uid")) for record in records], IDS)} if len(records) > 1 else {}),
    }


def esummary(data: Any, context: Context) -> dict[str, Any]:
    """The summary of document summaries, from JSON or either XML version."""
    if isinstance(data, Mapping):
        if data.get("esummaryresult"):
            return {"error": cut(" ".join(map(str, data["esummaryresult"])), 600)}
        result = data.get("result")
        if not isinstance(result, Mapping):
            return generic(data, context)
        uids = result.get("uids") or [key for key in result if key != "uids"]
        records = [result[str(uid)] for uid in uids if isinstance(result.get(str(uid)), Mapping)]
        return summary_page(records, data.get("error"))
    root = root_of(data)
    if root is None:
        return said_wrong(data) or text_summary(data) if isinstance(data, str) else generic(data, context)
    records = [docsum(item) for item in root.iter("DocSum")]
    for item in root.iter("DocumentSummary"):
        body = plain(item)
        records.append({"uid": item.get("uid"), **(body if isinstance(body, Mapping) else {"text": body})})
    errors = [text for text in every(root, "ERROR") if text] or [text for text in every(root, ".//error") if text]
    return summary_page(records, "; ".join(errors) or None) if records or errors else said_wrong(data) or text_summary(data)


def einfo(data: Any, context: Context) -> dict[str, Any]:
    """The summary of database facts: all database names, or one database's size, dates, search fields and links."""
    if isinstance(data, Mapping):
        result = data.get("einforesult") or {}
        names, about = result.get("dblist"), result.get("dbinfo")
        about = about[0] if isinstance(about, list) and about else about
        error = result.get("ERROR") or result.get("error") or data.get("ERROR") or data.get("error")
    else:
        root = root_of(data)
        if root is None or root.tag != "eInfoResult":
            return said_wrong(data) or text_summary(data) if isinstance(data, str) else generic(data, context)
        names, node, error = every(root, "DbList/DbName"), root.find("DbInfo"), at(root, "ERROR")
        about = (
            None
            if node is None
            else {
                **{child.tag.lower(): at(node, child.tag) for child in node if len(child) == 0},
                "fieldlist": [{part.tag.lower(): at(item, part.tag) for part in item} for item in node.findall("FieldList/Field")],
                "linklist": [{part.tag.lower(): at(item, part.tag) for part in item} for item in node.findall("LinkList/Link")],
            }
        )
    if error or (not names and not about):
        return {"error": error} if error else generic(data, context)
    if not about:
        return {"total": len(names or []), "databases": names or []}
    fields, links = about.get("fieldlist") or [], about.get("linklist") or []
    return kept(
        {
            **{key: about.get(key) for key in ("dbname", "menuname", "description", "dbbuild", "lastupdate", "warning")},
            "total": whole(about.get("count")),
            "fields": {"total": len(fields), "names": {str(item.get("name")): item.get("fullname") for item in fields[:60]}},
            "links": capped([str(item.get("name")) for item in links], 30),
        }
    )


def ecitmatch(data: Any, context: Context) -> dict[str, Any]:
    """The summary of matched citations: each line with its PubMed identifier or why there is none."""
    if not isinstance(data, str):
        return generic(data, context)
    lines = [line.strip() for line in re.split(r"[\r\n]+", data) if line.count("|") >= 5]
    if not lines:
        return said_wrong(data) or text_summary(data)
    rows = []
    for line in lines:
        parts = line.split("|")
        journal, year, volume, page, author, key = parts[:6]
        answer = "|".join(parts[6:]).strip("| ") or None
        rows.append(
            kept(
                {
                    "pmid": answer if answer and answer.isdigit() else None,
                    "status": None if answer and answer.isdigit() else answer or "no PMID",
                    "journal": journal,
                    "year": year,
                    "volume": volume,
                    "page": page,
                    "author": author,
                    "key": key,
                }
            )
        )
    return {"matched": sum("pmid" in row for row in rows), **capped(rows, 15)}


SUMMARIES: dict[str, Summariser] = {
    "esearch": safely(esearch),
    "esummary": safely(esummary),
    "efetch": safely(efetch),
    "elink": safely(elink),
    "einfo": safely(einfo),
    "ecitmatch": safely(ecitmatch),
    "blast": safely(blast),
    "blast_retrieve": safely(blast),
}
