"""What can be called: every function of the three services, read from one YAML file per database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import InvalidArguments, Problem, did_you_mean
from ..files import read_yaml

DATABASES = ("ncbi", "uniprot", "ensembl")
SUBFIELDS = ("variation", "genomics", "proteomics", "evolution", "general_biology")
SAYS_NOTHING = 3  # letters: names like id, db or rid leave open what they stand for
LONG_LIST = 40  # names of one type; only the effect predictor has so many
_SEGMENT = re.compile(r"\{(\w+)(\??)\}")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a function, as the service documents it."""

    name: str
    description: str
    type: str
    location: str = "query"  # path, query or form
    wire: str = ""
    required: bool = False
    list: str | None = None  # csv: one comma-separated value; repeat: the key is repeated
    enum: tuple | None = None
    minimum: float | None = None
    maximum: float | None = None
    default: Any = None  # what the service assumes when the parameter is absent
    send: Any = None  # what we send when the caller does not say
    kind: str | None = None
    aliases: tuple[str, ...] = ()

    def json_schema(self) -> dict[str, Any]:
        """The parameter as a JSON Schema property."""
        schema: dict[str, Any] = {"type": self.type, "description": self.description}
        if self.enum:
            schema["enum"] = list(self.enum)
        for key in ("minimum", "maximum", "default"):
            if getattr(self, key) is not None:
                schema[key] = getattr(self, key)
        if self.send is not None:
            schema["default"] = self.send
        if self.list == "csv":
            # One comma-separated text is the canonical form, so an enum can only stand in the words.
            allowed = schema.pop("enum", None)
            schema["type"] = "string"
            schema["description"] += " Several values are separated by commas."
            if allowed:
                schema["description"] += " Values: " + ", ".join(map(str, allowed)) + "."
        elif self.list == "repeat":
            item = {key: schema.pop(key) for key in ("type", "enum", "minimum", "maximum") if key in schema}
            schema["anyOf"] = [item, {"type": "array", "items": item, "minItems": 1}]
        return schema

    def compact(self) -> str:
        """What the parameter takes, in a word: its values but the default, its type or, where a short name says nothing, what it
        identifies; nothing for plain text.

        Example: `bt.tools()["vep_by_id"].parameters["SpliceAI"].compact()`
        """
        if self.enum and self.list != "csv":
            return "|".join(str(value) for value in self.enum if self.required or value != self.default or len(self.enum) == 1)
        if self.kind and len(self.name) <= SAYS_NOTHING:
            return self.kind
        return "" if self.list == "csv" or self.type == "string" else self.type


@dataclass(frozen=True)
class Tool:
    """One API function: how it is named, described, addressed and parametrised."""

    name: str
    database: str
    group: str
    subfield: str
    description: str
    docs: str
    base: str
    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    booleans: tuple[str, str] = ("false", "true")
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    needs: tuple[tuple[str, ...], ...] = ()
    example: Mapping[str, Any] = field(default_factory=dict)
    notes: str = ""

    def json_schema(self, *, compact: bool = False) -> dict[str, Any]:
        """The function as an OpenAI-style schema `{"type": "function", "function": {...}}`.

        `compact` gives `{"function": signature}` instead, for prompts that are rendered here: it is no JSON Schema and nothing
        that a service accepts as `tools`. Example: `bt.tools()["lookup_by_id"].json_schema()["function"]["name"]`
        """
        if compact:
            return {"function": self.signature()}
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": {
                    "type": "object",
                    "properties": {p.name: p.json_schema() for p in self.parameters.values()},
                    "required": [p.name for p in self.parameters.values() if p.required],
                    "additionalProperties": False,
                },
            },
        }

    def signature(self) -> str:
        """Name and parameters on one line: required ones, then optional ones in brackets, those of one type together.

        What has no type is text; an enum's default is left out, since no call has to state it; in a long list a word that begins
        with `_` goes on with the name before it. At most 200 tokens. Example: `bt.tools()["lookup_by_symbol"].signature()`
        """
        sides: tuple[dict[str, list[str]], ...] = ({}, {})
        for parameter in self.parameters.values():
            sides[not parameter.required].setdefault(parameter.compact(), []).append(parameter.name)
        required, optional = ("; ".join(_group(names, what) for what, names in side.items()) for side in sides)
        return f"{self.name}({required}{' ' if required and optional else ''}{f'[{optional}]' if optional else ''})"

    def segments(self) -> list[tuple[str, bool, bool]]:
        """The path's segments as (text or parameter name, is a parameter, is optional)."""
        parts = []
        for part in self.path.strip("/").split("/"):
            found = _SEGMENT.fullmatch(part)
            parts.append((found[1], True, bool(found[2])) if found else (part, False, False))
        return parts


