"""Long work in several lanes at once (a lane is a host), in a process that outlives a kill by the work then under way.

What was asked of a server is known only when its answer is there. If the process that waits for an answer is killed, nobody can
tell whether the server saw the question, and to ask again may be to ask twice. So the work is done by a child process in a session
of its own: `kill -9` of the parent, of its process group or of a notebook's kernel leaves the child the time to finish what it has
begun and to keep the results; it begins nothing new. Whoever resumes waits for it by the lock on the partial file.
Where all processes are killed at once, the machine stops, or the system has no safe fork (macOS, Windows), the items then under
way, at most `workers` a lane, are done again; that cannot be avoided.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import BioToolError

if sys.platform != "win32":
    import fcntl

Row = dict[str, Any]
DETACHED = sys.platform == "linux"
GRACE = 120.0  # seconds for what is under way after an interrupt or the parent's death: longer than a live client's time-outs


@contextmanager
def appending(part: Path) -> Iterator[BinaryIO]:
    """A partial file open for appending, to one run at a time; a second one waits until the first has let go."""
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as handle:
        if sys.platform != "win32":
            _lock(handle)
        if not part.exists():
            raise BioToolError(f"another process finished {part.name} in the meantime: run the same command again")
        yield handle


def _lock(handle: BinaryIO) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("waiting for a process that still works on this stage …", file=sys.stderr, flush=True)
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as problem:
        # Some mounted drives have no locks. One run at a time is right there, too; two at once are not noticed.
        print(f"no lock on this file system ({problem}): do not run the same stage twice at once", file=sys.stderr, flush=True)


def in_lanes(items: list[Row], work: Callable[[Row], Row], keep: Callable[[Row], None], lane: Callable[[Row], str],
             workers: int) -> Generator[Row]:
    """Results as they come; each lane's items are done in order by `workers` threads, which share nothing with other lanes.

    `keep` stores a result before the thread begins its next item. Closing the iterator finishes what is under way and stops.
    """
    ours, theirs = Pipe()
    wait = (_fork if DETACHED else _thread)(ours, theirs, (items, work, keep, lane, workers))
    try:
        while True:
            try:
                message = ours.recv()
            except EOFError:
                raise BioToolError("the process that did the work was killed; the same command goes on from here") from None
            if message is None:
                return
            if isinstance(message, BaseException):
                raise message
            yield message
    except (KeyboardInterrupt, GeneratorExit):
        print("finishing what is under way; interrupt again to leave at once", file=sys.stderr, flush=True)
        raise
    finally:
        ours.close()
        wait()


def _fork(ours: Connection, theirs: Connection, job: tuple) -> Callable[[], object]:
    """Start the lanes in a child process; returns what waits for its end."""
    child = os.fork()
    if child:
        theirs.close()
        return lambda: os.waitpid(child, 0)
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.setsid()
        ours.close()
        _lanes(theirs, *job, grace=GRACE)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)  # no clean-up of what belongs to the parent


def _thread(ours: Connection, theirs: Connection, job: tuple) -> Callable[[], object]:
    """Start the lanes in this process; returns what waits for their end."""
    thread = threading.Thread(target=_lanes, args=(theirs, *job), daemon=True)
    thread.start()
    return lambda: thread.join(GRACE)


def _lanes(pipe: Connection, items: list[Row], work: Callable[[Row], Row], keep: Callable[[Row], None], lane: Callable[[Row], str],
           workers: int, grace: float | None = None) -> None:
    stop, finished, lock = threading.Event(), threading.Event(), threading.Lock()
    queues: dict[str, deque[Row]] = {}
    for item in items:
        queues.setdefault(lane(item), deque()).append(item)

    def tell(message: object) -> None:
        with suppress(OSError):  # nobody listens any more: the result is kept, and that is what counts
            pipe.send(message)

    def run(queue: deque[Row]) -> None:
        while not stop.is_set():
            try:
                item = queue.popleft()
            except IndexError:
                return
            try:
                row = work(item)
                with lock:
                    keep(row)
                    tell(row)
            except BaseException as problem:
                stop.set()
                with lock:
                    tell(_portable(problem))
                return

    def watch() -> None:
        with suppress(EOFError, OSError):
            pipe.recv()  # nothing is ever sent: this returns when the other end is closed, or its process is gone
        stop.set()
        if grace is not None and not finished.wait(grace):
            os._exit(1)

    watcher = threading.Thread(target=watch, daemon=True)
    threads = [threading.Thread(target=run, args=(q,), daemon=True) for q in queues.values() for _ in range(min(workers, len(q)))]
    for thread in (watcher, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    finished.set()
    tell(None)
    watcher.join()
    pipe.close()


def _portable(problem: BaseException) -> BaseException:
    """The exception if it survives the way to another process, else one with its text."""
    try:
        pickle.loads(pickle.dumps(problem))
    except Exception:
        return RuntimeError("".join(traceback.format_exception(problem)))
    problem.add_note("".join(traceback.format_exception(problem)))
    return problem
