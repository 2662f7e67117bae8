"""Checking a call against its function, and settling it into its one canonical form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import InvalidArguments, Problem, did_you_mean, show
from ..files import read_yaml
from .tool import Parameter, Tool, tools

# Switches of clients, never of the services: a model that sets one is wrong, whatever it wanted.
CLIENT_SWITCHES = frozenset(
    {"return_response", "postprocess", "timeout", "callback", "api_key", "tool", "email", "normalize_separators"}
)
MAX_TEXT = {"path": 2_000, "query": 8_000, "form": 1_000_000}  # characters of one argument, by where it travels
MAX_URL = 16_000  # characters of all arguments that travel in one URL
MAX_ARGUMENTS = 200  # more than any function has
# Addresses of UniProt that stand where an identifier stands and that no function here uses.
_OTHER_ADDRESSES = {"uniprot": frozenset({"stream"})}
_SECRET = re.compile(r"api.?key|email|token|secret|passw", re.IGNORECASE)  # names whose values are never shown
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TRUE, _FALSE = {"1", "true", "yes", "t", "y"}, {"0", "false", "no", "f", "n"}


class _Wrong(ValueError):
    """A value that does not fit its parameter; the text is the remedy."""


@cache
def species_names() -> dict[str, str]:
    """Listed synonyms of species (lower case) and the production name that each stands for."""
    listed = read_yaml(Path(__file__).parent / "species.yaml")
    return {
        str(word).lower(): name for name, entry in listed["species"].items() for word in (name, *entry["synonyms"])
    }


def check(name: str, arguments: Mapping[str, Any] | None) -> dict[str, Any]:
    """The arguments with our parameter names and the documented types, in the catalogue's order; nulls and blanks are absent.

    Raises InvalidArguments, which lists every problem with its value and remedy.
    """
    tool = tools()[name]
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, Mapping):
        raise InvalidArguments(name, [Problem("arguments", arguments, "arguments are an object of names and values")])
    if len(arguments) > MAX_ARGUMENTS:
        raise InvalidArguments(name, [Problem("arguments", len(arguments), f"at most {MAX_ARGUMENTS}, and {name} has {len(tool.parameters)}")])
    given, problems = _named(tool, arguments)
    typed: dict[str, Any] = {}
    for parameter in tool.parameters.values():
        for key, value in given.get(parameter.name, ()):
            if not parameter.required and _blank(value):
                continue
            try:
                settled = _value(tool, parameter, value)
            except _Wrong as wrong:
                problems.append(Problem(key, value, str(wrong)))
                continue
            if parameter.name in typed and typed[parameter.name] != settled:
                problems.append(Problem(key, value, f"the same parameter as {parameter.name!r}, which is given too: keep one"))
            typed.setdefault(parameter.name, settled)
        if parameter.required and parameter.name not in given:
            problems.append(Problem(parameter.name, None, f"required: {parameter.description}"))
    if tool.needs and not any(all(n in typed for n in group) for group in tool.needs):
        ways = ", or ".join(" with ".join(group) for group in tool.needs)
        problems.append(Problem("arguments", dict(arguments), f"give {ways}"))
    problems += _optional_path(tool, typed)
    size = sum(len(_joined(tool, value)) for key, value in typed.items() if tool.parameters[key].location != "form")
    if size > MAX_URL:
        problems.append(Problem("arguments", dict(arguments), f"{size} characters together, which no address may hold (at most {MAX_URL}): split the call"))
    if problems:
        raise InvalidArguments(name, problems)
    return typed


def canonical(name: str, arguments: Mapping[str, Any] | None) -> dict[str, Any]:
    """The one form of a call: aliases, types, list form and order settled, nulls and defaults dropped.

    Returns {"name", "arguments"}; raises InvalidArguments. Idempotent.
    Example: `bt.canonical("lookup_by_symbol", {"symbol": "BRCA1", "species": "human", "expand": 0})`
    """
    tool = tools()[name]
    settled: dict[str, Any] = {}
    for key, value in check(name, arguments).items():
        parameter = tool.parameters[key]
        if parameter.kind == "species":
            value = [_species(item) for item in value] if isinstance(value, list) else _species(value)
        assumed = parameter.default if parameter.send is None else parameter.send
        if not parameter.required and assumed is not None and value == _settled(tool, parameter, assumed):
            continue
        settled[key] = value
    return {"name": name, "arguments": settled}


def _species(value: str) -> str:
    """The production name for a listed synonym; any other name in the form that the service gives to names."""
    word = value.strip().lower()
    spelled = word.replace(" ", "_")
    return species_names().get(word) or species_names().get(spelled) or spelled


def _named(tool: Tool, arguments: Mapping[str, Any]) -> tuple[dict[str, list[tuple[str, Any]]], list[Problem]]:
    """Arguments under our names, each with the spelling it came in; absent where null. Unknown names and client switches are problems."""
    spelling = {alias: p.name for p in tool.parameters.values() for alias in (p.name, p.wire, *p.aliases)}
    given: dict[str, list[tuple[str, Any]]] = {}
    problems: list[Problem] = []
    for key, value in arguments.items():
        name = spelling.get(key) if isinstance(key, str) else None
        if name is not None:
            if value is not None:
                given.setdefault(name, []).append((key, value))
        elif not isinstance(key, str):
            problems.append(Problem(show(key), value, "a parameter's name is a text"))
        elif key in CLIENT_SWITCHES:
            problems.append(Problem(key, "…" if _SECRET.search(key) else value, "a switch of the client, not an argument of the service: leave it out"))
        else:
            problems.append(Problem(key, "…" if _SECRET.search(key) else value, f"{tool.name} has no such parameter; {did_you_mean(key, tool.parameters)}"))
    return given, problems


def _optional_path(tool: Tool, typed: Mapping[str, Any]) -> list[Problem]:
    """An optional path segment needs the optional ones before it."""
    missing, problems = None, []
    for name, is_parameter, optional in tool.segments():
        if is_parameter and optional:
            if name not in typed:
                missing = missing or name
            elif missing:
                problems.append(Problem(name, typed[name], f"only together with {missing!r}"))
    return problems


def _value(tool: Tool, parameter: Parameter, value: Any) -> Any:
    """One argument in its documented type and list form."""
    if parameter.list is None:
        if isinstance(value, list | tuple):
            raise _Wrong(f"takes one {parameter.type}, not a list")
        return _item(tool, parameter, value)
    limit = MAX_TEXT[parameter.location]
    if isinstance(value, str | list | tuple) and len(value) > limit:
        raise _Wrong(f"longer than {limit} characters or values: split the call")
    values = list(value) if isinstance(value, list | tuple) else [value]
    if parameter.list == "csv" or (parameter.enum and isinstance(value, str)):
        values = [part.strip() if isinstance(part, str) else part for item in values for part in _split(item)]
    items = [_item(tool, parameter, item) for item in values if item is not None and item != ""]
    if not items:
        raise _Wrong("is empty: leave it out or give at least one value")
    if len(_joined(tool, items)) > limit:
        raise _Wrong(f"longer than {limit} characters: split the call")
    if parameter.list == "csv":
        return _joined(tool, items)
    return items[0] if len(items) == 1 else items


def _blank(value: Any) -> bool:
    """Whether a value says nothing: null, a blank text, or a list of such."""
    values = value if isinstance(value, list | tuple) else [value]
    return all(item is None or (isinstance(item, str) and not item.strip()) for item in values)


def _split(item: Any) -> list[Any]:
    return item.split(",") if isinstance(item, str) else [item]


def _joined(tool: Tool, value: Any) -> str:
    """A value as one text, a list with commas."""
    return ",".join(_text(tool, item) for item in value) if isinstance(value, list) else _text(tool, value)


def _item(tool: Tool, parameter: Parameter, value: Any) -> Any:
    if parameter.type == "boolean":
        typed: Any = _boolean(value)
    elif parameter.type == "integer":
        typed = _integer(value)
    elif parameter.type == "number":
        typed = _number(value)
    else:
        typed = _string(tool, parameter, value)
    if parameter.enum and typed not in parameter.enum:
        same = [e for e in parameter.enum if str(e).lower() == str(typed).lower()]
        if len(same) != 1:
            raise _Wrong("not allowed; " + did_you_mean(str(typed), map(str, parameter.enum)))
        typed = same[0]
    if parameter.minimum is not None and not isinstance(typed, str) and typed < parameter.minimum:
        raise _Wrong(f"must be at least {parameter.minimum}")
    if parameter.maximum is not None and not isinstance(typed, str) and typed > parameter.maximum:
        raise _Wrong(f"must be at most {parameter.maximum}")
    return typed


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    if isinstance(value, str) and value.strip().lower() in _TRUE | _FALSE:
        return value.strip().lower() in _TRUE
    raise _Wrong("takes true or false")


def _integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    elif isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,18}(\.0+)?\s*", value):
        number = int(value.partition(".")[0])
    else:
        raise _Wrong("takes a whole number")
    if abs(number) >= 10**18:
        raise _Wrong("takes a whole number of at most 18 digits")
    return number


def _number(value: Any) -> int | float:
    if isinstance(value, str) and len(value) < 100 and re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\s*", value):
        value = int(value) if value.strip().lstrip("+-").isdecimal() else float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise _Wrong("takes a number")
    if abs(value) >= 10**18:
        raise _Wrong("takes a number below 1e18")
    return int(value) if isinstance(value, int) or value.is_integer() else value


def _string(tool: Tool, parameter: Parameter, value: Any) -> str:
    if isinstance(value, bool):
        value = tool.booleans[value]
    elif isinstance(value, int | float):
        value = format(_number(value))
    if not isinstance(value, str):
        raise _Wrong("takes a text")
    if len(value) > MAX_TEXT[parameter.location]:
        raise _Wrong(f"longer than {MAX_TEXT[parameter.location]} characters")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise _Wrong("holds characters that are not valid Unicode text") from None
    if parameter.location == "path":
        value = value.strip()
        if tool.database == "uniprot":
            value = value.removesuffix(".json")  # the service takes the format as a file ending, too; JSON is what we ask for anyway
        if {"", ".", ".."} & set(re.split(r"[/\\]", value)):  # a server may take %2F for / and walk up from there
            raise _Wrong("cannot stand in a path: give a real identifier or name")
        if value in _addresses()[tool.name, parameter.name]:
            raise _Wrong("is an address of the service, not an identifier or a name")
        if _CONTROL.search(value):
            raise _Wrong("holds control characters, which cannot stand in a path")
    elif not value.strip():
        raise _Wrong("is empty: give a value")
    return value


@cache
def _addresses() -> dict[tuple[str, str], frozenset[str]]:
    """For each path parameter the fixed words that other addresses of the same service have in its place.

    With such a word as its value the call would go to the other address.
    """
    found: dict[tuple[str, str], set[str]] = {}
    for tool in tools().values():
        segments = tool.segments()
        for place, (name, is_parameter, _) in enumerate(segments):
            if not is_parameter:
                continue
            words = found.setdefault((tool.name, name), set(_OTHER_ADDRESSES.get(tool.database, ())))
            for other in tools().values():
                theirs = other.segments()
                if other.base == tool.base and len(theirs) > place and not theirs[place][1] and _fits(segments, theirs, place):
                    words.add(theirs[place][0])
    return {key: frozenset(words) for key, words in found.items()}


def _fits(segments: list[tuple[str, bool, bool]], theirs: list[tuple[str, bool, bool]], place: int) -> bool:
    """Whether an address of the first form could be one of the second if it had the second's word at the place."""
    shared = zip(segments[:place], theirs[:place], strict=True)
    return all(mine[1] or other[1] or mine[0] == other[0] for mine, other in shared)


def _text(tool: Tool, value: Any) -> str:
    """A typed value as it travels on the wire."""
    return tool.booleans[value] if isinstance(value, bool) else str(value)


def _settled(tool: Tool, parameter: Parameter, value: Any) -> Any:
    """A declared default in the form that `check` gives to arguments, so that the two can be compared."""
    try:
        return _value(tool, parameter, value)
    except _Wrong:
        return value


wire_text = _text
