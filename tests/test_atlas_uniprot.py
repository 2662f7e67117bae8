"""The UniProt part of the atlas: query language, shapes, paging, error bodies and the plans of calls."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
import yaml
from werkzeug.test import Client

import biotool_lib.atlas as atlas
from biotool_lib.atlas import (
    uniprot_archive,
    uniprot_kb,
    uniprot_literature,
    uniprot_query,
    uniprot_service,
    uniprot_taxonomy,
    uniprot_vocabularies,
)
from biotool_lib.atlas.app import Atlas
from biotool_lib.atlas.store import entities, row
from biotool_lib.atlas.uniprot_query import Field, QueryError, Searcher

MODULES = (uniprot_archive, uniprot_kb, uniprot_literature, uniprot_taxonomy, uniprot_vocabularies)
PLANS = Path(atlas.__file__).parents[1] / "calls" / "plans_uniprot.yaml"
PATHS = {
    "uniprotkb": "uniprotkb", "keywords": "keywords", "subcellular_locations": "locations",
    "human_diseases": "diseases", "literature_citations": "citations", "crossref_databases": "database",
    "taxonomy": "taxonomy", "proteomes": "proteomes", "genecentric": "genecentric", "uniparc": "uniparc",
    "uniref": "uniref", "arba": "arba", "unirule": "unirule",
}
BY_ID = {
    "get_uniprotkb_entry": "/uniprotkb/{accession}", "get_keyword_by_id": "/keywords/{id}",
    "get_location_by_id": "/locations/{id}", "get_disease_by_id": "/diseases/{id}",
    "get_citation_by_id": "/citations/{citationId}", "get_crossref_database_by_id": "/database/{id}",
    "get_taxonomy_by_id": "/taxonomy/{taxonId}", "get_proteome_by_upid": "/proteomes/{upid}",
    "get_genecentric_by_accession": "/genecentric/{accession}",
    "get_genecentric_by_proteome_id": "/genecentric/upid/{upid}", "get_uniparc_by_upi": "/uniparc/{upi}",
    "get_uniparc_light": "/uniparc/{upi}/light", "get_uniparc_databases": "/uniparc/{upi}/databases",
    "get_uniref_by_id": "/uniref/{id}", "get_uniref_light": "/uniref/{id}/light",
    "get_uniref_members": "/uniref/{id}/members", "get_arba_by_id": "/arba/{arbaId}",
    "get_unirule_by_id": "/unirule/{uniruleid}",
}


@pytest.fixture(scope="module")
def client() -> Client:
    """A client of the UniProt paths only, so that this file does not depend on other services."""
    return Client(Atlas([route for module in MODULES for route in module.ROUTES]))


def get(client: Client, path: str, **arguments: object):
    return client.get(path, query_string={key: str(value) for key, value in arguments.items()})


# The query language against a brute-force evaluation

FIELDS = {
    "": Field("text", lambda item: [item["name"], item["gene"]]),
    "name": Field("text", lambda item: [item["name"]]),
    "gene": Field("id", lambda item: [item["gene"]]),
    "length": Field("range", lambda item: [item["length"]]),
    "created": Field("date", lambda item: [item["created"]]),
    "note": Field("text", lambda item: [item["note"]] if item["note"] else [], known=lambda item: bool(item["note"])),
}
WORDS = ["kinase", "receptor", "protein", "channel", "factor", "alpha", "beta"]


def _documents(rng: random.Random) -> list[dict]:
    return [{
        "name": " ".join(rng.choices(WORDS, k=3)), "gene": rng.choice(["TP53", "EGFR", "KIT", "BRAF", "HBB", "HBA1"]),
        "length": rng.randint(50, 900), "created": f"{rng.randint(1990, 2020)}-0{rng.randint(1, 9)}-15",
        "note": rng.choice([None, "binds ATP", "binds zinc ions"]),
    } for _ in range(60)]


def _leaf(rng: random.Random):
    """A random term as (text, three-valued test); the test does not use the library."""
    kind = rng.choice(["bare", "name", "phrase", "gene", "wild", "length", "open", "created", "note", "has"])
    word, gene = rng.choice(WORDS), rng.choice(["TP53", "egfr", "KIT", "HBB", "NONE"])
    low, high = sorted(rng.sample(range(50, 900), 2))
    year = rng.randint(1990, 2020)
    first, second = rng.choice(WORDS), rng.choice(WORDS)
    left, right = rng.choice("[{"), rng.choice("]}")
    note = rng.choice(["ATP", "zinc", "binds"])
    return {
        "bare": (word.upper(), lambda d: word in d["name"].split() or word == d["gene"].lower()),
        "name": (f"name:{word}", lambda d: word in d["name"].split()),
        "phrase": (f'name:"{first} {second}"', lambda d: f"{first} {second}" in d["name"]),
        "gene": (f"gene:{gene}", lambda d: d["gene"].lower() == gene.lower()),
        "wild": ("gene:HB*", lambda d: d["gene"].startswith("HB")),
        "length": (f"length:{left}{low} TO {high}{right}",
                   lambda d: (d["length"] >= low if left == "[" else d["length"] > low)
                   and (d["length"] <= high if right == "]" else d["length"] < high)),
        "open": (f"length:[{low} TO *]", lambda d: d["length"] >= low),
        "created": (f"created:[{year}-01-01 TO {year + 5}-12-31]",
                    lambda d: f"{year}-01-01" <= d["created"] <= f"{year + 5}-12-31"),
        "note": (f"note:{note}", lambda d: None if not d["note"] else note in d["note"].split()),
        "has": ("note:*", lambda d: True if d["note"] else None),
    }[kind]


def _tree(rng: random.Random, depth: int):
    if depth == 0 or rng.random() < 0.2:
        return _leaf(rng)
    kind = rng.choice(["AND", "OR", "NOT", "", "("])
    text, test = _tree(rng, depth - 1)
    if kind == "NOT":
        return f"(NOT ({text}))", lambda d: None if test(d) is None else not test(d)
    if kind == "(":
        return f"({text})", test
    other, check = _tree(rng, depth - 1)
    joined = f"({text}) {kind} ({other})" if kind else f"({text}) ({other})"

    def both(d):
        values = (test(d), check(d))
        decisive = kind == "OR"
        if any(value is decisive for value in values):
            return decisive
        return None if None in values else not decisive
    return joined, both


@pytest.mark.parametrize("seed", range(150))
def test_queries_agree_with_brute_force(seed):
    rng = random.Random(seed)
    documents = _documents(rng)
    query, test = _tree(rng, 3)
    expected = {n for n, document in enumerate(documents) if test(document) is True}
    assert Searcher(documents, FIELDS).search(query) == expected, query


def test_and_binds_tighter_than_or_and_blank_means_and():
    documents = [{"name": name, "gene": "", "length": 1, "created": "", "note": None}
                 for name in ("alpha", "beta kinase", "alpha kinase", "kinase")]
    searcher = Searcher(documents, FIELDS)
    assert searcher.search("alpha OR beta AND kinase") == {0, 1, 2}
    assert searcher.search("alpha kinase") == {2}
    assert searcher.search("kinase -alpha") == {1, 3}
    assert searcher.search("name:(alpha OR beta)") == {0, 1, 2}
    assert searcher.search("*") == searcher.search("*:*") == {0, 1, 2, 3}


@pytest.mark.parametrize("query, message", [
    ("foo:1", "'foo' is not a valid search field"),
    ("alpha AND (", "query parameter has an invalid syntax"),
    ("length:500", "'length' filter type 'general' is invalid. Expected 'range' filter type"),
    ("gene:[A TO B]", "'gene' filter type 'range' is invalid. Expected 'general' filter type"),
    ("name:a*b*c", uniprot_query.TOO_MANY_WILDCARDS),
])
def test_refused_queries(query, message):
    with pytest.raises(QueryError) as refusal:
        Searcher([], FIELDS).search(query)
    assert refusal.value.messages == [message]


# Entries

def test_entry_has_the_shape_of_the_service(client):
    body = get(client, "/uniprotkb/P04637").get_json()
    assert list(body)[:4] == ["entryType", "primaryAccession", "secondaryAccessions", "uniProtkbId"]
    assert body["sequence"]["length"] == len(body["sequence"]["value"]) == 393
    assert body["organism"]["taxonId"] == 9606 and body["organism"]["lineage"][-1] == "Homo"
    assert body["genes"][0]["geneName"]["value"] == "TP53"
    assert {"comments", "features", "keywords", "references", "uniProtKBCrossReferences"} <= body.keys()
    assert body["features"][0]["location"]["start"] == {"value": 1, "modifier": "EXACT"}


def test_entry_without_recording_has_only_sourced_keys(client):
    accession = row("SELECT accession FROM proteins WHERE coverage = 'table' AND taxon_id = 9606")["accession"]
    body = get(client, f"/uniprotkb/{accession}").get_json()
    assert "references" not in body and "features" in body
    assert list(body["extraAttributes"]) == ["uniParcId"]


@pytest.mark.parametrize("accession", ["P04637", "P38398", "P51587", "P00533", "P01116", "P02649", "P01106", "P05067",
                                       "P13569", "P68871"])
def test_famous_proteins_are_there(client, accession):
    assert get(client, f"/uniprotkb/{accession}", fields="length").status_code == 200


def test_fields_keep_type_accession_and_uniparc(client):
    body = get(client, "/uniprotkb/P04637", fields="gene_names,length,cc_disease,ft_domain").get_json()
    assert set(body) == {"entryType", "primaryAccession", "genes", "comments", "sequence", "extraAttributes"}
    assert body["extraAttributes"] == {"uniParcId": "UPI000002ED67"} and body["sequence"] == {"length": 393}
    assert {item["commentType"] for item in body["comments"]} == {"DISEASE"}
    twice = client.get("/uniprotkb/P04637?fields=gene_names&fields=length").get_json()
    assert set(twice) == {"entryType", "primaryAccession", "genes", "sequence", "extraAttributes"}


def test_entry_by_secondary_accession_and_by_name(client):
    assert get(client, "/uniprotkb/Q15086").get_json()["primaryAccession"] == "P04637"
    assert get(client, "/uniprotkb/P53_HUMAN").get_json()["primaryAccession"] == "P04637"


# Errors

@pytest.mark.parametrize("path, status, message", [
    ("/uniprotkb/Q00000", 404, "Resource not found"),
    ("/uniprotkb/notanaccession", 400,
     "The 'accession' value has invalid format. It should be a valid UniProtKB accession"),
    ("/taxonomy/human", 400, "The taxonomy id value should be a number"),
    ("/taxonomy/1234567890", 404, "Resource not found"),
    ("/keywords/KW-12", 400,
     "The keyword id value has invalid format. It should match the regular expression 'KW-[0-9]{4}'"),
    ("/diseases/DI-99999", 404, "Resource not found"),
    ("/uniref/x", 400, "The 'id' value has invalid format. It should be a valid UniRef Cluster id"),
    ("/uniparc/UPI1", 400, "The 'upi' value has invalid format. It should be a valid UniParc UPI"),
    ("/proteomes/UP1", 400, "The 'upid' value has invalid format. It should be a valid Proteome UPID"),
    ("/uniprotkb/search?query=nosuchfield:abc", 400, "'nosuchfield' is not a valid search field"),
    ("/uniprotkb/search", 400, "'query' is a required parameter"),
    ("/uniprotkb/search?query=a&size=501", 400, "'size' must be less than or equal to 500"),
    ("/uniprotkb/search?query=a&size=-1", 400, "'size' must be greater than or equal to 0"),
    ("/uniprotkb/search?query=a&size=x", 400, "Failed to convert property value of type 'java.lang.String' to required type "
     "'java.lang.Integer' for property 'size'; nested exception is java.lang.NumberFormatException: For input string: \"x\""),
    ("/database/22", 400, "The cross ref id value should be in the form of DB-XXXX"),
    ("/uniprotkb/search?query=accession:P1", 400,
     "The 'accession' filter value 'P1' has invalid format. It should be a valid UniProtKB accession"),
    ("/uniprotkb/search?query=organism_id:human", 400, "The 'organism_id' filter value should be a number"),
    ("/uniprotkb/search?query=length:[a TO b]", 400, "query parameter has an invalid syntax"),
    ("/uniprotkb/search?query=a&fields=nothing", 400, "Invalid fields parameter value 'nothing'"),
    ("/uniprotkb/search?query=a&sort=mass", 400,
     "Invalid sort parameter format. Expected format fieldName asc|desc."),
    ("/uniprotkb/search?query=a&sort=nothing asc", 400, "Invalid sort field 'nothing'"),
])
def test_errors_have_the_body_of_the_service(client, path, status, message):
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.get_json() == {"url": f"http://rest.uniprot.org{path.split('?')[0]}", "messages": [message]}


def test_nothing_found_is_an_empty_page(client):
    answer = get(client, "/uniprotkb/search", query="gene_exact:NOTAGENE1 AND organism_id:9606")
    assert answer.status_code == 200 and answer.get_json() == {"results": []}
    assert answer.headers["X-Total-Results"] == "0" and "Link" not in answer.headers


# Pages

def test_pages_follow_each_other_and_cover_everything(client):
    total, seen, path = 0, [], "/uniprotkb/search?query=keyword:KW-0418 AND organism_id:9606&size=40&fields=accession"
    while path:
        answer = client.get(path)
        total = int(answer.headers["X-Total-Results"])
        seen += [item["primaryAccession"] for item in answer.get_json()["results"]]
        link = re.fullmatch(r'<https://rest\.uniprot\.org(.*)>; rel="next"', answer.headers.get("Link", ""))
        path = link[1] if link else ""
    assert len(seen) == len(set(seen)) == total > 80
    assert "X-UniProt-Release" in answer.headers


def test_default_size_is_25_and_0_gives_the_total_only(client):
    assert len(get(client, "/uniprotkb/search", query="*", fields="id").get_json()["results"]) == 25
    empty = get(client, "/uniprotkb/search", query="*", size=0)
    assert empty.get_json() == {"results": []} and int(empty.headers["X-Total-Results"]) > 1000


def test_cursor_that_was_not_given_out_is_refused(client):
    refused = get(client, "/uniprotkb/search", query="*", cursor="abc")
    assert refused.status_code == 500 and refused.get_json()["messages"] == ["Internal server error"]
    assert uniprot_service.read_cursor(uniprot_service.write_cursor(75)) == 75


def test_sorting(client):
    found = get(client, "/uniprotkb/search", query="reviewed:true", sort="mass desc", fields="mass").get_json()
    masses = [item["sequence"]["molWeight"] for item in found["results"]]
    assert masses == sorted(masses, reverse=True)


def test_a_field_known_for_some_entries_only_never_widens_an_answer(client):
    def total(query: str) -> int:
        return int(get(client, "/uniprotkb/search", query=query, size=0).headers["X-Total-Results"])

    known = total("cc_function:*")
    assert total("cc_function:kinase") + total("NOT cc_function:kinase") <= total("*")
    assert known <= total("cc_function:kinase OR NOT cc_function:kinase") < total("*")
    assert total("reviewed:true AND NOT tissue:brain") == 0


# Other shapes

@pytest.mark.parametrize("path, keys", [
    ("/keywords/KW-0111", {"keyword", "definition", "synonyms", "geneOntologies", "parents", "category", "statistics"}),
    ("/locations/SL-0037", {"name", "id", "definition", "content", "keyword", "statistics", "category",
                            "geneOntologies", "synonyms", "isA"}),
    ("/diseases/DI-01559", {"name", "id", "acronym", "definition", "alternativeNames", "crossReferences",
                            "statistics"}),
    ("/database/DB-0022", {"name", "id", "abbrev", "pubMedId", "doiId", "linkType", "servers", "dbUrl", "category",
                           "statistics"}),
    ("/taxonomy/37299", {"scientificName", "taxonId", "mnemonic", "parent", "rank", "hidden", "lineage",
                         "statistics"}),
    ("/citations/12366374", {"citation", "statistics"}),
    ("/genecentric/P05067", {"proteomeId", "canonicalProtein", "relatedProteins"}),
    ("/uniparc/UPI0000000001", {"uniParcId", "uniParcCrossReferences", "sequence", "sequenceFeatures",
                                "oldestCrossRefCreated", "mostRecentCrossRefUpdated"}),
    ("/uniref/UniRef100_P36952", {"id", "name", "memberCount", "updated", "entryType", "commonTaxon", "seedId",
                                  "representativeMember", "members"}),
    ("/arba/ARBA00020180", {"uniRuleId", "information", "mainRule", "statistics", "createdDate", "modifiedDate"}),
])
def test_shapes_follow_the_recorded_answers(client, path, keys):
    answer = client.get(path)
    assert answer.status_code == 200 and set(answer.get_json()) == keys


def test_members_of_a_cluster_are_given_only_where_all_are_known(client):
    full = client.get("/uniref/UniRef100_P36952/members").get_json()["results"]
    assert [item["memberId"] for item in full] == ["SPB5_HUMAN", "UPI0003EAE5A1"]
    assert client.get("/uniref/UniRef50_P05067/members").status_code == 404


# Plans

def _calls():
    rng = random.Random(5)
    for name, plans in yaml.safe_load(PLANS.read_text(encoding="utf-8")).items():
        for number, plan in enumerate(plans):
            things = [dict(item) for item in entities(plan["from"], plan.get("where", ""))] if "from" in plan else [{}]
            assert things, f"{name} {number}: nothing to ask about"
            for thing in rng.sample(things, min(3, len(things))):
                arguments = {key: _fill(value, thing) for key, value in plan["arguments"].items()}
                yield name, arguments
                for option, values in plan.get("options", {}).items():
                    yield name, arguments | {option: rng.choice(values)}


def _fill(template, thing):
    return template.format(**thing) if isinstance(template, str) else template


def _path(name: str, arguments: dict) -> tuple[str, dict]:
    if name in BY_ID:
        used = re.findall(r"\{(\w+)\}", BY_ID[name])
        return BY_ID[name].format(**arguments), {key: v for key, v in arguments.items() if key not in used}
    return f"/{PATHS[name.split('_', 1)[1]]}/search", arguments


def test_every_plan_gets_an_answer_with_content(client):
    names, bad = set(), []
    for name, arguments in _calls():
        names.add(name)
        path, rest = _path(name, arguments)
        answer = get(client, path, **{k: str(v).lower() if isinstance(v, bool) else v for k, v in rest.items()})
        body = answer.get_json()
        if answer.status_code != 200 or not body or body.get("results") == []:
            bad.append((name, arguments, answer.status_code))
    assert not bad
    assert len(names) == 44
