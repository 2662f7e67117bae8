"""What can be searched: one index per Entrez database, built once from the tables.

A field is a bag of words (`words`), a list of whole values (`values`), numbers or dates. An untagged term is
looked up as a whole value first, then word by word, which is how Entrez maps terms.
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from biotool_lib.atlas import ncbi_query
from biotool_lib.atlas.ncbi_query import STOPWORDS, Evaluation, Term, _Part, combine

ROUTES: list = []


@dataclass(frozen=True)
class Field:
    """A searchable field: its short name, full name, kind, and further spellings of its tag."""

    name: str
    full: str
    kind: str = "words"  # words, values, number, date
    tags: tuple[str, ...] = ()
    in_all: bool = True


@lru_cache(maxsize=100_000)
def _tokens(text: str) -> tuple[str, ...]:
    return tuple(word.strip(".-_/'") for word in re.findall(r"[^\W_](?:[\w.\-/+']*\w)?", text.lower()))


def tokens(text: str) -> list[str]:
    """The words of a text, in lower case; letters, digits and inner . _ - / + ' stay together."""
    return list(_tokens(text))


@lru_cache(maxsize=100_000)
def plain(text: str) -> str:
    """A value as it is compared: lower case, single blanks."""
    return " ".join(text.lower().replace('"', " ").split())


