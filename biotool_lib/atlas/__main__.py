"""Serve the atlas over HTTP: `python -m biotool_lib.atlas --port 8136`; list what it holds: `python -m biotool_lib.atlas tables`.

Check facts against the files they come from: `python -m biotool_lib.atlas trace --sources FOLDER` (tables/ and recorded/ in it).
The services' own paths are answered on one port, e.g. http://127.0.0.1:8136/lookup/symbol/human/BRCA1.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from werkzeug.serving import run_simple

from ..errors import status_of
from .app import application
from .store import tables
from .trace import sample, trace


def main(arguments: list[str] | None = None) -> int:
    """Command line; loopback unless another address is asked for. With trace, the exit status is 1 where a source does not say what a row says."""
    parser = argparse.ArgumentParser(prog="python -m biotool_lib.atlas", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?", choices=("serve", "tables", "trace"), default="serve",
                        help="tables: rows of fact, gaps and sources, as Markdown; trace: a random sample of facts, each looked up in its source")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 serves a whole room")
    parser.add_argument("--port", type=int, default=8136)
    parser.add_argument("--output", type=Path, help="with tables: write them into this file instead of printing it")
    parser.add_argument("--sources", type=Path, help="with trace: the folder of downloaded tables and recorded replies")
    parser.add_argument("--n", type=int, default=200, help="with trace: how many facts (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="with trace: which sample")
    options = parser.parse_args(arguments)
    if options.command == "trace" and options.sources is None:
        parser.error("trace needs --sources FOLDER")
    return status_of(lambda: _do(options))


def _do(options: argparse.Namespace) -> int:
    if options.command == "trace":
        return _trace(options)
    if options.command == "serve":
        run_simple(options.host, options.port, application(), threaded=True)
    elif options.output:
        options.output.write_text(tables(), encoding="utf-8")
    else:
        print(tables(), end="")
    return 0


def _trace(options: argparse.Namespace) -> int:
    found = trace(sample(options.n, options.seed), options.sources)
    print("table\tkey\tcolumn\tvalue\tsource\tfile\tfound", *(one.line() for one in found), sep="\n")
    counts = Counter(one.found for one in found)
    print(f"{len(found)} facts: " + ", ".join(f"{counts[word]} {word}" for word in ("yes", "no", "no file")))
    return 1 if counts["no"] else 0


if __name__ == "__main__":
    sys.exit(main())
