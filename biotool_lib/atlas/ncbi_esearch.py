"""ESearch: queries over the atlas's records, with the service's own explanation of what it searched."""

from __future__ import annotations

import datetime
import re
from xml.sax.saxutils import escape

from werkzeug import Request, Response

from biotool_lib.atlas import ncbi_common as common
from biotool_lib.atlas import ncbi_query
from biotool_lib.atlas.ncbi_common import EUTILS, HISTORY, Parameters, tag
from biotool_lib.atlas.ncbi_databases import SEARCHABLE, index
from biotool_lib.atlas.ncbi_index import Index, order
from biotool_lib.atlas.store import row, rows

_DTD = common.nlm("esearch", "20060628")
_DATES = {"pdat": "PDAT", "edat": "EDAT"}


def esearch(request: Request) -> Response:
    """The ids that match a query, or the service's error."""
    given = Parameters(request)
    db = common.database(given)
    if row("SELECT 1 FROM entrez_databases WHERE dbname = ?", db) is None:
        return _error(given, f"Invalid db name specified: {given.get('db', '')}")
    term = given.get("term", "").strip()
    if not term:
        return _error(given, "Empty term and query_key - nothing todo") if not given.get("query_key") else _answer(given, db, ncbi_query.Outcome(), [])
    if db not in SEARCHABLE:
        return _answer(given, db, _unknown(term), [])
    built = index(db)
    env = given.get("webenv", "")
    try:
        outcome = ncbi_query.search(built, term, HISTORY.sets(env), given.get("field") or None)
    except ncbi_query.BadQuery:
        return _answer(given, db, _unknown(term), [])
    found = _limited(given, built, outcome)
    earlier = HISTORY.get(env, given.whole("query_key", 0)) if given.get("query_key") else None
    if earlier:
        found &= set(earlier[1])
    return _answer(given, db, outcome, _ordered(given, built, db, term, found), _accession(db, term, found))


def _unknown(term: str) -> ncbi_query.Outcome:
    return ncbi_query.Outcome(translation=f"({term}[All Fields])", not_found=[term])


def _accession(db: str, term: str, found: set[str]) -> bool:
    """Whether a sequence search named one accession: the service then skips the query machinery."""
    return db in ("nuccore", "protein") and len(found) == 1 and re.fullmatch(r"[A-Za-z]+_?\d+(\.\d+)?", term) is not None


def _limited(given: Parameters, built: Index, outcome: ncbi_query.Outcome) -> set[str]:
    """The ids that also lie within the date limits; a record without that date is outside."""
    low, high = given.get("mindate", ""), given.get("maxdate", "")
    if given.get("reldate", "").isdigit():
        today = datetime.date.today()
        low, high = f"{today - datetime.timedelta(days=int(given['reldate'])):%Y/%m/%d}", f"{today:%Y/%m/%d}"
    if not (low and high):
        return outcome.found
    kind = given.get("datetype", "pdat").lower()
    name = _DATES.get(kind, "")
    inside = built.between(name, low, high) if name in built.fields else set()
    label = f"{low}[{kind.upper()}] : {high}[{kind.upper()}]"
    if built.quoted_style:
        label = f"{low}:{high}[{kind}]"
    spoken = outcome.translation
    enclosed = not re.search(r" (AND|OR|NOT) ", re.sub(r"\([^()]*\)", "", spoken))
    outcome.translation = f"{spoken} AND {label}" if enclosed else f"({spoken}) AND {label}"
    return outcome.found & inside


def _ordered(given: Parameters, built: Index, db: str, term: str, found: set[str]) -> list[str]:
    sort = given.get("sort", "").lower().replace("+", " ").replace("_", " ")
    ids = order(built, found)
    if db == "pubmed" and sort in ("author", "first author"):
        names = {str(one["pmid"]): (one["first_author"] or "~").lower() for one in rows("SELECT pmid, first_author FROM pubmed")}
        return sorted(ids, key=names.__getitem__)
    if db == "pubmed" and sort in ("journalname", "journal"):
        names = {str(one["pmid"]): (one["source_name"] or "~").lower() for one in rows("SELECT pmid, source_name FROM pubmed")}
        return sorted(ids, key=names.__getitem__)
    if db == "gene" and sort in ("name", "symbol"):
        return sorted(ids, key=lambda uid: (built.texts[uid].get("PREF") or ["~"])[0].lower())
    if db == "gene":  # relevance: a record that bears the very symbol comes first
        asked = {word.strip('"').lower() for word in re.findall(r"[^\s\[\]()]+", term)}
        return sorted(ids, key=lambda uid: (built.texts[uid].get("PREF") or [""])[0].lower() not in asked)
    return ids


