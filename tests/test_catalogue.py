"""The catalogue: every function, its schema, its canonical calls and what it refuses."""

from __future__ import annotations

import jsonschema
import pytest

import biotool_lib as bt
from biotool_lib.catalogue.tool import SUBFIELDS

NAMES = list(bt.tools())


def test_all_136_functions_of_three_databases():
    assert len(bt.tools()) == 136
    counts = {db: sum(t.database == db for t in bt.tools().values()) for db in ("ncbi", "uniprot", "ensembl")}
    assert counts == {"ncbi": 8, "uniprot": 44, "ensembl": 84}


@pytest.mark.parametrize("name", NAMES)
def test_schema_is_valid_and_every_parameter_is_described(name):
    tool = bt.tools()[name]
    schema = tool.json_schema()["function"]
    jsonschema.Draft202012Validator.check_schema(schema["parameters"])
    assert schema["description"] and tool.docs.startswith("https://") and tool.subfield in SUBFIELDS
    for parameter in tool.parameters.values():
        assert len(parameter.description) > 10, parameter.name
    jsonschema.validate(dict(tool.example), schema["parameters"])


@pytest.mark.parametrize("name", NAMES)
def test_example_prepares_and_its_url_is_the_call_again(name):
    tool = bt.tools()[name]
    request = bt.prepare(name, tool.example)
    assert request.url.startswith(tool.base + "/")
    call = bt.canonical(name, tool.example)
    assert bt.canonical(**call) == call
    back = bt.call_from_url(request.url, request.body)
    # stream_* sends the same request as search_*, so the wire cannot tell them apart
    assert back == {**call, "name": name.replace("stream_", "search_")}


def test_the_cards_own_call():
    request = bt.prepare("lookup_by_symbol", {"species": "human", "symbol": "BRCA1"})
    assert (request.method, request.url) == ("GET", "https://rest.ensembl.org/lookup/symbol/human/BRCA1")
    assert request.headers["Accept"] == "application/json"


@pytest.mark.parametrize("species", ["human", "Human", "homo_sapiens", "Homo sapiens", "9606", 9606])
def test_listed_synonyms_of_a_species_are_one_call(species):
    assert bt.canonical("lookup_by_symbol", {"species": species, "symbol": "TP53"})["arguments"]["species"] == "homo_sapiens"


@pytest.mark.parametrize(("given", "settled"), [
    ({"format_": "full"}, {}), ({"format": "condensed"}, {"format": "condensed"}), ({"expand": 0}, {}), ({"expand": "1"}, {"expand": True}),
    ({"expand": None}, {}), ({"expand": "true"}, {"expand": True}),
])
def test_aliases_spellings_nulls_and_defaults_settle(given, settled):
    base = {"species": "homo_sapiens", "symbol": "TP53"}
    assert bt.canonical("lookup_by_symbol", {**base, **given})["arguments"] == {**base, **settled}


def test_lists_and_csv_are_one_form_and_keep_their_order():
    as_list = bt.canonical("get_uniprotkb_entry", {"accession": "P04637", "fields": ["gene_names", "accession"]})
    assert as_list == bt.canonical("get_uniprotkb_entry", {"accession": "P04637", "fields": "gene_names, accession"})
    assert as_list["arguments"]["fields"] == "gene_names,accession"
    assert bt.prepare("overlap_by_region", {"species": "human", "region": "7:1-2", "feature": ["gene", "exon"]}).url.endswith("feature=gene&feature=exon")


def test_a_default_spelled_out_is_the_same_call_but_is_sent_as_given():
    plain, spelled = {"query": "insulin"}, {"query": "insulin", "size": "25"}
    assert bt.canonical("search_uniprotkb", plain) == bt.canonical("search_uniprotkb", spelled)
    assert "size=25" in bt.prepare("search_uniprotkb", spelled).url and "size" not in bt.prepare("search_uniprotkb", plain).url