class Catalogue(Mapping[str, Tool]):
    """A mapping of function names to tools; an unknown name is answered with the nearest known ones."""

    def __init__(self, tools: Mapping[str, Tool]) -> None:
        self._tools = dict(tools)

    def __getitem__(self, name: str) -> Tool:
        if isinstance(name, str) and name in self._tools:
            return self._tools[name]
        hint = did_you_mean(name, self._tools) if isinstance(name, str) else "a function name is a string"
        raise UnknownFunction(name, hint)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._tools

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)

    def __repr__(self) -> str:
        counts = ", ".join(f"{db} {sum(t.database == db for t in self.values())}" for db in DATABASES)
        return f"<Catalogue of {len(self)} functions: {counts}>"

    def frame(self):
        """The catalogue as a pandas table, one row a function."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "name": t.name, "database": t.database, "group": t.group, "subfield": t.subfield,
                    "parameters": len(t.parameters),
                    "required": sum(p.required for p in t.parameters.values()),
                    "description": t.description,
                }
                for t in self.values()
            ]
        )


class UnknownFunction(InvalidArguments, KeyError):
    """A function name that the catalogue does not have."""

    def __init__(self, name: Any, hint: str) -> None:
        super().__init__("unknown function", [Problem("name", name, hint)])

    __str__ = Exception.__str__  # KeyError would print the repr of the message


def _group(names: list[str], what: str) -> str:
    """Parameters that take the same, as one piece of a signature."""
    if len(names) > LONG_LIST:
        names = [_continued(name, before) for name, before in zip(names, ["", *names], strict=False)]
    return " ".join(names) + (f": {what}" if what else "")


def _continued(name: str, before: str) -> str:
    return name.removeprefix(before) if before and name.startswith(before + "_") else name


def _parameter(name: str, spec: Mapping[str, Any]) -> Parameter:
    return Parameter(
        name=name,
        description=spec["description"],
        type=spec["type"],
        location=spec.get("in", "query"),
        wire=spec.get("wire", name),
        required=bool(spec.get("required")),
        list=spec.get("list"),
        enum=tuple(spec["enum"]) if spec.get("enum") else None,
        minimum=spec.get("minimum"),
        maximum=spec.get("maximum"),
        default=spec.get("default"),
        send=spec.get("send"),
        kind=spec.get("kind"),
        aliases=tuple(spec.get("aliases", ())),
    )


def _parameters(specs: Mapping[str, Any]) -> dict[str, Parameter]:
    """The declared parameters, required ones first; that is also the order of canonical arguments."""
    declared = [_parameter(key, value) for key, value in specs.items()]
    return {p.name: p for p in sorted(declared, key=lambda p: not p.required)}


def load(path: Path) -> dict[str, Tool]:
    """Read one database's file of functions."""
    document = read_yaml(path)
    tools = {}
    for name, spec in document["functions"].items():
        tools[name] = Tool(
            name=name,
            database=document["database"],
            group=spec["group"],
            subfield=spec["subfield"],
            description=spec["description"],
            docs=spec["docs"],
            base=spec.get("base", document["base"]),
            path=spec["path"],
            method=spec.get("method", "GET"),
            headers={**document.get("headers", {}), **spec.get("headers", {})},
            constants=spec.get("constants", {}),
            booleans=tuple(document.get("booleans", ("false", "true"))),
            parameters=_parameters(spec["parameters"]),
            needs=tuple(tuple(group) for group in spec.get("needs", ())),
            example=spec["example"],
            notes=spec.get("notes", ""),
        )
    return tools


@cache
def tools() -> Catalogue:
    """Every function of the three services, by name.

    Example: `bt.tools()["lookup_by_symbol"].path`
    """
    folder = Path(__file__).parent
    merged: dict[str, Tool] = {}
    for database in DATABASES:
        merged |= load(folder / f"{database}.yaml")
    return Catalogue(merged)
