"""A site that is served while a test runs, and a client that asks it."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from gancli.exploring.server import LocalServer, Site


@dataclass
class Client:
    """Talks to a server as its page does; every part of a request can be replaced."""

    server: LocalServer

    @property
    def token(self) -> str:
        return self.server.site.token

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=20)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        found = answer.status, answer.read(), dict(answer.getheaders())
        connection.close()
        return found

    def post(self, action: str, value: Any) -> tuple[int, dict[str, Any]]:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        status, text, _ = self.request("POST", f"/{self.token}/{action}", body, {"Content-Type": "application/json"})
        return status, json.loads(text)

    def ask(self, action: str, value: Any) -> dict[str, Any]:
        status, answer = self.post(action, value)
        assert status == 200, answer
        return answer


Served = Callable[[Site], Client]


@pytest.fixture
def served() -> Iterator[Served]:
    """Serve sites until the test ends."""
    running: list[tuple[LocalServer, threading.Thread]] = []

    def serve(site: Site) -> Client:
        server = LocalServer(site)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        running.append((server, thread))
        return Client(server)

    yield serve
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()
