"""The published dataset: read, checked call by call, its split measured, and offered again without leaks.

It is not part of this repository. File names, forms and sizes are those that its authors give at https://github.com/gxx27/BioTool.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..catalogue import InvalidArguments, canonical, tools
from ..catalogue.canonical import CLIENT_SWITCHES
from ..common.chat import as_call
from ..common.runner import dumps
from ..errors import InvalidParameter, MissingArtefact, Problem
from .formats import read_sharegpt
from .splits import SPLITS, measure_leakage, split_by

if TYPE_CHECKING:
    import pandas as pd

HUB = "gxx27/BioTool"
SIZES = {"BioTool.json": 7_040, "BioTool_train.json": 5_632, "BioTool_test.json": 1_408, "tools.json": 127, "function_mapping.json": 127}


@dataclass(frozen=True)
class Published:
    """The published rows in the form of our own.

    `rows` have `id, group, question, call` (canonical, None where it cannot be one), `published_call` (as it was),
    `observation, kind, database, function, subfield, tools, split`; `violations` has one line for each thing in a call that its
    schema does not allow; `counts` compares the number of entries of each file with the number that its authors give.
    """

    rows: list[dict[str, Any]]
    violations: pd.DataFrame
    counts: pd.DataFrame
    _usable: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def frame(self) -> pd.DataFrame:
        """The rows as a table."""
        import pandas as pd

        return pd.DataFrame(self.rows)

    def overlap(self, seed: int = 0) -> pd.DataFrame:
        """How much of the published test split stands in the published training split: scheme, kind, share, n, low, high."""
        return measure_leakage(self._usable, {"published": {row["id"]: row["split"] for row in self._usable}}, seed)

    def resplit(self, scheme: str = "call", seed: int = 0) -> dict[str, list[dict[str, Any]]]:
        """The rows with a valid call, split anew: train, validation and test; by call, no call is in two of them.

        Raises InvalidParameter for an unknown scheme. Example: `load_published("data").resplit("entity")["test"]`
        """
        place = split_by(scheme, self._usable, seed)
        return {split: [{**row, "split": split} for row in self._usable if place[row["id"]] == split] for split in SPLITS}


def load_published(path_or_hub: str | Path = HUB) -> Published:
    """Read the published dataset's five files from a folder, or from the hub.

    The hub is asked for "gxx27/BioTool" and for names that begin with "hf://datasets/", never for a folder that is missing.
    Every call is checked against the published schemas and against our catalogue, and brought into canonical form. Raises
    MissingArtefact, which says how to get the files, where they are not, and InvalidParameter where one is not what its name says.
    Example: `load_published("data").violations`
    """
    import pandas as pd

    folder = _folder(path_or_hub)
    files = {name: _read(folder / name) for name in SIZES}
    schemas = {tool.get("function", tool)["name"]: tool.get("function", tool)["parameters"] for tool in files["tools.json"]}
    rows: list[dict[str, Any]] = []
    problems: list[dict[str, Any]] = []
    observed = defaultdict(list)
    for entry in files["BioTool.json"]:
        call = as_call(entry.get("function_calling"))
        if call is None:
            problems.append(_problem(None, "none", "files", "BioTool.json", entry, "holds no call"))
        else:
            observed[_key(entry["user_query"], call)].append(entry)
    for split in ("train", "test"):
        for number, item in enumerate(files[f"BioTool_{split}.json"]):
            name = f"{split}-{number}"
            try:
                read = read_sharegpt(item)
            except (ValueError, KeyError, TypeError):
                read = {"call": None}
            call = as_call(read["call"])
            if call is None:
                problems.append(_problem(name, "none", "files", f"BioTool_{split}.json", item, "holds no call: left out"))
                continue
            entries = observed[_key(read["question"], call)]
            entry = entries.pop() if entries else None
            row, wrong = _row(name, split, {**read, "call": call}, entry, files["function_mapping.json"], schemas)
            rows.append(row)
            problems += wrong
    problems += [
        _problem(None, entry["function_calling"]["name"], "files", None, entry["user_query"], "is in BioTool.json, but in neither split")
        for entries in observed.values() for entry in entries
    ]
    counts = pd.DataFrame([{"file": name, "entries": len(files[name]), "published": size} for name, size in SIZES.items()])
    columns = ["id", "function", "schema", "parameter", "value", "problem"]
    return Published(rows, pd.DataFrame(problems, columns=columns), counts, [row for row in rows if row["call"] is not None])


def _folder(path_or_hub: str | Path) -> Path:
    """A local folder with the five files; a hub name is downloaded into the hub's own cache."""
    folder, prefix = Path(path_or_hub), "hf://datasets/"
    how = (f"get them once with `hf download {HUB} --repo-type dataset --local-dir data/BioTool` (a machine with a network is needed) "
           "and name that folder")
    if not folder.is_dir() and isinstance(path_or_hub, str) and (path_or_hub == HUB or path_or_hub.startswith(prefix)):
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

        try:
            folder = Path(snapshot_download(path_or_hub.removeprefix(prefix), repo_type="dataset", allow_patterns=list(SIZES)))
        except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, HFValidationError, OSError) as wrong:
            raise MissingArtefact(f"the files of {path_or_hub} are neither here nor reachable: {how}") from wrong
    missing = [name for name in SIZES if not (folder / name).is_file()]
    if missing:
        raise MissingArtefact(f"{folder} does not hold {', '.join(missing)}: {how}")
    return folder


