"""Run folders: one manifest, stages that are done once, and long work that resumes without losing a row."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..errors import InvalidParameter, MissingArtefact, Problem
from .lanes import appending, in_lanes

PACKAGE = Path(__file__).parents[1]
_STAMPED = ("torch", "transformers", "trl", "peft", "datasets", "tokenizers", "scikit-learn", "numpy", "pandas", "requests")
_SETTINGS = ("profile", "backend", "recordings", "seed")


@cache
def code_digest() -> str:
    """A digest of this library's code, data and prompts: what an artefact was made with."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(PACKAGE)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def file_digest(path: Path) -> str:
    """sha256 of a file, or of a folder's files in order."""
    digest = hashlib.sha256()
    for part in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        digest.update(part.read_bytes())
    return digest.hexdigest()


def dumps(value: Any) -> str:
    """JSON on one line, the same text for the same value."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(", ", ": "), allow_nan=False)


def write_atomically(path: Path, text: str) -> None:
    """Write to a temporary file beside the target, then rename: the target is never half-written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """All rows of a JSONL file; raises MissingArtefact where there is none."""
    if not path.is_file():
        raise MissingArtefact(f"{path} is not there yet: run the stage that writes it first")
    with path.open(encoding="utf-8") as handle:
        return [json.loads(line) for line in handle if line.strip()]


@dataclass
class Stage:
    """One stage of a run: whether its artefacts are there already, made from the same input by the same code."""

    run: Run
    name: str
    key: str
    writes: list[str]
    done: bool
    _started: float = field(default_factory=time.monotonic)

    def finish(self, rows: int, **facts: Any) -> None:
        """Stamp the stage into the manifest: row count, checksums, seconds."""
        stages = self.run.manifest["stages"]
        stages[self.name] = {
            "rows": rows,
            "sha256": {name: file_digest(self.run.path / name) for name in self.writes},
            "seconds": round(time.monotonic() - self._started, 1),
            "key": self.key, **facts,
        }
        self.run.save()
        self.done = True


class Run:
    """A folder with the artefacts of one run and its manifest.

    Raises InvalidParameter if the folder belongs to a run with other settings.
    Example: `Run("runs/laptop", profile="laptop", backend="atlas", seed=0)`
    """

    def __init__(self, path: str | Path, *, profile: str = "laptop", backend: str = "atlas",
                 recordings: str | None = None, seed: int = 0) -> None:
        self.path = Path(path)
        settings = {"profile": profile, "backend": backend, "recordings": Path(recordings).name if recordings else None, "seed": seed}
        self.recordings = recordings
        manifest = self.path / "manifest.json"
        if manifest.is_file():
            self.manifest = json.loads(manifest.read_text(encoding="utf-8"))
            problems = [
                Problem(key, value, f"the run folder {self.path} was made with {self.manifest[key]!r}: name another folder or remove it")
                for key, value in settings.items() if self.manifest[key] != value
            ]
            if problems:
                raise InvalidParameter("Run", problems)
        else:
            self.manifest = {**settings, "versions": _versions(), "created_at": _now(), "stages": {}}
            self.save()

    @classmethod
    def existing(cls, path: str | Path) -> Run:
        """The run that is already in a folder; raises MissingArtefact where there is none."""
        manifest = Path(path) / "manifest.json"
        if not manifest.is_file():
            raise MissingArtefact(f"{manifest} is not there: {path} is no run folder; make one with `make book` or `make run`")
        stamped = json.loads(manifest.read_text(encoding="utf-8"))
        run = cls.__new__(cls)
        run.path, run.manifest, run.recordings = Path(path), stamped, stamped["recordings"]
        return run

    @property
    def seed(self) -> int:
        """The seed of every random choice of this run."""
        return int(self.manifest["seed"])

    def save(self) -> None:
        """Write the manifest."""
        self.manifest["versions"] = _versions()
        write_atomically(self.path / "manifest.json", json.dumps(self.manifest, indent=1, sort_keys=True) + "\n")

    def stage(self, name: str, *, reads: Iterable[str] = (), writes: Iterable[str], settings: Any = None) -> Stage:
        """A stage; `done` if it already ran with the same code, settings and input and its artefacts are intact."""
        inputs = {}
        for artefact in reads:
            if not (self.path / artefact).exists():
                raise MissingArtefact(f"{self.path / artefact} is not there: the stage before {name!r} has not run")
            inputs[artefact] = file_digest(self.path / artefact)
        stamp = {"code": code_digest(), "settings": settings, "inputs": inputs, **{k: self.manifest[k] for k in _SETTINGS}}
        key = hashlib.sha256(dumps(stamp).encode()).hexdigest()[:16]
        before, outputs = self.manifest["stages"].get(name, {}), list(writes)
        done = before.get("key") == key and all((self.path / o).exists() for o in outputs) and all(
            file_digest(self.path / o) == before["sha256"].get(o) for o in outputs
        )
        return Stage(self, name, key, outputs, done)

    def write(self, name: str, rows: Iterable[dict[str, Any]]) -> int:
        """Write an artefact as JSONL; returns its number of rows."""
        lines = [dumps(row) + "\n" for row in rows]
        write_atomically(self.path / name, "".join(lines))
        return len(lines)

    def read(self, name: str) -> list[dict[str, Any]]:
        """The rows of a JSONL artefact."""
        return read_jsonl(self.path / name)

    def resume(self, stage: Stage, items: list[dict[str, Any]], work: Callable[[dict[str, Any]], dict[str, Any]],
               *, identity: str = "id", label: str = "", progress: bool | None = None, tally: str | None = None,
               lane: Callable[[dict[str, Any]], str] | None = None, workers: int = 1,
               again: Callable[[dict[str, Any]], bool] | None = None) -> list[dict[str, Any]]:
        """Do `work` once for every item, appending each result as it comes; after a kill only the rest is done.

        Items have a key `identity`, and so have results; the progress bar counts the results' values of `tally`. Several
        `workers` are threads, for work that waits for others. With `lane`, the items of different lanes are done at once, by
        `workers` threads in a process a lane (see common.lanes). A stored result for which `again` holds counts as not done.
        Returns the results in the order of the items, whatever the order in which they came.
        """
        part = self.part(stage)
        with appending(part) as file:
            results = {key: row for key, row in intact_rows(part, identity).items() if not (again and again(row))}
            todo = [item for item in items if item[identity] not in results]

            def keep(row: dict[str, Any]) -> None:
                file.write(dumps(row))

            done = in_lanes(todo, work, keep, lane, workers) if lane else _kept(as_they_come(work, todo, workers), keep)
            counts = Counter(results[item[identity]][tally] for item in items if item[identity] in results) if tally else Counter()
            with closing(done), bar(label or stage.name, len(items), progress, done=len(items) - len(todo)) as shown:
                for row in done:
                    results[row[identity]] = row
                    if tally:
                        counts[row[tally]] += 1
                        shown.set_postfix_str(", ".join(f"{key} {n}" for key, n in counts.most_common()), refresh=False)
                    shown.update()
        return [results[item[identity]] for item in items]

    def part(self, stage: Stage) -> Path:
        """Where a stage's results are appended until its artefact is written."""
        return self.path / f".{stage.name.replace('/', '-')}.{stage.key}.part.jsonl"

    def tidy(self, stage: Stage) -> None:
        """Remove the partial results of a stage whose artefact is written."""
        for part in self.path.glob(f".{stage.name.replace('/', '-')}.*.part.jsonl"):
            part.unlink()


