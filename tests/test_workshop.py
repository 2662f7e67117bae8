"""The workshop's forms in JupyterLab, driven in a real browser with keys: two reviewers, a restart in the middle, hostile text.

Needs a Chromium (`/usr/bin/chromium`, or CHROMIUM) and JupyterLab; what is missing is skipped, with the reason.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Fenced
from conftest import ROOT, run_up_to_the_dataset

from biotool_lib.common.review import ReviewBook
from biotool_lib.judges.people import reviewers_agreement, rows_for_review
from biotool_lib.judges.preference import PreferenceBook

CHROMIUM = Path(os.environ.get("CHROMIUM") or "/usr/bin/chromium")
LAUNCH = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync")
HOSTILE = "<img src='https://example.org/x.png' onerror='window.hacked=1'> <script>window.hacked=1</script>"
PATIENCE = 40_000  # milliseconds, on a busy machine
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with ten questions, into one of which somebody has written markup."""
    run = run_up_to_the_dataset(tmp_path_factory.mktemp("runs") / "small", ["lookup_by_symbol", "get_keyword_by_id"])
    rows = run.read("questions.jsonl")[:10]
    rows[4]["question"] += f" {HOSTILE}"
    run.write("questions.jsonl", rows)
    assert len(rows_for_review(run)) == 10
    return run


@pytest.fixture(scope="module")
def lab(run, tmp_path_factory) -> Iterator[str]:
    """A JupyterLab on the loopback interface over copies of the workshop's notebooks."""
    pytest.importorskip("jupyterlab", reason="jupyterlab is not installed")
    folder = tmp_path_factory.mktemp("lab")
    for name in ("reviewer", "preference"):
        shutil.copy(ROOT / f"notebooks/workshop/{name}.ipynb", folder)
    (folder / "params.yaml").write_text(f"run: {json.dumps(str(run.path))}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "BIOTOOL_PARAMS": str(folder / "params.yaml"), "PYTHONPATH": str(ROOT), "JUPYTER_CONFIG_DIR": str(folder / ".jupyter"),
           "JUPYTER_DATA_DIR": str(folder / ".data"), "IPYTHONDIR": str(folder / ".ipython")}
    options = [f"--ServerApp.root_dir={folder}", f"--port={port}", "--ServerApp.port_retries=0", "--ip=127.0.0.1", "--no-browser", "--ServerApp.token=",
               "--ServerApp.password=", "--allow-root", "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with (folder / "lab.log").open("w") as log:
        server = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], cwd=folder, env=env, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < until, (folder / "lab.log").read_text()[-2000:]
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


class Desk(Fenced):
    """JupyterLab in a browser that reaches nothing but the server."""

    def __init__(self, page, home: str) -> None:
        super().__init__(page, home)
        page.set_default_timeout(PATIENCE)

    def open(self, name: str) -> None:
        self.page.goto(f"{self.home}/lab/tree/{name}?reset")
        self.page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        self.page.locator("#jp-main-statusbar", has_text="Idle").wait_for()  # menus close when a notebook comes up
        self.menu("Run", "Run All Cells")

    def menu(self, *path: str) -> None:
        for kind, label in zip((".lm-MenuBar-item", ".lm-Menu-item"), path, strict=True):
            self.page.locator(kind).filter(has=self.page.get_by_text(label, exact=True)).first.click()

    def wait_for(self, text: str | re.Pattern) -> None:
        self.page.locator(".jp-OutputArea .widget-html, .jp-OutputArea .jupyter-widgets").get_by_text(text).first.wait_for()

    def name(self, name: str) -> None:
        field = self.page.locator(".jp-OutputArea input[type=text]").first
        field.wait_for()
        field.fill(name)
        field.press("Enter")
        self.page.wait_for_function("document.activeElement.tagName === 'TEXTAREA' && !!document.activeElement.closest('.biotool-keys')")

    def type(self, keys: str, then: str | re.Pattern) -> None:
        """Type where the focus is, as a person does, and wait for what has to come into view."""
        shown = self.page.locator(".jp-OutputArea .widget-html")
        while True:
            self.page.wait_for_timeout(550)  # the form does not count a key that comes sooner after what it shows
            self.page.keyboard.type(keys)
            shown.get_by_text(then).or_(shown.get_by_text("was not counted")).first.wait_for()
            self.page.wait_for_function("document.querySelector('.biotool-keys textarea').value === ''")
            if shown.get_by_text(then).count():
                return


