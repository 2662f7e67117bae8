"""The published dataset's five files: read, checked, run and split again. The files themselves are not part of this repository."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import biotool_lib as bt
from biotool_lib import dataset

ROOT = Path(__file__).parents[1]
# The form of every file is that of https://github.com/gxx27/BioTool (README.md, script/data_construction/convert.py).
SYSTEM = {"from": "system", "value": "A prompt."}
SCHEMAS = {
    "get_disease_by_id": {"type": "object", "properties": {"id": {"type": "string"}, "fields": {"type": "string"}}, "additionalProperties": False, "required": ["id"]},
    "lookup_by_symbol": {"type": "object", "properties": {"species": {"type": "string"}, "symbol": {"type": "string"}, "expand": {"type": "boolean"}, "format": {"type": "string"}},
                         "additionalProperties": False, "required": ["species", "symbol"]},
    "blast": {"type": "object", "properties": {"query": {"type": "string"}, "database": {"type": "string"}, "program": {"type": "string"}},
              "additionalProperties": False, "required": ["query", "database"]},
}


def write_files(folder: Path, train, test, schemas, corpus=None) -> Path:
    """The five files, from (question, function, arguments) triples."""
    folder.mkdir()
    pool = [{"type": "function", "function": {"name": name, "description": "", "parameters": schema}} for name, schema in schemas.items()]
    by_name = {tool["function"]["name"]: tool for tool in pool}

    def conversation(question, function, arguments):
        turns = [SYSTEM, {"from": "human", "value": question}, {"from": "function_call", "value": json.dumps({"name": function, "arguments": arguments})}]
        return {"conversations": turns, "tools": json.dumps([by_name[function], pool[-1]])}

    def record(question, function, arguments):
        tool = bt.tools()[function]
        return {"user_query": question, "function_calling": {"name": function, "arguments": arguments}, "observation": {"seen": True},
                "database": tool.database, "tool": tool.group}

    files = {
        "BioTool.json": [record(*row) for row in (train + test if corpus is None else corpus)],
        "BioTool_train.json": [conversation(*row) for row in train], "BioTool_test.json": [conversation(*row) for row in test],
        "tools.json": pool, "function_mapping.json": {name: {"database": bt.tools()[name].database, "tool": bt.tools()[name].group} for name in schemas},
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


TWIN = ("What information is there on the gene BRCA1 in human?", "lookup_by_symbol", {"species": "human", "symbol": "BRCA1", "expand": 0})
TRAIN = [
    TWIN,
    ("Which disease is DI-00394?", "get_disease_by_id", {"id": "DI-00394", "fields": None}),
    ("What does this protein resemble?", "blast", {"query": "MEEPQSDPSV", "database": "nr", "program": "blastp", "timeout": 120.0}),
    ("Where does TP53 lie in human?", "lookup_by_symbol", {"species": "homo_sapiens", "symbol": "TP53", "format_": "full"}),
]
TEST = [
    ("Tell me about human BRCA1.", "lookup_by_symbol", {"symbol": "BRCA1", "species": "homo_sapiens"}),
    ("Which gene is it?", "lookup_by_symbol", {"species": "human"}),
]


@pytest.fixture
def published(tmp_path) -> dataset.Published:
    return bt.dataset.load_published(write_files(tmp_path / "data", TRAIN, TEST, SCHEMAS))


def test_rows_are_read_and_every_call_is_canonical(published):
    assert [row["split"] for row in published.rows] == ["train"] * 4 + ["test"] * 2
    first, twin = published.rows[0], published.rows[4]
    assert first["call"] == bt.canonical("lookup_by_symbol", TWIN[2]) and first["published_call"]["arguments"] == TWIN[2]
    assert first["group"] == twin["group"], "spelled differently, but one call"
    assert first["observation"] == {"seen": True} and first["database"] == "ensembl" and first["tools"] == ["lookup_by_symbol", "blast"]
    assert published.rows[5]["call"] is None
    assert dict(zip(published.counts["file"], published.counts["published"], strict=True)) == {
        "BioTool.json": 7040, "BioTool_train.json": 5632, "BioTool_test.json": 1408, "tools.json": 127, "function_mapping.json": 127}
    assert published.counts.set_index("file").loc["BioTool_train.json", "entries"] == 4


def test_what_violates_a_schema_is_reported_by_parameter(published):
    found = {(v["id"], v["schema"], v["parameter"]): v for v in published.violations.to_dict("records")}
    assert "boolean" in found["train-0", "published", "expand"]["problem"]  # 0 for a boolean
    assert "string" in found["train-1", "published", "fields"]["problem"]  # null for a text
    assert "client" in found["train-2", "catalogue", "timeout"]["problem"]
    assert published.rows[2]["call"] == {"name": "blast", "arguments": {"query": "MEEPQSDPSV", "database": "nr", "program": "blastp"}}
    assert any(v["id"] == "train-3" and v["schema"] == "published" and "format_" in v["problem"] for v in published.violations.to_dict("records"))
    assert ("test-1", "catalogue", "symbol") in found
    table = dataset.violation_table(published)
    assert table["rows"].sum() == len(published.violations)


def test_the_overlap_of_the_split_is_measured_and_a_new_split_has_none(published):
    overlap = published.overlap().set_index("kind")
    assert overlap.loc["call", "share"] == 1.0 and overlap.loc["call", "n"] == 1
    assert overlap.loc["entity", "share"] == 1.0
    for scheme in ("call", "entity"):
        parts = published.resplit(scheme)
        groups = [{row["group"] for row in rows} for rows in parts.values()]
        assert sum(map(len, parts.values())) == 5 and not set.intersection(groups[0], groups[2])
    with pytest.raises(bt.InvalidParameter, match="did you mean 'entity'"):
        published.resplit("entitty")


def test_rows_without_a_partner_are_reported(tmp_path):
    lonely = ("Which disease is DI-99999?", "get_disease_by_id", {"id": "DI-99999"})
    found = bt.dataset.load_published(write_files(tmp_path / "data", TRAIN[:2], TEST[:1], SCHEMAS, corpus=[*TRAIN[:2], lonely]))
    problems = found.violations[found.violations["schema"] == "files"]["problem"].tolist()
    assert problems == ["is in a split, but not in BioTool.json", "is in BioTool.json, but in neither split"]


def test_entries_without_a_call_are_reported_and_the_others_are_read(tmp_path):
    folder = write_files(tmp_path / "data", TRAIN, TEST, SCHEMAS)
    train = json.loads((folder / "BioTool_train.json").read_text())
    train[0]["conversations"][2]["value"] = '{"name": "lookup_by_symbol", "argum'
    train[1]["conversations"][2]["value"] = '["get_disease_by_id"]'
    del train[2]["conversations"][2]
    (folder / "BioTool_train.json").write_text(json.dumps(train))
    corpus = json.loads((folder / "BioTool.json").read_text())
    corpus[3]["function_calling"] = None
    (folder / "BioTool.json").write_text(json.dumps(corpus))
    found = bt.dataset.load_published(folder)
    assert [row["id"] for row in found.rows] == ["train-3", "test-0", "test-1"]
    left_out = found.violations[found.violations["problem"].str.startswith("holds no call")]
    assert left_out["id"].tolist()[1:] == ["train-0", "train-1", "train-2"] and left_out["parameter"].tolist()[0] == "BioTool.json"


def test_absent_files_are_one_error_that_says_how_to_get_them(tmp_path, monkeypatch):
    import huggingface_hub

    asked, fetch = [], huggingface_hub.snapshot_download
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **options: asked.append(name) or fetch(name, **options))
    hub = ("gxx27/BioTool", "hf://datasets/somebody/mirror", "hf://datasets/no good")  # none can be reached: tests run offline
    for where in (tmp_path, tmp_path / "nowhere", "data/nowhere", *hub):
        with pytest.raises(bt.MissingArtefact, match="hf download gxx27/BioTool --repo-type dataset"):
            bt.dataset.load_published(where)
    assert asked == ["gxx27/BioTool", "somebody/mirror", "no good"], "a missing folder is not looked for elsewhere"


def test_broken_files_are_named(tmp_path):
    folder = write_files(tmp_path / "data", TRAIN, TEST, SCHEMAS)
    (folder / "tools.json").write_text("[{", encoding="utf-8")
    with pytest.raises(bt.InvalidParameter, match=r"tools\.json.*fetch the file again"):
        bt.dataset.load_published(folder)
    (folder / "tools.json").write_text("{}", encoding="utf-8")
    with pytest.raises(bt.InvalidParameter, match="must hold a JSON list"):
        bt.dataset.load_published(folder)


def test_published_examples_load_validate_and_run_on_the_atlas(tmp_path):
    folder = Path(os.environ.get("BIOTOOL_FACTS", ROOT.parent / "shared" / "facts"))
    if not (folder / "published_examples.json").is_file():
        pytest.skip(f"no published examples at {folder}; set BIOTOOL_FACTS to a folder with published_examples.json")
    facts = json.loads((folder / "published_examples.json").read_text(encoding="utf-8"))
    rows = [(example["queries"][0], example["function"], example["params"]) for example in facts["examples"]]
    schemas = {
        s["function"]: {"type": "object", "properties": {p["name"]: {"type": p["type"]} for p in s["parameters"]}, "required": s["required"],
                        "additionalProperties": s["additionalProperties"]}
        for s in facts["schemas"]
    }
    found = bt.dataset.load_published(write_files(tmp_path / "data", rows[:12], rows[12:], schemas))
    assert len(found.rows) == 15 and all(row["call"] is not None for row in found.rows), found.violations.to_string()
    # What the schemas' own violations are was written down with the examples.
    told = {(s["function"], v["param"]) for s in facts["schemas"] for v in s["example_params_violating_schema"] if v["problem"] == "type differs from schema"}
    typed = found.violations[(found.violations["schema"] == "published") & found.violations["parameter"].notna()]
    assert told == set(zip(typed["function"], typed["parameter"], strict=True)) and len(told) > 5
    client = bt.Client()
    seen = {row["function"]: client.call(**row["call"]) for row in found.rows}
    # Every call is sent and answered; the atlas does not know all of these things and then says so as the service does.
    assert all(obs.status is not None for obs in seen.values()), {name: obs.error for name, obs in seen.items()}
    assert seen["get_disease_by_id"].outcome == "ok" and seen["blast"].outcome in ("ok", "empty")  # no hit among the atlas's few sequences
    assert not {obs.outcome for obs in seen.values()} & {"server_error", "bad_body", "transport_error"}
    assert found.overlap().set_index("kind").loc["call", "share"] == 0
