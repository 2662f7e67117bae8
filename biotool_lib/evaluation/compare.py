"""One prediction beside its gold call: is it a call, is it the same, which argument is wrong, and do the two responses agree."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..catalogue import InvalidArguments, Tool, canonical, tools
from ..common.chat import parse
from ..common.runner import dumps

# The kinds of error, the one that decides first: a row's main error is the first of these that it has.
ERRORS = (
    "no prediction", "format", "no call", "unneeded call", "wrong function", "wrong species", "hallucinated identifier",
    "missing argument", "extra argument", "wrong argument",
)
NOT_RUN = "not_run"
_ATTEMPT = re.compile(r"<tool_call>|<function=|\bAction:|\{")
_DATE = re.compile(r"\d{4}[-/ ]\d{1,2}([-/ ]\d{1,2})?\b.*|\d{1,2}[-/]\w{3,9}[-/]\d{2,4}.*")
# Three digits in a row, as in ENSG00000012048, rs699 or KW-0053, or an accession as https://www.uniprot.org/help/accession_numbers has it.
_IDENTIFIER = re.compile(
    r"(?!\d+\.\d+$)(?=.*\d{3})[A-Za-z0-9][\w.:\-/|]*|(?:[OPQ]\d[A-Z0-9]{3}\d|[A-NR-Z]\d(?:[A-Z][A-Z0-9]{2}\d){1,2})(?:[.\-]\d+)?"
)
_ID_KEY = re.compile(r"(?:^|[._])(?:ids?|uids?|ID|taxid)$|[a-z]I[dD]s?$")
_NAMED = re.compile(r"[A-Za-z0-9_.\-]*\d[A-Za-z0-9_.\-]+|[A-Za-z]+\d|\b[A-Z][A-Z0-9\-]{2,}\b")
_ORGANISM = re.compile(r"(?:organism|taxonomy)_(?:id|name):\s*(\"[^\"]+\"|[^\s()]+)|(\"[^\"]+\"|[\w .\-]+?)\s*\[(?:orgn|organism)\]", re.IGNORECASE)
_SPECIES_KINDS = ("species", "taxon_id")
_QUERY_KINDS = ("uniprot_query", "entrez_term")
_OPERATORS = {"AND", "OR", "NOT", "TO"}


def settle(call: Any) -> tuple[dict[str, Any] | None, str | None]:
    """A predicted call in canonical form, or None and why not; never raises, whatever a model wrote."""
    if call is None:
        return None, "no call"
    if not isinstance(call, Mapping) or not isinstance(call.get("name"), str):
        return None, "not a call"
    try:
        return canonical(call["name"], call.get("arguments")), None
    except InvalidArguments as wrong:
        return None, str(wrong)[:300]
    except RecursionError:
        return None, "nested too deeply"
    except (OverflowError, ValueError) as odd:  # a whole number of hundreds of digits is JSON, too
        return None, f"a value that cannot be read: {odd}"[:300]


def compare_row(row: Mapping[str, Any], predicted: Mapping[str, Any] | None) -> dict[str, Any]:
    """All that can be said of one row without a response; `predicted` is None where the model has no line for it.

    Metrics that a row cannot have are None: a question that no function fits has no right function and no response. A row that a model
    could not be asked (`form` not_run) is not scorable: it is counted, and charged to nobody.
    """
    not_run = predicted is not None and predicted.get("form") == NOT_RUN
    size = predicted.get("menu_size") if predicted is not None else None
    predicted = None if not_run else predicted
    raw, form = _read(predicted)
    call, problem = settle(raw)
    right = settle(row["call"])[0]
    unanswerable = row["call"] is None
    declined = predicted is not None and raw is None and not _ATTEMPT.search(_said(predicted))
    named = raw.get("name") if isinstance(raw, Mapping) else None
    exact = declined if unanswerable else call is not None and call == right
    matches, found, wanted = (0, 0, 0) if unanswerable else _arguments(raw, right)
    result = {
        "id": row["id"], "group": row["group"], "database": row["database"], "function": row["function"],
        "tool_group": tools()[row["function"]].group if row["function"] in tools() else None,
        "subfield": row["subfield"], "menu_size": size if isinstance(size, int) else len(row.get("tools") or ()), "phrasing": row.get("phrasing"),
        "style": (row.get("phrasing") or "none").split("/")[0],
        "question": row["question"], "gold": dumps(row["call"]), "call": call, "form": form,
        "predicted_function": named.encode("utf-8", "replace").decode()[:80] if isinstance(named, str) else None,
        "problem": problem, "scorable": not not_run and (unanswerable or (right is not None and row["observation"] is not None)), "not_run": not_run,
        "exact_match": exact, "schema_valid": None if unanswerable else call is not None,
        "function_match": None if unanswerable else named == row["function"],
        "argument_f1": None if unanswerable else _f1(matches, found, wanted, named == row["function"]),
        "no_call_precision": unanswerable if declined else None, "no_call_recall": declined if unanswerable and not not_run else None,
    }
    result["errors"] = [] if exact else _errors(row, right, predicted, raw, declined)
    result["error"] = min(result["errors"], key=ERRORS.index) if result["errors"] else None
    return result


def _read(predicted: Mapping[str, Any] | None) -> tuple[Any, str]:
    """The call in a prediction, parsed from its text where it is not parsed yet, and the form in which it was written."""
    if predicted is None:
        return None, "none"
    if "call" not in predicted and "text" in predicted:
        parsed = parse(predicted["text"])
        return parsed.call, parsed.form
    form = predicted.get("form", "none")
    return predicted.get("call"), form if isinstance(form, str) and form.isidentifier() and len(form) < 20 else "none"


def _said(predicted: Mapping[str, Any]) -> str:
    text = predicted.get("text")
    return text if isinstance(text, str) else ""


def _spelling(tool: Tool) -> dict[str, str]:
    return {alias: p.name for p in tool.parameters.values() for alias in (p.name, p.wire, *p.aliases)}


def settled_arguments(raw: Any, right: Mapping[str, Any]) -> dict[str, Any]:
    """Predicted arguments, each settled alone in the company of the gold's, so that one wrong one does not spoil the others.

    An argument that its function does not allow keeps its raw value under a name of its own; defaults and nulls disappear.
    """
    given = raw.get("arguments") if isinstance(raw, Mapping) else None
    if not isinstance(given, Mapping):
        return {}
    spelling, found = _spelling(tools()[right["name"]]), {}
    for key, value in given.items():
        name = spelling.get(key) if isinstance(key, str) else None
        whole = settle({"name": right["name"], "arguments": {**right["arguments"], name: value}})[0] if name else None
        if whole is None:
            if value is not None:
                found[name or f"?{key}"[:80]] = _Refused(value)
        elif value is not None and name in whole["arguments"]:
            found[str(name)] = whole["arguments"][name]
    return found


class _Refused:
    """A value that its function does not allow; equal to nothing."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _arguments(raw: Any, right: Mapping[str, Any] | None) -> tuple[int, int, int]:
    """Arguments that agree in name, type and value; arguments predicted; arguments wanted. Of another function none agree."""
    if right is None:
        return 0, 0, 0
    if not isinstance(raw, Mapping) or raw.get("name") != right["name"]:
        given = raw.get("arguments") if isinstance(raw, Mapping) else None
        return 0, len(given) if isinstance(given, Mapping) else 0, len(right["arguments"])
    found = settled_arguments(raw, right)
    return sum(k in right["arguments"] and v == right["arguments"][k] for k, v in found.items()), len(found), len(right["arguments"])


