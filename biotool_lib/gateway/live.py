"""The real services, politely: paced starts, time-outs, a size limit, no redirects to elsewhere."""

from __future__ import annotations

import os
import threading
import time
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter
from urllib3.util import Retry

# Requests a second: https://www.ncbi.nlm.nih.gov/books/NBK25497 (3, or 10 with a key), Ensembl's and UniProt's help pages.
RATES = {"eutils.ncbi.nlm.nih.gov": 3.0, "rest.ensembl.org": 15.0, "rest.uniprot.org": 10.0, "blast.ncbi.nlm.nih.gov": 0.1}
TIMEOUT = (10.0, 60.0)
MAX_BODY = 64 * 2**20


class TooLarge(OSError):
    """A body beyond the size limit."""


class Pace:
    """Spaces the starts of requests to each host; one object serves all threads of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next: dict[str, float] = {}

    def wait(self, host: str) -> None:
        """Sleep until the next start that the host's rate allows."""
        rate = RATES.get(host, 1.0)
        if host == "eutils.ncbi.nlm.nih.gov" and os.environ.get("NCBI_API_KEY"):
            rate = 10.0
        with self._lock:
            start = max(time.monotonic(), self._next.get(host, 0.0))
            self._next[host] = start + 1.0 / rate
        time.sleep(max(0.0, start - time.monotonic()))


class LiveAdapter(HTTPAdapter):
    """Sends requests over the network within the pace and the limits above."""

    pace = Pace()

    def __init__(self) -> None:
        retry = Retry(total=3, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=("GET",), backoff_factor=1.0,
                      backoff_jitter=0.5, raise_on_status=False, respect_retry_after_header=True)
        super().__init__(max_retries=retry)

    def send(self, request, stream=False, timeout=None, verify=True, cert=None, proxies=None):  # noqa: D102
        request = with_identity(request)
        self.pace.wait(urlsplit(request.url).hostname or "")
        response = super().send(request, stream=True, timeout=TIMEOUT, verify=verify, cert=cert, proxies=proxies)
        body = bytearray()
        for chunk in response.iter_content(65536):
            body += chunk
            if len(body) > MAX_BODY:
                response.close()
                raise TooLarge(f"the body is larger than {MAX_BODY} bytes")
        response._content = bytes(body)
        return response


def with_identity(request):
    """The request with who we are; keys come from the environment only and are never stored or shown."""
    request = request.copy()
    try:
        release = version("biotool_lib")
    except PackageNotFoundError:
        release = "unreleased"
    request.headers["User-Agent"] = f"biotool-book/{release}"
    if urlsplit(request.url).hostname == "eutils.ncbi.nlm.nih.gov":
        extra = {"tool": "biotool-book", "email": os.environ.get("NCBI_EMAIL"), "api_key": os.environ.get("NCBI_API_KEY")}
        request.prepare_url(request.url, {key: value for key, value in extra.items() if value})
    return request
