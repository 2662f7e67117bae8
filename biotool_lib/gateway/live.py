"""The real services, politely: paced starts, time-outs and a deadline, size limits, retries of what may be retried.

Keys come from the environment, are added on the way out and taken out of everything that comes back.
"""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import logging
import os
import random
import socket
import threading
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from .pacing import NoTurn, Pace, interval
from .request import redact

REPEATED = frozenset({429, 500, 502, 503, 504})
REDIRECTED = frozenset({301, 302, 303, 307, 308})
NCBI = ("eutils.ncbi.nlm.nih.gov", "blast.ncbi.nlm.nih.gov")
CHUNK = 64 * 2**10
POOLS = (10, 32)  # hosts, and connections to each, that are kept open


@dataclass(frozen=True)
class Limits:
    """What a live call may take: seconds, bytes and repetitions.

    Example: `bt.Client("live", limits=Limits(deadline=30, retries=1))`
    """

    connect: float = 10.0
    read: float = 60.0  # between two pieces of an answer, and for its head as a whole
    deadline: float = 120.0  # for one call: its turns, attempts and pauses together
    retries: int = 3
    backoff: float = 1.0  # before the first repetition; doubled for each further one, give or take a half
    body: int = 64 * 2**20  # as it comes over the wire, and unpacked
    poll: float = 60.0  # between two looks at the same BLAST search
    first_poll: float = 10.0
    rates: Mapping[str, tuple[int, float]] = field(default_factory=dict)  # (starts, seconds) by host, instead of pacing.RATES


class Unanswered(Exception):
    """No usable answer came; `outcome` says of which kind."""

    def __init__(self, outcome: str, why: str, unsent: bool = False) -> None:
        self.outcome, self.unsent = outcome, unsent
        super().__init__(why)


class Posts(Protocol):
    """Who is told of a request that must not be sent twice, before it leaves and if it did not."""

    def sending(self, request: requests.PreparedRequest) -> None: ...  # noqa: D102
    def unsent(self, request: requests.PreparedRequest) -> None: ...  # noqa: D102


class _Watched:
    """A connection whose answer's head must be complete within the read time-out, however slowly it drips."""

    def getresponse(self):
        sock, late = self.sock, threading.Event()  # type: ignore[attr-defined]
        watch = threading.Timer(1.2 * self.timeout, _give_up, [sock, late])  # type: ignore[attr-defined]
        watch.daemon = True
        watch.start()
        try:
            response = super().getresponse()  # type: ignore[misc]
        except (OSError, http.client.HTTPException):
            if not late.is_set():
                raise
        finally:
            watch.cancel()
        if late.is_set():  # even if what had come passes for a whole head
            raise TimeoutError("the head of the answer dripped in too slowly")
        return response


def _give_up(sock: Any, late: threading.Event) -> None:
    late.set()
    with contextlib.suppress(OSError):  # it is closed already, which is what was wanted
        sock.shutdown(socket.SHUT_RDWR)


class _HTTP(_Watched, HTTPConnection):
    pass


