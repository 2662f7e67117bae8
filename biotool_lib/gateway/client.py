"""One client over three backends: atlas (embedded facts), replay (recordings), live (the services themselves)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from ..catalogue import InvalidArguments, Tool, canonical, tools
from ..errors import BioToolError, InvalidParameter, Problem, RecordingError, did_you_mean, show
from ..observe import Context, server_total, summarise
from . import blast
from .atlas import AtlasAdapter
from .cache import Answer, Cache, request_digest, state_folder
from .live import Limits, LiveAdapter, Unanswered, scrub
from .outcome import judge
from .pacing import Pace
from .replay import NOT_RECORDED, Recorder, Recordings, ReplayAdapter
from .request import prepare, redact

BACKENDS = ("atlas", "replay", "live")
SECRET_NAMES = frozenset({"api_key", "apikey", "email", "token", "key"})


@dataclass(frozen=True)
class Observation:
    """What came back for one call.

    `outcome` is one of gateway.outcome.OUTCOMES; `data` the parsed body (JSON, or text), `summary` its small form;
    `source` is atlas, replay or live; `receipt` says when, by which release and with which checksum the body was given, and
    whether it came from the network, the cache, a recording or the atlas. Secrets are removed from all of it.
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
    receipt: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def ok(self) -> bool:
        """Whether the call was answered with content."""
        return self.outcome == "ok"


