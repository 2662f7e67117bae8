"""One client for every OpenAI-compatible chat endpoint: hosted, or vLLM and Ollama of one's own.

The key is read from an environment variable when a request is sent. It is never stored or shown, goes to no other
address than the given one, and over plain http to this machine only.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import threading
import time
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from ..errors import BioToolError, InvalidParameter, Problem
from .exchanges import Meter
from .runner import dumps

KEY_VARIABLE = "BIOTOOL_LLM_KEY"
MAX_BODY = 4 * 2**20
MAX_TEXT = 20_000
LONGEST_WAIT = 60.0
SHORTEST_KEY = 8  # shorter values are placeholders such as EMPTY, which own servers ask for
_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_LIKE_SECRETS = re.compile(r"(Bearer |\bsk-)[\w*.\-]{16,}")
Messages = Sequence[Mapping[str, str]]


class ChatFailed(BioToolError):
    """The endpoint cannot be used or did not answer within the deadline; what was answered before is kept."""


class RequestRefused(BioToolError):
    """The endpoint refused this very request (400, 413, 422), for instance because it is too long for the model."""


class BadAnswer(BioToolError):
    """The model's text is not what was asked for, also after one repair."""


@dataclass(frozen=True)
class Answer:
    """What a model wrote and why it stopped."""

    text: str
    finish: str | None
    cached: bool


