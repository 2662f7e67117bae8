"""Summaries of elink: linked records, stored link sets, checks for links, addresses of outside providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element

from biotool_lib.observe import Context, generic, text_summary
from biotool_lib.observe.fit import capped, dig, kept
from biotool_lib.observe.ncbi_xml import at, every, root_of, said_wrong, whole


def link_set(source: Mapping[str, Any]) -> dict[str, Any]:
    """One set of links in the form shared by JSON and XML."""
    targets = []
    for item in source.get("linksetdbs") or []:
        links = [str(link.get("id")) if isinstance(link, Mapping) else str(link) for link in item.get("links") or []]
        scores = [whole(link.get("score")) for link in item.get("links") or [] if isinstance(link, Mapping) and link.get("score") is not None]
        targets.append(
            kept(
                {
                    "dbto": item.get("dbto"),
                    "linkname": item.get("linkname"),
                    **capped(links, 10),
                    "scores": scores[:10],
                    "error": item.get("error") or item.get("info"),
                }
            )
        )
    kept_sets = [
        kept({"dbto": item.get("dbto"), "linkname": item.get("linkname"), "query_key": item.get("querykey")}) for item in source.get("linksetdbhistories") or []
    ]
    return kept(
        {
            "dbfrom": source.get("dbfrom"),
            "ids": capped([str(item) for item in source.get("ids") or []]),
            "links": targets,
            "histories": kept_sets,
            "webenv": source.get("webenv"),
            "error": source.get("error") or source.get("ERROR"),
            "checked": source.get("checked") or check_list(source.get("idchecklist")),
            "urls": source.get("urls") or url_lists(source.get("idurllist")),
        }
    )


def check_list(found: Any) -> list[dict[str, Any]]:
    """The answers of a link check from JSON: which identifiers have links, or which links each has."""
    lists = [
        {"id": str(item.get("id")), **capped([str(link.get("linkname")) for link in item.get("linkinfos") or []], 15)}
        for item in dig(found, "idlinksets") or []
    ]
    return lists + [
        kept({"id": str(item.get("value") or item.get("id")), "HasNeighbor": _yes(item.get("hasneighbor")), "HasLinkOut": _yes(item.get("haslinkout"))})
        for item in dig(found, "ids") or []
        if isinstance(item, Mapping)
    ]


def _yes(flag: Any) -> bool | None:
    return None if flag is None else str(flag).upper() in ("Y", "TRUE")


def url_lists(items: Any) -> list[dict[str, Any]]:
    """LinkOut addresses from JSON: for each identifier how many, by which providers, the first few."""
    lists = []
    for item in items or []:
        urls = item.get("objurls") or []
        lists.append(
            kept(
                {
                    "id": str(item.get("id")),
                    **capped([dig(url, "url", "value") or url.get("url") for url in urls], 3),
                    "providers": sorted({str(name) for name in (dig(url, "provider", "name") for url in urls) if name})[:6],
                }
            )
        )
    return lists


def xml_link_set(node: Element) -> dict[str, Any]:
    """An XML LinkSet with the keys of the JSON form."""
    targets = [
        {
            "dbto": at(item, "DbTo"),
            "linkname": at(item, "LinkName"),
            "error": at(item, "ERROR") or at(item, "Info"),
            "links": [{"id": at(link, "Id"), "score": at(link, "Score")} for link in item.findall("Link")],
        }
        for item in node.findall("LinkSetDb")
    ]
    stored = [{"dbto": at(item, "DbTo"), "linkname": at(item, "LinkName"), "querykey": at(item, "QueryKey")} for item in node.findall("LinkSetDbHistory")]
    checked: list[dict[str, Any]] = [
        {"id": at(item, "."), **{key: flag == "Y" for key, flag in item.attrib.items()}} for item in node.findall("IdCheckList/Id")
    ]
    for item in node.findall("IdCheckList/IdLinkSet"):
        names = every(item, "LinkInfo/LinkName")
        checked.append({"id": at(item, "Id"), **capped(names, 15)})
    urls = []
    for item in node.findall("IdUrlList/IdUrlSet"):
        found = item.findall("ObjUrl")
        urls.append(
            kept(
                {
                    "id": at(item, "Id"),
                    **capped(every(item, "ObjUrl/Url"), 3, len(found)),
                    "info": at(item, "Info"),
                    "providers": sorted(set(every(item, "ObjUrl/Provider/Name")))[:6],
                }
            )
        )
    return {
        "dbfrom": at(node, "DbFrom"),
        "ids": every(node, "IdList/Id"),
        "linksetdbs": targets,
        "linksetdbhistories": stored,
        "webenv": at(node, "WebEnv"),
        "error": at(node, "ERROR"),
        "checked": checked,
        "urls": urls,
    }


def elink(data: Any, context: Context) -> dict[str, Any]:
    """The summary of links: how many in all, the link names, and each set with its first identifiers."""
    if isinstance(data, Mapping) and isinstance(data.get("linksets"), list):
        sources, error = data["linksets"], data.get("ERROR") or data.get("error")
    else:
        root = root_of(data)
        if root is None or root.tag != "eLinkResult":
            return said_wrong(data) or text_summary(data) if isinstance(data, str) else generic(data, context)
        sources, error = [xml_link_set(node) for node in root.iter("LinkSet")], at(root, "ERROR")
    sets = [link_set(source) for source in sources]
    targets = [target for item in sets for target in item.get("links") or []]
    stored = [item for group in sets for item in group.get("histories") or []]
    checked = [name for item in sets for entry in item.get("checked") or [] for name in entry.get("items") or []]
    names = list(dict.fromkeys([str(target.get("linkname")) for target in [*targets, *stored] if target.get("linkname")] + checked))
    first = next((target["items"][0] for target in targets if target.get("items")), None)
    return {
        **kept({"error": error}),
        "total": sum(target.get("total") or 0 for target in targets),
        "linknames": capped(names, 30),
        **kept({"first": first}),
        "linksets": capped(sets, 6),
    }
