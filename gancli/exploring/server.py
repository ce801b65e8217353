"""The web server of the page: for this machine only, and only for those who know the token."""

import json
import secrets
import sys
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from gancli.errors import UserError
from gancli.system.untrusted.door import parse_json, reason

HOST = "127.0.0.1"
LARGEST_BODY = 2**16  # bytes; the largest view has about 10,000
IDLE_SECONDS = 10  # after which a connection that sends nothing is closed
JSON = "application/json"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the URL holds the token
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# nothing is loaded from anywhere; scripts and styles are those of the page, marked with a new nonce every time
POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Action:
    """What the page can ask for: the type of its JSON, and the answer to it."""

    kind: Any
    answer: Callable[[Any], Mapping[str, Any]]


@dataclass(frozen=True)
class Site:
    """A page, given the nonce of its scripts, and its actions by name."""

    page: Callable[[str], str]
    actions: Mapping[str, Action]
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    # one thread computes: random generators are shared, and an idle pool of torch's threads stays warm
    worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))


class LocalServer(ThreadingHTTPServer):
    """A server of one site on this machine; requests wait for each other only where the model computes."""

    daemon_threads = True
    allow_reuse_address = False  # nobody else may take over the port

    def __init__(self, site: Site, port: int = 0) -> None:
        self.site = site
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            raise UserError(f"--port {port} cannot be used: {reason(error)}; give another, or leave it out") from None

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{HOST}:{self.server_port}/{self.site.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print the traceback of a bug; a browser that went away is none."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        """Close the port, and wait for what is being computed."""
        super().server_close()
        self.site.worker.shutdown(cancel_futures=True)


class _Refused(Exception):
    """A request that is not answered."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: LocalServer  # pyright: ignore[reportIncompatibleVariableOverride]  narrower
    timeout = IDLE_SECONDS
    server_version, sys_version = "gancli", ""

    def parse_request(self) -> bool:
        """Read a request; refuse it, whatever its method, unless it knows the token and comes from this page."""
        if not super().parse_request():
            return False
        try:
            self._check()
        except _Refused as refused:
            self._send(refused.status, {"error": str(refused)})
            return False
        return True

    def _check(self) -> None:
        port = self.server.server_port
        ours = {f"{HOST}:{port}", f"localhost:{port}"}
        # a name that an attacker's DNS leads here (DNS rebinding) stands in Host and Origin
        hosts, origins = self.headers.get_all("Host", []), self.headers.get_all("Origin", [])
        if len(hosts) != 1 or hosts[0] not in ours or not set(origins) <= {f"http://{host}" for host in ours}:
            raise _Refused(HTTPStatus.FORBIDDEN, "this page is for this machine only")
        token, _, self._name = self.path.removeprefix("/").partition("/")
        if not secrets.compare_digest(token.encode("utf-8", "replace"), self.server.site.token.encode()):
            raise _Refused(HTTPStatus.FORBIDDEN, "open the address that gancli explore printed, with its token")

    def do_GET(self) -> None:
        """Answer with the page."""
        if self._name:
            self._send(HTTPStatus.NOT_FOUND, {"error": "there is no such page"})
            return
        nonce = secrets.token_urlsafe(16)
        policy = {"Content-Security-Policy": POLICY.format(nonce=nonce)}
        self._write(HTTPStatus.OK, "text/html; charset=utf-8", self.server.site.page(nonce).encode(), policy)

    def do_POST(self) -> None:
        """Answer an action."""
        try:
            self._send(HTTPStatus.OK, self._answer())
        except _Refused as refused:
            self._send(refused.status, {"error": str(refused)})
        except (UserError, OSError) as error:
            if isinstance(error, ConnectionError | TimeoutError):
                raise
            self._send(HTTPStatus.UNPROCESSABLE_ENTITY, {"error": reason(error)})
        except Exception as error:  # a bug: the page says so, the terminal shows where, and the server goes on
            traceback.print_exc()
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": f"{type(error).__name__}: {reason(error)}"})

    def _answer(self) -> Mapping[str, Any]:
        if (action := self.server.site.actions.get(self._name)) is None:
            raise _Refused(HTTPStatus.NOT_FOUND, "there is no such action")
        if self.headers.get_content_type() != JSON:
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send {JSON}")
        try:
            asked = parse_json(self._body(), action.kind)
        except ValueError as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, reason(error)) from None
        return self.server.site.worker.submit(partial(action.answer, asked)).result()

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            raise _Refused(HTTPStatus.LENGTH_REQUIRED, "send its Content-Length")
        if len(length) > 9 or int(length) > LARGEST_BODY:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"send at most {LARGEST_BODY} bytes")
        return self.rfile.read(int(length))

    def _send(self, status: HTTPStatus, value: Mapping[str, Any]) -> None:
        policy = {"Content-Security-Policy": "default-src 'none'"}
        self._write(status, JSON, json.dumps(value).encode(), policy)

    def _write(self, status: HTTPStatus, kind: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **HEADERS, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *words: object) -> None:
        """Print nothing."""
