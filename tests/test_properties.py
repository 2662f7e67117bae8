"""Properties of all 136 functions: a request is its call again, one call has one form, and nothing that a model writes leaves its endpoint."""

from __future__ import annotations

import json
import posixpath
import re
from itertools import pairwise
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
import requests
from conftest import RECORDED
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from urllib3.util import parse_url

import biotool_lib as bt
from biotool_lib.catalogue.canonical import CLIENT_SWITCHES, MAX_ARGUMENTS, MAX_URL
from biotool_lib.gateway.atlas import AtlasAdapter, build_response
from biotool_lib.gateway.request import redact

NAMES = list(bt.tools())
FEW = settings(max_examples=6, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))

# Letters that services and our own code give a meaning to, beside ordinary ones.
WORD = st.text(st.sampled_from("aBz09_-.:,;&=+%?#/@()[]*|<>\"' é中💥"), min_size=1, max_size=8)
QUERY_WORD = WORD.filter(lambda text: text.strip(" ,"))
PATH_WORD = st.text(st.sampled_from("aBz09_-.:,;&=+%?#@()[]*|<>\"' é中💥"), min_size=1, max_size=8).map(lambda text: f"x{text}".strip())


SPECIES = {"homo_sapiens": ["human", "9606", 9606, "Homo sapiens", "HOMO_SAPIENS"], "mus_musculus": ["mouse", "10090", "Mus musculus"], "felis_catus": ["Felis catus"]}


def value_of(schema, path, kind=None):
    """Values that a parameter's JSON schema allows."""
    if "anyOf" in schema:
        item = value_of(schema["anyOf"][0], path, kind)
        return item | st.lists(item, min_size=1, max_size=3)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    low, high = schema.get("minimum"), schema.get("maximum")
    if schema["type"] == "boolean":
        return st.booleans()
    if schema["type"] == "integer":
        return st.integers(-1000 if low is None else int(low), 100_000 if high is None else int(high))
    if schema["type"] == "number":
        return st.floats(0 if low is None else low, 1e6 if high is None else high, allow_subnormal=False).map(abs)
    words = PATH_WORD if path else QUERY_WORD
    return st.sampled_from(sorted(SPECIES)) | words if kind == "species" else words


def valid(tool):
    """Arguments that the function's schema allows, with what a schema cannot say: optional path parts in order, pairs that go together."""
    properties = tool.json_schema()["function"]["parameters"]["properties"]
    where = {p.name: p.location for p in tool.parameters.values()}
    values = {name: value_of(schema, where[name] == "path", tool.parameters[name].kind) for name, schema in properties.items()}
    for parameter in tool.parameters.values():  # a list is one text with commas
        if parameter.list == "csv":
            item = st.sampled_from(parameter.enum) if parameter.enum else QUERY_WORD
            values[parameter.name] = st.lists(item, min_size=1, max_size=3).map(",".join)
    required = {p.name: values[p.name] for p in tool.parameters.values() if p.required}
    optional = {name: value for name, value in values.items() if name not in required}
    groups = st.sampled_from(tool.needs) if tool.needs else st.just(())
    parts = [name for name, is_parameter, may_lack in tool.segments() if is_parameter and may_lack]

    @st.composite
    def arguments(draw):
        needed = {name: values[name] for name in draw(groups)}
        chosen = draw(st.fixed_dictionaries({**required, **needed}, optional={k: v for k, v in optional.items() if k not in needed}))
        for before, after in pairwise(parts):
            if before not in chosen:
                chosen.pop(after, None)
        return chosen

    return arguments()


TOOLS = [pytest.param(tool, id=name) for name, tool in bt.tools().items()]


