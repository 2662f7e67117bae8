"""UniProt's query language, parsed as Lucene syntax and evaluated over documents in memory.

A `Searcher` holds documents and the fields that can be searched. Text is compared word by word
without regard to case, identifiers as wholes, numbers and dates as values; `field:*` asks whether a
value is there. A field that the facts cover only for some documents, or not at all, is neither true
nor false for the others (three-valued logic): only documents that certainly match are found.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from luqum import tree
from luqum.exceptions import ParseError
from luqum.thread import parse as parse_lucene

ROUTES: list[tuple[str, Callable[..., Any]]] = []
INVALID_SYNTAX = "query parameter has an invalid syntax"
TOO_MANY_WILDCARDS = ("We only allow one wildcard character (*) in the middle of a search term. Please check the "
                      "help page for more information using wildcards for searches.")
_WORD = re.compile(r"[^\W_]+")


class QueryError(ValueError):
    """A query that the service refuses; `messages` are the sentences of its error body."""

    def __init__(self, *messages: str) -> None:
        super().__init__("; ".join(messages))
        self.messages = list(dict.fromkeys(messages))


Sets = tuple[set[int], set[int]]  # documents that certainly match, and that certainly do not


@dataclass(frozen=True)
class Field:
    """A search field: its kind, how to read its values from a document, and which terms it accepts."""

    kind: str = "text"  # text | id (compared as a whole) | range (numbers) | date
    values: Callable[[Any], Iterable[Any]] = lambda document: ()
    accepts: str = ""
    message: str = ""
    known: Callable[[Any], bool] = lambda document: True

    @property
    def ranged(self) -> bool:
        """Whether the field is asked for with a range."""
        return self.kind in ("range", "date")


def words(text: object) -> list[str]:
    """The words of a text as they are compared: lower case, punctuation left out."""
    return _WORD.findall(str(text).lower())


class _Postings:
    """Which documents have which words or values in one field, and the values themselves."""

    def __init__(self, field: Field, documents: Sequence[Any]) -> None:
        self.kind = field.kind
        self.values = [list(field.values(document)) for document in documents]
        self.present = {n for n, values in enumerate(self.values) if values}
        self.known = self.present | {n for n, document in enumerate(documents) if field.known(document)}
        self.where: dict[Any, set[int]] = defaultdict(set)
        self.phrases: list[list[list[str]]] = []
        for number, values in enumerate(self.values):
            if field.kind == "text":
                lists = [words(value) for value in values]
                self.phrases.append(lists)
                for token in {token for tokens in lists for token in tokens}:
                    self.where[token].add(number)
            else:
                for value in values:
                    self.where[str(value).lower() if field.kind != "range" else value].add(number)

    def term(self, term: str) -> set[int]:
        """Documents that contain a term, which may carry wildcards."""
        if "*" in term or "?" in term:
            return self._wildcard(term.lower())
        if self.kind != "text":
            return set(self.where.get(term.lower(), ()))
        tokens = words(term)
        if not tokens:
            return set()
        found = set.intersection(*(self.where.get(token, set()) for token in tokens))
        if len(tokens) == 1:
            return set(found)
        return {n for n in found if any(_contains(line, tokens) for line in self.phrases[n])}

    def _wildcard(self, term: str) -> set[int]:
        pattern = re.compile("".join({"*": ".*", "?": "."}.get(mark, re.escape(mark)) for mark in term))
        return {n for value, where in self.where.items() if pattern.fullmatch(str(value)) for n in where}

    def between(self, low: Any, high: Any, with_low: bool, with_high: bool) -> set[int]:
        """Documents with a value in the range; None means no limit on that side."""
        found: set[int] = set()
        for value, where in self.where.items():
            above = low is None or value > low or (with_low and value == low)
            below = high is None or value < high or (with_high and value == high)
            if above and below:
                found |= where
        return found


def _contains(line: list[str], tokens: list[str]) -> bool:
    size = len(tokens)
    return any(line[start:start + size] == tokens for start in range(len(line) - size + 1))


class Searcher:
    """Documents that can be asked in UniProt's query language; the field "" is the one of bare words."""

    def __init__(self, documents: Sequence[Any], fields: Mapping[str, Field]) -> None:
        self.documents = documents
        self.fields = fields
        self._postings: dict[str, _Postings] = {}

    @cached_property
    def everything(self) -> frozenset[int]:
        """The positions of all documents."""
        return frozenset(range(len(self.documents)))

    def search(self, query: str) -> set[int]:
        """Positions of the documents that match; raises QueryError with the service's messages."""
        node = parse(query)
        problems = list(dict.fromkeys(self._problems(node, "")))
        if problems:
            raise QueryError(*problems)
        return self._evaluate(node, "")[0]

    def bare_terms(self, query: str) -> list[str]:
        """The words of a query that stand without a field, in lower case; used to rank the answers."""
        return [term.lower() for field, term in _terms(parse(query), "") if not field]

    def postings(self, name: str) -> _Postings:
        """The index of one field, made when it is first asked for."""
        if name not in self._postings:
            self._postings[name] = _Postings(self.fields[name], self.documents)
        return self._postings[name]

    def _problems(self, node: tree.Item, field: str) -> Iterable[str]:
        if isinstance(node, tree.SearchField):
            if node.name == "*" and str(node.expr).strip() == "*":
                return
            if node.name not in self.fields or not node.name:
                yield f"'{node.name}' is not a valid search field"
                return
            field = node.name
        if field and isinstance(node, (tree.Word, tree.Phrase, tree.Range, tree.From, tree.To)):
            yield from _field_problems(field, self.fields[field], node)
        elif isinstance(node, tree.Word) and "*" in _text(node).strip("*"):
            yield from _wildcards(_text(node))
        if not isinstance(node, (tree.Range, tree.From, tree.To)):
            for child in node.children:
                yield from self._problems(child, field)

    def _evaluate(self, node: tree.Item, field: str) -> Sets:
        if isinstance(node, tree.SearchField):
            if node.name == "*":
                return set(self.everything), set()
            return self._evaluate(node.expr, node.name)
        if isinstance(node, (tree.Group, tree.FieldGroup, tree.Plus, tree.Boost)):
            return self._evaluate(node.children[0], field)
        if isinstance(node, (tree.Not, tree.Prohibit)):
            yes, no = self._evaluate(node.children[0], field)
            return no, yes
        if isinstance(node, (tree.OrOperation, tree.AndOperation, tree.UnknownOperation)):
            pairs = [self._evaluate(child, field) for child in node.children]
            matching, failing = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
            if isinstance(node, tree.OrOperation):
                return set().union(*matching), set.intersection(*failing)
            return set.intersection(*matching), set().union(*failing)
        if isinstance(node, (tree.Word, tree.Phrase, tree.Range, tree.From, tree.To)):
            return self._leaf(node, field)
        return set(), set()  # fuzzy terms and the like: nothing is certain

    def _leaf(self, node: tree.Item, field: str) -> Sets:
        if isinstance(node, tree.Word) and _text(node) == "*":
            yes = set(self.postings(field).present) if field else set(self.everything)
        elif isinstance(node, (tree.Word, tree.Phrase)):
            yes = self.postings(field).term(_text(node))
        else:
            yes = self._range(node, field)
        return yes, self.postings(field).known - yes

    def _range(self, node: tree.Item, field: str) -> set[int]:
        low, high, with_low, with_high = _limits(node)
        if self.fields[field].kind == "range":
            return self.postings(field).between(_number(low), _number(high), with_low, with_high)
        return self.postings(field).between(low, high, with_low, with_high)


