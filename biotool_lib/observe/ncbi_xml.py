"""Reading NCBI's XML without trusting it, and turning it into plain objects.

No entity is ever declared for us: a text that declares entities is refused, since expanding them is how a
small document becomes a huge one. NCBI's own documents only name an external DTD, which is never fetched.
"""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from biotool_lib.observe.fit import cut, kept

_NAMED = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)([A-Za-z][A-Za-z0-9]*);")
_DECLARATION = re.compile(r"<\?xml[^<>]{0,300}\?>|<!DOCTYPE[^<>\[]{0,600}(?:\[[^\]]{0,1000}\])?\s{0,20}>")  # bounded, so that no text is slow
_NAMESPACE = re.compile(r"\{[^}]*\}")
MAX_DEPTH = 60


def looks_like_xml(text: str) -> bool:
    """Whether the text starts like XML rather than like HTML or prose."""
    start = text.lstrip("\ufeff \t\r\n")[:200].lower()
    return start.startswith("<") and not start.startswith(("<!doctype html", "<html", "<p>", "<pre>", "<br", "<hr"))


def parse(text: str) -> ElementTree.Element | None:
    """The root element; fragments without a root get the root `fragments`; None if it is not well-formed or declares entities."""
    if "<!ENTITY" in text.upper():
        return None
    body = _DECLARATION.sub("", text.lstrip("\ufeff"))
    body = _NAMED.sub(lambda match: html.unescape(match.group(0)) if html.unescape(match.group(0)) != match.group(0) else "", body)
    for candidate in (body.strip(), f"<fragments>{body}</fragments>"):
        try:
            root = ElementTree.fromstring(candidate)
        except (ElementTree.ParseError, ValueError, RecursionError):
            continue
        for element in root.iter():
            if isinstance(element.tag, str):
                element.tag = _NAMESPACE.sub("", element.tag)
        return root
    return None


def words(element: ElementTree.Element | None) -> str | None:
    """All text inside an element (italics and the like included) on one line, or None."""
    if element is None:
        return None
    return re.sub(r"\s+", " ", "".join(element.itertext())).strip() or None


def at(element: ElementTree.Element | None, path: str) -> str | None:
    """The text at a path below an element, or None."""
    return None if element is None else words(element.find(path))


def every(element: ElementTree.Element | None, path: str) -> list[str]:
    """The texts of all elements at a path."""
    return [] if element is None else [text for text in map(words, element.findall(path)) if text]


def _is_list(parent: str, names: list[str]) -> bool:
    """Whether children are members of a list: all of one name, several or named after the parent or its type."""
    if len(set(names)) != 1:
        return False
    child, parent = names[0].lower(), parent.lower()
    return len(names) > 1 or child in ("string", "flag", "int", "long", "maf", "pubmedpubdate") or child[:4] in parent or parent[:4] in child


def plain(element: ElementTree.Element, depth: int = 0) -> Any:
    """An element as JSON has it: lower-case names, texts, lists, objects; empty parts left out."""
    children = [child for child in element if isinstance(child.tag, str)]
    attributes = {key.lower().rpartition("}")[2]: text for key, text in element.attrib.items()}
    if not children or depth > MAX_DEPTH:
        text = words(element)
        return {**attributes, "text": text} if attributes and text else attributes or text
    names = [child.tag for child in children]
    if not attributes and _is_list(element.tag, names):
        return [item for item in (plain(child, depth + 1) for child in children) if item not in (None, "", {}, [])]
    result: dict[str, Any] = dict(attributes)
    for child in children:
        name, item = child.tag.lower(), plain(child, depth + 1)
        if item in (None, "", {}, []):
            continue
        if name in result:
            former = result[name]
            result[name] = [*former, item] if isinstance(former, list) else [former, item]
        else:
            result[name] = item
    return kept(result)


def docsum(element: ElementTree.Element) -> dict[str, Any]:
    """An old-style DocSum (Id and named Items) as an object with lower-case keys, like the newer form."""

    def item(node: ElementTree.Element) -> Any:
        children = node.findall("Item")
        if not children:
            return words(node)
        names = {child.get("Name", "").lower() for child in children}
        if len(names) == 1 or len(children) > len(names):
            return [value for value in map(item, children) if value]
        return kept({child.get("Name", "").lower(): item(child) for child in children})

    record = {node.get("Name", "").lower(): item(node) for node in element.findall("Item")}
    return kept({"uid": at(element, "Id"), **record})


def said_wrong(text: str) -> dict[str, Any] | None:
    """The service's own error in a text or XML body, or None."""
    for name in ("ERROR", "error"):  # plain finding: a search for both tags at once is slow on texts made to be slow
        start = text.find(f"<{name}>")
        stop = text.find(f"</{name}>", start)
        if 0 <= start < stop:
            return {"error": cut(re.sub(r"\s+", " ", text[start + len(name) + 2 : stop]).strip(), 600)}
    stripped = text.strip()
    if re.match(r"\+?(?:Error|Supplied|Failed|Cannot)[+%]", stripped) or stripped.startswith("+Error"):
        return {"error": cut(re.sub(r"\s+", " ", unquote_plus(unquote_plus(stripped))).strip(), 600)}
    return None


def root_of(data: Any) -> ElementTree.Element | None:
    """The root element of an XML body, or None for anything else."""
    return parse(data) if isinstance(data, str) and looks_like_xml(data) else None


def whole(text: Any) -> Any:
    """A count as a number, where it is one."""
    return number(text) if text is not None else None


def number(text: Any) -> Any:
    """A number where the text is one, else the text."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return text
    return int(value) if value.is_integer() and "e" not in str(text).lower() and "." not in str(text) else value
