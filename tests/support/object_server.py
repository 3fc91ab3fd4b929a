"""A real S3 server on loopback (moto) behind a proxy that fails chosen requests: throttles, cuts, swallows answers."""

from __future__ import annotations

import http.client
import logging
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import pyarrow.fs as pafs
from moto.server import ThreadedMotoServer

# "act": the request is served, after the rule's action.
Fault = Literal["act", "slow down", "cut before", "cut in the answer", "swallow the answer", "forbid"]

_REFUSALS = {"slow down": (503, "SlowDown", "Please reduce your request rate."), "forbid": (403, "AccessDenied", "No.")}
_REFUSAL = b'<?xml version="1.0"?><Error><Code>%s</Code><Message>%s</Message><RequestId>1</RequestId></Error>'


@dataclass
class Rule:
    """What happens to requests of a method whose path (with query) a pattern matches.

    :param times: how many of them; after that they pass. :param after: so many pass first.
    """

    fault: Fault
    method: str
    pattern: str
    times: int = 1_000_000
    after: int = 0
    hits: int = 0
    action: Callable[[], None] | None = None

    def applies(self, method: str, path: str) -> bool:
        if method != self.method or not re.search(self.pattern, path):
            return False
        if self.after:
            self.after -= 1
            return False
        self.hits += 1
        return self.hits <= self.times


@dataclass
class ObjectServer:
    """The endpoint, what was asked of it, and the rules by which it fails."""

    address: str
    rules: list[Rule] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    bytes: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def uri(self, path: str) -> str:
        """Of a bucket, or of a key in one."""
        return f"s3://{path}?endpoint_override={self.address}&scheme=http&region=us-east-1&allow_bucket_creation=true"

    def create_bucket(self, name: str) -> None:
        filesystem, _ = pafs.FileSystem.from_uri(self.uri(name))
        filesystem.create_dir(name)

    def fail(self, fault: Fault, method: str, pattern: str = "", **limits: int) -> Rule:
        rule = Rule(fault, method, pattern, **limits)
        with self.lock:
            self.rules.append(rule)
        return rule

    def forget(self) -> None:
        """No rules any more, no requests so far."""
        with self.lock:
            self.rules.clear()
            self.requests.clear()
            self.bytes.clear()

    def count(self, method: str, pattern: str = "") -> int:
        """Requests so far, those that failed among them."""
        with self.lock:
            return sum(1 for m, path in self.requests if m == method and re.search(pattern, path))

    def before(self, method: str, pattern: str, action: Callable[[], None]) -> None:
        """Something to do before the first request that matches is served."""
        with self.lock:
            self.rules.append(Rule("act", method, pattern, times=1, action=action))

    def fault_of(self, method: str, path: str) -> Fault | None:
        with self.lock:
            self.requests.append((method, path))
            rule = next((rule for rule in self.rules if rule.applies(method, path)), None)
        if rule is not None and rule.action is not None:
            rule.action()
        return None if rule is None else rule.fault


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    server: _Proxy

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _serve(self) -> None:
        fault = self.server.front.fault_of(self.command, self.path)
        body = self._body() if fault != "cut before" else b""
        if fault == "cut before":
            # In the middle of a put: part of its body was read, the rest never is.
            self.rfile.read(min(int(self.headers.get("Content-Length") or 0) // 2, 4096))
            self._cut()
        elif fault in _REFUSALS:
            status, code, message = _REFUSALS[fault]
            self._answer(status, [], _REFUSAL % (code.encode(), message.encode()))
        else:
            status, headers, content = self._forward(body)
            if fault == "swallow the answer":
                self._cut()
            elif fault == "cut in the answer":
                self._answer(status, headers, content, content[: len(content) // 2])
                self._cut()
            else:
                self._answer(status, headers, content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(pieces)

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(*self.server.behind, timeout=60)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("transfer-encoding", "expect")}
            headers["Content-Length"] = str(len(body))
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        with self.server.front.lock:
            self.server.front.bytes[self.command] += len(body) + len(content)
        return answer.status, answer.getheaders(), content

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes, sent: bytes | None = None) -> None:
        self.send_response_only(status)
        length = str(len(content))
        for name, value in headers:
            if name.lower() == "content-length":
                length = value
            elif name.lower() not in ("connection", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content if sent is None else sent)

    def _cut(self) -> None:
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, behind: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = behind
        self.front = ObjectServer(f"127.0.0.1:{self.server_port}")

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error."""


@contextmanager
def object_server() -> Iterator[ObjectServer]:
    """The server and its proxy for as long as the context lives, on free ports of loopback."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        proxy = _Proxy(moto.get_host_and_port())
        thread = threading.Thread(target=proxy.serve_forever, name="object-proxy", daemon=True)
        thread.start()
        try:
            yield proxy.front
        finally:
            proxy.shutdown()
            proxy.server_close()
            thread.join()
    finally:
        moto.stop()
