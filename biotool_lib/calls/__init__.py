"""Calls: proposed from the catalogue and the things that a backend knows, then executed.

Run with `python -m biotool_lib.calls --run runs/laptop`.
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..catalogue import InvalidArguments, canonical, tools
from ..common.runner import Run, dumps
from ..errors import BioToolError, plain
from ..files import read_yaml
from ..gateway import Client, Observation
from ..gateway.replay import Recordings
from . import authored
from .strata import STRATA, settle, stratum, unspeakable

if TYPE_CHECKING:
    import pandas as pd

    from ..catalogue.tool import Parameter

__all__ = [
    "STRATA", "call_id", "coverage", "digest", "enumerate_calls", "fill", "kinds_coverage", "plans", "propose", "row", "run_client", "settle",
    "stratum", "value_coverage",
]

MOST_PER_FUNCTION = 60  # of recorded calls, so that no one function drowns the rest
OPTION_SHARE = 0.4
WORKERS = 4  # calls under way at one host: enough to keep a host's pace where an answer takes longer than the pace's step
PASSING = ("transport_error", "rate_limited", "server_error", "pending")  # what a service may yet answer: asked again by the same command
UNREACHED = 5  # calls one after another without an answer of their host, after which it is not asked further


@cache
def plans() -> dict[str, list[dict[str, Any]]]:
    """How calls of each function are proposed: from which kind of thing, with which arguments and options."""
    merged: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(Path(__file__).parent.glob("plans_*.yaml")):
        for name, listed in read_yaml(path).items():
            merged.setdefault(name, []).extend(listed)
    return merged


def call_id(call: Mapping[str, Any]) -> str:
    """The identity of a canonical call: the same call has the same id in every run."""
    return "c" + hashlib.sha256(dumps({"name": call["name"], "arguments": call["arguments"]}).encode()).hexdigest()[:12]


def propose(client: Client, seed: int = 0, functions: list[str] | None = None, scale: float = 1.0) -> list[dict[str, Any]]:
    """Distinct canonical calls as {"id", "name", "arguments", "authored"}, in a fixed order for a seed.

    A replay client proposes what was recorded (at most 60 a function); the others the plans over the atlas's entities,
    each plan's limit multiplied by `scale`. Calls of authored questions come last, marked, also where they were proposed already; but
    a function keeps its proposed calls unmarked where no other would be left to learn from.
    """
    found = _recorded(client.recordings, seed, functions) if client.recordings else _planned(seed, functions, scale)
    distinct: dict[str, dict[str, Any]] = {}
    for call in found:
        distinct.setdefault(call_id(call), {"id": call_id(call), **call, "authored": False})
    written = {call_id(row): row for row in authored.read() if functions is None or row["name"] in functions}
    kept = {call["name"] for name, call in distinct.items() if name not in written}
    for name, row in written.items():
        if name not in distinct or row["name"] in kept:
            distinct[name] = {"id": name, "name": row["name"], "arguments": row["arguments"], "authored": True}
    return list(distinct.values())


def _recorded(recordings: Recordings, seed: int, functions: list[str] | None) -> Iterator[dict[str, Any]]:
    by_function: dict[str, list[dict[str, Any]]] = {}
    for call in recordings.calls:
        by_function.setdefault(call["name"], []).append(call)
    for name in sorted(set(by_function) if functions is None else set(by_function) & set(functions)):
        calls = sorted(by_function[name], key=dumps)
        random.Random(f"{seed}:{name}").shuffle(calls)
        yield from calls[:MOST_PER_FUNCTION]


def _planned(seed: int, functions: list[str] | None, scale: float) -> Iterator[dict[str, Any]]:
    from ..atlas.store import entities

    known = cache(entities)  # many plans draw on the same view; forgotten when all are made
    for name in sorted(set(plans()) if functions is None else set(plans()) & set(functions)):
        for number, plan in enumerate(plans()[name]):
            things: list[Any] = list(known(plan["from"], plan.get("where", ""))) if plan.get("from") else [{}]
            yield from _from_plan(name, plan, things, random.Random(f"{seed}:{name}:{number}"), scale)


def _from_plan(name: str, plan: Mapping[str, Any], things: list[Any], rng: random.Random, scale: float) -> Iterator[dict[str, Any]]:
    rng.shuffle(things)
    wanted, seen = max(1, round(plan.get("limit", 40) * scale)), set()
    options = [(key, value) for key, values in plan.get("options", {}).items() for value in values]
    for thing in map(dict, things):
        arguments = {key: fill(value, thing) for key, value in plan.get("arguments", {}).items()}
        if any(value is None for value in arguments.values()):
            continue
        if options and rng.random() < OPTION_SHARE:
            key, value = rng.choice(options)
            arguments[key] = fill(value, thing)
        try:
            call = canonical(name, arguments)
        except InvalidArguments as wrong:
            raise ValueError(f"a plan of {name} proposes a call that the catalogue refuses: {wrong}") from wrong
        if call_id(call) not in seen:
            seen.add(call_id(call))
            yield call
        if len(seen) >= wanted:
            return


def fill(template: Any, thing: Mapping[str, Any]) -> Any:
    """A plan's value for one thing: a lone "{column}" keeps the column's type, other texts are formatted."""
    if not isinstance(template, str):
        return template
    if template.startswith("{") and template.endswith("}") and template.count("{") == 1:
        return thing[template[1:-1]]
    values = {key: value for key, value in thing.items() if value is not None}
    try:
        return template.format(**values)
    except KeyError:
        return None


def row(call: Mapping[str, Any], observation: Observation) -> dict[str, Any]:
    """One executed call as it stands in calls.jsonl."""
    return {
        "id": call["id"], "name": observation.name, "arguments": dict(observation.arguments), "outcome": observation.outcome,
        "observation": {
            "url": observation.url, "status": observation.status, "sha256": digest(observation.data), "summary": observation.summary,
        },
        "error": observation.error, "source": observation.source, "authored": bool(call.get("authored")),
    }


def digest(data: Any) -> str | None:
    """sha256 of a body's parsed content; the receipt by which a later look can tell whether it is the same."""
    return None if data is None else hashlib.sha256(dumps(data).encode()).hexdigest()