class _HTTPS(_Watched, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPS


class LiveAdapter(HTTPAdapter):
    """Sends requests over the network within the pace and the limits; raises Unanswered where no whole answer comes.

    `endpoints` maps a service's host to another address that answers in its stead.
    """

    def __init__(
        self, pace: Pace, limits: Limits | None = None, endpoints: Mapping[str, str] | None = None, posts: Posts | None = None,
    ) -> None:
        super().__init__(*POOLS, max_retries=0)
        self._process = os.getpid()
        self.pace, self.limits, self.endpoints, self.posts = pace, limits or Limits(), dict(endpoints or {}), posts

    def init_poolmanager(self, *args, **kwargs):  # noqa: D102
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, proxy, **options):  # noqa: D102
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
        return manager

    def send(self, request, stream=False, timeout=None, verify=True, cert=None, proxies=None):  # noqa: D102
        if self._process != os.getpid():  # a forked child must not talk over its parent's connections
            self.init_poolmanager(*POOLS)
            self._process = os.getpid()
        host = urlsplit(request.url).hostname or ""
        own, end = self.endpoints.get(host), time.monotonic() + self.limits.deadline
        paced = f"{host} at {urlsplit(own).netloc}" if own else host
        outward = with_identity(request, key=own is None)
        if own:  # a server of one's own is reached directly, and gets no key
            outward.url, proxies = outward.url.replace(f"https://{host}", own.rstrip("/"), 1), None
        options = {"verify": verify, "cert": cert, "proxies": proxies}
        response = None
        for attempt in range(self.limits.retries + 1):
            pause = self.limits.backoff * 2**attempt * random.uniform(0.5, 1.5)
            over = attempt == self.limits.retries or time.monotonic() + pause >= end
            try:
                response = self._attempt(request, outward, paced, end, options)
            except NoTurn as problem:
                if response is not None:
                    return response  # the refusal that made the host pause
                raise Unanswered("rate_limited", str(problem), unsent=True) from None
            except Unanswered as problem:
                if over or problem.outcome != "transport_error" or not (problem.unsent or request.method == "GET"):
                    raise
            else:
                asked = self._heed(paced, response, pause)
                if response.status_code not in REPEATED or over or request.method != "GET":
                    return response
                pause = 0.0 if asked else pause  # a pause of the host is waited for in the queue, by everybody
            time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _attempt(self, request, outward, paced: str, end: float, options: Mapping[str, Any]):
        """One request and its whole answer, led on to other pages of the same server if need be."""
        for _ in range(4):
            self.pace.turn(paced, 0.9 * (end - time.monotonic()))  # a start that leaves no time for the answer is no use
            if self.posts and request.method == "POST":
                self.posts.sending(request)
            try:
                response = self._exchange(outward, end, options)
            except Unanswered as problem:
                if self.posts and problem.unsent and request.method == "POST":
                    self.posts.unsent(request)
                raise
            if response.status_code not in REDIRECTED or "location" not in response.headers:
                response.request, response.url = request, request.url  # without identity and keys
                return response
            outward = _led_on(outward, response)
        raise Unanswered("transport_error", "redirected more than three times")

    def _exchange(self, outward, end: float, options: Mapping[str, Any]):
        left = max(end - time.monotonic(), 0.001)
        try:
            response = super().send(outward, stream=True, timeout=(min(self.limits.connect, left), min(self.limits.read, left)), **options)
        except (requests.RequestException, HTTPError, OSError, ValueError) as problem:
            reason = getattr(problem.args[0] if problem.args else None, "reason", None)
            unsent = isinstance(reason, NewConnectionError | ConnectTimeoutError)
            raise Unanswered("transport_error", scrub(f"{type(problem).__name__}: {problem}"), unsent) from None
        encoding = response.headers.pop("content-encoding", "")
        try:
            body = unpack(self._read(response, end), encoding, self.limits.body)
        except Unanswered as problem:
            if problem.outcome != "bad_body" or response.status_code not in REPEATED:
                raise
            body = b""  # the status says enough, and may pass
        response._content = _without_key(body)
        for name, value in list(response.headers.items()):
            response.headers[name] = scrub(value)
        return response

    def _read(self, response, end: float) -> bytes:
        """The body as it comes, piece by piece, within size and time."""
        body = bytearray()
        try:
            while piece := response.raw.read1(CHUNK, decode_content=False):
                body += piece
                if len(body) > self.limits.body:
                    raise Unanswered("bad_body", f"the body is larger than {self.limits.body} bytes")
                if time.monotonic() > end:
                    raise Unanswered("transport_error", f"the answer was not complete {self.limits.deadline:g} s after the call")
        except (HTTPError, http.client.HTTPException, OSError, ValueError) as problem:
            response.close()
            raise Unanswered("transport_error", scrub(f"the answer broke off ({type(problem).__name__}: {problem})")) from None
        except Unanswered:
            response.close()
            raise
        measured = "content-length" in response.headers or "transfer-encoding" in response.headers
        if not body and response.status_code == 200 and not measured:
            raise Unanswered("transport_error", "the answer broke off before its body")  # a cut-off head passes for a whole one
        return bytes(body)

    def _heed(self, paced: str, response, pause: float) -> bool:
        """Pause the host for everybody where it asks for it; says whether it does."""
        status, headers = response.status_code, response.headers
        asked = seconds_asked(headers.get("retry-after"))
        if status == 429 or (status == 503 and asked is not None):
            self.pace.hold(paced, asked if asked is not None else pause)
            return True
        reset, remaining = _number(headers.get("x-ratelimit-reset")), _number(headers.get("x-ratelimit-remaining"))
        if reset is not None and remaining is not None and reset <= 3600:
            # What is left of the budget is spread over what is left of its hour: others may draw on it from the same address.
            gap = reset / (remaining + 1)
            if gap > interval(self.pace.rate(paced)):
                self.pace.hold(paced, gap)
        return False


