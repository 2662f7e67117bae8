"""One client over three backends: atlas (embedded facts), replay (recordings), live (the services themselves)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from ..catalogue import InvalidArguments, Tool, canonical, tools
from ..errors import BioToolError, InvalidParameter, Problem, RecordingError
from ..observe import Context, summarise
from . import blast
from .atlas import AtlasAdapter
from .live import LiveAdapter
from .outcome import judge
from .replay import NOT_RECORDED, Recorder, Recordings, ReplayAdapter
from .request import prepare, redact

BACKENDS = ("atlas", "replay", "live")


@dataclass(frozen=True)
class Observation:
    """What came back for one call.

    `outcome` is one of gateway.outcome.OUTCOMES; `data` the parsed body (JSON, or text), `summary` its small form;
    `source` is atlas, replay or live; secrets are removed from `url` and `error`.
    """

    name: str
    arguments: Mapping[str, Any]
    outcome: str
    source: str
    status: int | None = None
    url: str | None = None
    data: Any = field(default=None, repr=False)
    summary: dict[str, Any] | None = None
    error: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    retrieved_at: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the call was answered with content."""
        return self.outcome == "ok"


class Client:
    """Makes calls and observes them.

    `backend` is "atlas" (default), "replay" (needs `recordings`, a folder with index.jsonl) or "live";
    `record`, a folder, keeps what live answers. Raises InvalidParameter for a wrong option and RecordingError for
    a folder that cannot be read. Example: `bt.Client().call("lookup_by_symbol", {"species": "human", "symbol": "BRCA1"})`
    """

    def __init__(
        self, backend: str = "atlas", recordings: str | Path | None = None, record: str | Path | None = None,
        blast_ceiling: float = 900.0, sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._options = {key: value for key, value in locals().items() if key != "self"}
        if backend not in BACKENDS:
            raise InvalidParameter("Client", [Problem("backend", backend, f"one of {', '.join(BACKENDS)}")])
        if record and backend != "live":
            raise InvalidParameter("Client", [Problem("record", str(record), "only the live backend records")])
        self.backend, self.blast_ceiling, self.sleep = backend, blast_ceiling, sleep
        self.recordings: Recordings | None = None
        self._recorder = Recorder(record) if record else None
        self._session = requests.Session()
        self._session.trust_env = backend == "live"
        if backend == "replay":
            if recordings is None:
                raise RecordingError("the replay backend needs recordings='FOLDER', a folder with an index.jsonl")
            self.recordings = Recordings(recordings)
            adapter: Any = ReplayAdapter(self.recordings)
        else:
            adapter = AtlasAdapter() if backend == "atlas" else LiveAdapter()
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def call(self, name: str, arguments: Mapping[str, Any] | None = None) -> Observation:
        """Make one call; never raises for what a server or a model did, it becomes the outcome.

        Raises RecordingError if a recorded body is damaged.
        """
        try:
            settled = canonical(name, arguments)["arguments"]
        except InvalidArguments as wrong:
            return Observation(
                str(name), arguments if isinstance(arguments, Mapping) else {}, "invalid_arguments", self.backend,
                error=redact(str(wrong)), retrieved_at=_now(),
            )
        tool = tools()[name]
        if name == "blast" and self.backend != "replay":
            return blast.run(self, tool, settled)
        return self.exchange(tool, settled)

    def twin(self) -> Client:
        """A client with the same options and connections of its own: a requests session belongs to one thread."""
        return type(self)(**self._options)

    def exchange(self, tool: Tool, arguments: Mapping[str, Any]) -> Observation:
        """One request and its answer, for arguments that are canonical."""
        request = prepare(tool.name, arguments)
        base: dict[str, Any] = {
            "name": tool.name, "arguments": dict(arguments), "source": self.backend, "url": redact(request.url or ""),
            "retrieved_at": _now(),
        }
        try:
            response = self._session.send(request, allow_redirects=False)
        except BioToolError:
            raise
        except (requests.RequestException, OSError) as problem:
            return Observation(**base, outcome="transport_error", error=redact(f"{type(problem).__name__}: {problem}"))
        if NOT_RECORDED in response.headers:
            hint = "not among the recordings; record it with Client(backend='live', record='FOLDER')"
            return Observation(**base, outcome="not_recorded", error=hint)
        headers = {key.lower(): value for key, value in response.headers.items()}
        status = response.status_code or None
        judged = judge(tool, status, headers, response.content)
        if self._recorder and judged.outcome not in ("rate_limited", "server_error", "transport_error"):
            self._recorder.write(response, tool.database, tool.name, base["retrieved_at"][:10])
        summary = None
        if judged.outcome in ("ok", "empty"):
            total = headers.get("x-total-results", "")
            summary = summarise(
                tool.name, tool.database, judged.data, Context(arguments, headers, int(total) if total.isdigit() else None)
            )
        return Observation(
            **base, outcome=judged.outcome, status=status, data=judged.data, summary=summary,
            error=redact(judged.error) if judged.error else None, headers=headers,
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