@pytest.mark.parametrize(("name", "arguments", "says"), [
    ("lookup_by_symbl", {}, "did you mean 'lookup_by_symbol'"),
    ("lookup_by_symbol", {"species": "human"}, "symbol"),
    ("lookup_by_symbol", {"species": "human", "symbol": "TP53", "expnd": 1}, "did you mean 'expand'"),
    ("lookup_by_symbol", {"species": "human", "symbol": "TP53", "expand": "maybe"}, "takes true or false"),
    ("lookup_by_symbol", {"species": "human", "symbol": "TP53", "format": "ful"}, "did you mean 'full'"),
    ("lookup_by_symbol", {"species": "human", "symbol": ["TP53"]}, "not a list"),
    ("lookup_by_symbol", {"species": "human", "symbol": ".."}, "cannot stand in a path"),
    ("lookup_by_symbol", {"species": "human", "symbol": "a\nb"}, "control characters"),
    ("lookup_by_symbol", {"species": "human", "symbol": "A" * 5000}, "longer than"),
    ("lookup_by_symbol", {"species": "human", "symbol": "TP53", "timeout": 3}, "a switch of the client"),
    ("search_uniprotkb", {"query": "insulin", "size": 501}, "at most 500"),
    ("search_uniprotkb", {"query": "insulin", "size": 2.5}, "whole number"),
    ("efetch", {"db": "gene"}, "give id, or query_key with WebEnv"),
    ("einfo", ["gene"], "an object of names and values"),
])
def test_bad_calls_give_one_clear_error(name, arguments, says):
    with pytest.raises(bt.InvalidArguments) as caught:
        bt.canonical(name, arguments)
    assert says in str(caught.value)
    assert isinstance(caught.value, ValueError) and caught.value.problems


def test_all_problems_are_listed_at_once():
    with pytest.raises(bt.InvalidArguments) as caught:
        bt.prepare("get_ld_pairwise", {"species": "human", "r2": "high", "colour": 1})
    assert {p.where for p in caught.value.problems} == {"id1", "id2", "r2", "colour"}


@pytest.mark.parametrize("hostile", ["a/b", "x?expand=1", "x#y", "%2e%2e%2fz", "https:x", "a\\b", "é 💥", "..x", "a..b", "x;y&z=1"])
def test_no_argument_leaves_its_place_in_the_path(hostile):
    request = bt.prepare("lookup_by_id", {"id": hostile})
    assert request.url.startswith("https://rest.ensembl.org/lookup/id/")
    assert request.url.removeprefix("https://rest.ensembl.org/lookup/id/").isascii()
    assert not set("/?#") & set(request.url.removeprefix("https://rest.ensembl.org/lookup/id/"))


@pytest.mark.parametrize("hostile", ["..", ".", "../../info/ping", "x/..", "a/./b", "..\\x", "//evil.example", "a//b", "/x", " ../y "])
def test_no_argument_walks_up_a_path(hostile):
    with pytest.raises(bt.InvalidArguments, match="cannot stand in a path"):
        bt.prepare("lookup_by_id", {"id": hostile})


@pytest.mark.parametrize(("name", "arguments"), [
    ("get_uniprotkb_entry", {"accession": "search"}), ("get_uniprotkb_entry", {"accession": "stream"}), ("get_variation", {"species": "human", "id": "pmid"}),
    ("get_genecentric_by_accession", {"accession": "upid"}), ("get_info_biotypes", {"species": "groups"}), ("get_ontology_ancestors", {"id": "chart"}),
])
def test_no_argument_turns_a_call_into_another_address(name, arguments):
    with pytest.raises(bt.InvalidArguments, match="is an address of the service"):
        bt.prepare(name, arguments)


@pytest.mark.parametrize("url", ["", "nonsense", "https://example.org/lookup/id/X", "https://rest.ensembl.org/nothing", "http://[::1", None])
def test_a_url_outside_the_catalogue_is_no_call(url):
    assert bt.call_from_url(url) is None
