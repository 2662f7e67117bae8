"""The atlas as a WSGI application with the services' own paths.

`application()` is mounted inside a requests session by the gateway; `python -m biotool_lib.atlas`
serves the same object over HTTP. The three services' paths do not collide, so one map serves all.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterable
from functools import cache

from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

import biotool_lib.atlas as package


class Atlas:
    """The WSGI callable: finds the handler of a path and runs it."""

    def __init__(self, routes: Iterable[tuple[str, Callable[..., Response]]]) -> None:
        self.map = Map(
            [Rule(path, endpoint=handler, methods=["GET", "POST"]) for path, handler in routes],
            strict_slashes=False, merge_slashes=False, redirect_defaults=False,
        )

    def __call__(self, environ: dict, start_response: Callable) -> Iterable[bytes]:
        """Answer one request; an unknown path is Ensembl's own 404."""
        request = Request(environ)
        try:
            handler, path = self.map.bind_to_environ(environ).match()
            response = handler(request, **path)
        except HTTPException as problem:
            body = {"error": f"page not found: {request.path}" if problem.code == 404 else problem.description}
            response = Response(json.dumps(body), status=problem.code, content_type="application/json")
        response.headers["X-Atlas"] = "BioTool Book atlas; not a live service"
        return response(environ, start_response)


@cache
def application() -> Atlas:
    """The application over every module of this package that declares ROUTES."""
    routes: list[tuple[str, Callable[..., Response]]] = []
    for info in pkgutil.iter_modules(package.__path__):
        if info.name.startswith(("ensembl", "uniprot", "ncbi")):
            routes += importlib.import_module(f"{package.__name__}.{info.name}").ROUTES
    return Atlas(routes)
