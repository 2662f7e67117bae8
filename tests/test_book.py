"""The built book: its chapters, links and assets, and what a browser makes of them without a network.

Looks at the folder named by BIOTOOL_BOOK (default `build/book`); `make book` builds it. The browser
tests drive CHROMIUM (default `/usr/bin/chromium`) with Playwright. What is missing is skipped, with the reason.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from browser import Fenced

ROOT = Path(__file__).parents[1]
BOOK = Path(os.environ.get("BIOTOOL_BOOK") or ROOT / "build" / "book")
CHROMIUM = Path(os.environ.get("CHROMIUM") or "/usr/bin/chromium")
WIDGET_PAGES = [f"notebooks/workshop/{name}.html" for name in ("call_explorer", "reviewer", "preference")]
LAUNCH = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)
# What a page loads by itself; an <a href> to another host is only followed by a reader.
LOADED = {
    "script": ("src",), "img": ("src", "srcset"), "source": ("src", "srcset"), "iframe": ("src",), "embed": ("src",),
    "object": ("data",), "video": ("src", "poster"), "audio": ("src",), "track": ("src",), "image": ("href", "xlink:href"),
}
LOADED_LINKS = {"stylesheet", "icon", "preload", "prefetch", "modulepreload", "preconnect", "dns-prefetch", "manifest"}
OUTSIDE = re.compile(r"^(https?:)?//", re.IGNORECASE)
CSS_REFERENCE = re.compile(r"""url\(\s*['"]?([^'")]+)|@import\s+['"]([^'"]+)""")

pytestmark = pytest.mark.skipif(
    not (BOOK / "index.html").is_file(), reason=f"no built book at {BOOK}: run `make book`, or set BIOTOOL_BOOK"
)


def chapters() -> list[str]:
    """The pages that _toc.yml names, as paths below the built book."""
    named = re.findall(r"^\s*(?:- file|root): *(\S+)", (ROOT / "_toc.yml").read_text("utf-8"), re.MULTILINE)
    return [f"{name}.html" for name in named]


@functools.cache
def soup(page: Path):
    bs4 = pytest.importorskip("bs4", reason="beautifulsoup4 comes with Jupyter Book")
    return bs4.BeautifulSoup(page.read_text("utf-8"), "html.parser")


@functools.cache
def anchors(page: Path) -> frozenset[str]:
    document = soup(page)
    return frozenset(
        [tag["id"] for tag in document.find_all(id=True)] + [tag["name"] for tag in document.find_all("a", attrs={"name": True})]
    )


def pages() -> list[Path]:
    return sorted(page for page in BOOK.rglob("*.html") if "_static" not in page.relative_to(BOOK).parts)


def loaded(page: Path) -> Iterator[str]:
    """Every address that the page loads without being asked."""
    for tag in soup(page).find_all(True):
        for attribute in LOADED.get(tag.name, ()):
            value = tag.get(attribute)
            if value:
                yield from (part.split()[0] for part in value.split(",")) if attribute == "srcset" else (value,)
        if tag.name == "link" and LOADED_LINKS & {kind.lower() for kind in tag.get("rel", ())}:
            yield tag.get("href", "")
        if tag.name == "style":
            yield from (first or second for first, second in CSS_REFERENCE.findall(tag.get_text()))
        if tag.get("style"):
            yield from (first or second for first, second in CSS_REFERENCE.findall(tag["style"]))


def broken(page: Path, address: str) -> bool:
    """Whether a relative address leads to no file, or to no such place in it."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return False
    target = page if not parts.path else (BOOK if parts.path.startswith("/") else page.parent) / unquote(parts.path).lstrip("/")
    target = target.resolve()
    if not target.is_relative_to(BOOK.resolve()) or not target.is_file():
        return True
    fragment = unquote(parts.fragment)
    return bool(fragment) and target.suffix == ".html" and fragment not in anchors(target)


def test_every_chapter_of_the_toc_is_there() -> None:
    expected = chapters()
    assert len(expected) > 10
    assert [name for name in expected if not (BOOK / name).is_file()] == []


def test_chapters_have_one_title_and_some_text() -> None:
    poor = []
    for name in chapters():
        article = soup(BOOK / name).find("article")
        if article is None or article.find("h1") is None or len(article.get_text(" ", strip=True)) < 80:
            poor.append(name)
    assert poor == []


def test_notebook_pages_show_outputs() -> None:
    """A notebook that was rendered before it was run has code and no output."""
    bare = [
        name for name in chapters()
        if name.startswith("notebooks/") and not soup(BOOK / name).select("div.cell_output, .widget-subarea")
    ]
    assert bare == []


def test_no_page_shows_an_error_output() -> None:
    found = {
        str(page.relative_to(BOOK)): tag.get_text(" ", strip=True)[-200:]
        for page in pages()
        for tag in soup(page).select("div.output.traceback, div.cell_output .highlight-ipythontb, div.output.error, div.output.stderr")
    }
    assert found == {}


def test_internal_links_and_assets_resolve() -> None:
    missing = []
    for page in pages():
        links = [tag["href"] for tag in soup(page).find_all("a", href=True)]
        for address in {*links, *loaded(page)}:
            if not OUTSIDE.match(address) and broken(page, address):
                missing.append(f"{page.relative_to(BOOK)} -> {address}")
    assert sorted(missing) == []


def test_pages_load_nothing_from_other_hosts() -> None:
    outside = [f"{page.relative_to(BOOK)} -> {address}" for page in pages() for address in loaded(page) if OUTSIDE.match(address)]
    assert sorted(outside) == []


def test_stylesheets_load_nothing_from_other_hosts_and_find_their_files() -> None:
    wrong = []
    for sheet in sorted(BOOK.rglob("*.css")):
        text = re.sub(r"/\*.*?\*/", "", sheet.read_text("utf-8"), flags=re.DOTALL)
        for first, second in CSS_REFERENCE.findall(text):
            address = (first or second).strip()
            if address.startswith(("data:", "#")):
                continue
            if OUTSIDE.match(address) or not (sheet.parent / unquote(urlsplit(address).path)).is_file():
                wrong.append(f"{sheet.relative_to(BOOK)} -> {address}")
    assert wrong == []


def test_pages_name_no_folder_of_the_machine_that_built_them() -> None:
    places = re.compile(r"(?<![\w./])/(?:home|root|Users|tmp|work)/[\w.-]+/")
    found = {
        str(page.relative_to(BOOK)): hit.group(0)
        for page in pages() if (article := soup(page).find("article")) and (hit := places.search(article.get_text()))
    }
    assert found == {}


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The book behind a small server on the loopback interface."""
    handler = functools.partial(Quiet, directory=str(BOOK))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.is_file():
        pytest.skip(f"no browser at {CHROMIUM}: install chromium, or set CHROMIUM to one")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(LAUNCH))
        yield chromium
        chromium.close()


class Visit(Fenced):
    """One open page with what it asked for and what it complained about."""

    def __init__(self, page, home: str) -> None:
        super().__init__(page, home)
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda problem: self.complaints.append(str(problem)))
        page.on("response", lambda reply: self.complaints.append(f"{reply.status} {reply.url}") if reply.status >= 400 else None)

    def open(self, name: str) -> None:
        self.page.goto(f"{self.home}/{name}", wait_until="load")
        self.page.wait_for_load_state("networkidle")


@pytest.fixture
def visit(browser, address: str) -> Iterator[Visit]:
    with contextlib.closing(browser.new_context(viewport={"width": 1280, "height": 900})) as context:
        yield Visit(context.new_page(), address)


@pytest.mark.browser
def test_browser_opens_every_page_without_another_host_or_an_error(visit: Visit) -> None:
    for name in ["index.html", *chapters()]:
        visit.open(name)
    assert visit.outside == []
    assert visit.complaints == []
    assert visit.page.locator("article h1").first.is_visible()


@pytest.mark.browser
def test_browser_lands_on_the_first_page(visit: Visit) -> None:
    visit.open("index.html")
    visit.page.wait_for_url("**/book/index.html")
    assert "BioTool Book" in visit.page.title()


@pytest.mark.browser
def test_browser_renders_formulas(visit: Visit) -> None:
    visit.open("book/honesty.html")
    visit.page.locator("mjx-container svg").first.wait_for(state="visible", timeout=20_000)
    assert visit.page.locator("mjx-container").count() >= visit.page.locator("article .math").count() > 0
    assert visit.page.locator("mjx-merror").count() == 0
    assert visit.outside == []


@pytest.mark.browser
def test_browser_shows_one_search_field(visit: Visit) -> None:
    visit.open("book/index.html")
    fields = visit.page.locator("form.bd-search input, .search-button-field, .search-button__button")
    assert sum(fields.nth(i).is_visible() for i in range(fields.count())) <= 1


@pytest.mark.browser
def test_browser_searches_without_another_host(visit: Visit) -> None:
    visit.open("search.html?q=canonical")
    visit.page.locator("#search-results li a").first.wait_for(state="visible", timeout=20_000)
    assert visit.outside == []


@pytest.mark.browser
@pytest.mark.parametrize("name", WIDGET_PAGES)
def test_browser_shows_the_widget_page_and_its_static_fallback(visit: Visit, name: str) -> None:
    visit.open(name)
    tables = visit.page.locator("article div.cell_output table:not(.jupyter-widgets table)")
    tables.first.wait_for(state="visible", timeout=20_000)
    assert tables.first.locator("tbody tr").count() >= 1
    views = visit.page.locator('article script[type="application/vnd.jupyter.widget-view+json"]').count()
    if views:
        visit.page.locator("article .jupyter-widgets").first.wait_for(state="visible", timeout=20_000)
    assert visit.page.get_by_text("Error displaying widget").count() == 0
    assert visit.outside == []
    assert visit.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("name", WIDGET_PAGES)
def test_browser_shows_the_fallback_without_scripts(browser, address: str, name: str) -> None:
    with contextlib.closing(browser.new_context(java_script_enabled=False)) as context:
        page = context.new_page()
        page.goto(f"{address}/{name}", wait_until="load")
        assert page.locator("article div.cell_output table tbody tr").count() >= 1
