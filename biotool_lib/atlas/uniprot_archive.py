"""UniParc sequences, UniRef clusters, and the rules of automatic annotation."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from werkzeug import Request, Response

from biotool_lib.atlas.store import row, rows
from biotool_lib.atlas.uniprot_entries import filled, organism
from biotool_lib.atlas.uniprot_query import Field
from biotool_lib.atlas.uniprot_service import (
    Collection,
    answer,
    bad_format,
    choose,
    not_found,
    one,
    page,
    page_size,
    problem,
    search,
    wanted,
)
from biotool_lib.atlas.uniprot_vocabularies import routes

UPI = r"UPI\w{10}"
BAD_UPI = "The 'upi' value has invalid format. It should be a valid UniParc UPI"
CLUSTER = r"(UniRef100|UniRef90|UniRef50)_\w+(-[0-9]+)?"
BAD_CLUSTER = "The 'id' value has invalid format. It should be a valid UniRef Cluster id"
SWISSPROT, TREMBL = "UniProtKB/Swiss-Prot", "UniProtKB/TrEMBL"


def _records(kind: str) -> dict[str, dict]:
    found = rows("SELECT id, body_json FROM uniprot_records WHERE kind = ? ORDER BY id", kind)
    return {item["id"]: json.loads(item["body_json"]) for item in found}


# UniParc

@cache
def _archive() -> list[dict]:
    """UniParc records: recorded ones, and the sequences of the known UniProtKB entries."""
    found: dict[str, dict] = {key: {"upi": key, "body": body} for key, body in _records("uniparc_entry").items()}
    query = "SELECT * FROM proteins WHERE uniparc IS NOT NULL ORDER BY uniparc, status, accession"
    for item in rows(query):
        known = found.setdefault(item["uniparc"], {"upi": item["uniparc"], "proteins": []})
        if "body" not in known:
            known["proteins"].append(dict(item))
    return [found[key] for key in sorted(found)]


def _protein_link(item: dict) -> dict:
    return filled({
        "database": SWISSPROT if item["status"] == "reviewed" else TREMBL, "id": item["accession"],
        "version": item["sequence_version"], "active": True, "geneName": item["gene"], "proteinName": item["name"],
        "organism": organism(item["taxon_id"]),
    })


def _sequence(item: dict) -> dict:
    found = row("SELECT sequence FROM protein_sequences WHERE accession = ?", item["accession"])
    return filled({"value": found["sequence"] if found else None, "length": item["length"],
                   "molWeight": item["mass"], "crc64": item["crc64"], "md5": item["md5"]})


def archive_body(record: dict) -> dict:
    """A UniParc record with its cross-references."""
    if "body" in record:
        return record["body"]
    proteins = record["proteins"]
    return {"uniParcId": record["upi"], "uniParcCrossReferences": [_protein_link(item) for item in proteins],
            "sequence": _sequence(proteins[0])}


def _unique(links: Iterable[dict], name: str) -> list[Any]:
    found: list[Any] = []
    for link in links:
        if name in link and link[name] not in found:
            found.append(link[name])
    return found


def light_body(record: dict) -> dict:
    """A UniParc record without its cross-references, as searches show it."""
    given = _records("uniparc_light").get(record["upi"])
    if given:
        return given
    body = archive_body(record)
    links = body["uniParcCrossReferences"]
    own = [link["id"] for link in links if link["database"] in (SWISSPROT, TREMBL)]
    count = {"crossReferenceCount": len(links)} if "body" in record else {}
    extra = {key: body[key] for key in ("sequenceFeatures", "oldestCrossRefCreated", "mostRecentCrossRefUpdated")
             if key in body}
    return {"uniParcId": record["upi"]} | count | filled({
        "uniProtKBAccessions": list(dict.fromkeys(own)), "sequence": body["sequence"]} | extra | {
        "organisms": _unique(links, "organism"), "proteinNames": _unique(links, "proteinName"),
        "geneNames": _unique(links, "geneName")})


def _links(name: str) -> Callable[[dict], Iterable[Any]]:
    def values(record: dict) -> Iterable[Any]:
        for link in archive_body(record)["uniParcCrossReferences"]:
            if name in link:
                yield link[name]
    return values


def _link_taxa(record: dict) -> Iterable[Any]:
    return [item["taxonId"] for item in _links("organism")(record)]


def _link_names(record: dict) -> Iterable[str]:
    return [text for item in _links("organism")(record) for text in (item["scientificName"],
                                                                   item.get("commonName", ""))]


def _own_accessions(record: dict) -> Iterable[str]:
    return light_body(record).get("uniProtKBAccessions", [])


def _archive_text(record: dict) -> Iterable[str]:
    yield record["upi"]
    for name in ("id", "geneName", "proteinName"):
        yield from _links(name)(record)
    yield from _link_names(record)


ARCHIVE_FIELDS = {
    "upi": ("uniParcId",), "gene": ("geneNames",), "organism_id": ("organisms",), "organism": ("organisms",),
    "protein": ("proteinNames",), "proteome": ("proteomes",), "checksum": ("sequence.crc64", "sequence.md5"),
    "length": ("sequence.length",), "sequence": ("sequence",), "accession": ("uniProtKBAccessions",),
    "first_seen": ("oldestCrossRefCreated",), "last_seen": ("mostRecentCrossRefUpdated",), "database": (),
    "common_taxons": ("commonTaxons",), "common_taxon": ("commonTaxons",),
    **dict.fromkeys(
        ("interpro", "cdd", "funfam", "gene3d", "hamap", "panther", "pfam", "pirsf",
         "prints", "prosite", "sfld", "smart", "supfam", "ncbifam", "antifam"), ("sequenceFeatures",)),
}
UNIPARC = Collection(
    path="uniparc", documents=_archive, body=light_body, key=lambda item: item["upi"], always=("uniParcId",),
    search_fields={
        "": Field("text", _archive_text),
        "upi": Field("id", lambda item: [item["upi"]], UPI, BAD_UPI),
        "accession": Field("id", _own_accessions, r".*", ""), "gene": Field("text", _links("geneName")),
        "protein": Field("text", _links("proteinName")), "dbid": Field("id", _links("id")),
        "organism_id": Field("id", _link_taxa),
        "organism_name": Field("text", _link_names),
        "taxonomy_id": Field("id", _link_taxa, r"\d+", "The taxonomy id filter value should be a number"),
        "taxonomy_name": Field("text", _link_names),
        "database": Field("text", _links("database")),
        "length": Field("range", lambda item: [archive_body(item)["sequence"]["length"]]),
        "checksum": Field("id", lambda item: [archive_body(item)["sequence"][key] for key in ("crc64", "md5")]),
        "isoform": Field(known=lambda item: False), "upid": Field(known=lambda item: False),
        "active": Field(known=lambda item: False), "database_facet": Field(known=lambda item: False),
        "feature_id": Field(known=lambda item: False), "proteomecomponent": Field(known=lambda item: False),
    },
    return_fields=ARCHIVE_FIELDS,
    sort_fields={"upi": lambda item: item["upi"], "length": lambda item: archive_body(item)["sequence"]["length"]},
)


def _chosen_links(request: Request, links: list[dict]) -> list[dict]:
    kinds = {text.strip().lower() for text in request.args.get("dbTypes", "").split(",") if text.strip()}
    numbers = {text.strip() for text in request.args.get("taxonIds", "").split(",") if text.strip()}
    active, key = request.args.get("active", "").lower(), request.args.get("id", "")
    return [
        link for link in links
        if (not kinds or link["database"].lower() in kinds)
        and (not numbers or str(link.get("organism", {}).get("taxonId")) in numbers)
        and (not active or str(link["active"]).lower() == active)
        and (not key or link["id"].lower() == key.lower())
    ]


def _archived(request: Request, upi: str) -> dict | Response:
    messages = [] if re.fullmatch(UPI, upi, re.IGNORECASE) else [BAD_UPI]
    messages += UNIPARC.bad_fields(wanted(request)) + bad_format(request)
    if messages:
        return problem(request, 400, *messages)
    record = UNIPARC.get(upi)
    return not_found(request) if record is None else record


def get_sequence(request: Request, upi: str) -> Response:
    """A UniParc record, its cross-references filtered as asked."""
    record = _archived(request, upi.removesuffix(".json"))
    if isinstance(record, Response):
        return record
    body = dict(archive_body(record))
    body["uniParcCrossReferences"] = _chosen_links(request, body["uniParcCrossReferences"])
    names = [name.lower() for name in wanted(request)]
    if names:
        lists = {"gene", "organism_id", "organism", "protein", "proteome", "accession", "database"}
        keys = ["uniParcId", *(["uniParcCrossReferences"] if lists & set(names) else []),
                *(key for name in names for key in ARCHIVE_FIELDS[name])]
        body = choose(body, keys)
    return answer(body)



def get_sequence_light(request: Request, upi: str) -> Response:
    """A UniParc record in short."""
    record = _archived(request, upi)
    return record if isinstance(record, Response) else one(request, UNIPARC, record["upi"])


def get_sequence_links(request: Request, upi: str) -> Response:
    """The cross-references of a UniParc record, as a page."""
    record = _archived(request, upi)
    if isinstance(record, Response):
        return record
    size, messages = page_size(request)
    if messages:
        return problem(request, 400, *messages)
    given = _records("uniparc_databases").get(record["upi"])
    links = given["results"] if given else archive_body(record)["uniParcCrossReferences"]
    return page(request, _chosen_links(request, links), lambda item: item, size)


# UniRef

@cache
def _clusters() -> list[dict]:
    full, light = _records("uniref"), _records("uniref_light")
    return [{"id": key, "full": full.get(key), "light": light.get(key)} for key in sorted({*full, *light})]


def cluster_body(record: dict) -> dict:
    """A UniRef cluster; where only its short form is known, without members."""
    if record["full"]:
        return record["full"]
    hidden = ("members", "organisms", "organismCount", "memberIdTypes")
    return {key: value for key, value in record["light"].items() if key not in hidden}


def cluster_light(record: dict) -> dict:
    """A UniRef cluster in the short form of searches."""
    if record["light"]:
        return record["light"]
    body = dict(record["full"])
    members = _members(body)
    if members:
        body["members"] = [item.get("accessions", [item["memberId"]])[0] for item in members]
        taxa = {item["organismTaxId"]: item["organismName"] for item in members}
        body["organismCount"] = len(taxa)
    return body


def _members(body: dict) -> list[dict]:
    """All members, the representative first; none unless all of them are known."""
    members = [body["representativeMember"], *body.get("members", [])]
    return members if (len(members) == body["memberCount"] and "members" in body) or body["memberCount"] == 1 else []


def _cluster_ids(record: dict) -> Iterable[str]:
    member = (record["full"] or record["light"])["representativeMember"]
    yield from member.get("accessions", [])[:1]
    if record["light"]:
        yield from record["light"].get("members", [])


def _cluster_text(record: dict) -> Iterable[str]:
    body = record["full"] or record["light"]
    yield from (record["id"], body["name"], body["commonTaxon"]["scientificName"])
    yield from (body["representativeMember"].get(key, "") for key in ("memberId", "proteinName", "organismName"))
    yield from _cluster_ids(record)


UNIREF = Collection(
    path="uniref", documents=_clusters, body=cluster_light, key=lambda item: item["id"], always=("id",),
    search_fields={
        "": Field("text", _cluster_text), "id": Field("id", lambda item: [item["id"]], CLUSTER, BAD_CLUSTER),
        "name": Field("text", lambda item: [cluster_light(item)["name"]]),
        "identity": Field("id", lambda item: [{"1": "1.0", "9": "0.9", "5": "0.5"}[item["id"][6]]]),
        "count": Field("range", lambda item: [cluster_light(item)["memberCount"]]),
        "length": Field("range", lambda item: [cluster_light(item)["representativeMember"]["sequenceLength"]]
                        if "sequenceLength" in cluster_light(item)["representativeMember"] else []),
        "uniprot_id": Field("id", _cluster_ids, known=lambda item: False),
        "taxonomy_id": Field("id", lambda item: [t["taxonId"] for t in cluster_light(item).get("organisms", [])],
                             r"\d+", "The taxonomy id filter value should be a number", known=lambda item: False),
        "taxonomy_name": Field("text", lambda item: [t["scientificName"] for t in
                                                     cluster_light(item).get("organisms", [])],
                               known=lambda item: False),
        "uniparc_id": Field("id", lambda item: [cluster_light(item)["representativeMember"].get("uniparcId", "")],
                            known=lambda item: False),
        "cluster": Field(known=lambda item: False), "date_modified": Field(
            "date", lambda item: [cluster_light(item)["updated"]]),
    },
    return_fields={
        "id": ("id",), "name": ("name",), "types": ("memberIdTypes",), "common_taxon": ("commonTaxon",),
        "common_taxonid": ("commonTaxon",), "organism_id": ("organisms",), "organism": ("organisms",),
        "identity": ("entryType",), "length": ("representativeMember.sequence.length",),
        "sequence": ("representativeMember.sequence.value",), "date_modified": ("updated",),
        "members": ("representativeMember", "members"), "count": ("memberCount", "organismCount"),
    },
    sort_fields={"id": lambda item: item["id"], "name": lambda item: cluster_light(item)["name"],
                 "count": lambda item: cluster_light(item)["memberCount"],
                 "length": lambda item: cluster_light(item)["representativeMember"].get("sequenceLength")},
)


def _cluster(request: Request, key: str, body: Callable[[dict], dict]) -> Response:
    names = wanted(request)
    messages = [] if re.fullmatch(CLUSTER, key, re.IGNORECASE) else [BAD_CLUSTER]
    messages += UNIREF.bad_fields(names) + bad_format(request)
    if messages:
        return problem(request, 400, *messages)
    record = UNIREF.get(key)
    return not_found(request) if record is None else answer(UNIREF.show(body(record), names))


def get_cluster(request: Request, key: str) -> Response:
    """A UniRef cluster."""
    return _cluster(request, key.removesuffix(".json"), cluster_body)


def get_cluster_light(request: Request, key: str) -> Response:
    """A UniRef cluster in short."""
    return _cluster(request, key, cluster_light)


def get_cluster_members(request: Request, key: str) -> Response:
    """The members of a UniRef cluster; not found where the facts do not hold all of them."""
    size, messages = page_size(request)
    if not re.fullmatch(CLUSTER, key, re.IGNORECASE):
        messages.append(BAD_CLUSTER)
    if messages:
        return problem(request, 400, *messages)
    record = UNIREF.get(key)
    members = _members(record["full"]) if record and record["full"] else []
    if not members:
        return not_found(request)
    wish = request.args.get("facetFilter", "")
    return page(request, [] if wish else members, lambda item: item, size)


# Rules

def _rules(kind: str) -> Callable[[], list[dict]]:
    return lambda: list(_records(kind).values())


def _rule_text(rule: dict) -> Iterable[str]:
    return re.findall(r'"(?:value|id|name|uniRuleId|oldRuleNum|database)": "([^"]*)"', json.dumps(rule))


def _rule_collection(kind: str) -> Collection:
    bad = ("The rule_id value has invalid format. It should match the regular expression 'ARBA[0-9]{8}'"
           if kind == "arba" else
           "The unirule_id value has invalid format. It should match the regular expression 'UR[0-9]{9}'")
    number = Field("id", lambda item: [item["uniRuleId"]], "ARBA[0-9]{8}" if kind == "arba" else "UR[0-9]{9}", bad)
    return Collection(
        path=kind, documents=_rules(kind), body=lambda item: item, key=lambda item: item["uniRuleId"],
        always=("uniRuleId",),
        search_fields={"": Field("text", _rule_text), "rule_id": number, "unirule_id": number} | {
            name: Field(known=lambda item: False) for name in (
                "all_rule_id", "superkingdom", "taxonomy_name", "taxonomy_id", "protein_name", "gene", "keyword",
                "family", "ec", "go", "condition_value", "annotation_type", "statistics")},
        return_fields={
            "rule_id": ("uniRuleId",), "template_entries": ("information",), "taxonomic_scope": ("mainRule",),
            "annotation_covered": ("mainRule", "otherRules", "positionalFeatureSets"), "predicted_protein_name":
            ("mainRule", "otherRules"), "statistics": ("statistics",),
        },
        sort_fields={"rule_id": lambda item: item["uniRuleId"]},
    )


ARBA, UNIRULE = _rule_collection("arba"), _rule_collection("unirule")

ROUTES: list[tuple[str, Callable[..., Response]]] = [
    ("/uniparc/search", lambda request: search(request, UNIPARC)),
    ("/uniparc/stream", lambda request: search(request, UNIPARC, paged=False)),
    ("/uniparc/<upi>/databases", get_sequence_links),
    ("/uniparc/<upi>/light", get_sequence_light),
    ("/uniparc/<upi>", get_sequence),
    ("/uniref/search", lambda request: search(request, UNIREF)),
    ("/uniref/stream", lambda request: search(request, UNIREF, paged=False)),
    ("/uniref/<key>/members", get_cluster_members),
    ("/uniref/<key>/light", get_cluster_light),
    ("/uniref/<key>", get_cluster),
    *routes(ARBA, "ARBA[0-9]{8}", "The ARBA id value has invalid format. It should match the regular expression "
                                  "'ARBA[0-9]{8}'"),
    *routes(UNIRULE, "UR[0-9]{9}", "The UniRule id value has invalid format. It should match the regular expression "
                                   "'UR[0-9]{9}'"),
]