def _led_on(outward, response):
    """The request to the page that a redirect names, on the same server; another server is never asked."""
    try:
        target = urlsplit(urljoin(outward.url, response.headers["location"]))
        here = urlsplit(outward.url)
        same = (target.scheme, target.hostname, target.port) == (here.scheme, here.hostname, here.port)
        if not same or outward.method != "GET":
            why = f"HTTP {response.status_code}: redirected to {target.scheme}://{target.netloc}, which is not followed"
            raise Unanswered("transport_error", scrub(why))
        moved = outward.copy()
        moved.prepare_url(target.geturl(), None)
    except (ValueError, requests.RequestException) as problem:
        raise Unanswered("transport_error", scrub(f"HTTP {response.status_code}: redirected to no usable address ({problem})")) from None
    return moved


def unpack(body: bytes, encoding: str, limit: int) -> bytes:
    """A body without its transport encoding, at most `limit` bytes of it; raises Unanswered for a broken or a larger one."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity") or not body:
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise Unanswered("bad_body", f"the body came in the encoding {encoding[:40]!r}, which was not asked for")
    unpacked, rest = bytearray(), body
    for _ in range(100):  # parts of a file; honest ones have one
        part = zlib.decompressobj(wbits=31)
        try:
            unpacked += part.decompress(rest, limit + 1 - len(unpacked))
        except zlib.error as problem:
            raise Unanswered("bad_body", f"broken gzip ({problem})") from None
        if len(unpacked) > limit:
            raise Unanswered("bad_body", f"the body unpacks to more than {limit} bytes")
        if not part.eof:
            raise Unanswered("bad_body", "broken gzip (it ends too early)")
        rest = part.unused_data
        if not rest:
            return bytes(unpacked)
    raise Unanswered("bad_body", "broken gzip (too many parts)")


def seconds_asked(retry_after: str | None) -> float | None:
    """The seconds of a Retry-After header: a number, which Ensembl sends with a fraction, or a date."""
    seconds = _number(retry_after)
    if seconds is not None or not retry_after:
        return seconds
    try:
        date = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, date.timestamp() - time.time())


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


@cache
def _release() -> str:
    try:
        return version("biotool_lib")
    except PackageNotFoundError:
        return "unreleased"


def with_identity(request, key: bool = True):
    """The request with who we are: User-Agent everywhere; for NCBI also tool, and email and key from the environment."""
    request = request.copy()
    request.headers.update({"User-Agent": f"biotool-book/{_release()}", "Accept-Encoding": "gzip"})
    host = urlsplit(request.url).hostname
    if host == NCBI[1]:  # asked so rarely that a kept connection may have died: a submission sent over it would be lost
        request.headers["Connection"] = "close"
    if host in NCBI:
        extra = {"tool": "biotool-book"}
        if key:
            extra |= {"email": os.environ.get("NCBI_EMAIL", ""), "api_key": os.environ.get("NCBI_API_KEY", "") if host == NCBI[0] else ""}
        request.prepare_url(request.url, {name: value for name, value in extra.items() if value})
    return request


def _key() -> str:
    """The environment's own key; anything shorter is none, and would be found in any text."""
    key = os.environ.get("NCBI_API_KEY", "")
    return key if len(key) >= 6 else ""


def scrub(text: str) -> str:
    """A text without keys: those in URLs, and the environment's own wherever it stands."""
    return redact(text.replace(_key(), "…") if _key() else text)


def _without_key(body: bytes) -> bytes:
    """NCBI's refusals quote the key that was sent."""
    return body.replace(_key().encode(), b"[key]") if _key() else body


class _Scrubbed(logging.Filter):
    """Takes keys out of urllib3's records, which show whole request lines."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = scrub(record.getMessage()), None
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_Scrubbed())
