"""The dataset: splits and what they let through, menus and retrievers, rows without a call, exports that come back whole."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from conftest import run_up_to_the_dataset

import biotool_lib as bt
from biotool_lib import calls, dataset, filters
from biotool_lib.dataset import no_call, splits
from biotool_lib.dataset.menus import menu_without
from biotool_lib.questions import grammar, held_out

FEW = ["lookup_by_symbol", "get_keyword_by_id", "get_taxonomy_by_id", "einfo", "get_info_ping", "get_uniprotkb_entry", "get_xrefs_by_symbol"]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> bt.Run:
    return run_up_to_the_dataset(tmp_path_factory.mktemp("runs") / "small", FEW)


@pytest.fixture(scope="module")
def rows(run) -> list[dict]:
    return [row for split in dataset.SPLITS for row in run.read(f"dataset/{split}.jsonl")]


def row(name, question="A question?", function="lookup_by_symbol", group=None, **arguments):
    call = bt.canonical(function, arguments)
    return {"id": name, "group": group or calls.call_id(call), "question": question, "call": call, "function": function, "kind": "call",
            "database": bt.tools()[function].database}


# Splits

def test_every_scheme_places_every_row_and_repeats_itself(run, rows):
    ids = {r["id"] for r in rows}
    for scheme in dataset.SCHEMES:
        listed = json.loads((run.path / f"dataset/splits/{scheme}.json").read_text())
        assert list(listed) == [*dataset.SPLITS, "left_out"] and sum(map(len, listed.values())) == len(ids) and set().union(*listed.values()) == ids
        assert dataset.split_by(scheme, rows, 3) == dataset.split_by(scheme, rows, 3)
    with pytest.raises(bt.InvalidParameter, match="did you mean 'entity'"):
        dataset.split_by("entities", rows, 0)


def test_no_held_out_family_is_trained_on_or_chosen_by_in_any_scheme(run, rows):
    held = run.manifest["stages"]["questions"]["held_out"]["families"]
    families = {r["id"]: r["phrasing"].split("/", 1)[1] in held.get(r["function"], ()) for r in rows if r["kind"] == "call"}
    assert 0 < sum(families.values()) < len(families) / 4
    assert all(r["held_out"] == families[r["id"]] for r in rows if r["id"] in families)
    for scheme in dataset.SCHEMES:
        listed = json.loads((run.path / f"dataset/splits/{scheme}.json").read_text())
        assert not any(families[name] for split in ("train", "validation") for name in listed[split])
        assert all(families[name] for name in listed["left_out"])
    frame = pd.DataFrame(rows)
    of_call = frame.groupby("group")["held_out"]
    assert (of_call.nunique() == 1).all()  # a call is asked in held-out families only, or in none
    assert {r["id"] for r in rows if r["held_out"]} <= {r["id"] for r in run.read("dataset/test.jsonl")}
    assert any(not r["held_out"] for r in run.read("dataset/test.jsonl"))


def test_held_out_families_are_a_quarter_at_most_and_leave_every_call_its_words(run):
    made = [call for call in run.read("calls.jsonl") if call["outcome"] == "ok"]
    found = {call["id"]: grammar.fits(call) for call in made}
    drawn = {seed: held_out.choose_families(made, found, seed) for seed in range(3)}
    assert drawn[0] != drawn[1] and drawn[0] == held_out.choose_families(made, found, 0)
    for seed, held in drawn.items():
        for name in {call["name"] for call in made}:
            families = {grammar.family(fit[0]) for call in made if call["name"] == name for fit in found[call["id"]]}
            assert len(held.get(name, ())) <= len(families) // 4
        for call in made:
            for style in held_out.STYLES:
                before, seen = found[call["id"]], [fit for fit in found[call["id"]] if grammar.family(fit[0]) not in held.get(call["name"], ())]
                left = [fit for fit in grammar.preferred(before, style) if fit in seen]
                assert left and left == grammar.preferred(seen, style), (seed, call["name"], style)


def test_technical_calls_are_a_tenth_at_most():
    made = [{"id": f"{i}", "group": f"g{i}", "stratum": "technical" if i < 20 else "ordinary"} for i in range(50)]
    kept, dropped = dataset._without_surplus(made, 0)
    assert dropped == 17 and sum(r["stratum"] == "technical" for r in kept) == 3 and len(kept) == 33
    assert kept == dataset._without_surplus(made, 0)[0] != dataset._without_surplus(made, 1)[0]


@pytest.mark.parametrize(("scheme", "key"), [("call", "group"), ("entity", "group"), ("function", "function"), ("database", "group")])
def test_what_a_scheme_keeps_together_is_together(rows, scheme, key):
    frame = pd.DataFrame(rows)
    for seed in range(3):
        split = frame["id"].map(dataset.split_by(scheme, rows, seed))
        assert (split.groupby(frame[key]).nunique() <= 1).all()  # rows of held-out families may be left out
        assert {"train", "test"} <= set(split)
    if scheme == "database":
        assert frame[split == "test"]["database"].nunique() == 1 and not set(frame[split == "test"]["database"]) & set(frame[split != "test"]["database"])
        with pytest.raises(bt.InvalidParameter, match="held_out"):
            splits.split_by_database(rows, 0, "ensemble")


def test_entities_are_what_a_call_is_about():
    about = [
        (row("a", species="human", symbol="TP53"), {"tp53"}),
        (row("b", function="search_uniprotkb", query="gene:TP53 AND organism_id:9606 AND reviewed:true", size=5), {"tp53"}),
        (row("c", function="search_uniprotkb", query='(disease:"Lynch syndrome" OR length:[1 TO 99])'), {"lynch syndrome"}),
        (row("d", function="esearch", db="gene", term="TP53[gene] AND human[orgn]"), {"tp53"}),
        (row("e", function="efetch", db="gene", id="672,675"), {"gene 672", "gene 675"}),
        (row("f", function="get_taxonomy_by_id", taxonId="672"), {"taxon_id 672"}),
        (row("g", function="get_uniref_by_id", id="UniRef90_P04637"), {"p04637"}),
        (row("h", function="efetch", db="protein", id="NP_000537.3"), {"np_000537"}),
        (row("i", function="einfo", db="pubmed"), set()),
        ({"call": None}, set()), ({"call": {"name": "nothing", "arguments": {"id": "X1"}}}, set()),
    ]
    for one, expected in about:
        assert dataset.entities(one) == expected, one


def test_rows_tied_through_others_stay_together_and_what_everybody_shares_ties_nothing():
    chain = [row(f"r{i}", function="efetch", db="gene", id=f"{i},{i + 1}") for i in range(1, 9)] + [
        row(f"s{i}", function="efetch", db="gene", id=str(i)) for i in range(100, 200)]
    for seed in range(5):
        split = dataset.split_by("entity", chain, seed)
        assert len({split[f"r{i}"] for i in range(1, 9)}) == 1
    shared = [row(f"r{i}", function="efetch", db="gene", id=f"1,{i}") for i in range(2, 60)]
    assert dataset.common_entities(shared) == {"gene 1"}
    assert len(set(dataset.split_by("entity", shared, 0).values())) == 3


def test_leakage_is_counted_row_by_row():
    kept = [
        row("a", "Where in the genome of human is the gene TP53 to be found today?", species="human", symbol="TP53"),
        row("b", "Where in the genome of human is the gene KRAS to be found today, please?", species="human", symbol="KRAS"),
        row("c", "Where in the genome of human is the gene KRAS to be found today?", species="human", symbol="KRAS"),
        row("d", "What is known of TP53 in UniProt?", function="search_uniprotkb", query="gene:TP53"),
        row("e", "Name the parent of the taxon 9606.", function="get_taxonomy_by_id", taxonId="9606"),
    ]
    split = {"a": "train", "b": "train", "c": "test", "d": "test", "e": "test"}
    found = dataset.measure_leakage(kept, {"mine": split}).set_index("kind")
    assert found["n"].tolist() == [3, 3, 3] and (found["low"] <= found["share"]).all() and (found["share"] <= found["high"]).all()
    assert found["share"].round(6).to_dict() == {"call": 0.333333, "entity": 0.666667, "question": 0.333333}
    empty = dataset.measure_leakage(kept, {"none": dict.fromkeys("abcde", "train")})
    assert empty["share"].isna().all() and (empty["n"] == 0).all()


def test_near_twins_are_all_pairs_above_the_threshold_and_no_other(rows):
    sample = rows[:120]
    runs = {r["id"]: splits._two_word_runs(r["question"]) for r in sample}
    twins = dataset.near_twins(sample, 0.5)
    assert sum(map(len, twins.values())) > 20
    for a in runs:
        assert twins[a] == {b for b in runs if b != a and len(runs[a] & runs[b]) / len(runs[a] | runs[b]) >= 0.5}


def test_the_leakage_table_of_a_run(run):
    table = dataset.leakage(run).set_index(["scheme", "kind"])
    assert table.index.tolist() == [(s, k) for s in dataset.SCHEMES for k in ("call", "entity", "question")]
    assert (table.loc[["call", "entity", "function", "database"]].xs("call", level="kind")["share"] == 0).all()
    assert table.loc[("entity", "entity"), "share"] == 0 and table.loc[("sample", "call"), "share"] > 0.4
    assert run.manifest["stages"]["dataset"]["leakage_by_call"]["sample"]["value"] == round(table.loc[("sample", "call"), "share"], 4)
    with pytest.raises(bt.MissingArtefact):
        dataset.leakage(bt.Run(run.path.parent / "empty"))


# Menus and retrievers

def test_menus_of_every_size_hold_the_right_function_at_a_random_place():
    names = sorted(bt.tools())
    places = set()
    for i in range(200):
        small, large = (dataset.menu("lookup_by_symbol", names, f"0:{i}", size) for size in (2, 8))
        assert set(small) <= set(large) and len(large) == len(set(large)) == 8 and "lookup_by_symbol" in small
        assert "lookup_by_id" in small, "the other function of the group comes first"
        places.add(large.index("lookup_by_symbol"))
    assert places == set(range(8))
    assert sorted(dataset.menu("einfo", names, "x", "all")) == names and dataset.menu("einfo", names, "x", "none") == []
    for wrong in (-1, "some", 2.5, True):
        with pytest.raises(bt.InvalidParameter, match="'none' or 'all'"):
            dataset.menu("einfo", names, "x", wrong)


def test_rows_with_other_menus_and_a_table_of_them(rows):
    again = dataset.with_menus(rows, 8, 0)
    assert again == dataset.with_menus(rows, 8, 0) != dataset.with_menus(rows, 8, 1)
    assert all(len(r["tools"]) == 8 and r["function"] in r["tools"] for r in again)
    assert rows[0]["tools"] != again[0]["tools"] and {k: v for k, v in rows[0].items() if k != "tools"} == {k: v for k, v in again[0].items() if k != "tools"}
    table = dataset.menu_table(rows, 0).set_index("menu")
    assert table["functions"].to_dict() == {"none": 0, 2: 2, 8: 8, 32: 32, "all": len(bt.tools())}
    assert abs(table.loc[8, "mean_place"] - 0.5) < 0.1 and table.loc[2, "same_group"] > table.loc[32, "same_group"]


def test_retrievers_rank_the_whole_catalogue_and_their_recall_grows(run, rows):
    asked = ["Give me the members of the UniRef cluster UniRef50_P04637", "Run a BLAST search with this sequence", ""]
    for retriever in ("bm25", "embedding"):
        ranked = dataset.rank(asked, retriever=retriever)
        assert all(sorted(names) == sorted(bt.tools()) for names in ranked)
        assert "get_uniref_members" in ranked[0][:3] and "blast" in ranked[1][:2]
        assert dataset.with_menus(rows[:2], 4, 0, retriever=retriever)[0]["tools"] == dataset.rank([rows[0]["question"]], retriever=retriever)[0][:4]
    table = dataset.retriever_recall(run, k=(1, 8, 136))
    for _, part in table.groupby("retriever"):
        assert part["recall"].is_monotonic_increasing and part["recall"].iloc[-1] == 1.0 and 0.05 < part["recall"].iloc[0] < 1
    with pytest.raises(bt.InvalidParameter, match="did you mean 'bm25'"):
        dataset.rank(asked, retriever="bm52")
    with pytest.raises(bt.InvalidParameter, match="encoder"):
        dataset.rank(asked, retriever="embedding", encoder="nothing")


# Rows without a call

def test_no_call_rows_have_their_share_and_no_question_two_answers(rows):
    names = sorted({r["function"] for r in rows})
    mixed = no_call.add_no_call(rows, 0.3, names, 0)
    frame = pd.DataFrame(mixed)
    assert abs((frame["kind"] != "call").mean() - 0.3) < 0.01 and set(frame["kind"]) == {"call", *no_call.KINDS}
    assert not frame["id"].duplicated().any() and not frame["question"].str.casefold().duplicated().any()
    without = frame[frame["kind"] != "call"]
    assert without["call"].isna().all() and without["observation"].isna().all() and set(without.columns) == set(rows[0])
    assert frame[frame["kind"] == "call"]["call"].notna().all()
    assert no_call.add_no_call(rows, 0.3, names, 0) == mixed and no_call.add_no_call(rows, 0.0, names, 0) == rows
    place = dataset.split_by("call", mixed, 0)
    for r in mixed:  # a made row lies where its source lies
        assert r["kind"] in ("call", "out_of_scope") or place[r["id"]] == place.get(r["id"].rsplit("-", 1)[0], place[r["id"]])
    with pytest.raises(bt.InvalidParameter, match=r"from 0 to 0\.5"):
        no_call.add_no_call(rows, 0.9, names, 0)


def test_missing_information_is_missing_and_wrong_tools_are_wrong(rows):
    sources = {r["id"]: r for r in rows}
    mixed = no_call.add_no_call(rows, 0.3, sorted({r["function"] for r in rows}), 0)
    for r in mixed:
        source = sources.get(r["id"].rsplit("-", 1)[0])
        if r["kind"] == "missing_information":
            lost = filters.unrecoverable(r["question"], source["call"])
            assert lost and "this " in r["question"].lower() and r["function"] in r["tools"]
        if r["kind"] == "wrong_tool":
            gold = bt.tools()[r["function"]]
            assert r["function"] not in r["tools"] and len(r["tools"]) == dataset.MENU
            assert all(bt.tools()[n].database not in (gold.database, "ncbi") for n in r["tools"])
    assert menu_without("lookup_by_symbol", ["lookup_by_symbol"], "s", 2), "drawn from the whole catalogue where a run has no other function"


@pytest.mark.parametrize(("question", "call", "expected"), [
    ("On which chromosome is the human gene TP53?", ("lookup_by_symbol", {"species": "human", "symbol": "TP53"}), "On which chromosome is this human gene?"),
    ("Where exactly does TP53 sit in the genome of human?", ("lookup_by_symbol", {"species": "human", "symbol": "TP53"}), "Where exactly does this gene sit in the genome of human?"),
    ("Which transcript is the canonical one of human TP53?", ("lookup_by_symbol", {"species": "human", "symbol": "TP53"}), "Which transcript is the canonical one of this human gene?"),
    ("What is the title of the publication 19182791 that UniProt cites?", ("get_citation_by_id", {"citationId": "19182791"}), "What is the title of this publication that UniProt cites?"),
    ("What is recorded under the name TP53 in human?", ("lookup_by_symbol", {"species": "human", "symbol": "TP53"}), None),  # "the name this gene" is no English
    ("Which disease is DI-00394 in UniProt?", ("get_disease_by_id", {"id": "DI-00394"}), None),  # "which disease is this disease" says nothing
    ("Is TP53 the same as TP53 in human?", ("lookup_by_symbol", {"species": "human", "symbol": "TP53"}), None),
    ("What taxonomic rank does 9606, that is human, have in UniProt?", ("get_taxonomy_by_id", {"taxonId": "9606"}), None),  # still said, in words
    ("Is the service alive just now?", ("get_info_ping", {}), None),
])
def test_an_entity_is_taken_out_of_a_sentence(question, call, expected):
    assert no_call.without_entity({"question": question, "call": bt.canonical(*call)}) == expected


def test_the_authored_questions_are_distinct_and_name_no_function():
    texts = dataset.out_of_scope()
    assert len(texts) >= 70 and len({t.casefold() for t in texts}) == len(texts)
    assert all(5 <= len(t.split()) <= 40 for t in texts)


# Formats

@pytest.fixture(scope="module")
def mixed_run(run, tmp_path_factory) -> bt.Run:
    """The same run, with no-call rows in its dataset."""
    folder = tmp_path_factory.mktemp("runs") / "mixed"
    shutil.copytree(run.path, folder)
    again = bt.Run.existing(folder)
    dataset.build(again, no_call=0.3)
    return again


@pytest.mark.parametrize("which", ["run", "mixed_run"])
def test_exports_come_back_whole(which, request):
    run = request.getfixturevalue(which)
    folder = run.path / "dataset/exports"
    kinds = set()
    for split in dataset.SPLITS:
        rows = run.read(f"dataset/{split}.jsonl")
        kinds |= {r["kind"] for r in rows}
        wanted = [{key: r[key] for key in ("question", "call", "tools")} for r in rows]
        assert [dataset.read_sharegpt(item) for item in json.loads((folder / f"sharegpt_{split}.json").read_text())] == wanted
        assert [dataset.read_messages(json.loads(line)) for line in (folder / f"messages_{split}.jsonl").read_text().splitlines()] == wanted
        back = dataset.read_parquet(folder / f"{split}.parquet")
        assert [{key: r[key] for key in rows[0]} for r in back] == rows
        for r in back:
            assert (r["provenance"] is None) == (r["kind"] == "out_of_scope")
            assert r["provenance"] is None or {v["layer"] for v in r["provenance"]["verdicts"]} == {"execution", "judge"}
    assert kinds == ({"call"} if which == "run" else {"call", *no_call.KINDS})


def test_llama_factory_would_skip_no_conversation(mixed_run):
    """Its converter wants human turns in odd places, answers in even ones, and an even number of turns."""
    folder = mixed_run.path / "dataset/exports"
    for name, entry in json.loads((folder / "dataset_info.json").read_text()).items():
        assert entry["formatting"] == "sharegpt" and name.startswith("biotool_book_")
        for item in json.loads((folder / entry["file_name"]).read_text()):
            turns = [turn["from"] for turn in item[entry["columns"]["messages"]]]
            assert len(turns) % 2 == 0 and turns[0] == "human" and turns[1] in ("function_call", "gpt")
            assert isinstance(item[entry["columns"]["tools"]], str)


def test_schemas_and_places_of_the_functions(run, rows):
    folder = run.path / "dataset/exports"
    functions = sorted({r["function"] for r in rows})
    assert [tool["function"]["name"] for tool in json.loads((folder / "tools.json").read_text())] == functions
    mapping = json.loads((folder / "function_mapping.json").read_text())
    assert sorted(mapping) == functions and mapping["get_keyword_by_id"] == {"database": "uniprot", "tool": "keywords"}


def test_parquet_files_are_read_by_datasets(run):
    import datasets

    loaded = datasets.Dataset.from_parquet(str(run.path / "dataset/exports/test.parquet"), cache_dir=str(run.path / "cache"))
    rows = run.read("dataset/test.jsonl")
    assert loaded["question"][:] == [r["question"] for r in rows] and json.loads(loaded[0]["call"]) == rows[0]["call"]


def test_the_card_says_what_was_counted_and_the_checksums_hold(run, mixed_run, rows):
    folder = run.path / "dataset"
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlicense: other\n") and "$" not in card
    assert f"{len(rows):,} questions" in card and "No row is human-verified" in card and "not live answers" in card
    sample = dataset.leakage(run).set_index(["scheme", "kind"]).loc[("sample", "call")]
    assert f"| sample | call | {sample['share']:.1%} |" in card
    listed = dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines())
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {"SHA256SUMS"}
    assert set(listed) == files and all(hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest for name, digest in listed.items())
    assert "| wrong_tool |" in (mixed_run.path / "dataset/README.md").read_text() and "| wrong_tool |" not in card


def test_a_card_counts_rows_that_people_accepted(run, tmp_path):
    folder = tmp_path / "reviewed"
    shutil.copytree(run.path, folder)
    again = bt.Run.existing(folder)
    first = again.read("questions.jsonl")[0]["id"]
    again.write("verdicts.jsonl", [*again.read("verdicts.jsonl"), {"question_id": first, "layer": "human", "accept": True, "reason": "reads well", "by": "ada"}])
    dataset.build(again)
    assert "1 of " in (folder / "dataset/README.md").read_text()


def test_the_hub_takes_the_folder_with_a_token_from_the_environment_only(run, monkeypatch, tmp_path):
    import huggingface_hub

    sent = []

    class Hub:
        def __init__(self, token=None):
            self.token = token

        def create_repo(self, name, **options):
            sent.append((self.token, name, options))
            return f"https://hub/{name}"

        def upload_folder(self, **options):
            sent.append(options)

    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(bt.InvalidParameter, match="HF_TOKEN"):
        dataset.push_to_hub(run, "somebody/biotool-book")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with pytest.raises(bt.InvalidParameter, match="owner/name"):
        dataset.push_to_hub(run, "no good name!")
    with pytest.raises(bt.MissingArtefact, match="build the dataset"):
        dataset.push_to_hub(bt.Run(tmp_path / "new"), "somebody/biotool-book")
    assert sent == []
    assert dataset.push_to_hub(run, "somebody/biotool-book") == "https://hub/somebody/biotool-book"
    assert sent[0] == ("hf_secret", "somebody/biotool-book", {"repo_type": "dataset", "private": True, "exist_ok": True})
    assert Path(sent[1]["folder_path"]) == run.path / "dataset" and sent[1]["repo_type"] == "dataset"


def test_building_again_does_nothing_and_another_share_builds_anew(mixed_run):
    before = (mixed_run.path / "dataset/train.jsonl").stat().st_mtime_ns
    dataset.build(mixed_run, no_call=0.3)
    assert (mixed_run.path / "dataset/train.jsonl").stat().st_mtime_ns == before
    dataset.build(mixed_run)
    assert {r["kind"] for r in mixed_run.read("dataset/train.jsonl")} == {"call"}