def _f1(matches: int, found: int, wanted: int, same_function: bool) -> float:
    if not same_function:
        return 0.0
    return 1.0 if found == wanted == 0 else 2 * matches / (found + wanted)


def _errors(row: Mapping[str, Any], right: Mapping[str, Any] | None, predicted: Mapping[str, Any] | None, raw: Any, declined: bool) -> list[str]:
    if predicted is None:
        return ["no prediction"]
    if not isinstance(raw, Mapping) or not isinstance(raw.get("name"), str):
        return ["no call" if declined else "format"]
    if row["call"] is None:
        return ["unneeded call"]
    if right is None:
        return []
    if raw["name"] != right["name"]:
        return ["wrong function"]
    if not isinstance(raw.get("arguments"), Mapping | None):
        return ["format"]
    found, wanted, kinds = settled_arguments(raw, right), right["arguments"], tools()[right["name"]].parameters
    wrong = {name for name, value in found.items() if name not in wanted or value != wanted[name]}
    errors = set()
    if set(wanted) - set(found):
        errors.add("missing argument")
    for name in wrong:
        errors.add("extra argument" if name not in wanted else "wrong argument")
        kind = kinds[name].kind if name in kinds else None
        value = found[name].value if isinstance(found[name], _Refused) else found[name]
        if kind in _SPECIES_KINDS or (kind in _QUERY_KINDS and _organisms(value) != _organisms(wanted.get(name))):
            errors.add("wrong species")
        elif name in kinds and kinds[name].enum is None and kinds[name].type == "string" and kind != "fields" and \
                _made_up(value, row["question"], wanted):
            errors.add("hallucinated identifier")
    return [kind for kind in ERRORS if kind in errors] or ["wrong argument"]


