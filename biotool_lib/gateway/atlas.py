"""The atlas as a transport of a requests session: the WSGI application is called in this process, no port is opened."""

from __future__ import annotations

import io
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from werkzeug.test import EnvironBuilder, run_wsgi_app

from ..atlas.app import application


class AtlasAdapter(BaseAdapter):
    """Answers every request from the embedded atlas."""

    def send(self, request, stream=False, timeout=None, verify=True, cert=None, proxies=None):  # noqa: D102
        parts = urlsplit(request.url)
        body = request.body.encode() if isinstance(request.body, str) else request.body
        builder = EnvironBuilder(
            path=parts.path, query_string=parts.query, base_url=f"{parts.scheme}://{parts.netloc}",
            method=request.method, headers=list(request.headers.items()), input_stream=io.BytesIO(body or b""),
            content_length=len(body or b""),
        )
        chunks, status, headers = run_wsgi_app(application(), builder.get_environ(), buffered=True)
        return build_response(request, int(status.split(" ", 1)[0]), dict(headers), b"".join(chunks))

    def close(self) -> None:  # noqa: D102
        pass


def build_response(request, status: int, headers: dict[str, str], body: bytes) -> requests.Response:
    """A requests.Response made of its parts, for transports that have no socket."""
    response = requests.Response()
    response.status_code, response.headers = status, CaseInsensitiveDict(headers)
    response.raw, response._content = io.BytesIO(body), body
    response.url, response.request = request.url, request
    return response