def enumerate_calls(run: Run, client: Client | None = None, functions: list[str] | None = None, scale: float = 1.0,
                    progress: bool | None = None, workers: int = WORKERS) -> pd.DataFrame:
    """Propose and execute calls into `calls.jsonl`; interrupted or killed, it goes on where it stopped and repeats nothing.

    The hosts work at once, each in a process of its own; with a live client each has `workers` threads, at the pace that the client
    keeps, and what brought no answer that lasts (PASSING) is asked again by the same command, also after the end.
    Recordings answer one call after the other. Returns one row a call, in an order that does not depend on who answered first.
    Raises BioToolError if a process that makes the calls is killed alone, or if a host cannot be reached.
    Example: `enumerate_calls(Run("runs/laptop"))`
    """
    import pandas as pd

    client = client or run_client(run)
    stage = run.stage("calls", writes=["calls.jsonl"], settings={"functions": functions, "scale": scale})
    if not stage.done or run.part(stage).exists():
        proposed, live = propose(client, run.seed, functions, scale), client.backend == "live"
        rows = run.resume(stage, proposed, _executor(client), label="calls", progress=progress, tally="outcome",
                          lane=None if client.backend == "replay" else _host, workers=workers if live else 1,
                          again=(lambda kept: kept["outcome"] in PASSING) if live else None)
        run.write("calls.jsonl", rows)
        stage.finish(len(rows), outcomes=dict(sorted(Counter(r["outcome"] for r in rows).items())),
                     functions=dict(sorted(Counter(r["name"] for r in rows).items())),
                     strata=dict(sorted(Counter(stratum(r) for r in rows).items())),
                     authored=sum(r["authored"] for r in rows), authored_unanswered=authored.unanswered(rows),
                     authored_trained_on=authored.trained_on(rows))
        if not live or not any(r["outcome"] in PASSING for r in rows):
            run.tidy(stage)
    return pd.DataFrame(run.read("calls.jsonl"))


