"""ESummary: document summaries as JSON (version 2) and as XML (version 1 or 2, whichever the service gives by default)."""

from __future__ import annotations

from typing import Any

from werkzeug import Request, Response

from biotool_lib.atlas import ncbi_common as common
from biotool_lib.atlas import ncbi_records as records
from biotool_lib.atlas.ncbi_common import EUTILS, Parameters, tag
from biotool_lib.atlas.store import row

_V1 = common.nlm("esummary v1", "20041029", "esummary-v1")
_V2_DATES = {"gene": "20150202", "snp": "20200630"}
# Version-2 XML spells keys in its own way: camel case for most databases, capitals for dbSNP.
_NAMES = {
    "otheraliases": "OtherAliases",
    "otherdesignations": "OtherDesignations",
    "maplocation": "MapLocation",
    "geneticsource": "GeneticSource",
    "currentid": "CurrentID",
    "nomenclaturesymbol": "NomenclatureSymbol",
    "nomenclaturename": "NomenclatureName",
    "nomenclaturestatus": "NomenclatureStatus",
    "genomicinfo": "GenomicInfo",
    "chrloc": "ChrLoc",
    "chraccver": "ChrAccVer",
    "chrstart": "ChrStart",
    "chrstop": "ChrStop",
    "exoncount": "ExonCount",
    "geneweight": "GeneWeight",
    "chrsort": "ChrSort",
    "scientificname": "ScientificName",
    "commonname": "CommonName",
    "taxid": "TaxID",
    "pubdate": "PubDate",
    "lastauthor": "LastAuthor",
    "sorttitle": "SortTitle",
    "nlmuniqueid": "NlmUniqueID",
    "issn": "ISSN",
    "pubtype": "PubType",
    "articleids": "ArticleIds",
    "idtype": "IdType",
    "idtypen": "IdTypeN",
    "authtype": "AuthType",
    "clusterid": "ClusterID",
    "fulljournalname": "FullJournalName",
    "elocationid": "ELocationID",
    "doctype": "DocType",
    "sortpubdate": "SortPubDate",
    "sortfirstauthor": "SortFirstAuthor",
    "accessionversion": "AccessionVersion",
    "sourcedb": "SourceDb",
    "moltype": "MolType",
    "akataxid": "AkaTaxId",
    "pubstatus": "PubStatus",
}
_ITEM = {
    "genomicinfo": "GenomicInfoType",
    "authors": "Author",
    "articleids": "ArticleId",
    "history": "PubMedPubDate",
    "lang": "string",
    "pubtype": "flag",
    "genes": "gene",
    "variation_set": "variation",
    "variation_xrefs": "variation_xref",
    "variation_loc": "assembly_set",
    "trait_set": "trait",
}
_SNP_ITEM = {"genes": "GENE_E", "global_mafs": "MAF"}
# Version-1 items: (key of the JSON summary, name, type).
_ITEMS: dict[str, list[tuple[str, str, str]]] = {
    "pubmed": [
        ("pubdate", "PubDate", "Date"),
        ("source", "Source", "String"),
        ("authors", "AuthorList", "List"),
        ("lastauthor", "LastAuthor", "String"),
        ("title", "Title", "String"),
        ("volume", "Volume", "String"),
        ("issue", "Issue", "String"),
        ("pages", "Pages", "String"),
        ("nlmuniqueid", "NlmUniqueID", "String"),
        ("issn", "ISSN", "String"),
        ("pubtype", "PubTypeList", "List"),
        ("articleids", "ArticleIds", "List"),
        ("fulljournalname", "FullJournalName", "String"),
        ("elocationid", "ELocationID", "String"),
    ],
    "sequence": [
        ("caption", "Caption", "String"),
        ("title", "Title", "String"),
        ("gi", "Gi", "Integer"),
        ("taxid", "TaxId", "Integer"),
        ("slen", "Length", "Integer"),
        ("accessionversion", "AccessionVersion", "String"),
    ],
    "taxonomy": [
        ("status", "Status", "String"),
        ("rank", "Rank", "String"),
        ("division", "Division", "String"),
        ("scientificname", "ScientificName", "String"),
        ("commonname", "CommonName", "String"),
        ("taxid", "TaxId", "Integer"),
        ("akataxid", "AkaTaxId", "Integer"),
        ("genus", "Genus", "String"),
        ("species", "Species", "String"),
        ("subsp", "Subsp", "String"),
    ],
}


