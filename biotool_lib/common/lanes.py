"""Long work in several lanes at once (a lane is a host), each in a process that outlives a kill by the work then under way.

What was asked of a server is known only when its answer is there. If the process that waits for an answer is killed, nobody can
tell whether the server saw the question, and to ask again may be to ask twice. So each lane is a child process in a session of its
own: `kill -9` of the parent, of its process group or of a notebook's kernel leaves the children the time to finish what they have
begun and to keep the results; they begin nothing new. Whoever resumes waits for them by the lock on the partial file.
Where all processes are killed at once, the machine stops, or the system has no safe fork (macOS, Windows: there the lanes are
threads), the items then under way, at most `workers` a lane, are done again; that cannot be avoided.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import FileIO
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from ..errors import BioToolError

if sys.platform != "win32":
    import fcntl

Row = dict[str, Any]
DETACHED = sys.platform == "linux"
GRACE = 130.0  # seconds for what is under way after an interrupt or the parent's death: a live call ends sooner


class Appended:
    """A file of lines that several threads and processes append to: one system call a line."""

    def __init__(self, file: FileIO) -> None:
        self._file, self._safe = file, 0.0

    def write(self, line: str) -> None:
        """Append one line; a kill does not lose it, a power cut at most the last second's. Raises OSError on a full disk."""
        data = line.encode() + b"\n"
        if self._file.write(data) != len(data):
            raise OSError(f"{self._file.name}: only a part of a line could be written; is the disk full?")
        if time.monotonic() - self._safe > 1:
            os.fsync(self._file.fileno())
            self._safe = time.monotonic()


@contextmanager
def appending(part: Path) -> Iterator[Appended]:
    """A partial file open for appending, to one run at a time; a second one waits until the first has let go."""
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab", buffering=0) as file:
        if sys.platform != "win32":
            _lock(file)
        if not part.exists():
            raise BioToolError(f"another process finished {part.name} in the meantime: run the same command again")
        yield Appended(file)


def _lock(file: FileIO) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("waiting for a process that still works on this stage …", file=sys.stderr, flush=True)
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as problem:
        # Some mounted drives have no locks. One run at a time is right there, too; two at once are not noticed.
        print(f"no lock on this file system ({problem}): do not run the same stage twice at once", file=sys.stderr, flush=True)


def in_lanes(items: list[Row], work: Callable[[Row], Row], keep: Callable[[Row], None], lane: Callable[[Row], str],
             workers: int) -> Generator[Row]:
    """Results as they come; each lane's items are done in order by `workers` threads, and lanes do not wait for each other.

    `keep` stores a result before the thread begins its next item. Closing the iterator finishes what is under way and stops.
    """
    lanes: dict[str, list[Row]] = {}
    for item in items:
        lanes.setdefault(lane(item), []).append(item)
    pipes: list[Connection] = []
    ends: list[Callable[[], object]] = []
    try:
        for queue in lanes.values():
            ours, theirs = Pipe()
            pipes.append(ours)
            ends.append((_fork if DETACHED else _thread)(_Lane(theirs, deque(queue), work, keep, workers), pipes))
        while busy := [pipe for pipe in pipes if not pipe.closed]:
            for pipe in wait(busy):
                assert isinstance(pipe, Connection)
                try:
                    message = pipe.recv()
                except (EOFError, OSError):
                    raise BioToolError("a process that did the work was killed; the same command goes on from here") from None
                if isinstance(message, BaseException):
                    raise message
                if message is None:
                    pipe.close()
                else:
                    yield message
    except (KeyboardInterrupt, GeneratorExit):
        print("finishing what is under way; interrupt again to leave at once", file=sys.stderr, flush=True)
        raise
    finally:
        for pipe in pipes:
            pipe.close()
        for end in ends:
            end()


def _fork(lane: _Lane, parents: list[Connection]) -> Callable[[], object]:
    """Run a lane in a child process; returns what waits for its end."""
    child = os.fork()
    if child:
        lane.pipe.close()
        return lambda: os.waitpid(child, 0)
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.setsid()
        for pipe in parents:  # held open here, these would hide the parent's death from the other lanes
            pipe.close()
        lane.run(GRACE)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)  # no clean-up of what belongs to the parent


def _thread(lane: _Lane, parents: list[Connection]) -> Callable[[], object]:
    """Run a lane in this process; returns what waits for its end."""
    thread = threading.Thread(target=lane.run, daemon=True)
    thread.start()
    return lambda: thread.join(GRACE)


@dataclass
class _Lane:
    """The items of one lane and the pipe over which results go; the other end is closed to stop."""

    pipe: Connection
    queue: deque[Row]
    work: Callable[[Row], Row]
    keep: Callable[[Row], None]
    workers: int
    stop: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, grace: float | None = None) -> None:
        """Work until the queue is empty, an item fails or the other end is closed; then at most `grace` seconds longer."""
        watcher = threading.Thread(target=self._watch, args=(grace,), daemon=True)
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(min(self.workers, len(self.queue)))]
        for thread in (watcher, *threads):
            thread.start()
        for thread in threads:
            thread.join()
        self.finished.set()
        self._tell(None)
        watcher.join()
        self.pipe.close()

    def _work(self) -> None:
        while not self.stop.is_set():
            try:
                item = self.queue.popleft()
            except IndexError:
                return
            try:
                row = self.work(item)
                with self.lock:
                    self.keep(row)
                    self._tell(row)
            except BaseException as problem:
                self.stop.set()
                with self.lock:
                    self._tell(_portable(problem))

    def _watch(self, grace: float | None) -> None:
        with suppress(EOFError, OSError):
            self.pipe.recv()  # nothing is ever sent: this returns when the other end is closed, or its process is gone
        self.stop.set()
        if grace is not None and not self.finished.wait(grace):
            os._exit(1)

    def _tell(self, message: object) -> None:
        with suppress(OSError):  # nobody listens any more: the result is kept, and that is what counts
            self.pipe.send(message)


def _portable(problem: BaseException) -> BaseException:
    """The exception if it survives the way to another process, else one with its text."""
    try:
        pickle.loads(pickle.dumps(problem))
    except Exception:
        return RuntimeError("".join(traceback.format_exception(problem)))
    problem.add_note("".join(traceback.format_exception(problem)))
    return problem
