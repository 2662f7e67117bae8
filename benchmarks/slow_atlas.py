"""`python -m benchmarks.slow_atlas 0.15`: the atlas at one port a service, each answer late by so many seconds, too many a second refused.

Prints the ports by service as JSON; ends with its standard input and then prints how many requests came and how many were refused.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Response

from biotool_lib.atlas.app import application
from biotool_lib.gateway.pacing import RATES


class Service:
    """One service: its limit is that of the real one, counted here and not taken from the client's word."""

    def __init__(self, limit: tuple[int, float], latency: float) -> None:
        self.most, self.span = limit
        self.latency, self.came, self.refused = latency, 0, 0
        self.last: deque[float] = deque()
        self.guard = threading.Lock()

    def __call__(self, environ: dict, start_response: Callable) -> Iterable[bytes]:
        with self.guard:
            now = time.monotonic()
            while self.last and self.last[0] <= now - self.span:
                self.last.popleft()
            self.came += 1
            over = len(self.last) >= self.most
            self.refused += over
            if not over:
                self.last.append(now)
        time.sleep(self.latency)
        response = Response('{"error": "API rate limit exceeded"}', 429, content_type="application/json") if over else application()
        return response(environ, start_response)


class Quiet(WSGIRequestHandler):
    def log(self, type, message, *args):
        pass


def main() -> None:
    services = {host: Service(limit, float(sys.argv[1])) for host, limit in RATES.items()}
    servers = {host: make_server("127.0.0.1", 0, service, threaded=True, request_handler=Quiet) for host, service in services.items()}
    for server in servers.values():
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    print(json.dumps({host: server.server_port for host, server in servers.items()}), flush=True)
    sys.stdin.read()
    print(json.dumps({"came": sum(s.came for s in services.values()), "refused": sum(s.refused for s in services.values())}))


if __name__ == "__main__":
    main()
