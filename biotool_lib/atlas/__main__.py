"""Serve the atlas over HTTP: `python -m biotool_lib.atlas --port 8136`; list what it cannot answer: `python -m biotool_lib.atlas gaps`.

The services' own paths are answered on one port, e.g. http://127.0.0.1:8136/lookup/symbol/human/BRCA1.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from werkzeug.serving import run_simple

from .app import application
from .store import gaps_table


def main() -> None:
    """Command line; loopback unless another address is asked for."""
    parser = argparse.ArgumentParser(prog="python -m biotool_lib.atlas", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?", choices=("serve", "gaps"), default="serve", help="gaps: the functions without an answer, as Markdown")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 serves a whole room")
    parser.add_argument("--port", type=int, default=8136)
    parser.add_argument("--output", type=Path, help="with gaps: write the table into this file instead of printing it")
    options = parser.parse_args()
    if options.command == "serve":
        run_simple(options.host, options.port, application(), threaded=True)
    elif options.output:
        options.output.write_text(gaps_table(), encoding="utf-8")
    else:
        print(gaps_table(), end="")


if __name__ == "__main__":
    main()
