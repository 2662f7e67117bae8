"""Serve the atlas over HTTP: `python -m biotool_lib.atlas --port 8136`.

The services' own paths are answered on one port, e.g. http://127.0.0.1:8136/lookup/symbol/human/BRCA1.
"""

from __future__ import annotations

import argparse

from werkzeug.serving import run_simple

from .app import application


def main() -> None:
    """Command line; loopback unless another address is asked for."""
    parser = argparse.ArgumentParser(prog="python -m biotool_lib.atlas", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 serves a whole room")
    parser.add_argument("--port", type=int, default=8136)
    options = parser.parse_args()
    run_simple(options.host, options.port, application(), threaded=True)


if __name__ == "__main__":
    main()