def _organisms(query: Any) -> set[str]:
    return {(a or b).strip(' "').lower() for a, b in _ORGANISM.findall(query)} if isinstance(query, str) else set()


def _made_up(value: Any, question: str, wanted: Mapping[str, Any]) -> list[str]:
    """Names with digits or capitals in a predicted value that stand neither in the question nor in the gold arguments."""
    text = value if isinstance(value, str) else ",".join(v for v in value if isinstance(v, str)) if isinstance(value, list) else ""
    known = f"{question} {dumps(wanted)}".lower()
    return [word for word in _NAMED.findall(text[:10_000]) if word not in _OPERATORS and word.strip(".-").lower() not in known]


def identifiers(summary: Any) -> set[str]:
    """The identifiers in a response: one-word texts with three digits in a row that are no dates or decimals, UniProt accessions, and whole
    numbers under a key that says id.

    Example: `identifiers({"gene": "ENSG00000012048", "taxonId": 9606, "release_date": "2025-01-01"})`
    """
    return _identifiers(_leaves(summary))


def _identifiers(leaves: Iterable[tuple[str, Any]]) -> set[str]:
    found = set()
    for path, value in leaves:
        if isinstance(value, str):
            if _is_identifier(value):
                found.add(value)
        elif isinstance(value, int) and not isinstance(value, bool) and _ID_KEY.search(path):
            found.add(str(value))
    return found


@lru_cache(2**14)
def _is_identifier(text: str) -> bool:
    return bool(_IDENTIFIER.fullmatch(text)) and not _DATE.fullmatch(text)


def fields(summary: Any) -> Counter[tuple[str, str, Any]]:
    """The fields of a response as (path, type, value), with places in lists left out of the path."""
    return _fields(_leaves(summary))


def _fields(leaves: Iterable[tuple[str, Any]]) -> Counter[tuple[str, str, Any]]:
    return Counter((path, type(value).__name__, value) for path, value in leaves)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The single values of a JSON value with their paths; a key that is itself an identifier is a value, too."""
    if isinstance(value, dict):
        for key, inner in ((str(key), inner) for key, inner in value.items()):
            if _is_identifier(key):
                yield path, key
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _leaves(inner, path)
    else:
        yield path, value


@dataclass(frozen=True)
class Parts:
    """What of a response can agree with another one: its identifiers, and its fields with how often they occur."""

    identifiers: frozenset[str]
    fields: Counter[tuple[str, str, Any]]

    @classmethod
    def of(cls, summary: Any) -> Parts:
        """The parts of one response."""
        leaves = list(_leaves(summary))
        return cls(frozenset(_identifiers(leaves)), _fields(leaves))


def agreement(gold: Parts, seen: Parts) -> dict[str, float | None]:
    """How far two responses agree: F1 of their sets of identifiers, F1 of their fields with values.

    None where the gold response has no identifier, or no field, to agree on.
    Example: `agreement(Parts.of({"id": "rs699"}), Parts.of({"id": "rs699", "minor": "A"}))`
    """
    names, values = (gold.identifiers, seen.identifiers), (gold.fields, seen.fields)
    return {
        "identifier_f1": 2 * len(names[0] & names[1]) / (len(names[0]) + len(names[1])) if names[0] else None,
        "value_agreement": 2 * (values[0] & values[1]).total() / (values[0].total() + values[1].total()) if values[0] else None,
    }
