"""A page in a browser that reaches nothing but the server under test."""

from __future__ import annotations

from urllib.parse import urlsplit


class Fenced:
    """A Playwright page; requests to other hosts are refused and kept in `outside`."""

    def __init__(self, page, home: str) -> None:
        self.page, self.home = page, home
        self.outside: list[str] = []
        page.route("**/*", self._route)

    def _route(self, route) -> None:
        parts = urlsplit(route.request.url)
        if parts.scheme in {"data", "blob"} or f"{parts.scheme}://{parts.netloc}" == self.home:
            route.continue_()
        else:
            self.outside.append(route.request.url)
            route.abort()