class ChatModel:
    """A model behind an OpenAI-compatible endpoint, with retries, a deadline, and every exchange kept in the meter's file.

    Safe to use from several threads. Raises InvalidParameter for an address or a setting that cannot work.
    Example: `ChatModel("qwen3:4b", "http://127.0.0.1:11434/v1", Meter(Exchanges(path))).ask(messages, schema)`
    """

    def __init__(self, model: str, base_url: str, meter: Meter, *, key_variable: str = KEY_VARIABLE, max_tokens: int = 1024,
                 temperature: float | None = None, timeout: float = 120.0, deadline: float = 600.0, attempts: int = 6,
                 first_wait: float = 1.0, workers: int = 4) -> None:
        self.model, self.base_url, self.meter, self.key_variable = model, base_url.rstrip("/"), meter, key_variable
        self.max_tokens, self.temperature = max_tokens, temperature
        self.timeout, self.deadline, self.attempts, self.first_wait, self.workers = timeout, deadline, attempts, first_wait, workers
        problems = [Problem(name, value, "more than 0") for name, value in vars(self).items()
                    if name in ("max_tokens", "timeout", "deadline", "attempts", "workers") and not value > 0]
        problems += [] if model.strip() else [Problem("model", model, "name the model as its server does")]
        problems += _address_problems(self.base_url, key_variable)
        if problems:
            raise InvalidParameter("chat model", problems)
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=workers))
        self._not_before = 0.0
        self._answers = self._refusals = 0
        self._left_out: set[str] = set()
        self._limit_name = "max_tokens"
        self._guard = threading.Lock()
        self._busy: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    @property
    def settings(self) -> dict[str, Any]:
        """What the answers depend on."""
        return {"model": self.model, "base_url": self.base_url, "max_tokens": self.max_tokens, "temperature": self.temperature}

    def ask(self, messages: Messages, schema: Mapping[str, Any], attempt: int = 0) -> tuple[Any, int]:
        """A JSON value that fits the schema, and how many malformed texts came before it.

        The schema is sent along where the server takes it; the text is checked in any case, and a text that does not fit
        is sent back once with what is wrong. Raises BadAnswer if the repair fails, too.
        """
        answer = self.say(messages, schema, attempt)
        value, problem = read_json(answer, schema)
        if problem is None:
            return value, 0
        again = [*messages, {"role": "assistant", "content": answer.text[:MAX_TEXT] or "(nothing)"},
                 {"role": "user", "content": f"That cannot be used: {problem}. Answer once more, with nothing but the JSON object asked for."}]
        value, problem = read_json(self.say(again, schema, attempt), schema)
        if problem is not None:
            raise BadAnswer(problem)
        return value, 1

    def say(self, messages: Messages, schema: Mapping[str, Any] | None = None, attempt: int = 0, *,
            tools: Sequence[Mapping[str, Any]] | None = None, tool_choice: str = "auto") -> Answer:
        """One exchange, from the file of exchanges where it has been answered before; `attempt` tells deliberate repetitions apart.

        With `tools` (function schemas) the text of an answer that calls some is a JSON object {content, tool_calls}, as the server sent them.
        """
        request = {**self.settings, "messages": list(messages), "schema": schema, "attempt": attempt}
        if tools:
            request |= {"tools": list(tools), "tool_choice": tool_choice}
        digest = hashlib.sha256(dumps(request).encode()).hexdigest()
        with self._guard:
            alone = self._busy[digest]
        with alone:  # the same request of two threads is sent once
            kept = self.meter.exchanges.get(digest)
            if kept is None:
                text, finish = self._send(digest, request)
                return Answer(text, finish, False)
            self.meter.from_cache += 1
            return Answer(**json.loads(kept), cached=True)

    def redact(self, text: str) -> str:
        """A text without the key."""
        key = os.environ.get(self.key_variable, "").strip()
        return text.replace(key, "…") if len(key) >= SHORTEST_KEY else text

    def _send(self, digest: str, request: Mapping[str, Any]) -> tuple[str, str | None]:
        """Send until there is an answer; raises ChatFailed, RequestRefused or BudgetSpent."""
        end, tries, why = time.monotonic() + self.deadline, 0, ""
        while tries < self.attempts:
            self._wait(end, why)
            body = json.dumps(self._body(request)).encode()
            charge = self.meter.reserve(digest, self.model, (len(body) + 64, self.max_tokens))
            asked_to_wait = None
            try:
                status, headers, content = self._post(body, end)
            except requests.exceptions.ConnectTimeout as lost:
                self.meter.waive(charge)
                why = type(lost).__name__
            except requests.RequestException as lost:
                # The server may have answered, and billed, what never arrived.
                (self.meter.waive if _never_sent(lost) else self.meter.settle)(charge)
                why = type(lost).__name__
            except BaseException:
                self.meter.settle(charge)
                raise
            else:
                found = _envelope(content) if status == 200 else None
                if found is not None:
                    text, finish, used = found
                    text = self.redact(text)
                    taken = self.meter.settle(charge, used)
                    self.meter.exchanges.put(digest, request, dumps({"text": text, "finish": finish}), charge, taken, "reported" if used else "bound")
                    self._answers += 1
                    return text, finish
                if status == 200:
                    self.meter.settle(charge)
                    why = "an answer that is no chat completion"
                else:
                    self.meter.waive(charge)
                    error, parameter, code = _error(content)
                    why = f"HTTP {status}: " + _LIKE_SECRETS.sub(r"\1…", self.redact(error))
                    if status in (400, 422) and self._adapt(error, parameter):
                        continue
                    self._stop_for(status, code, why)
                    asked_to_wait = _retry_after(headers.get("Retry-After"))
            tries += 1
            pause = min(LONGEST_WAIT, self.first_wait * 2 ** (tries - 1)) * random.uniform(0.5, 1.0)
            if asked_to_wait is not None:
                pause = asked_to_wait + random.uniform(0.0, self.first_wait)
                self._not_before = max(self._not_before, time.monotonic() + asked_to_wait)  # holds for all threads
            if tries < self.attempts and time.monotonic() + pause >= end:
                raise ChatFailed(f"{self.base_url} asks to wait {pause:.0f} s, which is beyond the deadline of {self.deadline:.0f} s ({why})")
            if tries < self.attempts:
                time.sleep(pause)
        raise ChatFailed(f"{self.base_url} did not answer in {tries} attempts; the last one: {why}. Give the same command to go on")

    def _wait(self, end: float, why: str) -> None:
        pause = self._not_before - time.monotonic()
        if time.monotonic() + max(0.0, pause) >= end:
            raise ChatFailed(f"{self.base_url} did not answer within the deadline of {self.deadline:.0f} s ({why or 'it asked all threads to wait'})")
        time.sleep(max(0.0, pause))

    def _body(self, request: Mapping[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.model, "messages": request["messages"], self._limit_name: self.max_tokens, "stream": False}
        if self.temperature is not None:
            body["temperature"] = self.temperature
        if request["schema"] is not None:
            form = {"name": "answer", "strict": True, "schema": request["schema"]}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        body |= {key: request[key] for key in ("tools", "tool_choice") if key in request}
        return {key: value for key, value in body.items() if key not in self._left_out}

    def _post(self, body: bytes, end: float) -> tuple[int, Mapping[str, str], bytes]:
        left = max(0.05, end - time.monotonic())
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "biotool-book"}
        with self._session.post(self.base_url + "/chat/completions", data=body, headers=headers, auth=self._sign, stream=True,
                                allow_redirects=False, timeout=(min(10.0, left), min(self.timeout, left))) as response:
            content = bytearray()
            for part in response.iter_content(1):  # byte by byte, so that a trickle cannot outlast the deadline
                content += part
                if len(content) > MAX_BODY or time.monotonic() > end:
                    raise requests.exceptions.ReadTimeout("the answer is too long or too slow")
            return response.status_code, response.headers, bytes(content)

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        key = os.environ.get(self.key_variable, "").strip()
        if key:
            request.headers["Authorization"] = f"Bearer {key}"
        return request

    def _adapt(self, error: str, parameter: str | None) -> bool:
        """Leave out or rename what this server does not take; whether there is something to send anew."""
        named = {parameter} if parameter else set(re.findall(r"\w+", error))
        if self._limit_name == "max_tokens" and "max_tokens" in named and "max_completion_tokens" in error:
            self._limit_name = "max_completion_tokens"  # newer OpenAI models take only this name
            return True
        for name, words in (("response_format", {"response_format", "json_schema", "guided_json"}), ("temperature", {"temperature"})):
            if name not in self._left_out and any(n.split(".")[0] in words for n in named):
                self._left_out.add(name)
                return True
        return False

    def _stop_for(self, status: int, code: str | None, why: str) -> None:
        if status in (400, 413, 422):
            self._refusals += 1
            # One request too long for the model is no reason to stop; a server that refuses everything is.
            raise (ChatFailed if not self._answers and self._refusals > 3 else RequestRefused)(f"{self.model}: {why}")
        if status == 429 and code == "insufficient_quota":
            raise ChatFailed(f"{self.base_url}: the account has no quota left ({why})")
        if status in (401, 403):
            raise ChatFailed(f"{self.base_url} does not accept the key in {self.key_variable} ({why})")
        if status not in _RETRIED:
            raise ChatFailed(f"{self.base_url} cannot be used: {why}")