def esummary(request: Request) -> Response:
    """The summaries of the ids asked for; an unknown id gives its own error and leaves the others alone."""
    given = Parameters(request)
    db = common.database(given, default="pubmed")
    if row("SELECT 1 FROM entrez_databases WHERE dbname = ?", db) is None:
        return _failure(given, f"Invalid db name specified: {given.get('db', '')}")
    ids, problem = records.asked_ids(given, db)
    if problem:
        return _failure(given, problem)
    if not ids:
        return _failure(given, "Empty id list - nothing todo")
    found: list[tuple[str, dict[str, Any] | None]] = []
    errors = []
    at = 0
    for uid in ids:
        if (db not in ("protein", "nuccore") and not uid.isdigit()) or (
            db in ("protein", "nuccore") and not uid.isdigit() and db in records.KNOWN and records.fetch(db, uid) is None
        ):
            errors.append(f"Invalid uid {uid} at position= {at}")
        else:
            one = records.fetch(db, uid) if db in records.KNOWN else None
            found.append((records.own_id(db, one) if one else uid, records.summary(db, one) if one else None))
        at += len(uid) + 1
    if given.json():
        return _json(found, errors)
    second = given.get("version") == "2.0" or db in ("gene", "snp", "clinvar")
    return _xml_2(db, found, errors) if second else _xml_1(db, found, errors)


def _failure(given: Parameters, message: str) -> Response:
    if given.json():
        return common.json_answer("esummary", {"esummaryresult": [message]})
    return common.xml_answer("eSummaryResult", _V1, "\n" + tag("ERROR", message) + "\n")


def _json(found: list[tuple[str, dict[str, Any] | None]], errors: list[str]) -> Response:
    body: dict[str, Any] = {"error": errors[0]} if errors else {}
    result: dict[str, Any] = {"uids": list(dict.fromkeys(uid for uid, _ in found))}
    for uid, record in found:
        result[uid] = record or {"uid": uid, "error": "cannot get document summary"}
    return common.json_answer("esummary", body | {"result": result})


def _xml_2(db: str, found: list[tuple[str, dict[str, Any] | None]], errors: list[str]) -> Response:
    date = _V2_DATES.get(db)
    kind = (
        common.nlm(f"esummary {db}", date, f"esummary_{db}")
        if date
        else f'PUBLIC "-//NLM//DTD esummary {db}//EN" "https://eutils.ncbi.nlm.nih.gov/eutils/dtd/esummary_{db}.dtd"'
    )
    inner = "".join("\n" + tag("ERROR", one) for one in errors) + '\n<DocumentSummarySet status="OK">\n'
    for uid, record in found:
        parts = (
            tag("error", "cannot get document summary")
            if record is None
            else "".join(_element(db, key, value) for key, value in record.items() if key != "uid")
        )
        inner += f'<DocumentSummary uid="{uid}">{parts}</DocumentSummary>\n'
    return common.xml_answer("eSummaryResult", kind, inner + "</DocumentSummarySet>\n")


def _element(db: str, key: str, value: Any) -> str:
    name = key.upper() if db == "snp" else {"geneid": "GeneID"}.get(key, key) if db == "clinvar" else _NAMES.get(key, key.capitalize())
    if isinstance(value, dict):
        return f"<{name}>{''.join(_element(db, one, inner) for one, inner in value.items())}</{name}>"
    if isinstance(value, list):
        item = _SNP_ITEM.get(key, name) if db == "snp" else _ITEM.get(key, name)
        return (
            f"<{name}>"
            + "".join(
                f"<{item}>{''.join(_element(db, inner, text) for inner, text in one.items())}</{item}>" if isinstance(one, dict) else tag(item, one)
                for one in value
            )
            + f"</{name}>"
        )
    return tag(name, value)


def _xml_1(db: str, found: list[tuple[str, dict[str, Any] | None]], errors: list[str]) -> Response:
    inner = ""
    for uid, record in found:
        if record is None:
            inner += (
                f'\n<DocSum>\n\t{tag("Id", uid)}\n\t<Item Name="error" Type="String">cannot get document summary</Item>\n</DocSum>\n'
                if db == "pubmed"
                else "\n" + tag("ERROR", f"UID={uid}: cannot get document summary") + "\n"
            )
            continue
        columns = _ITEMS["sequence" if db in ("protein", "nuccore") else db]
        inner += f"\n<DocSum>\n\t{tag('Id', uid)}\n" + "".join(_item(name, kind, record[key]) for key, name, kind in columns if key in record) + "</DocSum>\n"
    return common.xml_answer("eSummaryResult", _V1, inner + "".join("\n\t" + tag("ERROR", one) for one in errors) + "\n")


def _item(name: str, kind: str, value: Any) -> str:
    label = f' Name="{name}" Type="{kind}"'
    if kind != "List":
        return f"\t{tag('Item', value, label)}\n"
    single = {"AuthorList": "Author", "PubTypeList": "PubType"}.get(name)
    inner = ""
    for one in value:
        text = (one["name"] if single == "Author" else one["value"]) if isinstance(one, dict) else one
        inner += tag("Item", text, f' Name="{single or one["idtype"]}" Type="String"')
    return f"\t<Item{label}>{inner}</Item>\n"


ROUTES = [(EUTILS + "esummary.fcgi", esummary)]
