"""ELink: links between records of two databases, from the sourced tables."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from werkzeug import Request, Response

from biotool_lib.atlas import ncbi_common as common
from biotool_lib.atlas import ncbi_records as records
from biotool_lib.atlas.ncbi_common import EUTILS, HISTORY, Parameters, id_list, tag
from biotool_lib.atlas.ncbi_databases import SEARCHABLE, index
from biotool_lib.atlas.ncbi_index import search
from biotool_lib.atlas.ncbi_query import BadQuery
from biotool_lib.atlas.store import row, rows

_DTD = common.nlm("elink", "20101123")
# A link is stored in one direction; read backwards it has a name of its own.
_BACKWARDS = {
    "gene_pubmed": "pubmed_gene",
    "gene_snp": "snp_gene",
    "gene_clinvar": "clinvar_gene",
    "gene_nuccore_refseqrna": "nuccore_gene",
    "gene_protein_refseq": "protein_gene",
    "snp_clinvar": "clinvar_snp",
    "snp_pubmed_cited": "pubmed_snp_cited",
}
_COMMANDS = ("neighbor", "neighbor_history")


def elink(request: Request) -> Response:
    """The links of the ids asked for: one set for each `id` parameter."""
    given = Parameters(request)
    source, target = common.database(given, "dbfrom"), common.database(given)
    for name, asked in ((source, "dbfrom"), (target, "db")):
        if (name or asked == "dbfrom") and row("SELECT 1 FROM entrez_databases WHERE dbname = ?", name) is None:
            # The sentence that ESearch is recorded with; none of ELink's own is known.
            return _failure(given, f"Invalid db name specified: {given.get(asked, '')}")
    groups = [ids for ids in map(_known(source), map(id_list, ([one] for one in given.every.get("id", [])))) if ids]
    if not groups and given.get("query_key"):
        stored = HISTORY.get(given.get("webenv", ""), given.whole("query_key", 0))
        if stored is None:
            return _failure(given, common.LOST_QUERY.format(given["query_key"]))
        groups = [stored[1]]
    sets = [_linkset(given, source, target, ids) for ids in groups]
    return common.json_answer("elink", {"linksets": sets}) if given.json() else common.xml_answer("eLinkResult", _DTD, "\n" + "".join(map(_xml, sets)))


def _known(source: str):
    def kept(ids: list[str]) -> list[str]:
        """The ids as the service echoes them: numbers as they are, accessions with their version, anything else dropped."""
        if source not in ("protein", "nuccore"):
            return [one for one in ids if one.isdigit()]
        found = [(one, None if one.isdigit() else records.fetch(source, one)) for one in ids]
        return [one["accession"] if one is not None else text for text, one in found if one is not None or text.isdigit()]

    return kept


def _failure(given: Parameters, message: str) -> Response:
    if given.json():
        return common.json_answer("elink", {"linksets": [], "ERROR": message})
    return common.xml_answer("eLinkResult", _DTD, tag("ERROR", message))


def neighbours(source: str, target: str, ids: list[str]) -> dict[tuple[str, str], list[str]]:
    """(database, link name) -> linked ids, without repeats, in the order of the ids and the tables."""
    found: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for uid in ids:
        if source in ("protein", "nuccore") and uid.isdigit():  # links are stored under the accession
            record = records.fetch(source, uid)
            uid = record["accession"] if record is not None else uid
        for one in rows("SELECT dbto, linkname, id_to FROM entrez_elinks WHERE id_from = ? AND dbfrom = ?", uid, source):
            found[one["dbto"], one["linkname"]][one["id_to"]] = None
        for one in rows("SELECT dbfrom, linkname, id_from FROM entrez_elinks WHERE id_to = ? AND dbto = ?", uid, source):
            name = _BACKWARDS.get(one["linkname"])
            if name:
                found[one["dbfrom"], name][one["id_from"]] = None
        if source == "gene":
            for one in rows("SELECT taxon_id FROM entrez_genes WHERE gene_id = ? AND taxon_id IS NOT NULL", int(uid)):
                found["taxonomy", "gene_taxonomy"][str(one["taxon_id"])] = None
    return {
        key: sorted(ids, key=lambda one: (len(one), one), reverse=key[0] == "pubmed") for key, ids in sorted(found.items()) if not target or key[0] == target
    }


def _linkset(given: Parameters, source: str, target: str, ids: list[str]) -> dict[str, Any]:
    answer: dict[str, Any] = {"dbfrom": source, "ids": ids}
    command = given.get("cmd", "neighbor").lower() or "neighbor"
    if command not in _COMMANDS or given.get("holding"):
        return answer
    found = neighbours(source, target, ids)
    if given.get("linkname"):
        found = {key: links for key, links in found.items() if key[1] == given["linkname"]}
    found = {key: links for key, links in ((key, _limited(given, key[0], links)) for key, links in found.items()) if links}
    if not found:
        return answer
    if command == "neighbor_history":
        env, histories = given.get("webenv"), []
        for (db, name), links in found.items():
            env, key = HISTORY.keep(db, links, env, f"{source}:{','.join(ids)}")
            histories.append({"dbto": db, "linkname": name, "querykey": str(key)})
        return answer | {"linksetdbhistories": histories, "webenv": env}
    return answer | {"linksetdbs": [{"dbto": db, "linkname": name, "links": links} for (db, name), links in found.items()]}


def _limited(given: Parameters, db: str, links: list[str]) -> list[str]:
    """Links that also match the term and the date limits; what cannot be decided is left out."""
    if given.get("term"):
        try:
            wanted = search(index(db), given["term"]).found if db in SEARCHABLE else set()
        except BadQuery:
            wanted = set()
        links = [one for one in links if one in wanted]
    if given.get("mindate") or given.get("maxdate") or given.get("reldate"):
        if db != "pubmed" or given.get("reldate"):
            return []
        name = "EDAT" if given.get("datetype", "pdat").lower() == "edat" else "PDAT"
        inside = index("pubmed").between(name, given.get("mindate") or "1000", given.get("maxdate") or "3000")
        links = [one for one in links if one in inside]
    return links


def _xml(one: dict[str, Any]) -> str:
    inner = tag("DbFrom", one["dbfrom"]) + "<IdList>" + "".join(tag("Id", uid) for uid in one["ids"]) + "</IdList>"
    for link in one.get("linksetdbs", []):
        inner += (
            f"<LinkSetDb>{tag('DbTo', link['dbto'])}{tag('LinkName', link['linkname'])}"
            + "".join(f"<Link>{tag('Id', uid)}</Link>" for uid in link["links"])
            + "</LinkSetDb>"
        )
    for link in one.get("linksetdbhistories", []):
        inner += f"<LinkSetDbHistory>{tag('DbTo', link['dbto'])}{tag('LinkName', link['linkname'])}{tag('QueryKey', link['querykey'])}</LinkSetDbHistory>"
    return f"<LinkSet>{inner}{tag('WebEnv', one['webenv']) if 'webenv' in one else ''}</LinkSet>\n"


ROUTES = [(EUTILS + "elink.fcgi", elink)]
