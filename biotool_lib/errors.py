"""The errors that this library raises on purpose.

BioToolError
├── InvalidArguments (also a ValueError)   a call that its function does not allow; lists every problem
├── InvalidParameter (also a ValueError)   a notebook, profile or recipe parameter that does not exist or fit
├── RecordingError                         a folder of recordings that cannot be read
├── MissingArtefact                        a stage was started before the one it reads from
└── MissingEncoder                         an encoder whose weights are not on this machine
"""

from __future__ import annotations

import difflib
import reprlib
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

MOST_TOLD = 20  # problems that a message tells; the error itself holds them all


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, with which value, and what to do about it."""

    where: str
    value: Any
    remedy: str

    def __str__(self) -> str:
        return f"{plain(str(self.where))} = {show(self.value)}: {plain(self.remedy, 600)}"


class BioToolError(Exception):
    """Base of every error that this library raises on purpose."""


class _Problems(BioToolError, ValueError):
    def __init__(self, subject: str, problems: Iterable[Problem]) -> None:
        self.subject, self.problems = subject, list(problems)
        said = [str(problem) for problem in self.problems[:MOST_TOLD]]
        if len(self.problems) > MOST_TOLD:
            said.append(f"and {len(self.problems) - MOST_TOLD} more problems")
        super().__init__(f"{plain(subject)}: " + "; ".join(said))


class InvalidArguments(_Problems):
    """A call that its function does not allow; `problems` lists each with its value and remedy."""


class InvalidParameter(_Problems):
    """A notebook, profile or recipe parameter that does not exist or does not fit."""


class RecordingError(BioToolError):
    """A folder of recordings that cannot be read; says which file and what to do."""


class MissingArtefact(BioToolError):
    """A stage was started before the one that writes what it reads."""


class MissingEncoder(BioToolError):
    """An encoder whose weights are not on this machine; never replaced by another one."""


class _Short(reprlib.Repr):
    """A repr that stays short, shallow and quick whatever the value holds."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxdict, self.maxlist, self.maxtuple, self.maxset, self.maxother = 3, 6, 6, 6, 6, 80

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if x.bit_length() < 200 else f"<whole number of {x.bit_length()} bits>"  # repr of a huge one is refused


_short = _Short()


def show(value: Any, limit: int = 80) -> str:
    """A value as it stands in an error message: quoted, short, and on one line."""
    if isinstance(value, str):
        text = repr(value[:limit])
        return text if len(value) <= limit else f"{text}… ({len(value)} characters)"
    text = plain(_short.repr(value), limit + 1)
    return text if len(text) <= limit else f"{text[:limit]}…"


def plain(text: str, limit: int = 80) -> str:
    """A text without control and other unprintable characters, cut where it is long."""
    kept = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[:limit])
    return kept if len(text) <= limit else f"{kept}…"


def did_you_mean(word: str, known: Iterable[str], many: int = 3) -> str:
    """`did you mean 'x'?` for the nearest known words, else the known words themselves if they are few."""
    words = list(known)
    by_lower = {w.lower(): w for w in words}
    near = difflib.get_close_matches(word[:100].lower(), by_lower, n=many, cutoff=0.6)
    if near:
        return "did you mean " + " or ".join(repr(by_lower[w]) for w in near) + "?"
    listed = ", ".join(words[:12]) + (", …" if len(words) > 12 else "")
    return f"known: {listed}" if words else "none is known"


RESUMES = "interrupted; the same command goes on from here"


def status_of(command: Callable[[], int], interrupted: str = "interrupted") -> int:
    """Exit status of a command line: the command's own; 2 after an error of ours, 130 after an interrupt, each told in one line.

    Example: `sys.exit(status_of(lambda: 0))`
    """
    try:
        return command()
    except BioToolError as wrong:
        print(f"error: {wrong}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return 130
