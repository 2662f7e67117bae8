"""Checking a call against its function, and settling it into its one canonical form."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import InvalidArguments, Problem, did_you_mean
from ..files import read_yaml
from .tool import Parameter, Tool, tools

# Switches of clients, never of the services: a model that sets one is wrong, whatever it wanted.
CLIENT_SWITCHES = frozenset(
    {"return_response", "postprocess", "timeout", "callback", "api_key", "tool", "email", "normalize_separators"}
)
MAX_TEXT = {"path": 2_000, "query": 8_000, "form": 1_000_000}
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
    """The arguments with our parameter names and the documented types, in the catalogue's order.

    Raises InvalidArguments, which lists every problem with its value and remedy.
    """
    tool = tools()[name]
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, Mapping):
        raise InvalidArguments(name, [Problem("arguments", arguments, "arguments are an object of names and values")])
    given, problems = _named(tool, arguments)
    typed: dict[str, Any] = {}
    for parameter in tool.parameters.values():
        if parameter.name not in given:
            if parameter.required:
                problems.append(Problem(parameter.name, None, f"required: {parameter.description}"))
            continue
        try:
            typed[parameter.name] = _value(tool, parameter, given[parameter.name])
        except _Wrong as wrong:
            problems.append(Problem(parameter.name, given[parameter.name], str(wrong)))
    if tool.needs and not any(all(n in typed for n in group) for group in tool.needs):
        ways = ", or ".join(" with ".join(group) for group in tool.needs)
        problems.append(Problem("arguments", dict(arguments), f"give {ways}"))
    problems += _optional_path(tool, typed)
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
        if parameter.kind == "species" and isinstance(value, str):
            spelled = value.strip().lower().replace(" ", "_")
            value = species_names().get(value.strip().lower()) or species_names().get(spelled) or spelled
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        assumed = parameter.default if parameter.send is None else parameter.send
        if not parameter.required and assumed is not None and value == _settled(tool, parameter, assumed):
            continue
        settled[key] = value
    return {"name": name, "arguments": settled}


def _named(tool: Tool, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Arguments under our names; absent where null. Unknown names and client switches are problems."""
    spelling = {alias: p.name for p in tool.parameters.values() for alias in (p.name, p.wire, *p.aliases)}
    given: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, value in arguments.items():
        name = spelling.get(key) if isinstance(key, str) else None
        if name is None:
            if key in CLIENT_SWITCHES:
                problems.append(Problem(str(key), value, "a switch of the client, not an argument of the service: leave it out"))
            else:
                hint = did_you_mean(str(key), tool.parameters)
                problems.append(Problem(str(key), value, f"{tool.name} has no such parameter; {hint}"))
        elif value is not None:
            if name in given and given[name] != value:
                problems.append(Problem(str(key), value, f"the same parameter as {name!r}, which is given too: keep one"))
            given[name] = value
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
    if isinstance(value, list | tuple):
        items = list(value)
    elif isinstance(value, str) and (parameter.list == "csv" or parameter.enum):
        items = [part.strip() for part in value.split(",")]
    else:
        items = [value]
    items = [_item(tool, parameter, item) for item in items if item not in ("", None)]
    if not items:
        raise _Wrong("is empty: leave it out or give at least one value")
    if parameter.list == "csv":
        joined = ",".join(_text(tool, item) for item in items)
        if len(joined) > MAX_TEXT[parameter.location]:
            raise _Wrong(f"longer than {MAX_TEXT[parameter.location]} characters: split the call")
        return joined
    return items[0] if len(items) == 1 else items


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
        number = int(float(value)) if "." in value else int(value)
    else:
        raise _Wrong("takes a whole number")
    if abs(number) >= 10**18:
        raise _Wrong("takes a whole number of at most 18 digits")
    return number


def _number(value: Any) -> int | float:
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\s*", value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _Wrong("takes a number")
    if abs(value) >= 1e18:
        raise _Wrong("takes a number below 1e18")
    return int(value) if float(value).is_integer() else float(value)


def _string(tool: Tool, parameter: Parameter, value: Any) -> str:
    if isinstance(value, bool):
        value = tool.booleans[value]
    elif isinstance(value, int | float):
        value = str(_number(value))
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
        if value in ("", ".", ".."):
            raise _Wrong("cannot stand in a path: give a real identifier or name")
        if _CONTROL.search(value):
            raise _Wrong("holds control characters, which cannot stand in a path")
    elif parameter.required and not value.strip():
        raise _Wrong("is empty: give a value")
    return value


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