def _address_problems(base_url: str, key_variable: str) -> list[Problem]:
    try:
        parts = urlsplit(base_url)
        host = parts.hostname or ""
    except ValueError:
        return [Problem("base_url", base_url, "is no URL")]
    if parts.username or parts.password or parts.query:
        return [Problem("base_url", f"{parts.scheme}://…@{host}", f"holds a user name, password or query: put the key into {key_variable}")]
    if parts.scheme not in ("http", "https") or not host:
        return [Problem("base_url", base_url, "an address such as http://127.0.0.1:8000/v1")]
    if parts.scheme == "http" and host not in ("127.0.0.1", "::1", "localhost") and len(os.environ.get(key_variable, "").strip()) >= SHORTEST_KEY:
        return [Problem("base_url", base_url, f"would send the key in {key_variable} unencrypted: use https or unset it")]
    return []


def _never_sent(lost: requests.RequestException) -> bool:
    return isinstance(lost, requests.exceptions.ConnectionError) and "NewConnectionError" in repr(lost)


def _envelope(content: bytes) -> tuple[str, str | None, tuple[int, int] | None] | None:
    """Text, reason to stop and (input, output) tokens of a chat completion; None if it is none."""
    try:
        body = json.loads(content)
        choice = body["choices"][0]
        message = choice["message"]
        text = message.get("content") or message.get("refusal") or ""
        if isinstance(message.get("tool_calls"), list) and message["tool_calls"]:
            text = json.dumps({"content": text, "tool_calls": message["tool_calls"]}, ensure_ascii=False)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return None
    if not isinstance(text, str):
        return None
    usage = body.get("usage")
    counted = [n for key in ("prompt_tokens", "completion_tokens") if isinstance(usage, dict) and isinstance(n := usage.get(key), int) and n >= 0]
    used = (counted[0], counted[1]) if len(counted) == 2 else None
    finish = choice.get("finish_reason")
    return text, finish if isinstance(finish, str) else None, used


def _error(content: bytes) -> tuple[str, str | None, str | None]:
    """Message, parameter and code of an error body in any of its known forms."""
    text = content[:4000].decode("utf-8", "replace")
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    inner = body.get("error", body) if isinstance(body, dict) else None
    if not isinstance(inner, dict):
        return clean(inner if isinstance(inner, str) else text, 300), None, None
    parameter, code = inner.get("param"), inner.get("code")
    return clean(str(inner.get("message") or text), 300), parameter if isinstance(parameter, str) else None, code if isinstance(code, str) else None


def _retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def read_json(answer: Answer, schema: Mapping[str, Any]) -> tuple[Any, str | None]:
    """The JSON value in an answer and None, or None and what is wrong with it."""
    import jsonschema

    try:
        value = json_in(answer.text)
    except ValueError:
        cut = answer.finish == "length"
        return None, "the text was cut off at the limit of tokens" if cut else "there is no JSON object in it"
    wrong = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(value))
    if wrong is None:
        return value, None
    return None, clean(f"{'.'.join(map(str, wrong.absolute_path)) or 'the object'}: {wrong.message}", 300)


def json_in(text: str) -> Any:
    """The JSON object in a text: the whole of it, a fenced block, or the first object; raises ValueError where there is none."""
    text = text[:MAX_TEXT].rsplit("</think>", 1)[-1].strip()
    for part in (text, *re.findall(r"```(?:json)?\s*(.*?)```", text, re.DOTALL)):
        value = _decode(json.loads, part)
        if isinstance(value, dict):
            return value
    start, reader = text.find("{"), json.JSONDecoder(parse_constant=_no_constant)
    for _ in range(50):
        if start < 0:
            break
        value = _decode(lambda part: reader.raw_decode(part)[0], text[start:])
        if isinstance(value, dict):
            return value
        start = text.find("{", start + 1)
    raise ValueError("no JSON object")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _decode(read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except (ValueError, RecursionError):
        return None


def clean(text: str, limit: int) -> str:
    """A foreign text for display: one line, no control or invisible characters, nothing that HTML would read as a tag, a limit.

    Example: `clean("a\\n<b>", 10)`
    """
    kept = "".join(" " if c.isspace() else c for c in text[: 4 * limit] if c.isspace() or unicodedata.category(c)[0] != "C")
    kept = " ".join(kept.replace("<", "‹").replace(">", "›").replace("`", "'").split())
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"