class Index:
    """The searchable records of one database."""

    def __init__(self, database: str, fields: Iterable[Field], untagged: str = "ALL", quoted_style: bool = False) -> None:
        self.database, self.untagged, self.quoted_style = database, untagged, quoted_style
        self.fields = {one.name: one for one in fields}
        self.tags = {plain(tag): one.name for one in self.fields.values() for tag in (one.name, one.full, *one.tags)}
        self.uids: list[str] = []
        self.rank: dict[str, int] = {}
        self.texts: dict[str, dict[str, list[str]]] = {}
        self._words: dict[str, dict[str, set[str]]] = {name: defaultdict(set) for name in self.fields}
        self._values: dict[str, dict[str, set[str]]] = {name: defaultdict(set) for name in self.fields}
        self._sorted: dict[tuple[str, str], list[str]] = {}
        self._waiting: dict[str, dict[str, list[str]]] = {name: defaultdict(list) for name in self.fields}
        self._settling = threading.Lock()  # a served atlas answers many at once
        self.canonical: dict[str, str] = {}  # another name of an organism -> the name the service maps it to

    def add(self, uid: str, record: dict[str, list[str]]) -> None:
        """Store one record; `record` maps field names to texts."""
        self.rank[uid] = len(self.uids)
        self.uids.append(uid)
        self.texts[uid] = record
        for name, texts in record.items():
            waiting = self._waiting[name]
            for text in texts:
                waiting[text].append(uid)

    def _settle(self) -> None:
        """Enter the added texts into the look-up tables: each distinct text once, however many records share it."""
        with self._settling:
            for name, texts in self._waiting.items():
                described = self.fields[name]
                for text, uids in texts.items():
                    value = plain(text)
                    self._values[name][value].update(uids)
                    if described.kind not in ("words", "values"):
                        continue
                    if described.kind == "values" and described.in_all:
                        self._values["ALL"][value].update(uids)
                    for word in set(_tokens(text)):
                        self._words[name][word].update(uids)
                        if described.in_all:
                            self._words["ALL"][word].update(uids)
                texts.clear()

    def field(self, tag: str | None) -> str | None:
        """The field that a tag names, or None."""
        if tag is None:
            return None
        return self.tags.get(plain(re.sub(r":.*$", "", tag)))

    # ---- look-ups ----------------------------------------------------------------------------
    def whole(self, name: str, text: str) -> set[str] | None:
        """Records with exactly this value in a field; None when no record has it."""
        found = self._values[name].get(plain(text))
        return set(found) if found else None

    def word(self, name: str, text: str) -> set[str] | None:
        """Records with this word in a field."""
        found = self._words[name].get(text.lower())
        return set(found) if found else None

    def prefix(self, name: str, stem: str) -> set[str] | None:
        """Records with a value or word that begins so."""
        stem = plain(stem)
        found: set[str] = set()
        tables = {"values": self._values[name]} | ({"words": self._words[name]} if self.fields[name].kind in ("words", "values") else {})
        for label, table in tables.items():
            if label == "words" and self.fields[name].kind == "values":
                continue
            keys = self._sorted.setdefault((name, label), sorted(table))
            for key in keys[bisect_left(keys, stem) : bisect_right(keys, stem + "\uffff")]:
                found |= table[key]
        return found or None

    def adjacent(self, name: str, words: list[str]) -> set[str] | None:
        """Records in which the words stand side by side in one text of a field."""
        sets = [self._words[name].get(word, set()) for word in words]
        candidates = set.intersection(*sets) if sets else set()
        names = [one for one in self.fields if self.fields[one].in_all and self.fields[one].kind in ("words", "values")] if name == "ALL" else [name]
        found = {uid for uid in candidates if any(_contains(tokens(text), words) for one in names for text in self.texts[uid].get(one, []))}
        return found or None

    def between(self, name: str, low: str, high: str) -> set[str]:
        """Records whose number or date in a field lies in a range; unknown ends or fields find nothing."""
        self._settle()
        kind = self.fields[name].kind if name in self.fields else "words"
        found: set[str] = set()
        for value, uids in self._values.get(name, {}).items():
            if kind == "number":
                ends = [_number(one) for one in (low, value, high)]
                if None not in ends and ends[0] <= ends[1] <= ends[2]:  # type: ignore[operator]
                    found |= uids
            elif kind == "date":
                first, last = _date(low, False), _date(high, True)
                if first and last and first <= value <= last:
                    found |= uids
            elif plain(low) <= value <= plain(high) + "\uffff":
                found |= uids
        return found

    # ---- one term ----------------------------------------------------------------------------
    def resolve(self, run: Evaluation, node: Term, name: str, tag: str | None) -> _Part | None:
        """Look one term up as Entrez does; None when it holds only words that are never searched."""
        self._settle()
        text = node.text
        described = self.fields[name]
        label = tag if tag and not self.quoted_style else described.full
        if tag is None and not node.quoted and re.fullmatch(r"[0-9]+(,[0-9]+)*", text) and self.database in _NUMBERED:
            return run.leaf(text, "UID", {one for one in text.split(",") if one in self.rank})
        if text.endswith("*"):
            found = self.prefix(name, text.rstrip("*"))
            return run.leaf(text, label, found, self._shown(text, label, node.quoted, tag))
        if described.kind == "date":
            return run.leaf(text, label, self.between(name, text, text) or None, self._shown(text, label, node.quoted, tag))
        mapped = self._mapped(run, node, name, tag)
        if mapped:
            return mapped
        if name == "AUTH" or name == "FAUT":
            return run.leaf(text, label, self._author(name, text), f"{plain(text)}[{label}]" if self.quoted_style else f"{text}[{label}]")
        found = self.whole(name, text)
        words = tokens(text)
        if described.kind not in ("words",) or (found and len(words) > 1 and (name != "ALL" or not self.quoted_style)):
            if found is None and described.kind == "values" and not node.quoted and len(words) > 1 and name in _SPLIT:
                return self._split(run, node, name, label, tag, words)
            return run.leaf(text, label, found, self._shown(text, label, node.quoted, tag))
        if node.quoted or len(words) <= 1:
            found = self.adjacent(name, words) if len(words) > 1 else (self.word(name, words[0]) if words else None)
            found = found or self.whole(name, text)
            if found is None and node.quoted:
                run.outcome.quoted_not_found.append(f'"{text}"')
                return run.leaf(text, label, set(), self._shown(text, label, True, tag))
            if not node.quoted and words and words[0] in STOPWORDS and tag is None:
                run.outcome.ignored.append(words[0])
                return None
            return run.leaf(text, label, found, self._shown(text, label, node.quoted, tag))
        return self._split(run, node, name, label, tag, words)

    def _split(self, run: Evaluation, node: Term, name: str, label: str, tag: str | None, words: list[str]) -> _Part | None:
        """A phrase that is no known value: every word must occur."""
        part: _Part | None = None
        spoken = {plain(one): one for one in node.text.split()}
        for word in words:
            if word in STOPWORDS:
                run.outcome.ignored.append(word)
                continue
            shown = spoken.get(word, word)
            one = run.leaf(shown, label, self.word(name, word), self._shown(shown, label, False, tag))
            part = one if part is None else combine("AND", part, one)
        if part is not None and not part.simple:
            part.stack.append("GROUP")
            part = _Part(part.found, f"({part.text})" if self.quoted_style else part.text, part.stack, self.quoted_style)
        return part

    def _shown(self, text: str, label: str, quoted: bool, tag: str | None) -> str:
        if self.quoted_style:
            return f'"{text}"[{label}]' if quoted else f"{text.lower()}[{label}]" if text.endswith("*") else f'"{text.lower()}"[{label}]'
        return f'"{text}"[{label}]' if quoted else f"{text}[{label}]"

    def _mapped(self, run: Evaluation, node: Term, name: str, tag: str | None) -> _Part | None:
        """Names that the service maps: organisms everywhere, MeSH headings and journals in PubMed."""
        text = node.text
        species = self.canonical.get(plain(text)) if not node.quoted or name == "ORGN" else None
        if species and name in ("ORGN", "ALL") and "ORGN" in self.fields:
            found = self.whole("ORGN", species) or set()
            first = run.leaf(species, "Organism", found, f'"{species}"[Organism]')
            if name == "ORGN":
                run.outcome.translated.append({"from": f"{text}[{tag}]", "to": f'"{species}"[Organism]'})
                return first
            words = tokens(text)
            other = run.leaf(text, "All Fields", (self.adjacent("ALL", words) if len(words) > 1 else self.word("ALL", text)) or set(), f"{text}[All Fields]")
            both = combine("OR", first, other)
            run.outcome.translated.append({"from": text, "to": both.text})
            return _Part(both.found, f"({both.text})", [*both.stack, "GROUP"])
        if self.quoted_style and tag is None and not node.quoted and name == "ALL":
            return self._mesh(run, text)
        return None

    def _mesh(self, run: Evaluation, text: str) -> _Part | None:
        heading = self.whole("MESH", text)
        if not heading:
            return None
        low, words = text.lower(), tokens(text)
        part = run.leaf(low, "MeSH Terms", heading, f'"{low}"[MeSH Terms]')
        if len(words) > 1:
            each = None
            for word in words:
                one = run.leaf(word, "All Fields", self.word("ALL", word) or set(), f'"{word}"[All Fields]')
                each = one if each is None else combine("AND", each, one)
            assert each is not None
            part = combine("OR", part, _Part(each.found, f"({each.text})", each.stack))
        whole = self.adjacent("ALL", words) if len(words) > 1 else self.word("ALL", low)
        part = combine("OR", part, run.leaf(low, "All Fields", whole or set(), f'"{low}"[All Fields]'))
        run.outcome.translated.append({"from": text, "to": part.text})
        return _Part(part.found, f"({part.text})", part.stack)

    def _author(self, name: str, text: str) -> set[str] | None:
        """An author by surname, or surname and the first initials that were given."""
        wanted = plain(text).replace(",", "")
        found: set[str] = set()
        for value, uids in self._values[name].items():
            if value == wanted or (value.startswith(wanted) and (" " in wanted or value[len(wanted)] == " ")):
                found |= uids
        return found or None


_NUMBERED = frozenset({"gene", "pubmed", "snp", "taxonomy", "clinvar"})
_SPLIT = frozenset({"GENE", "DIS", "GFN", "KYWD", "TITL"})


def _contains(text: list[str], words: list[str]) -> bool:
    return any(text[at : at + len(words)] == words for at in range(len(text) - len(words) + 1))


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def _date(text: str, end: bool) -> str | None:
    """A date of one, two or three parts as YYYY/MM/DD, at its beginning or end."""
    parts = re.findall(r"\d+", text)
    if not parts or len(parts[0]) != 4:
        return None
    filled = [parts[0], *(one.zfill(2) for one in parts[1:3])]
    return "/".join([*filled, *(["12", "31"] if end else ["01", "01"])[len(filled) - 1 :]])


def order(index: Index, found: set[str]) -> list[str]:
    """Ids in the index's own order."""
    return sorted(found, key=index.rank.__getitem__)


def search(index: Index, text: str, earlier: dict[int, set[str]] | None = None, default: str | None = None) -> ncbi_query.Outcome:
    """Evaluate a query text over an index."""
    return ncbi_query.search(index, text, earlier, default)