def _executor(client: Client) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Executes calls; where hosts work at once, each thread has a client of its own, since sessions are not made to be shared."""
    if client.backend == "replay":
        return lambda call: row(call, client.call(call["name"], call["arguments"]))
    own, unreached, lock = threading.local(), Counter[str](), threading.Lock()

    def execute(call: Mapping[str, Any]) -> dict[str, Any]:
        if not hasattr(own, "client"):
            own.client = client.twin()
        observed = own.client.call(call["name"], call["arguments"])
        host = _host(call)
        with lock:
            if observed.outcome == "transport_error":
                unreached[host] += 1
            elif (observed.receipt or {}).get("from") == "network":  # an answer of the cache says nothing about the host
                unreached[host] = 0
            if unreached[host] >= UNREACHED:
                raise BioToolError(f"{host} gives no answer: {unreached[host]} calls one after another failed, the last with "
                                   f"{plain(str(observed.error), 300)}; see that the network and the host are up, "
                                   "then give the same command again: it goes on from here")
        return row(call, observed)

    return execute


def _host(call: Mapping[str, Any]) -> str:
    return urlsplit(tools()[call["name"]].base).hostname or ""


def coverage(run: Run) -> pd.DataFrame:
    """How far the calls of a run cover the catalogue: one row a function, in the catalogue's order.

    Columns: `database`; `proposed` calls and, of these, `ok`, `empty` and `other`; `parameters_used`, how many different ones
    they have, of the function's `parameters`. Raises MissingArtefact before the enumeration. Example: `coverage(Run("runs/laptop")).sum()`
    """
    import pandas as pd

    table: dict[str, dict[str, Any]] = {
        tool.name: {"database": tool.database, "proposed": 0, "ok": 0, "empty": 0, "other": 0, "parameters_used": 0, "parameters": len(tool.parameters)}
        for tool in tools().values()
    }
    used: dict[str, set[str]] = {name: set() for name in table}
    for call in run.read("calls.jsonl"):
        counts = table[call["name"]]
        counts["proposed"] += 1
        counts[call["outcome"] if call["outcome"] in ("ok", "empty") else "other"] += 1
        used[call["name"]].update(call["arguments"])
        counts["parameters_used"] = len(used[call["name"]])
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("name")


def value_coverage(run: Run) -> pd.DataFrame:
    """Which values of which parameters the answered calls of a run have: one row a parameter, or a listed value of one.

    Columns: `database`, `function`, `parameter`, `value` ("any" where no values are listed), `calls`, and for those without a call
    `reason`: unspeakable (format, display or machinery), default (a canonical call leaves it out), unanswered (the backend answers no
    call of the function), recorded (the atlas holds recorded answers of a few calls of the function only), or not proposed.
    Raises MissingArtefact before the enumeration. Example: `value_coverage(run).groupby("reason").size()`
    """
    import pandas as pd

    answered = [call for call in run.read("calls.jsonl") if call["outcome"] == "ok"]
    of_function = Counter(call["name"] for call in answered)
    used: Counter[tuple[str, str, str]] = Counter()
    for call in answered:
        for name, value in call["arguments"].items():
            listed = _listed(tools()[call["name"]].parameters[name])
            given = {str(item) for item in (value if isinstance(value, list) else str(value).split(","))}
            used.update((call["name"], name, item) for item in (given & set(listed) or ({"any"} if "any" in listed else set())))
    rows = []
    for tool in tools().values():
        recorded = {plan.get("from", "").startswith("ensembl_recorded") for plan in plans().get(tool.name, ())} == {True}
        for parameter in tool.parameters.values():
            standard = str(parameter.default if parameter.send is None else parameter.send)
            for value in _listed(parameter):
                count = used[tool.name, parameter.name, value]
                why = None if count else _reason(tool.name, parameter.name, value, standard, of_function[tool.name], recorded)
                rows.append({"database": tool.database, "function": tool.name, "parameter": parameter.name, "value": value,
                             "calls": count, "reason": why})
    return pd.DataFrame(rows)


def _listed(parameter: Parameter) -> list[str]:
    """The values of a parameter that a table of coverage tells apart."""
    return [str(value) for value in parameter.enum] if parameter.enum else ["True"] if parameter.type == "boolean" else ["any"]


def _reason(name: str, parameter: str, value: str, standard: str, answered: int, recorded: bool) -> str:
    if not answered:
        return "unanswered"
    why = unspeakable(name, parameter, value)
    return f"unspeakable ({why})" if why else "default" if value == standard else "recorded" if recorded else "not proposed"


def kinds_coverage(run: Run) -> pd.DataFrame:
    """Answered calls of a run by database, subfield, species and kind of entity: one row a combination, with the count `calls`.

    A species is the one that an argument names ("none" where none does), a kind that of the first required argument that names a thing.
    """
    import pandas as pd

    rows: Counter[tuple[str, str, str, str]] = Counter()
    for call in run.read("calls.jsonl"):
        if call["outcome"] == "ok":
            tool = tools()[call["name"]]
            kinds = {name: tool.parameters[name].kind for name in call["arguments"]}
            species = next((str(call["arguments"][name]) for name, kind in kinds.items() if kind == "species"), "none")
            things = [str(kind) for kind in kinds.values() if kind not in (None, "species", "fields", "entrez_db", "assembly", "population")]
            rows[tool.database, tool.subfield, species, things[0] if things else "none"] += 1
    return pd.DataFrame([{**dict(zip(("database", "subfield", "species", "entity"), key, strict=True)), "calls": n} for key, n in sorted(rows.items())])


def run_client(run: Run) -> Client:
    """A client for the backend that the run was made with."""
    return Client(run.manifest["backend"], recordings=run.recordings)
