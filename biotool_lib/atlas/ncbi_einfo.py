"""EInfo: which databases there are, and the fields and links of one; and ECitMatch: citations to PMIDs."""

from __future__ import annotations

import re

from werkzeug import Request, Response

from biotool_lib.atlas import ncbi_common as common
from biotool_lib.atlas.ncbi_common import EUTILS, Parameters, tag
from biotool_lib.atlas.store import row, rows

_DTD = common.nlm("einfo", "20190110")
_INFO = (
    ("dbname", "DbName"),
    ("menuname", "MenuName"),
    ("description", "Description"),
    ("dbbuild", "DbBuild"),
    ("count", "Count"),
    ("lastupdate", "LastUpdate"),
)
_FIELD = (
    ("name", "Name"),
    ("fullname", "FullName"),
    ("description", "Description"),
    ("termcount", "TermCount"),
    ("isdate", "IsDate"),
    ("isnumerical", "IsNumerical"),
    ("singletoken", "SingleToken"),
    ("hierarchy", "Hierarchy"),
    ("ishidden", "IsHidden"),
)
_FIELD_2 = (*_FIELD, ("istruncatable", "IsTruncatable"), ("israngable", "IsRangable"))
_LINK = (("name", "Name"), ("menu", "Menu"), ("description", "Description"), ("dbto", "DbTo"))


def einfo(request: Request) -> Response:
    """The list of databases, or the description of one."""
    given = Parameters(request)
    name = given.get("db", "").strip().lower()
    if not name:
        names = [one["dbname"] for one in rows("SELECT dbname FROM entrez_databases ORDER BY rank")]
        if given.json():
            return common.json_answer("einfo", {"einforesult": {"dblist": names}})
        return common.xml_answer("eInfoResult", _DTD, "<DbList>" + "".join(tag("DbName", one) for one in names) + "</DbList>")
    found = row("SELECT * FROM entrez_databases WHERE dbname = ?", name)
    if found is None:
        message = f"Can not retrieve DbInfo for db={name}"
        if given.json():
            return common.json_answer("einfo", {"einforesult": {"dbinfo": [], "ERROR": message}})
        return common.xml_answer("eInfoResult", _DTD, tag("ERROR", message))
    columns = _FIELD_2 if given.get("version") == "2.0" else _FIELD
    fields = rows("SELECT * FROM entrez_fields WHERE db = ? ORDER BY rank", name)
    links = rows("SELECT * FROM entrez_links WHERE db = ? ORDER BY rank", name)
    if given.json():
        info = {key: found[key] or "" for key, _ in _INFO if found[key] is not None}
        info["fieldlist"] = [{key: one[key] or "" for key, _ in columns if one[key] is not None or key == "termcount"} for one in fields]
        info["linklist"] = [{key: one[key] or "" for key, _ in _LINK} for one in links]
        return common.json_answer("einfo", {"einforesult": {"dbinfo": [info]}})
    inner = "".join(tag(xml, found[key]) for key, xml in _INFO if found[key] is not None)
    listed = "".join(
        "<Field>" + "".join(tag(xml, one[key]) for key, xml in columns if one[key] is not None or key == "termcount") + "</Field>" for one in fields
    )
    linked = "".join("<Link>" + "".join(tag(xml, one[key]) for key, xml in _LINK) + "</Link>" for one in links)
    return common.xml_answer("eInfoResult", _DTD, f"<DbInfo>{inner}<FieldList>{listed}</FieldList><LinkList>{linked}</LinkList></DbInfo>")


def ecitmatch(request: Request) -> Response:
    """Each citation line again with its PMID at the end, or the service's word for none."""
    given = Parameters(request)
    lines = [line for line in re.split(r"[\r\n]+", given.get("bdata", "").replace("%0D", "\n").replace("%0A", "\n")) if line.strip()]
    return common.text_answer("".join(f"{line.strip()}{'' if line.strip().endswith('|') else '|'}{_matched(line)}\n" for line in lines))


def _matched(line: str) -> str:
    """The PMID, or the service's word: a miss and its reason, or how many papers fit (all quoted in the tests of clients, e.g. metapub's)."""
    journal, year, volume, page, author, _ = ([part.strip() for part in line.split("|")] + [""] * 6)[:6]
    if not journal and not (volume and page):
        return "NOT_FOUND"
    found = rows(
        "SELECT pmid, pub_date, volume, pages, first_author, authors FROM pubmed WHERE ? = '' OR lower(source_name) = ? OR lower(journal) = ? OR issn = ?",
        journal,
        _plain(journal),
        journal.lower(),
        journal,
    )
    if not found:
        return "NOT_FOUND;INVALID_JOURNAL"
    surname = author.lower().replace(",", "").split()
    kept = [
        one
        for one in found
        if (not year or (one["pub_date"] or "").startswith(year))
        and (not volume or one["volume"] == volume)
        and (not page or (one["pages"] or "").split("-")[0].lower() == page.lower())
        and (not surname or _has_author(one, surname))
    ]
    if not kept:
        return "NOT_FOUND"
    return str(kept[0]["pmid"]) if len(kept) == 1 else f"AMBIGUOUS ({len(kept)} citations)"


def _has_author(paper, wanted: list[str]) -> bool:
    names = [one.lower() for one in ((paper["authors"] or "").split("|") if paper["authors"] else [paper["first_author"] or ""])]
    asked = " ".join(wanted)
    return any(name == asked or (name.startswith(asked) and (len(wanted) > 1 or name[len(asked) : len(asked) + 1] == " ")) for name in names)


def _plain(journal: str) -> str:
    return " ".join(journal.lower().replace(".", " ").split())


ROUTES = [(EUTILS + "einfo.fcgi", einfo), (EUTILS + "ecitmatch.cgi", ecitmatch)]