class Client:
    """Makes calls and observes them.

    `backend` is "atlas" (default), "replay" (needs `recordings`, a folder with index.jsonl) or "live". The live backend takes
    `cache` (True: the default folder, a folder, or None for none), `refresh` (True asks anew, a number of days asks anew what is
    older), `record` (a folder that keeps what came back for replay), `limits` (live.Limits), `endpoints` (other addresses that
    stand in for the services' hosts, e.g. an atlas served to a room), `blast_ceiling` (seconds to wait for a BLAST report) and
    `progress` (is told of waits). Raises InvalidParameter for a wrong option and RecordingError for a folder that cannot be read.
    Example: `bt.Client().call("lookup_by_symbol", {"species": "human", "symbol": "BRCA1"})`
    """

    def __init__(
        self, backend: str = "atlas", recordings: str | Path | None = None, record: str | Path | None = None, *,
        cache: str | Path | bool | None = True, refresh: bool | float = False, limits: Limits | None = None,
        endpoints: Mapping[str, str] | None = None, blast_ceiling: float = 900.0, progress: Callable[[str], object] | None = None,
    ) -> None:
        self._options = {key: value for key, value in locals().items() if key != "self"}
        if backend not in BACKENDS:
            raise InvalidParameter("Client", [Problem("backend", backend, f"one of {', '.join(BACKENDS)}")])
        given = {"record": record, "refresh": refresh, "limits": limits, "endpoints": endpoints, "cache": None if cache is True else cache}
        wrong = [Problem(key, value, "only the live backend takes it") for key, value in given.items() if value and backend != "live"]
        known = {urlsplit(tool.base).hostname or "" for tool in tools().values()}
        wrong += [
            Problem(f"endpoints[{host!r}]", address, "map a service's host to an address such as http://127.0.0.1:8136")
            for host, address in (endpoints or {}).items() if host not in known or urlsplit(str(address)).scheme not in ("http", "https")
        ]
        strange = set(limits.rates if limits else ()) - known
        wrong += [Problem("limits.rates", host, f"no host of a service; {did_you_mean(host, known)}") for host in sorted(strange)]
        if wrong:
            raise InvalidParameter("Client", wrong)
        self.backend, self.blast_ceiling, self.limits, self.refresh = backend, blast_ceiling, limits or Limits(), refresh
        self.progress = progress or (lambda message: None)
        self.recordings: Recordings | None = None
        self.jobs: blast.Jobs | None = None
        self._endpoints = dict(endpoints or {})
        self._cache: Cache | None = None
        self._recorder = Recorder(record) if record else None
        self._session = requests.Session()
        self._session.trust_env = backend == "live"
        adapter: Any = AtlasAdapter()
        if backend == "replay":
            if recordings is None:
                raise RecordingError("the replay backend needs recordings='FOLDER', a folder with an index.jsonl")
            self.recordings = Recordings(recordings)
            adapter = ReplayAdapter(self.recordings)
        elif backend == "live":
            folder = state_folder()
            self.jobs = blast.Jobs(folder, self._endpoints)
            self._cache = Cache(folder if cache is True else Path(cache)) if cache else None
            adapter = LiveAdapter(Pace(folder, self.limits.rates), self.limits, self._endpoints, self.jobs)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def call(self, name: str, arguments: Mapping[str, Any] | None = None) -> Observation:
        """Make one call; never raises for what a server or a model did, it becomes the outcome.

        Raises RecordingError if a recorded body is damaged, and a BioToolError if the cache's files cannot be used.
        """
        try:
            settled = canonical(name, arguments)["arguments"]
        except InvalidArguments as wrong:
            given = arguments if isinstance(arguments, Mapping) else {}
            secret = {key for key in given if str(key).lower() in SECRET_NAMES}
            if secret:
                problems = [Problem(p.where, "…" if p.where in secret else p.value, p.remedy) for p in wrong.problems]
                wrong = InvalidArguments(wrong.subject, problems)
            shown = {key: "…" if key in secret else value for key, value in given.items()}
            told = name if isinstance(name, str) else show(name)
            return Observation(told, shown, "invalid_arguments", self.backend, error=scrub(str(wrong)), retrieved_at=_now())
        tool = tools()[name]
        if name == "blast" and self.backend != "replay":
            return blast.run(self, tool, settled)
        if name == "blast_retrieve" and self.jobs is not None:
            return self.recall(tool, settled) or blast.look(self, tool, settled)
        return self.recall(tool, settled) or self.exchange(tool, settled)

    def twin(self) -> Client:
        """A client with the same options and connections of its own: a requests session belongs to one thread."""
        return type(self)(**self._options)

    def recall(self, tool: Tool, arguments: Mapping[str, Any]) -> Observation | None:
        """The answer that the cache holds for canonical arguments, unless `refresh` forbids it."""
        if self._cache is None or self.refresh is True:
            return None
        request = prepare(tool.name, arguments)
        answer = self._cache.get(self._key(request), self.refresh or None)
        if answer is None:
            return None
        seen = self._observe(tool, arguments, redact(request.url or ""), answer, answer.receipt("cache"))
        self._record(tool, request, seen, answer)
        return seen

    def exchange(
        self, tool: Tool, arguments: Mapping[str, Any], asked: tuple[Tool, Mapping[str, Any]] | None = None, keep: bool = True,
    ) -> Observation:
        """One request and its answer, for arguments that are canonical.

        The answer is observed, and kept for later, as that of the call that was `asked` (a BLAST search, for its report).
        """
        request = prepare(tool.name, arguments)
        named, given = asked or (tool, arguments)
        shown = redact(request.url or "")
        try:
            response = self._send(request)
        except Unanswered as problem:
            return self.unanswered(named, given, problem.outcome, str(problem), shown)
        except BioToolError:
            raise
        except (requests.RequestException, OSError) as problem:
            return self.unanswered(named, given, "transport_error", scrub(f"{type(problem).__name__}: {problem}"), shown)
        if NOT_RECORDED in response.headers:
            hint = "not among the recordings; record it with Client(backend='live', record='FOLDER')"
            return self.unanswered(named, given, "not_recorded", hint, shown)
        headers = {key.lower(): value for key, value in response.headers.items()}
        answer = Answer(response.status_code, headers, response.content, _now())
        receipt = getattr(response, "receipt", None) or answer.receipt("network" if self.backend == "live" else "atlas")
        seen = self._observe(tool, given, shown, answer, receipt, named.name)
        if keep:
            kept_as = request if asked is None else prepare(named.name, given)
            if self._cache is not None and (seen.outcome == "ok" or (seen.outcome == "empty" and answer.body.strip())):
                self._cache.put(self._key(kept_as), named.name, redact(kept_as.url or ""), answer)
            self._record(named, kept_as, seen, answer)
        return seen

    def unanswered(self, tool: Tool, arguments: Mapping[str, Any], outcome: str, error: str, url: str | None = None) -> Observation:
        """The observation of a call that brought no body."""
        shown = url or redact(prepare(tool.name, arguments).url or "")
        return Observation(tool.name, dict(arguments), outcome, self.backend, url=shown, error=error, retrieved_at=_now())

    def _send(self, request: requests.PreparedRequest) -> requests.Response:
        if self.backend != "live":
            return self._session.send(request, allow_redirects=False)
        around = self._session.merge_environment_settings(request.url or "", {}, None, None, None)  # proxies and certificates
        return self._session.send(request, allow_redirects=False, **around)

    def _observe(
        self, tool: Tool, arguments: Mapping[str, Any], url: str, answer: Answer, receipt: Mapping[str, Any], name: str = "",
    ) -> Observation:
        judged = judge(tool, answer.status or None, answer.headers, answer.body)
        summary = None
        if judged.outcome in ("ok", "empty"):
            context = Context(arguments, answer.headers, server_total(answer.headers))
            summary = summarise(name or tool.name, tool.database, judged.data, context)
        return Observation(
            name or tool.name, dict(arguments), judged.outcome, "atlas" if "x-atlas" in answer.headers else self.backend,
            status=answer.status or None, url=url, data=judged.data, summary=summary, error=scrub(judged.error) if judged.error else None,
            headers=dict(answer.headers), retrieved_at=receipt["retrieved_at"], receipt=receipt,
        )

    def _key(self, request: requests.PreparedRequest) -> str:
        return request_digest(request, self._endpoints.get(urlsplit(request.url or "").hostname or "", ""))

    def _record(self, tool: Tool, request: requests.PreparedRequest, seen: Observation, answer: Answer) -> None:
        if self._recorder and seen.outcome in ("ok", "empty", "not_found", "invalid_arguments"):
            self._recorder.write(tool, request, answer)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