def _read(path: Path) -> Any:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as wrong:
        raise InvalidParameter("load_published", [Problem(path.name, str(path), f"no JSON ({wrong}): fetch the file again")]) from wrong
    wanted = Mapping if path.name == "function_mapping.json" else list
    if not isinstance(found, wanted):
        kind = "object" if wanted is Mapping else "list"
        raise InvalidParameter("load_published", [Problem(path.name, type(found).__name__, f"must hold a JSON {kind}")])
    return found


def _row(name: str, split: str, read: Mapping[str, Any], entry: Mapping[str, Any] | None, mapping: Mapping[str, Any],
         schemas: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    given = read["call"]
    function, arguments = given["name"], given["arguments"]
    problems = [_problem(name, function, "published", *wrong) for wrong in _against_schema(schemas.get(function), arguments)]
    if entry is None:
        problems.append(_problem(name, function, "files", None, read["question"], "is in a split, but not in BioTool.json"))
    call = None
    if function not in tools():
        problems.append(_problem(name, function, "catalogue", None, function, "no such function"))
    else:
        # Switches of the authors' own client say nothing about the service: reported, left out, and the rest still counts.
        switches = {key: value for key, value in arguments.items() if key in CLIENT_SWITCHES}
        problems += [_problem(name, function, "catalogue", key, v, "a switch of the client, left out") for key, v in switches.items()]
        try:
            call = canonical(function, {key: value for key, value in arguments.items() if key not in switches})
        except InvalidArguments as wrong:
            problems += [_problem(name, function, "catalogue", p.where, p.value, p.remedy) for p in wrong.problems]
    tool = tools().get(function)
    identity = hashlib.sha256(dumps(call or given).encode()).hexdigest()[:12]
    place = (mapping.get(function) or {}).get("database") or (tool.database if tool else "none")
    row = {
        "id": name, "group": f"c{identity}", "question": read["question"], "call": call, "published_call": given, "kind": "call",
        "observation": entry["observation"] if entry else None, "database": place, "function": function,
        "subfield": tool.subfield if tool else "none", "tools": read["tools"], "split": split,
    }
    return row, problems


def _against_schema(schema: Mapping[str, Any] | None, arguments: Mapping[str, Any]) -> list[tuple[str | None, Any, str]]:
    """What the published schema of a function does not allow in a published call: parameter, value, problem."""
    from jsonschema import Draft202012Validator

    if schema is None:
        return [(None, None, "the function has no schema")]
    errors = sorted(Draft202012Validator(schema).iter_errors(dict(arguments)), key=lambda error: (str(list(error.path)), error.message))
    return [
        (str(error.path[0]), error.instance, error.message) if error.path else (None, sorted(arguments), error.message) for error in errors
    ]


def _problem(name: str | None, function: str, schema: str, parameter: str | None, value: Any, problem: str) -> dict[str, Any]:
    shown = json.dumps(value, ensure_ascii=False)
    return {"id": name, "function": function, "schema": schema, "parameter": parameter, "value": shown, "problem": problem}


def _key(question: str, call: Mapping[str, Any]) -> str:
    return question + "\n" + json.dumps({"name": call["name"], "arguments": call["arguments"]}, sort_keys=True)


def violation_table(published: Published) -> pd.DataFrame:
    """Violations counted: schema, function, parameter, rows, an example of the problem; most frequent first."""
    import pandas as pd

    lines = published.violations.to_dict("records")
    counts = Counter((line["schema"], line["function"], line["parameter"]) for line in lines)
    example = {(line["schema"], line["function"], line["parameter"]): line["problem"] for line in reversed(lines)}
    return pd.DataFrame([
        {"schema": key[0], "function": key[1], "parameter": key[2], "rows": count, "example": example[key]}
        for key, count in counts.most_common()
    ], columns=["schema", "function", "parameter", "rows", "example"])