@pytest.fixture(scope="module")
def desk(lab) -> Iterator[Desk]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.is_file():
        pytest.skip(f"no browser at {CHROMIUM}: install chromium, or set CHROMIUM to one")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(LAUNCH))
        yield Desk(chromium.new_page(viewport={"width": 1400, "height": 1000}), lab)
        chromium.close()


def done(number: int) -> re.Pattern:
    """The progress as it stands alone; `row 1 of 10` is something else."""
    return re.compile(f"^{number} of 10$")


def test_two_reviewers_with_a_restart_in_the_middle(desk: Desk, run) -> None:
    desk.open("reviewer.ipynb")
    desk.name("ada")
    hostile = 0
    for number in range(10):
        desk.wait_for(f"row {number + 1} of 10")
        if desk.page.locator(".jp-OutputArea .widget-html b", has_text="onerror").count():
            hostile += 1
            assert HOSTILE in desk.page.locator(".jp-OutputArea .widget-html b", has_text="onerror").first.inner_text()
        if number == 5:  # in the middle of the review, the kernel goes
            desk.menu("Kernel", "Restart Kernel and Run All Cells…")
            desk.page.locator(".jp-Dialog .jp-mod-accept").click()
            desk.page.locator(".jp-OutputArea .widget-html").get_by_text(done(0)).first.wait_for()
            desk.name("Ada")
            desk.wait_for("Welcome back, ada. You have seen 5 of 10 rows.")
            desk.wait_for("row 6 of 10")
        desk.type("r too clumsy to be asked\n" if number in (2, 7) else "a", done(number + 1))
    desk.wait_for("You have seen every row.")
    desk.name("ben")
    for number in range(10):
        desk.wait_for(f"row {number + 1} of 10")
        desk.type("r no\n" if number in (2, 3) else "a", done(number + 1))
    desk.wait_for(re.compile("ada and ben: agreement 80%.*kappa 0.38.*n = 10"))
    book, rows = ReviewBook(run.path / "human.jsonl"), rows_for_review(run)
    assert len(book.records) == 20 and [r["decision"] for r in book.standing()].count("reject") == 4
    assert round(reviewers_agreement(book, rows).loc[0, "kappa"], 2) == 0.38
    assert hostile == 1 and desk.page.evaluate("window.hacked") is None and desk.page.locator("img[src*='example.org']").count() == 0
    assert desk.outside == []


def test_a_fix_and_an_undo_with_keys(desk: Desk, run) -> None:
    """Goes on with the notebook that the test before has open."""
    desk.name("cyd")
    desk.wait_for("row 1 of 10")
    desk.page.keyboard.type("f")
    desk.page.wait_for_function("document.querySelector('.biotool-keys textarea').value.length > 20")
    desk.page.keyboard.press("End")
    desk.page.keyboard.type(" Please!\n")
    desk.page.wait_for_function("document.querySelector('.biotool-keys textarea').value === 'w '")
    desk.page.keyboard.press("End")
    desk.type("politer\n", "corrected")
    record = ReviewBook(run.path / "human.jsonl").records[-1]
    assert record["fixed"] == f"{record['question']} Please!" and (record["reason"], record["by"]) == ("politer", "cyd")
    desk.type("u", re.compile("taken back"))
    desk.wait_for("row 1 of 10")
    assert len(ReviewBook(run.path / "human.jsonl").records) == 22


def test_preferences_with_keys(desk: Desk, run) -> None:
    desk.open("preference.ipynb")
    desk.name("ada")
    for number in range(10):
        desk.wait_for(f"pair {number + 1} of 10")
        desk.type(("142", "225", "t33")[number % 3], done(number + 1))
    desk.wait_for("You have decided on every pair.")
    records = PreferenceBook(run.path / "preferences.jsonl").records
    assert [r["decision"] for r in records] == [("left", "right", "tie")[n % 3] for n in range(10)] and all(r["marks"] for r in records)
    assert desk.outside == [] and desk.page.evaluate("window.hacked") is None
