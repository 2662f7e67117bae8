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
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, with which value, and what to do about it."""

    where: str
    value: Any
    remedy: str

    def __str__(self) -> str:
        return f"{self.where} = {show(self.value)}: {self.remedy}"


class BioToolError(Exception):
    """Base of every error that this library raises on purpose."""


class _Problems(BioToolError, ValueError):
    def __init__(self, subject: str, problems: Iterable[Problem]) -> None:
        self.subject, self.problems = subject, list(problems)
        super().__init__(f"{subject}: " + "; ".join(str(problem) for problem in self.problems))


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


def show(value: Any, limit: int = 80) -> str:
    """A value as it stands in an error message: quoted and short."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def did_you_mean(word: str, known: Iterable[str], many: int = 3) -> str:
    """`did you mean 'x'?` for the nearest known words, else the known words themselves if they are few."""
    words = list(known)
    near = difflib.get_close_matches(word.lower(), {w.lower(): w for w in words}, n=many, cutoff=0.6)
    if near:
        by_lower = {w.lower(): w for w in words}
        return "did you mean " + " or ".join(repr(by_lower[w]) for w in near) + "?"
    listed = ", ".join(words[:12]) + (", …" if len(words) > 12 else "")
    return f"known: {listed}" if words else "none is known"