def parse(query: str) -> tree.Item:
    """The syntax tree of a query; raises QueryError when it cannot be read."""
    text = "".join(piece if piece.startswith('"') else _signs(piece) for piece in re.findall(r'"(?:[^"\\]|\\.)*"|[^"]+|"', query)).strip()
    if not text:
        raise QueryError(INVALID_SYNTAX)
    try:
        return parse_lucene(text)
    except (ParseError, ValueError) as problem:
        raise QueryError(INVALID_SYNTAX) from problem


def _signs(text: str) -> str:
    """Lucene's other spellings of its operators, which the parser does not know, as words."""
    return re.sub(r"(^|[\s(])!(?=\S)", r"\1NOT ", re.sub(r"\|\|", " OR ", re.sub("&&", " AND ", text)))


def _text(node: tree.Item) -> str:
    text = node.value
    if isinstance(node, tree.Phrase):
        text = text[1:-1]
    return re.sub(r"\\(.)", r"\1", text)


def _terms(node: tree.Item, field: str) -> Iterable[tuple[str, str]]:
    if isinstance(node, tree.SearchField):
        field = node.name
    if isinstance(node, (tree.Word, tree.Phrase)):
        yield field, _text(node)
    if not isinstance(node, (tree.Not, tree.Prohibit)):
        for child in node.children:
            yield from _terms(child, field)


def _limits(node: tree.Item) -> tuple[str | None, str | None, bool, bool]:
    def end(item: tree.Item) -> str | None:
        text = _text(item)
        return None if text == "*" else text

    if isinstance(node, tree.Range):
        return end(node.low), end(node.high), node.include_low, node.include_high
    limit = end(node.children[0])
    return (limit, None, node.include, True) if isinstance(node, tree.From) else (None, limit, True, node.include)


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


def _wildcards(term: str) -> Iterable[str]:
    if term.strip("*").count("*") > 1:
        yield TOO_MANY_WILDCARDS


def _field_problems(name: str, field: Field, node: tree.Item) -> Iterable[str]:
    term = isinstance(node, (tree.Word, tree.Phrase))
    if term and _text(node) == "*":
        return
    if term and field.ranged:
        yield f"'{name}' filter type 'general' is invalid. Expected 'range' filter type"
    elif not term and field.kind not in ("range", "date"):
        yield f"'{name}' filter type 'range' is invalid. Expected 'general' filter type"
    elif not term:
        yield from _range_problems(field, node)
    elif field.accepts and not re.fullmatch(field.accepts, _text(node), re.IGNORECASE):
        yield field.message.replace("{}", _text(node))
    elif isinstance(node, tree.Word):
        yield from _wildcards(_text(node))


def _range_problems(field: Field, node: tree.Item) -> Iterable[str]:
    """A limit that is no number or date; of the service's sentences only the general one is known to fit."""
    shape = r"\d{4}-\d{2}-\d{2}" if field.kind == "date" else r"-?\d+(\.\d+)?"
    if any(limit is not None and not re.fullmatch(shape, limit) for limit in _limits(node)[:2]):
        yield INVALID_SYNTAX
