"""How far a question is from what a model was trained on; results are told by it, and never mixed over it.

`unseen call`: an ordinary call that training did not have, of a function and in a phrasing that it did have; the headline. `unseen
entity`: those among them whose gene, protein, variant or taxon training did not have either. `unseen phrasing`: the question's family of
phrasings was held out of training. `authored`: a question that a person wrote. `unseen function`: training had no call of the function.
`technical`: the call has a parameter that nobody says aloud, such as a format.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..catalogue import tools
from ..common.runner import Run
from ..dataset import SPLITS, common_entities, entities
from ..errors import MissingArtefact

if TYPE_CHECKING:
    import pandas as pd

HEADLINE = "unseen call"
DISTANCES = (HEADLINE, "unseen entity", "unseen phrasing", "authored", "unseen function", "technical")
AUTHORED = "authored"


def read_split(run: Run, split: str) -> list[dict[str, Any]]:
    """The rows of a split: of a file in dataset/, or `<scheme>-<part>` of another split scheme, such as function-test.

    Raises MissingArtefact where there is neither. Example: `read_split(run, "entity-test")`
    """
    if (run.path / f"dataset/{split}.jsonl").is_file():
        return run.read(f"dataset/{split}.jsonl")
    scheme, _, part = split.partition("-")
    listed = run.path / f"dataset/splits/{scheme}.json"
    if part not in SPLITS or not listed.is_file():
        raise MissingArtefact(f"{run.path / 'dataset'} has neither {split}.jsonl nor splits/{scheme}.json with that part: build the dataset first")
    wanted = set(json.loads(listed.read_text(encoding="utf-8"))[part])
    return [row for name in SPLITS for row in run.read(f"dataset/{name}.jsonl") if row["id"] in wanted]


def trained_on(run: Run, split: str) -> list[dict[str, Any]] | None:
    """The training rows that a split was held back from, or None where the run has no such file."""
    scheme, dash, _ = split.partition("-")
    name = f"{scheme}-train" if dash else "train"
    return read_split(run, name) if dash or (run.path / "dataset/train.jsonl").is_file() else None


def place(rows: Sequence[Mapping[str, Any]], authored: Iterable[str] = (), trained: Sequence[Mapping[str, Any]] | None = None) -> list[dict[str, Any]]:
    """For each row its `distance`, whether it belongs to the `headline`, and whether all its entities are new (`new_entity`).

    A row without the fields `stratum` and `held_out`, of a dataset of before, is taken as ordinary and not held out. Without the training
    rows nothing is said of functions and entities. Example: `place(test, trained=train)`
    """
    by_hand = set(authored)
    functions = {row["function"] for row in trained or ()}
    exempt = common_entities([*(trained or ()), *rows])
    known = {entity for row in trained or () for entity in entities(row) - exempt}
    found = []
    for row in rows:
        if row["id"] in by_hand:
            distance = AUTHORED
        elif row.get("stratum", "ordinary") == "technical":
            distance = "technical"
        elif trained is not None and row["function"] in tools() and row["function"] not in functions:
            distance = "unseen function"
        elif row.get("held_out", False):
            distance = "unseen phrasing"
        else:
            distance = HEADLINE
        about = entities(row) - exempt if trained is not None else set()
        found.append({"distance": distance, "headline": distance == HEADLINE, "new_entity": bool(about) and not about & known})
    if not any(row["headline"] for row in found):  # a split of whole functions, say: what it was made for is its headline
        ordinary = any(row["distance"] not in ("technical", AUTHORED) for row in found)
        for row in found:
            row["headline"] = not ordinary or row["distance"] not in ("technical", AUTHORED)
    return found


def at(rows: pd.DataFrame, distance: str) -> pd.DataFrame:
    """The scored rows at one distance."""
    return rows[(rows["distance"] == HEADLINE) & rows["new_entity"]] if distance == "unseen entity" else rows[rows["distance"] == distance]