@pytest.mark.parametrize("tool", TOOLS)
def test_a_request_is_its_call_again_and_one_call_has_one_form(tool):
    @FEW
    @given(valid(tool), st.randoms(use_true_random=False))
    def check(arguments, random):
        call = bt.canonical(tool.name, arguments)
        request = bt.prepare(tool.name, arguments)
        back = bt.call_from_url(request.url, request.body)
        # stream_* sends the same request as search_*, so the wire cannot tell them apart
        assert back is not None and back["arguments"] == call["arguments"]
        assert back["name"] in (tool.name, tool.name.replace("stream_", "search_"))
        assert bt.canonical(**call) == call
        assert bt.prepare(**call).method == request.method == tool.method
        assert bt.canonical(tool.name, json.loads(json.dumps(call["arguments"]))) == call
        # order and spelling
        turned = {random.choice(spellings(tool, name)): value for name, value in reversed(arguments.items())}
        blank = random.choice([None, "", " ", []])
        assert bt.canonical(tool.name, {**turned, **{name: blank for name in tool.parameters if name not in arguments}}) == call
        assert bt.canonical(tool.name, {name: random.choice(forms(tool, name, value)) for name, value in arguments.items()}) == call
        # defaults spelled out
        assumed = {p.name: p.default if p.send is None else p.send for p in tool.parameters.values() if p.name not in arguments and p.location != "path"}
        assert bt.canonical(tool.name, {**arguments, **{name: value for name, value in assumed.items() if value is not None}}) == call

    check()


def spellings(tool, name):
    parameter = tool.parameters[name]
    return [name, parameter.wire, *parameter.aliases]


def forms(tool, name, value):
    """Other ways in which published calls write the same value: 0/1 or "1" for booleans, numbers as text, lists for commas."""
    parameter = tool.parameters[name]
    if parameter.kind == "species" and isinstance(value, list):
        return [value, [SPECIES.get(item, [item])[0] for item in value]]
    if parameter.kind == "species" and value in SPECIES:
        return [value, *SPECIES[value]]
    if isinstance(value, bool):
        return [value, int(value), str(int(value)), str(value).lower(), str(value)]
    if isinstance(value, int | float):
        return [value, str(value), *([float(value)] if isinstance(value, int) else [])]
    if parameter.list == "csv" and isinstance(value, str):
        return [value, value.split(","), value.replace(",", ", ")]
    if parameter.list == "repeat":
        return [value, *([[value]] if not isinstance(value, list) else [tuple(value)])]
    return [value]


