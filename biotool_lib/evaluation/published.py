"""The rules of the published evaluation code, kept so that its numbers can be computed the same way.

    python -m biotool_lib.evaluation published RUN1.json RUN2.json [--json]

Each file is one run: rows {prompt, predict, label} as JSONL or one JSON list, or the analysis that the published code makes of them
(exact_match, api_success, similarity, predict_call, label_call). Read book/honesty.md before comparing: these rules count most error
bodies as successes. Where the published code would stop at a row (a null, a call that is a list), the row is counted and the rest scored.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..catalogue import tools
from ..catalogue.tool import DATABASES
from ..common.encoders import DEFAULT, ENCODERS, similarity
from ..errors import BioToolError, InvalidParameter, Problem
from ..gateway import Client
from ..gateway.client import BACKENDS
from .answers import error_text, response_text

METRICS = ("exact_match", "api_success", "biotool_score")
PARTS = ("overall", *DATABASES)
_TAGGED = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)
_ACTION = re.compile(r"Action:[ \t]*([^\n]+)")
_INPUT = re.compile(r"Action Input:[ \t]*([^\n]+)")
Responder = Callable[[Mapping[str, Any]], str]


def extract(text: Any) -> Any:
    """The call in a text by the published rules, or None: a tagged call, Action with Action Input on one line, or a whole JSON object.

    What stands between the tags is not checked: it may be a list or a text. Never raises.
    Example: `extract('{"name": "einfo", "parameters": {"db": "gene"}}')`
    """
    if not isinstance(text, str):
        return None
    tagged = _TAGGED.search(text)
    found = _loads(tagged[1]) if tagged else None
    if found is not None:
        return found
    action, given = _ACTION.search(text), _INPUT.search(text)
    if action and given:
        arguments = _loads(given[1].strip().strip("`"))
        if arguments is not None:
            return {"name": action[1].strip(), "arguments": arguments}
    whole = _loads(text)
    if isinstance(whole, dict) and "name" in whole and ("parameters" in whole or "arguments" in whole):
        return {"name": whole["name"], "arguments": whole["parameters"] if "parameters" in whole else whole["arguments"]}
    return None


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def exact_match(predicted: Any, gold: Any) -> bool:
    """Whether two calls are literally equal in name and arguments, keys in any order: 1 is not 1.0, not "1", not true.

    Two values that are no calls are never equal. Example: `exact_match({"name": "a", "arguments": {}}, {"name": "a", "arguments": {}})`
    """
    if not isinstance(predicted, Mapping) or not isinstance(gold, Mapping):
        return False
    try:
        return _literal(predicted) == _literal(gold)
    except (RecursionError, TypeError):  # nested too deeply, or no JSON: keys that cannot be ordered
        return False


def _literal(call: Mapping[str, Any]) -> str:
    return json.dumps({"name": call.get("name"), "arguments": call.get("arguments")}, sort_keys=True)


def analyse(rows: Iterable[Any], respond: Responder | None = None, encoder: str = "medcpt-query") -> list[dict[str, Any] | None]:
    """Prediction rows (`predict`, `label`) as analysis rows; what is no row stays None.

    `respond` gives the text of a call's response or raises OSError or ValueError; without it, rows that are no exact match have no
    api_success and no similarity, and the scores that need them are not made. Exact matches are never executed.
    """
    found: list[dict[str, Any] | None] = []
    for row in rows:
        if not isinstance(row, Mapping):
            found.append(None)
            continue
        predicted, gold = extract(row.get("predict")), extract(row.get("label"))
        found.append({"exact_match": exact_match(predicted, gold), "api_success": None, "similarity": None, "predict_call": predicted, "label_call": gold})
    if respond is None:
        return found
    left, right, scored, known = [], [], [], {}
    for line in found:
        if line is None or line["exact_match"]:
            continue
        texts = []
        for call in (line["predict_call"], line["label_call"]):
            key = _key(call)
            if key not in known:
                known[key] = None if key is None else _respond(call, respond)
            texts.append(known[key])
        line["api_success"] = None not in texts
        if texts[0] and texts[1]:
            left.append(texts[0])
            right.append(texts[1])
            scored.append(line)
    for line, cosine in zip(scored, similarity(left, right, encoder), strict=True):
        line["similarity"] = float(cosine)
    return found


def _key(call: Any) -> str | None:
    try:
        return json.dumps(call, sort_keys=True)
    except RecursionError:
        return None


def _respond(call: Any, respond: Responder) -> str | None:
    if not isinstance(call, Mapping) or not isinstance(call.get("name"), str):
        return None
    try:
        return respond(call)
    except (OSError, ValueError):
        return None


def responder(client: Client) -> Responder:
    """Responses through our client by the published notion of success: whatever body came back counts, an error body too.

    The published wrappers fail on some bodies by accident and summarise in their own way; that is not imitated here. Keys are in order.
    """
    def respond(call: Mapping[str, Any]) -> str:
        seen = client.call(call["name"], call.get("arguments"))
        body = error_text(seen) if seen.summary is None else response_text(seen.summary)
        if body is None:
            raise ValueError(seen.error or seen.outcome)
        return body

    return respond


def scores(rows: Iterable[Any], executed: bool = True) -> dict[str, Any]:
    """Exact match, API success and BioTool Score in percent, per database and overall, of analysis rows.

    Returns {"parts": {part: {n, exact_match, api_success, biotool_score}}, "odd": {what: how many rows}}; a part without rows has None.
    The database is that of the gold function, or of the predicted one where no gold call could be read; names that no database has
    count overall only. A missing similarity counts 0, a negative one is taken as it is. Where no call was `executed` api_success and
    biotool_score are None.
    """
    buckets: dict[str, list[tuple[float, float | None, float | None]]] = {part: [] for part in PARTS}
    odd: Counter[str] = Counter()
    for row in rows:
        if not isinstance(row, Mapping):
            odd["null rows, left out"] += 1
            continue
        exact, value = bool(row.get("exact_match")), row.get("similarity")
        success = exact or bool(row.get("api_success"))
        if executed and row.get("api_success") is None and not exact:
            odd["missing api_success, counted 0"] += 1
        if success and not exact:
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                odd["missing similarity, counted 0"] += 1
                value = 0.0
            elif value < 0:
                odd["negative similarity, taken as it is"] += 1
        gold, predicted = row.get("label_call"), row.get("predict_call")
        if predicted is not None and not isinstance(predicted, Mapping):
            odd["predicted call is no object"] += 1
        if gold is None:
            odd["gold call cannot be read"] += 1
        database = _database(predicted if gold is None else gold)
        if database is None:
            odd["function of no database, overall only"] += 1
        line = (float(exact), float(success) if executed else None, (1.0 if exact else float(value or 0) if success else 0.0) if executed else None)
        buckets["overall"].append(line)
        if database:
            buckets[database].append(line)
    return {"parts": {part: {"n": len(lines), **{m: _percent([line[i] for line in lines]) for i, m in enumerate(METRICS)}}
                      for part, lines in buckets.items()}, "odd": dict(odd)}


def _database(call: Any) -> str | None:
    name = call.get("name") if isinstance(call, Mapping) else None
    return tools()[name].database if isinstance(name, str) and name in tools() else None


def _percent(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return 100 * math.fsum(known) / len(known) if known and len(known) == len(values) else None


def over_runs(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Mean and standard deviation (of the population, as published) over runs: {part: {metric: {mean, std, runs}}}."""
    table: dict[str, dict[str, Any]] = {}
    for part in PARTS:
        for metric in METRICS:
            values = [run["parts"][part][metric] for run in runs if run["parts"][part][metric] is not None]
            mean = math.fsum(values) / len(values) if values else None
            std = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values)) if mean is not None else None
            table.setdefault(part, {})[metric] = {"mean": mean, "std": std, "runs": len(values)}
    return table


