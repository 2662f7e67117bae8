"""An OpenAI-compatible server on loopback that answers by rule, counts every request, and fails on demand."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections import Counter
from contextlib import contextmanager

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

import biotool_lib as bt
from biotool_lib import calls
from biotool_lib.common.exchanges import Exchanges, Meter
from biotool_lib.common.llm import ChatModel

KEY = "test-key-never-shown-0123456789"


class Quiet(WSGIRequestHandler):
    def log(self, type, message, *args):
        pass


class ChatServer:
    """`faults` are used up first, one a request; `content` makes the text of an answer from the request's body."""

    def __init__(self, content):
        self.content, self.faults, self.delay, self.usage = content, [], 0.0, (100, 20)
        self.bodies, self.keys, self.times, self.asked, self.answered = [], [], [], Counter(), Counter()
        self.most_at_once = self._now = 0
        self._lock, self.released = threading.Lock(), threading.Event()
        self._server = make_server("127.0.0.1", 0, self._respond, threaded=True, request_handler=Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self):
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _respond(self, environ, start_response):
        request = Request(environ)
        body = json.loads(request.get_data())
        row = hashlib.sha256(json.dumps(body["messages"]).encode()).hexdigest()
        with self._lock:
            self.bodies.append(body)
            self.keys.append(request.headers.get("Authorization"))
            self.times.append(time.monotonic())
            self.asked[row] += 1
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            fault = self.faults.pop(0) if self.faults else None
        try:
            time.sleep(self.delay)
            response = self._made(body, fault)
            if fault is None:
                with self._lock:
                    self.answered[row] += 1
            return response(environ, start_response)
        finally:
            with self._lock:
                self._now -= 1

    def _made(self, body, fault):
        if fault == "hang":
            self.released.wait(20)
            return Response("", 503)
        if isinstance(fault, tuple):
            status, headers, text = fault
            return Response(text, status, headers, content_type="application/json")
        said = fault["content"] if isinstance(fault, dict) else self.content(body)
        message = {"role": "assistant", **(said if isinstance(said, dict) else {"content": said})}
        finish = fault.get("finish", "stop") if isinstance(fault, dict) else "stop"
        whole = {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}
        if self.usage:
            whole["usage"] = {"prompt_tokens": self.usage[0], "completion_tokens": self.usage[1]}
        text = json.dumps(whole)
        if fault == "not json":
            return Response("<html>busy</html>", 200)
        if fault == "cut":
            return Response(text[: len(text) // 2], 200, {"Content-Length": str(len(text))}, content_type="application/json")
        if fault == "trickle":
            return Response((c for c in text if not self.released.wait(0.05)), 200, content_type="application/json")
        return Response(text, 200, content_type="application/json")


@contextmanager
def serving(content):
    server = ChatServer(content)
    try:
        yield server
    finally:
        server.close()


def model(server, folder, name="test-model", *, budget_tokens=None, budget_money=None, prices=None, **options):
    meter = Meter(Exchanges(folder / "exchanges.sqlite"), prices, budget_tokens=budget_tokens, budget_money=budget_money)
    return ChatModel(name, server.url, meter, **{"first_wait": 0.01, "timeout": 5.0, "deadline": 20.0, **options})


def write_from(body):
    """What a diligent model writes: two questions with every argument, about the first and the last path that are offered."""
    text = [m["content"] for m in body["messages"] if "Paths that an answer may have:" in m["content"]][-1]  # a repair stands behind it
    said = " and ".join(line.split("Say it as: ")[1].split(" | ")[0] for line in text.splitlines() if "Say it as: " in line)
    paths = re.findall(r"^- ([\w.]+) = (.*)$", text.split("Paths that an answer may have:")[1], re.MULTILINE)
    (one, first), (other, last) = paths[0], paths[-1]
    return json.dumps({"plain": {"question": f"What do we know of {said} in short?", "answer_path": one, "answer_value": first},
                       "expert": {"question": f"For my work I need one detail on {said}, please.", "answer_path": other, "answer_value": last}})


def small_run(path, scale=0.1):
    run = bt.Run(path)
    calls.enumerate_calls(run, functions=["lookup_by_symbol", "get_keyword_by_id"], scale=scale, progress=False)
    return run
