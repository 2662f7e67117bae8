"""Summaries of UniProt responses: recorded bodies stay small and whole, totals are the server's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from conftest import recorded_bodies, sound_summary

from biotool_lib.atlas.uniprot_return_fields import RETURN_FIELDS, shape_entry
from biotool_lib.catalogue import tools
from biotool_lib.observe import Context
from biotool_lib.observe.fit import LIMIT, fit, size
from biotool_lib.observe.uniprot import SUMMARIES
from biotool_lib.questions.grammar import look_up

ROOT = Path(__file__).resolve().parents[1]
ODD = [
    None,
    [],
    {},
    "",
    "text",
    0,
    True,
    {"results": None},
    {"results": [{}]},
    [[[[]]]],
    {"messages": ["Resource not found"], "url": "u"},
]
IMPOSSIBLE = [  # what the service never sends; MARK stands for what must not be lost
    {"results": [None, 1, "MARK"]},
    {"results": [{"comments": [None], "primaryAccession": "MARK"}]},
    {"primaryAccession": "MARK", "features": "x", "genes": {"a": 1}},
    {"lineage": [{}], "sequence": "MARK"},
    {"mainRule": "MARK", "citation": 3, "statistics": [None]},
]


def test_every_function_has_a_summary() -> None:
    assert set(SUMMARIES) == {name for name, tool in tools().items() if tool.database == "uniprot"}


@pytest.mark.parametrize("function", sorted(SUMMARIES))
def test_recorded_bodies(function: str, recorded: Path) -> None:
    bodies = recorded_bodies("uniprot")
    if function not in bodies:
        pytest.skip(f"no recorded body of {function}")
    for file, data, arguments in bodies[function]:
        context = Context(arguments=arguments)
        first, second = SUMMARIES[function](data, context), SUMMARIES[function](data, context)
        assert json.dumps(first) == json.dumps(second), file
        assert size(first) <= LIMIT, file
        assert json.loads(json.dumps(first)) == first, file
        assert first and "summary_error" not in first, file


@pytest.mark.parametrize("function", sorted(SUMMARIES))
def test_odd_shapes_never_raise(function: str) -> None:
    for data in ODD:
        assert "summary_error" not in sound_summary(SUMMARIES[function], data), data


@pytest.mark.parametrize("function", sorted(SUMMARIES))
def test_impossible_shapes_are_shown_plainly_with_the_error(function: str) -> None:
    for data in IMPOSSIBLE:
        summary = sound_summary(SUMMARIES[function], data)
        assert "summary_error" not in summary or "MARK" in json.dumps(summary), (data, summary)
    assert any("summary_error" in SUMMARIES[name](data, Context()) for name in SUMMARIES for data in IMPOSSIBLE), "a failed summariser is never hidden"


def test_error_body_keeps_its_message() -> None:
    assert SUMMARIES["get_uniprotkb_entry"]({"url": "u", "messages": ["Resource not found"]}, Context())["messages"] == ["Resource not found"]


def test_total_is_the_server_s() -> None:
    page = {"results": [{"primaryAccession": "P04637"}]}
    summary = SUMMARIES["search_uniprotkb"](page, Context(total=20417, arguments={"size": 1}))
    assert (summary["total"], summary["total_counts"], summary["on_page"]) == (20417, "all matches", 1)


def test_unknown_total_says_so() -> None:
    page = {"results": [{"primaryAccession": "P04637"}]}
    assert SUMMARIES["search_uniprotkb"](page, Context(arguments={"size": 1}))["total_counts"].startswith("this page only")
    assert SUMMARIES["search_uniprotkb"](page, Context(arguments={"size": 10}))["total_counts"] == "all matches"


def test_requested_fields_are_kept() -> None:
    entry = {
        "primaryAccession": "P1",
        "sequence": {"value": "M" * 2000, "length": 2000},
        "comments": [{"commentType": "PTM", "texts": [{"value": "Phosphorylated"}]}],
        "genes": [{"geneName": {"value": "ABC1"}, "synonyms": [{"value": "XYZ"}]}],
    }
    summary = SUMMARIES["get_uniprotkb_entry"](entry, Context(arguments={"fields": "sequence,cc_ptm,gene_names"}))
    assert summary["sequence"]["value"] == "M" * 2000
    assert summary["comments"]["ptm"]["items"] == ["Phosphorylated"]
    assert summary["genes"][0]["synonyms"] == ["XYZ"]
    short = SUMMARIES["get_uniprotkb_entry"](entry, Context())
    assert short["sequence"]["value"].endswith("(2000 characters)")


@pytest.mark.parametrize("field", sorted(RETURN_FIELDS))
def test_every_field_that_can_be_asked_for_is_shown(field: str, recorded: Path) -> None:
    """An entry as the service cuts it for one field still says what was asked: some value of that part stands in the summary."""
    shown = missed = 0
    for _, data, _ in recorded_bodies("uniprot")["get_uniprotkb_entry"][::6]:
        if not isinstance(data, dict) or "sequence" not in data:
            continue
        body = shape_entry(data, [field])
        asked = {key: value for key, value in body.items() if key not in ("entryType", "primaryAccession")}
        wanted = [text for text in values(asked) if len(text) > 1 and text != data["extraAttributes"]["uniParcId"]]
        summary = values(SUMMARIES["get_uniprotkb_entry"](body, Context(arguments={"fields": field})))
        if wanted and not any(text[:40] in line for text in wanted for line in summary):
            missed += 1
        shown += 1
    assert shown > 15 and not missed


def values(part: object) -> list[str]:
    """The plain values of a body or summary as text, without what only says where they come from."""
    if isinstance(part, dict):
        return [text for key, value in part.items() if key not in ("evidences", "evidenceCode") for text in values(value)]
    return [text for item in part for text in values(item)] if isinstance(part, list) else [str(part)]


def test_lineage_runs_from_the_root() -> None:
    taxon = {
        "taxonId": 9606,
        "parent": {"taxonId": 9605},
        "lineage": [{"taxonId": 9605, "scientificName": "Homo", "rank": "genus"}, {"taxonId": 9604, "scientificName": "Hominidae", "rank": "family"}],
    }
    summary = SUMMARIES["get_taxonomy_by_id"](taxon, Context())
    assert summary["lineage"] == "Hominidae > Homo"
    assert summary["ranks"] == {"family": "Hominidae", "genus": "Homo"}


def test_fit_states_its_cuts() -> None:
    small = fit({"items": ["x" * 900] * 40, "total": 40, "shown": 40, "other": list(range(500))})
    assert size(small) <= LIMIT
    assert small["total"] == 40 and small["shown"] == len(small["items"]) < 40
    assert "(900 characters)" in small["items"][0] and small["other"]["total"] == 500


def test_fit_names_what_it_leaves_out() -> None:
    small = fit({f"key{number}": {f"k{n}": n for n in range(60)} for number in range(20)})
    assert size(small) <= LIMIT and small["left_out"]


@pytest.mark.parametrize("function", ["get_uniprotkb_entry", "search_uniprotkb"])
def test_phrasings_ask_for_what_bodies_hold(function: str, recorded: Path) -> None:
    bodies = recorded_bodies("uniprot")
    phrasings = yaml.safe_load((ROOT / "biotool_lib" / "questions" / "uniprot.yaml").read_text(encoding="utf-8"))[function]["phrasings"]
    summaries = [SUMMARIES[function](data, Context(arguments=arguments)) for _, data, arguments in bodies[function]]
    # Bodies of both functions hold the same entries; a search path is looked up in the entries as if they were its first hit.
    entries = [{"items": [SUMMARIES["get_uniprotkb_entry"](data, Context())], "total": 1} for _, data, _ in bodies["get_uniprotkb_entry"]]
    asked = {p["asks"] for p in phrasings if "xref_" not in str(p.get("when"))}
    missing = [path for path in asked if all(look_up(summary, path) in (None, "", [], {}) for summary in [*summaries, *entries])]
    assert not missing