def read(path: str | Path) -> list[Any]:
    """The rows of a JSONL file or of a JSON list; raises InvalidParameter, which names the line that cannot be read.

    A line with two values or a cut-off one is an error, not a smaller file.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise InvalidParameter("published", [Problem("file", str(path), f"cannot be read: {problem}")]) from problem
    if text.lstrip().startswith("["):
        whole = _loads(text)
        if isinstance(whole, list):
            return whole
        raise InvalidParameter("published", [Problem("file", str(path), "begins like a JSON list and is none")])
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except (ValueError, RecursionError) as problem:
                raise InvalidParameter("published", [Problem("file", str(path), f"line {number} is no JSON: {problem}")]) from problem
    return rows


def show(found: Mapping[str, Any]) -> str:
    """The result as text: one line a part, percentages, ± over runs where there are several."""
    lines = [f"{'part':10}{'n':>8}" + "".join(f"{metric:>18}" for metric in METRICS)]
    several = len(found["files"]) > 1
    for part, metrics in found["parts"].items():
        sizes = sorted({run["parts"][part]["n"] for run in found["files"].values()})
        cells = []
        for metric in METRICS:
            mean, std = metrics[metric]["mean"], metrics[metric]["std"]
            cells.append("–" if mean is None else f"{mean:.2f}" + (f" ± {std:.2f}" if several else ""))
        lines.append(f"{part:10}{'/'.join(map(str, sizes)):>8}" + "".join(f"{cell:>18}" for cell in cells))
    for name, run in found["files"].items():
        lines += [f"{name}: {many} × {what}" for what, many in run["odd"].items()]
        if run["parts"]["overall"]["n"] and run["parts"]["overall"]["api_success"] is None:
            lines.append(f"{name}: not executed, so there is no API success and no BioTool Score; execute with --backend")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m biotool_lib.evaluation published", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE", help="one run each: predictions or an analysis")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--backend", choices=BACKENDS, help="execute the calls of prediction files with this backend")
    parser.add_argument("--recordings", help="folder of recordings (replay)")
    parser.add_argument("--encoder", choices=ENCODERS, default="medcpt-query", help=f"with --backend; {DEFAULT} needs no weights (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        respond = responder(Client(options.backend, recordings=options.recordings)) if options.backend else None
        files = {}
        for path in options.files:
            rows = read(path)
            analysed = any(isinstance(row, Mapping) and "exact_match" in row for row in rows)
            files[path] = scores(rows) if analysed else scores(analyse(rows, respond, options.encoder), executed=respond is not None)
    except BioToolError as wrong:
        print(f"error: {wrong}", file=sys.stderr)
        return 2
    found = {"files": files, "parts": over_runs(list(files.values())), "encoder": options.encoder if options.backend else None}
    print(json.dumps(found, indent=1) if options.json else show(found))
    return 0