def as_they_come(work: Callable[[Any], Any], items: Iterable[Any], workers: int = 1) -> Iterator[Any]:
    """Results of `work` in the order in which they are ready; after a failure nothing new is begun, what runs still comes, then it is raised."""
    if workers == 1:
        yield from map(work, items)
        return
    todo, running, failed = iter(items), set[Future[Any]](), None
    with ThreadPoolExecutor(workers) as pool:
        while True:
            if failed is None:
                running |= {pool.submit(work, item) for _, item in zip(range(workers - len(running)), todo, strict=False)}
            if not running:
                break
            ready, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ready:
                if future.exception() is None:
                    yield future.result()
                else:
                    failed = failed or future.exception()
    if failed is not None:
        raise failed


def intact_rows(part: Path, identity: str) -> dict[str, dict[str, Any]]:
    """Rows of a partial file; a last line that a kill cut off is removed from the file.

    Where several processes appended and were all killed, a cut line can stand in the middle: it is no row, and its work is done again.
    """
    rows: dict[str, dict[str, Any]] = {}
    if not part.exists():
        part.parent.mkdir(parents=True, exist_ok=True)
        return rows
    intact = 0
    content = part.read_bytes()
    for line in content.splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        intact += len(line)
        try:
            row = json.loads(line)
        except ValueError:
            continue
        rows[row[identity]] = row
    if intact < len(content):
        with part.open("r+b") as handle:
            handle.truncate(intact)
    return rows


def _kept(rows: Iterable[dict[str, Any]], keep: Callable[[dict[str, Any]], None]) -> Generator[dict[str, Any]]:
    for row in rows:
        keep(row)
        yield row


def bar(label: str, total: int, progress: bool | None = None, done: int = 0, items: Iterable[Any] | None = None):
    """A progress bar with its rate: shown on a terminal, or where `progress` says so."""
    from tqdm.auto import tqdm

    shown = sys.stderr.isatty() if progress is None else progress
    return tqdm(items, desc=label, initial=done, total=total, disable=not shown)


def track(items: Iterable[Any], label: str, progress: bool | None = None, done: int = 0, total: int | None = None) -> Iterable[Any]:
    """Items with a progress bar over them, as `bar` shows it; `total` says how many there are where they come one by one."""
    if total is None:
        items = list(items)
        total = len(items)
    return bar(label, total + done, progress, done, items)


def load_run(path: str | Path) -> dict[str, Any]:
    """The artefacts of a run as DataFrames (`calls`, `questions`, `verdicts`, `train`, `validation`, `test`,
    `predictions/<model>`), with `manifest` and, where they exist, `scores` as they are.

    Raises MissingArtefact if the folder holds no run. Example: `bt.load_run("runs/laptop")["calls"]`
    """
    import pandas as pd

    run = Run.existing(path)
    loaded: dict[str, Any] = {"manifest": run.manifest}
    for file in sorted(run.path.glob("*.jsonl")) + sorted(run.path.glob("dataset/*.jsonl")):
        if not file.name.startswith("."):
            loaded[file.stem] = pd.DataFrame(read_jsonl(file))
    for file in sorted(run.path.glob("predictions/*.jsonl")):
        loaded[f"predictions/{file.stem}"] = pd.DataFrame(read_jsonl(file))
    if (run.path / "scores.json").is_file():
        loaded["scores"] = json.loads((run.path / "scores.json").read_text(encoding="utf-8"))
    return loaded


@cache
def _versions_cached() -> tuple[tuple[str, str], ...]:
    found = [("python", platform.python_version())]
    for name in ("biotool_lib", *_STAMPED):
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            found.append((name, "not installed"))
    return tuple(found)


def _versions() -> dict[str, str]:
    return dict(_versions_cached())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
