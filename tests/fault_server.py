"""A loopback server that misbehaves as it is told, and remembers every request with its time."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import biotool_lib as bt
from biotool_lib.gateway.live import Limits
from biotool_lib.gateway.pacing import RATES

BLAST_WAITING = b"<html><!--QBlastInfoBegin\n\tStatus=WAITING\nQBlastInfoEnd--></html>"


def answer(status=200, body=b'{"ping": 1}', kind="application/json", **headers):
    """A plain answer as a behaviour."""
    def behave(connection, request):
        head = {"Content-Type": kind, "Content-Length": len(body), **{k.replace("_", "-"): v for k, v in headers.items()}}
        lines = "".join(f"{key}: {value}\r\n" for key, value in head.items())
        connection.sendall(f"HTTP/1.1 {status} Word\r\n{lines}\r\n".encode() + body)
    return behave


def reset(connection, request):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def hang(connection, request):
    time.sleep(3)


def drip_body(connection, request):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(300):
        connection.sendall(b" ")
        time.sleep(0.02)


def drip_head(connection, request):
    for letter in b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300:
        connection.sendall(bytes([letter]))
        time.sleep(0.02)


def cut_off(connection, request):
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"id": "ENSG')
    connection.shutdown(socket.SHUT_RDWR)


def cut_off_head(connection, request):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
    connection.shutdown(socket.SHUT_RDWR)


def flood(connection, request):
    """Two gigabytes in chunks, sent for as long as somebody reads."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"%x\r\n" % 2**20 + b" " * 2**20 + b"\r\n"
    for _ in range(2048):
        connection.sendall(chunk)


BOMB = gzip.compress(b" " * 2**26)
FAULTS = {
    "429": (answer(429, b"You have exceeded the limit", "text/plain"), "rate_limited"),
    "429 Retry-After": (answer(429, b'{"error": "API rate limit exceeded"}', Retry_After="900"), "rate_limited"),
    "500": (answer(500, b"oops", "text/plain"), "server_error"),
    "502": (answer(502, b"<html>Bad Gateway</html>", "text/html"), "server_error"),
    "503": (answer(503, b"", "text/html"), "server_error"),
    "500 packed badly": (answer(500, b"no gzip", Content_Encoding="gzip"), "server_error"),
    "404 that floods": (answer(404, b" " * 2**22), "bad_body"),
    "reset": (reset, "transport_error"),
    "hang": (hang, "transport_error"),
    "slow drip": (drip_body, "transport_error"),
    "slow drip of the head": (drip_head, "transport_error"),
    "cut off": (cut_off, "transport_error"),
    "cut off in the head": (cut_off_head, "transport_error"),
    "truncated JSON": (answer(200, b'{"id": "ENSG0000'), "bad_body"),
    "broken gzip": (answer(200, gzip.compress(b'{"ping": 1}' * 50)[:-20], Content_Encoding="gzip"), "bad_body"),
    "gzip bomb": (answer(200, BOMB, Content_Encoding="gzip"), "bad_body"),
    "HTML with 200": (answer(200, b"<!DOCTYPE html><html><body>Down for maintenance</body></html>", "text/html"), "bad_body"),
    "NCBI error with 200": (answer(200, b'{"error": "API rate limit exceeded", "count": "4"}'), "rate_limited"),
    "2 GB": (flood, "bad_body"),
    "another host": (answer(302, b"", Location="http://localhost:1/elsewhere"), "transport_error"),
    "no host": (answer(302, b"", Location="http://[nowhere"), "transport_error"),
    "invalid UTF-8": (answer(200, b'{"id": "\xff\xfe"}'), "bad_body"),
    "unasked encoding": (answer(200, b"\x0b\x02", Content_Encoding="br"), "bad_body"),
}


class FaultServer(socketserver.ThreadingTCPServer):
    """Answers with `replies`, one after the other, then with `behave`; `asked` holds (time, method, target, headers, form)."""

    allow_reuse_address, daemon_threads, request_queue_size = True, True, 128

    def __init__(self, behave=None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked, self.replies, self.behave = [], [], behave or answer()
        self.guard = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception() if sys.version_info >= (3, 12) else sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # who was cut off may find the socket closed


class _Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        while line := self.rfile.readline():
            at = time.time()
            method, target, _ = line.decode().split(" ", 2)
            headers = {}
            while (field := self.rfile.readline().strip()):
                name, _, value = field.decode().partition(":")
                headers[name.strip().lower()] = value.strip()
            body = self.rfile.read(int(headers.get("content-length", 0))).decode()
            request = (at, method, target, headers, dict(parse_qsl(body)))
            with self.server.guard:
                self.server.asked.append(request)
                behave = self.server.replies.pop(0) if self.server.replies else self.server.behave
            behave(self.request, request)
            if behave in (reset, hang, drip_body, drip_head, cut_off, cut_off_head, flood):
                return

    def finish(self):
        with contextlib.suppress(OSError):
            super().finish()


def most_in_a_span(times, span):
    """The largest number of requests within any span of seconds."""
    times = sorted(times)
    return max(sum(start <= t < start + span for t in times) for start in times)


REPORT = b'{"BlastOutput2": [{"report": {"program": "blastp", "results": {"search": {"hits": [{"num": 1}]}}}}]}'


def blast_service(ready_after=2, rtoe=0, report=REPORT, put=None):
    """NCBI BLAST in small: one RID a submission, ready at the given look."""
    looks: dict[str, int] = {}
    numbers = iter(range(1, 1000))

    def behave(connection, request):
        _, method, target, _, form = request
        if method == "POST" and form.get("CMD") == "Put":
            if put is not None:
                return put(connection, request)
            rid = f"RID{next(numbers)}"
            page = f"<html><!--QBlastInfoBegin\n    RID = {rid}\n    RTOE = {rtoe}\nQBlastInfoEnd\n--></html>".encode()
            return answer(200, page, "text/html")(connection, request)
        rid = dict(parse_qsl(urlsplit(target).query))["RID"]
        looks[rid] = looks.get(rid, 0) + 1
        waiting = looks[rid] < ready_after
        return answer(200, BLAST_WAITING if waiting else report, "text/html" if waiting else "application/json")(connection, request)
    return behave


QUICK = Limits(deadline=30, retries=2, backoff=0.02, poll=0.3, first_poll=0.1)
SEARCH = {"query": "MKV", "database": "swissprot", "program": "blastp"}


def client_of(server, limits=QUICK, **options):
    """A live client of all services, for all of which the server stands in."""
    return bt.Client("live", endpoints=dict.fromkeys(RATES, server.url), limits=limits, **options)


def alone(*arguments):
    """A server in a process of its own; returns its port, and a function that ends it and tells what it was asked."""
    process = subprocess.Popen([sys.executable, __file__, *arguments],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = int(process.stdout.readline())
    return port, lambda: json.loads(process.communicate()[0])


def python(code, *arguments, **environment):
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                            env={**os.environ, "PYTHONPATH": str(Path(bt.__file__).parents[1]), **environment})


if __name__ == "__main__":  # alone in a process of its own, so that the times are its own too; ends with its standard input
    with FaultServer(blast_service() if "blast" in sys.argv else None) as server:
        print(server.server_address[1], flush=True)
        sys.stdin.read()
        print(json.dumps(server.asked), flush=True)