def _error(given: Parameters, message: str) -> Response:
    if given.json():
        return common.json_answer("esearch", {"esearchresult": {"ERROR": message}})
    return common.xml_answer("eSearchResult", _DTD, tag("ERROR", message))


def _answer(given: Parameters, db: str, outcome: ncbi_query.Outcome, ids: list[str], direct: bool = False) -> Response:
    start, most = max(given.whole("retstart", 0), 0), given.whole("retmax", 20)
    if db == "pubmed" and start > 9998:
        return _error(
            given,
            "Search Backend failed: Exception:\n'retstart' cannot be larger than 9998. For PubMed, ESearch can only retrieve the first 9,999 records "
            "matching the query. To obtain more than 9,999 PubMed records, consider using EDirect that contains additional logic to batch PubMed "
            "search results automatically so that an arbitrary number can be retrieved. For details see https://www.ncbi.nlm.nih.gov/books/NBK25499/",
        )
    if given.get("rettype", "").lower() == "count":
        if given.json():
            return common.json_answer("esearch", {"esearchresult": {"count": str(len(ids))}})
        return common.xml_answer("eSearchResult", _DTD, tag("Count", len(ids)))
    page = ids[start : start + min(max(most, 0), 100_000)]
    body: dict = {"count": str(len(ids)), "retmax": str(len(page)), "retstart": str(start)}
    if given.get("usehistory", "").lower() == "y":
        env, key = HISTORY.keep(db, ids, given.get("webenv"), given.get("term", ""))
        body |= {"querykey": str(key), "webenv": env}
    body |= {"idlist": page, "translationset": outcome.translated}
    if direct:
        body["querytranslation"] = ""
    else:
        missing = outcome.not_found or outcome.fields_not_found
        if outcome.stack and ids and db != "pubmed":
            body["translationstack"] = outcome.stack
        body["querytranslation"] = outcome.translation if ids or db == "pubmed" or outcome.translation.startswith("(") else _nothing(outcome.translation)
        if missing:
            body["errorlist"] = {"phrasesnotfound": outcome.not_found, "fieldsnotfound": outcome.fields_not_found}
        if not ids or outcome.ignored or outcome.quoted_not_found:
            body["warninglist"] = {
                "phrasesignored": outcome.ignored,
                "quotedphrasesnotfound": outcome.quoted_not_found,
                "outputmessages": [] if ids else ["No items found."],
            }
    if given.json():
        return common.json_answer("esearch", {"esearchresult": body})
    return common.xml_answer("eSearchResult", _DTD, _xml(body))


def _nothing(translation: str) -> str:
    """A lone term that found nothing is shown in parentheses."""
    return translation if " AND " in translation or " OR " in translation or " NOT " in translation else f"({translation})"


def _xml(body: dict) -> str:
    parts = [tag("Count", body["count"]), tag("RetMax", body["retmax"]), tag("RetStart", body["retstart"])]
    if "webenv" in body:
        parts += [tag("QueryKey", body["querykey"]), tag("WebEnv", body["webenv"])]
    parts.append("<IdList>\n" + "".join(tag("Id", one) + "\n" for one in body["idlist"]) + "</IdList>" if body["idlist"] else "<IdList/>")
    moved = "".join(f"<Translation>{tag('From', one['from'])}{tag('To', one['to'])}</Translation>" for one in body["translationset"])
    parts.append(f"<TranslationSet>{moved}</TranslationSet>" if moved else "<TranslationSet/>")
    if "translationstack" in body:
        stack = "".join(
            tag("OP", one)
            if isinstance(one, str)
            else f"<TermSet>{tag('Term', one['term'])}{tag('Field', one['field'])}{tag('Count', one['count'])}{tag('Explode', one['explode'])}</TermSet>"
            for one in body["translationstack"]
        )
        parts.append(f"<TranslationStack>{stack}</TranslationStack>")
    parts.append(f"<QueryTranslation>{escape(body['querytranslation'])}</QueryTranslation>" if body["querytranslation"] else "<QueryTranslation/>")
    errors, warnings = body.get("errorlist"), body.get("warninglist")
    if errors:
        parts.append(
            "<ErrorList>"
            + "".join(tag("PhraseNotFound", one) for one in errors["phrasesnotfound"])
            + "".join(tag("FieldNotFound", one) for one in errors["fieldsnotfound"])
            + "</ErrorList>"
        )
    if warnings:
        parts.append(
            "<WarningList>"
            + "".join(tag("PhraseIgnored", one) for one in warnings["phrasesignored"])
            + "".join(tag("QuotedPhraseNotFound", one) for one in warnings["quotedphrasesnotfound"])
            + "".join(tag("OutputMessage", one) for one in warnings["outputmessages"])
            + "</WarningList>"
        )
    return "".join(parts)


ROUTES = [(EUTILS + "esearch.fcgi", esearch)]
