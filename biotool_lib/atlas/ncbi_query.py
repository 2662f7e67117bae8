"""The Entrez query language: a small grammar, its tree, and its evaluation over an index.

Operators have equal rank and work from left to right; neighbours without an operator are joined by AND;
`word[Field]`, `"a phrase"[Field]`, `low:high[Field]`, `prefix*` and parentheses are understood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from lark import Lark, Token, Transformer
from lark.exceptions import LarkError

if TYPE_CHECKING:
    from biotool_lib.atlas.ncbi_index import Index

ROUTES: list = []

_GRAMMAR = r"""
    start: operand (tail)*
    tail: OPERATOR operand -> joined
        | operand -> adjacent
    ?operand: "(" start ")" -> group
        | side ":" side -> span
        | side
    side: (QUOTED | PHRASE | HISTORY) TAG?
    OPERATOR.3: /(AND|OR|NOT|or)(?=[\s()"]|$)/
    QUOTED: /"[^"]*"/
    TAG: /\[[^\[\]]*\]/
    HISTORY.2: /#\d+(?=[\s()]|$)/
    PHRASE: /(?!(?:AND|OR|NOT|or)(?=[\s()"]|$))[^\s()\[\]":#][^\s()\[\]"]*(?:\s+(?!(?:AND|OR|NOT|or)(?=[\s()"]|$))[^\s()\[\]":#][^\s()\[\]"]*)*/
    %ignore /\s+/
"""

# The words that the service leaves out of a search and reports as ignored.
_UNSEARCHED = """
a about again all almost also although always among an and another any are as at be because been before being between both but by can could did do
does done due during each either enough especially etc for found from further had has have having here how however i if in into is it its itself just
kg km made mainly make may mg might ml mm most mostly must nearly neither no nor not obtained of often on our overall perhaps pmid quite rather really
regarding seem seen several should show showed shown shows significantly since so some such than that the their theirs them then there therefore these
they this those through thus to upon use used using various very was we were what when which while with within without would
"""
STOPWORDS = frozenset(_UNSEARCHED.split())


@dataclass(frozen=True)
class Term:
    """A word or phrase with its field tag as written (None: untagged)."""

    text: str
    tag: str | None = None
    quoted: bool = False


@dataclass(frozen=True)
class Range:
    """low:high[tag]."""

    low: str
    high: str
    tag: str


@dataclass(frozen=True)
class History:
    """#n, an earlier search of the same WebEnv."""

    key: int


@dataclass(frozen=True)
class Join:
    """Two queries and the operator between them."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Group:
    """A query in parentheses."""

    inner: Node


Node = Term | Range | History | Join | Group


class BadQuery(ValueError):
    """A term that holds no searchable text."""


class _Build(Transformer):
    def start(self, parts: list) -> Node:
        node = parts[0]
        for operator, operand in parts[1:]:
            node = Join(operator, node, operand)
        return node

    def joined(self, parts: list) -> tuple[str, Node]:
        return str(parts[0]).upper(), parts[1]

    def adjacent(self, parts: list) -> tuple[str, Node]:
        return "AND", parts[0]

    def group(self, parts: list) -> Node:
        return Group(parts[0])

    def span(self, parts: list) -> Node:
        low, high = parts
        return Range(low.text, high.text, high.tag or low.tag or "")

    def side(self, parts: list[Token]) -> Node:
        first = parts[0]
        tag = str(parts[1])[1:-1].strip() if len(parts) > 1 else None
        if first.type == "HISTORY":
            return History(int(first[1:]))
        if first.type == "QUOTED":
            return Term(first[1:-1].strip(), tag, True)
        text = " ".join(first.split())
        pieces = re.fullmatch(r"([^\s:]+)\s*:\s*([^\s:]+)", text)
        if tag and pieces:
            return Range(pieces.group(1), pieces.group(2), tag)
        return Term(text, tag)


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", lexer="contextual", maybe_placeholders=False)


def parse(text: str) -> Node:
    """The tree of a query; brackets that do not pair and dangling operators are dropped, as the service does. Raises BadQuery."""
    text = re.sub(r'(?<=[\])"])\s+and\s+', " AND ", text)  # in small letters it is a word that is never searched, so its neighbours are joined by AND
    for attempt in (text, _repaired(text), re.sub(r'[()\[\]":#]', " ", text)):
        try:
            return _Build().transform(_parser().parse(attempt.strip()))
        except LarkError:
            continue
    raise BadQuery(text)


def _repaired(text: str) -> str:
    kept, depth = [], 0
    for letter in text.replace("()", ""):
        if letter == ")" and depth == 0:
            continue
        depth += (letter == "(") - (letter == ")")
        kept.append(letter)
    fixed = "".join(kept) + ")" * depth
    fixed = fixed + '"' if fixed.count('"') % 2 else fixed
    fixed = re.sub(r"^\s*(AND|OR|NOT)\b|\b(AND|OR|NOT)\s*$", "", fixed)
    return re.sub(r"\b(AND|OR|NOT)\s+(?=(AND|OR|NOT)\b)", "", fixed)


@dataclass
class Outcome:
    """What a search found, and how the service would explain it."""

    found: set[str] = field(default_factory=set)
    translation: str = ""
    stack: list = field(default_factory=list)
    translated: list[dict[str, str]] = field(default_factory=list)
    not_found: list[str] = field(default_factory=list)
    fields_not_found: list[str] = field(default_factory=list)
    quoted_not_found: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


@dataclass
class _Part:
    found: set[str]
    text: str
    stack: list
    simple: bool = True  # no operator inside, so no parentheses around it


class Evaluation:
    """One run of a query over an index."""

    def __init__(self, index: Index, earlier: dict[int, set[str]] | None = None, default: str | None = None) -> None:
        self.index, self.earlier, self.default = index, earlier or {}, default
        self.outcome = Outcome()

    def run(self, node: Node) -> Outcome:
        """Evaluate a tree; returns the ids found and how the service would explain them."""
        part = self._visit(node)
        out = self.outcome
        if part is None:
            return out
        out.found, out.translation, out.stack = part.found, part.text, part.stack
        if out.stack and out.stack[-1] not in ("AND", "OR", "NOT", "RANGE"):
            out.stack = [*out.stack, "GROUP"]
        return out

    def _visit(self, node: Node) -> _Part | None:
        if isinstance(node, Group):
            inner = self._visit(node.inner)
            if inner is None or inner.simple:
                return inner
            return _Part(inner.found, f"({inner.text})", [*inner.stack, "GROUP"])
        if isinstance(node, History):
            return _Part(set(self.earlier.get(node.key, set())), f"#{node.key}", [self._entry(f"#{node.key}", "", None)])
        if isinstance(node, Range):
            return self._range(node)
        if isinstance(node, Join):
            return self._join(node)
        return self._term(node)

    def _join(self, node: Join) -> _Part | None:
        left, right = self._visit(node.left), self._visit(node.right)
        if left is None or right is None:  # one side held only words that are never searched
            return left or right
        return combine(node.operator, left, right)

    def _range(self, node: Range) -> _Part:
        name = self.index.field(node.tag)
        if name is None:
            self.outcome.fields_not_found.append(node.tag)
            name = "ALL"
        found = self.index.between(name, node.low, node.high)
        ends = [f"{end}[{node.tag}]" for end in (node.low, node.high)]
        return _Part(found, " : ".join(ends), [*(self._entry(end, node.tag, 0) for end in ends), "RANGE"])

    def _entry(self, text: str, tag: str, count: int | None) -> dict[str, str]:
        return {"term": text, "field": tag, "count": "-1" if count is None else str(count), "explode": "N"}

    def _term(self, node: Term) -> _Part | None:
        tag = node.tag if node.tag is not None else self.default
        name = self.index.field(tag) if tag else self.index.untagged
        if name is None:
            self.outcome.fields_not_found.append(tag or "")
            name, tag = "ALL", None
        if not node.text:
            raise BadQuery(node.text)
        return self.index.resolve(self, node, name, tag)

    def leaf(self, text: str, label: str, found: set[str] | None, shown: str | None = None) -> _Part:
        """One looked-up term; a term that the index does not know finds nothing and is reported."""
        if found is None:
            missing = shown if shown and "[" in shown and label not in ("All Fields", "All Names") else text
            self.outcome.not_found.append(missing)
            found = set()
        full = shown or f"{text}[{label}]"
        return _Part(found, full, [self._entry(full, label, None if label == "UID" else len(found))])


def combine(operator: str, left: _Part, right: _Part) -> _Part:
    """Two looked-up parts joined by an operator."""
    found = left.found & right.found if operator == "AND" else left.found | right.found if operator == "OR" else left.found - right.found
    return _Part(found, f"{left.text} {operator} {right.text}", [*left.stack, *right.stack, operator], False)


def search(index: Index, text: str, earlier: dict[int, set[str]] | None = None, default: str | None = None) -> Outcome:
    """Evaluate a query; returns the ids found with the service's explanation. Raises BadQuery when nothing can be searched."""
    return Evaluation(index, earlier, default).run(parse(text))