HOSTILE_TEXTS = [
    "..", ".", "../..", "..\\..", "%2e%2e", "%2e%2e%2f", "..%2f", "//evil.example/x", "\\\\evil.example", "?api_key=1", "#x", "x?y=1", "&email=a", "a;b=1",
    "http://evil.example/", "@evil.example", "x\r\nHost: evil.example", "\x00", "\x1b[2J", "\ud800", "．．／", "‥", "\u202e", "\ufeff", "search", "stream", "{id}", "%", "%%30",
    "' OR 1=1 --", "<script>", "..;/x", ".json", "\t", "\n", " ", "", "/", "a/../b", "%252e%252e%252f", "∕..∕", "A" * 3000, "é" * 9000, ",", ",,", "true", "nan",
    "groups", "pmid", "chart", "upid", "region", "light", "members", "cdna",
]
HOSTILE = st.recursive(
    st.sampled_from(HOSTILE_TEXTS) | st.text(max_size=20) | st.none() | st.booleans() | st.integers() | st.floats()
    | st.sampled_from([10**400, -(10**400), float("nan"), float("inf"), b"bytes", ("a",), {"a"}, object(), "x" * 2_000_000, ["x"] * 100_000, "a," * 100_000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2), max_leaves=4,
)


def deep(levels=50_000):
    nested: list = []
    for _ in range(levels):
        nested = [nested]
    return nested


def hostile(tool):
    """The example with arguments replaced by hostile ones, and with names that no function has."""
    names = st.sampled_from([*tool.parameters, *(w for p in tool.parameters.values() for w in (p.wire, *p.aliases))] or ["x"])
    strange = st.sampled_from([*sorted(CLIENT_SWITCHES), "", "__class__", "x\r\ny", "\ud800", "q" * 100_000]) | st.integers() | st.none() | st.tuples(st.integers()) | st.text(max_size=5)
    changed = st.dictionaries(names, HOSTILE, max_size=4)
    return st.tuples(st.just(dict(tool.example)), changed, st.dictionaries(strange, HOSTILE, max_size=1) | st.just({})).map(lambda d: {**d[0], **d[1], **d[2]})


def assert_inside(tool, request):
    """The request goes to its endpoint: as written, as urllib3 sends it, and as a server that decodes everything reads it."""
    base = urlsplit(tool.base)
    for url in {request.url, parse_url(request.url).url, requests.Request("GET", request.url).prepare().url}:
        parts = urlsplit(url)
        assert (parts.scheme, parts.netloc, parts.fragment) == (base.scheme, base.netloc, "")
        assert url.isascii() and not re.search(r"[\x00-\x20\x7f\\]", url)
        fixed = [(text, is_parameter) for text, is_parameter, may_lack in tool.segments() if not may_lack]
        segments = parts.path.strip("/").split("/")
        assert len(fixed) <= len(segments) <= len(tool.segments())
        assert all(is_parameter or text == given for (text, is_parameter), given in zip(fixed, segments, strict=False))
        assert parts.path == parse_url(f"{tool.base}{posixpath.normpath(parts.path)}").path or parts.path.endswith("/")
        decoded = posixpath.normpath(unquote(parts.path).replace("\\", "/"))
        first = [text for text, _ in fixed[: next((n for n, part in enumerate(fixed) if part[1]), len(fixed))]]
        assert decoded.strip("/").split("/")[: len(first)] == first
        assert len(decoded.strip("/").split("/")) >= len(fixed)
        keys = {key for key, _ in parse_qsl(parts.query, keep_blank_values=True)}
        assert keys <= {*tool.constants, *(p.wire for p in tool.parameters.values() if p.location == "query")}
        assert len(url) < 3 * MAX_URL * 4 + 500
        back = bt.call_from_url(url, request.body)
        assert back is None or back["name"] in (tool.name, tool.name.replace("stream_", "search_")), "another function's address"
    assert request.headers.get("Host") is None
    assert {key.lower() for key in request.headers} <= {"accept", "content-type", "content-length"}
    assert not any(re.search(r"[\r\n]", str(value)) for value in request.headers.values())


def assert_small_and_plain(message):
    assert len(message) < 20_000 and message.isprintable()


@pytest.mark.parametrize("tool", TOOLS)
def test_hostile_arguments_are_refused_or_stay_in_their_endpoint(tool, monkeypatch):
    sent = []

    def send(self, request, **options):
        sent.append(request)
        return build_response(request, 404, {"content-type": "application/json"}, b'{"error": "not found", "messages": ["not found"]}')

    monkeypatch.setattr(AtlasAdapter, "send", send)
    client = bt.Client()

    @FEW
    @given(hostile(tool))
    def check(arguments):
        try:
            assert_inside(tool, bt.prepare(tool.name, arguments))
        except bt.InvalidArguments as refused:
            assert refused.problems
            assert_small_and_plain(str(refused))
        seen = client.call(tool.name, arguments)
        assert seen.outcome in ("invalid_arguments", "not_found")
        assert (seen.outcome == "invalid_arguments") == (seen.url is None) and seen.error
        if seen.url is None:
            assert_small_and_plain(seen.error)

    check()
    for request in sent:
        assert_inside(tool, request)


@pytest.mark.parametrize("tool", TOOLS)
def test_each_argument_alone_stays_in_its_place(tool):
    for parameter in tool.parameters.values():
        for text in HOSTILE_TEXTS if parameter.location == "path" else HOSTILE_TEXTS[::9]:
            try:
                assert_inside(tool, bt.prepare(tool.name, {**tool.example, parameter.name: text}))
            except bt.InvalidArguments as refused:
                assert_small_and_plain(str(refused))


def test_an_address_without_our_defaults_is_a_call_with_the_service_s_own():
    url = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils/esearch.fcgi?db=gene&term=x"
    assert bt.call_from_url(url) == {"name": "esearch", "arguments": {"db": "gene", "term": "x", "retmode": "xml"}}
    assert bt.call_from_url(f"{url}&retmode=json") == bt.canonical("esearch", {"db": "gene", "term": "x"})


@pytest.mark.parametrize("tool", TOOLS)
def test_the_atlas_never_trips_over_hostile_arguments(tool):
    client = bt.Client()

    @settings(FEW, max_examples=1)  # BLAST really aligns, and full-text search is slow, too
    @given(hostile(tool), valid(tool))
    def check(untrusted, allowed):
        for arguments in (untrusted, allowed):
            seen = client.call(tool.name, arguments)
            assert seen.outcome in ("ok", "empty", "invalid_arguments", "not_found"), seen.error

    check()


@pytest.mark.parametrize("name", ["lookup_by_id", "vep_by_hgvs", "search_uniprotkb", "efetch", "blast"])
def test_what_is_too_much_is_refused_quickly(name):
    tool = bt.tools()[name]
    first = next(iter(tool.parameters))
    for arguments in [
        {first: deep()}, {first: deep(), tool.parameters[first].wire: deep()}, {f"k{n}": 1 for n in range(MAX_ARGUMENTS + 1)}, {"k": deep()}, {first: "x" * 10_000_000},
        {first: ["x"] * 2_000_000}, {first: 10**5000}, {(1, 2): 3}, {"\x00\x1b" * 100: "\x00"}, deep(), "text", 7, [1], b"x", {first: {1: deep()}},
    ]:
        with pytest.raises(bt.InvalidArguments) as refused:
            bt.prepare(name, arguments)
        assert_small_and_plain(str(refused.value))
        seen = bt.Client().call(name, arguments)
        assert seen.outcome == "invalid_arguments"
        assert_small_and_plain(seen.error)


def test_names_of_functions_are_untrusted_too():
    for name in [None, 7, "", "lookup_by_idd", "\x00", "x" * 1_000_000, deep(), {"a": 1}, ("x",), b"lookup_by_id", float("nan"), 10**5000]:
        seen = bt.Client().call(name, {})
        assert seen.outcome == "invalid_arguments" and seen.url is None
        assert_small_and_plain(seen.error)
    assert "did you mean 'lookup_by_id'" in bt.Client().call("lookup_by_idd", {}).error


def test_many_long_arguments_do_not_make_a_longer_address():
    with pytest.raises(bt.InvalidArguments, match="split the call"):
        bt.prepare("vep_by_id", {"species": "human", "id": "rs1", "dbNSFP": "x" * 7999, "Paralogues": "y" * 7999, "transcript_id": "z" * 100})
    with pytest.raises(bt.InvalidArguments, match="longer than"):
        bt.prepare("elink", {"dbfrom": "gene", "id": ["1234567890"] * 1000})


def test_all_of_many_problems_are_kept_and_twenty_are_told():
    with pytest.raises(bt.InvalidArguments, match=r"and 80 more problems") as refused:
        bt.canonical("einfo", {f"x{n}": 1 for n in range(100)})
    assert len(refused.value.problems) == 100


@pytest.mark.parametrize("switch", ["api_key", "email", "apiKey", "access_token"])
def test_a_secret_that_a_model_writes_is_not_repeated(switch):
    seen = bt.Client().call("einfo", {"db": "gene", switch: "s3cret"})
    assert seen.outcome == "invalid_arguments" and switch in seen.error and "s3cret" not in seen.error


@settings(max_examples=400, derandomize=True, deadline=None)
@given(st.sampled_from(NAMES), st.text(st.sampled_from("aZ09/?&=;#%.:@ é\x00\n[]"), max_size=12), st.integers(0, 200), st.binary(max_size=9) | st.none())
def test_any_address_is_a_call_or_none(name, text, place, body):
    url = bt.prepare(name, bt.tools()[name].example).url
    for address in (url[:place] + text + url[place:], url[:place] + text, text, f"https://{text}"):
        call = bt.call_from_url(address, body)
        assert call is None or (bt.canonical(**call) == call and bt.prepare(**call).url)


@pytest.mark.parametrize(("text", "shown"), [
    ("https://x/?db=gene&api_key=abc&id=1", "https://x/?db=gene&api_key=…&id=1"), ("https://x/?WebEnv=1&query_key=2", "https://x/?WebEnv=1&query_key=2"),
    ("NCBI_API_KEY=abc", "NCBI_API_KEY=…"), ('{"error": "x", "api-key":"1.2.3.4"}', '{"error": "x", "api-key":"…"}'), ("?email=a%40b.c&tool=t", "?email=…&tool=t"),
])
def test_secrets_are_removed_and_nothing_else(text, shown):
    assert redact(text) == shown


# Where our table of functions says more or less than the facts that were collected of the reference, and why.
EXPLAINED = {
    ("*", "callback"): "a switch of the client (JSONP)",
    ("*", "api_key"): "a secret, which comes from the environment only",
    ("get_query_beacon", "alternateBases"): "the service takes variantType in its place",
    ("stream_crossref_databases", "url"): "streams are served by the search address, with the server's total",
    ("stream_human_diseases", "url"): "streams are served by the search address, with the server's total",
    ("stream_keywords", "url"): "streams are served by the search address, with the server's total",
    ("stream_taxonomy", "url"): "streams are served by the search address, with the server's total",
    ("get_genecentric_by_proteome_id", "upid"): "part of the official path",
    ("get_uniparc_by_upi", "upi"): "part of the official path",
    ("get_uniref_by_id", "id"): "part of the official path",
    ("get_uniref_members", "id"): "part of the official path",
    ("ecitmatch", "rettype"): "the published name of what travels as retmode",
}


def documented() -> dict[str, dict]:
    """What was collected about the functions and their addresses, by name; skips where it is missing."""
    path = RECORDED.parent / "facts" / "functions.json"
    if not path.is_file():
        pytest.skip(f"no facts about the functions at {path}")
    return {fact["name"]: fact for fact in json.loads(path.read_text(encoding="utf-8"))}


def test_paths_names_and_constants_are_the_documented_ones():
    facts = documented()
    assert set(facts) == set(NAMES)
    different = []
    for name, fact in facts.items():
        tool = bt.tools()[name]
        ours = tool.base + re.sub(r"\{(\w+)\?\}", r"{\1}", tool.path).rstrip("/")
        official = (fact.get("official_url") or fact["url"]).rstrip("/")
        if tool.method != fact["method"] or not (ours == official or ours.startswith(f"{official}/{{")):
            different.append((name, "url"))
        constants = {**dict(fact["constant_query"]), **dict(fact["constant_form"])}
        sent = {**tool.constants, **{p.wire: p.send for p in tool.parameters.values() if p.send is not None}}
        assert constants.items() <= sent.items(), name
        spelled = {alias: p for p in tool.parameters.values() for alias in (p.name, p.wire, *p.aliases)}
        for theirs in fact["parameters"]:
            mine = spelled.get(theirs["name"])
            where = {"path segment": "path"}.get(theirs["in"], theirs["in"])
            if mine is None or mine.location != where or (where != "path" and mine.wire != theirs["wire_name"]) or mine.required != theirs["required"]:
                different.append((name, theirs["name"]))
        for key, value in fact["headers"].items():
            assert {k.lower(): v for k, v in tool.headers.items()}.get(key.lower()) == value, name
    unexplained = [found for found in different if found not in EXPLAINED and ("*", found[1]) not in EXPLAINED]
    assert not unexplained
    assert {key for key in EXPLAINED if key[0] != "*"} <= set(different)


def sample(parameter):
    """A value that the parameter allows and that is not its default."""
    if parameter.enum:
        return next(value for value in reversed(parameter.enum) if value not in (parameter.default, parameter.send))
    plain = {"boolean": True, "integer": 7, "number": 0.5}
    return plain.get(parameter.type, "abc")


def test_every_parameter_travels_as_documented():
    facts = documented()
    for name, fact in facts.items():
        tool = bt.tools()[name]
        spelled = {alias: p for p in tool.parameters.values() for alias in (p.name, p.wire, *p.aliases)}
        for theirs in fact["parameters"]:
            mine = spelled.get(theirs["name"])
            if mine is None or mine.location == "path" or len(mine.enum or (1, 2)) < 2 or theirs["wire_name"] is None:
                continue
            value = sample(mine)
            request = bt.prepare(name, {key: given for key, given in tool.example.items() if key != mine.name} | {theirs["name"]: value})
            pairs = parse_qsl(urlsplit(request.url).query) + parse_qsl(request.body or "")
            text = {"boolean as 1/0": "1", "boolean as true/false": "true"}.get(theirs["encoding"], str(value))
            assert (theirs["wire_name"], text) in pairs, (name, theirs["name"])


def test_the_published_calls_are_accepted_with_their_quirks():
    path = RECORDED.parent / "facts" / "published_examples.json"
    if not path.is_file():
        pytest.skip(f"no published examples at {path}")
    examples = json.loads(path.read_text(encoding="utf-8"))["examples"]
    assert len(examples) == 15
    for example in examples:
        arguments = {key: value for key, value in example["params"].items() if key not in CLIENT_SWITCHES}  # one gold call sets a time-out
        call = bt.canonical(example["function"], arguments)
        request = bt.prepare(example["function"], arguments)
        assert bt.call_from_url(request.url, request.body) == call == bt.canonical(**call)
