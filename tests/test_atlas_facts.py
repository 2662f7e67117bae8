"""The facts of the atlas as a whole: every row names its source, they stay small, and what is missing is listed as it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import NO_RECORDINGS, RECORDED

import biotool_lib as bt
from biotool_lib.atlas.store import FACTS, gaps, read_table, table_name, tables
from biotool_lib.atlas.trace import sample, swapped, trace


def rows_of(name: str) -> list[dict[str, str | None]]:
    path = next(one for one in FACTS.iterdir() if table_name(one) == name)
    columns, lines = read_table(path)
    return [dict(zip([column for column, _ in columns], line, strict=True)) for line in lines]


def test_every_row_names_sources_that_are_explained() -> None:
    explained = {}
    for table in ("sources_ensembl", "sources_ncbi", "sources_uniprot"):
        for one in rows_of(table):
            assert one["title"] and one["licence"] and (one["url"] or "").startswith("http"), one
            explained[one["key"]] = one
    used = set()
    for path in FACTS.iterdir():
        if not table_name(path).startswith("sources_"):
            keys = [tuple((one["source"] or "missing").split("|")) for one in rows_of(table_name(path))]
            assert keys and {key for some in keys for key in some} <= set(explained), path.name
            used |= {key for some in keys for key in some}
    # What follows from the services' own code is named where it is said, in the module, and in no row.
    in_code = {key for key in explained for path in FACTS.parent.glob("ensembl*.py") if f"`{key}`" in path.read_text(encoding="utf-8")}
    assert used | in_code == set(explained), f"sources that nothing uses: {set(explained) - used - in_code}"


def test_the_shipped_facts_stay_small() -> None:
    assert sum(path.stat().st_size for path in FACTS.iterdir()) < 12_000_000


def test_the_gaps_are_those_of_the_catalogue_examples() -> None:
    client = bt.Client(backend="atlas")
    found = {name: client.call(name, tool.example) for name, tool in bt.tools().items()}
    assert [name for name, one in found.items() if "page not found" in (one.error or "")] == [], "functions without a path in the atlas"
    assert {name: one.outcome for name, one in found.items() if one.outcome != "ok"} == {one["function"]: one["outcome"] for one in gaps()}


def test_at_least_110_functions_answer_their_example_and_every_gap_says_what_is_missing() -> None:
    assert len(bt.tools()) - len(gaps()) >= 110 and all(one["missing"] for one in gaps())


def test_the_page_of_the_book_is_what_the_command_writes(tmp_path) -> None:
    subprocess.run([sys.executable, "-m", "biotool_lib.atlas", "tables", "--output", str(tmp_path / "atlas.md")], check=True)
    written = (tmp_path / "atlas.md").read_text(encoding="utf-8")
    page = (Path(__file__).parents[1] / "book" / "atlas_tables.md").read_text(encoding="utf-8")
    assert written == tables() and page.endswith(written), "run: python -m biotool_lib.atlas tables, and put its output below the page's introduction"


@pytest.mark.skipif(not (RECORDED / "index.jsonl").is_file() or not (RECORDED.parent / "tables").is_dir(), reason=NO_RECORDINGS)
def test_200_random_facts_stand_in_their_sources_and_facts_with_another_rows_value_do_not() -> None:
    facts = sample(200)
    assert {one.table for one in facts} == {table_name(path) for path in FACTS.iterdir() if not table_name(path).startswith("sources_")}
    found = trace(facts, RECORDED.parent)
    assert [one.line() for one in found if one.found == "no"] == []
    assert sum(one.found == "yes" for one in found) >= 0.9 * len(found), "most facts have a source file, not only a transcript"
    wrong = [one.found for one in trace(swapped([one for one in found[::2] if one.found == "yes"]), RECORDED.parent)]
    assert wrong.count("no") >= 0.85 * len(wrong) > 50, "the check would not notice a wrong value"
