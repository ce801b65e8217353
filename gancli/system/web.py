"""HTTP requests with a minimum speed and strictly checked responses: no server is trusted."""

import http.client
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from gancli.system.untrusted.door import printable, reason

TIMEOUT = 30  # seconds without a byte
BLOCK = 2**16
LARGEST = 4 * 2**30  # bytes
REDIRECTS = 5
GRACE, SLOWEST = 60, 2**14  # seconds that any file may take, and bytes that give it one second more
BROKEN = (urllib.error.URLError, ConnectionError, TimeoutError, http.client.HTTPException)  # a retry may help
SCHEMES = ("http", "https")


class Refused(Exception):
    """A response that a retry cannot improve."""


class Stale(Exception):
    """The partial file is not the beginning of the server's current file."""


class Deadline:
    """Closes connections when the time that the bytes received so far allow is over."""

    def __init__(self) -> None:
        self.cut = False
        self._until, self._sockets, self._done = time.monotonic() + GRACE, [], threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def gained(self, count: int) -> None:
        """Extend the deadline by the time that so many bytes may take."""
        self._until += count / SLOWEST

    def over(self, connection: socket.socket) -> None:
        """Close this connection as well when the time is up."""
        self._sockets.append(connection)

    def _look(self) -> None:
        while not self._done.wait(min(max(self._until - time.monotonic(), 0.01), 1)):
            if time.monotonic() > self._until:
                self.cut = True
                for each in self._sockets:
                    with suppress(OSError):  # already closed
                        each.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True)
class Answer:
    """The response with a file, or with the rest of one."""

    start: int  # the position in the file of the first byte received
    total: int | None  # bytes of the whole file, if known
    validator: str  # identifies this version of the content, or ""
    _response: http.client.HTTPResponse
    _deadline: Deadline

    def blocks(self) -> Iterator[bytes]:
        """Yield blocks of the content as they arrive."""
        done = self.start
        while block := self._response.read1(BLOCK):
            self._deadline.gained(len(block))
            done += len(block)
            if done > LARGEST:
                raise Refused(f"it is larger than {LARGEST:,} bytes")
            yield block


@contextmanager
def get(url: str, deadline: Deadline, have: int = 0, validator: str = "") -> Iterator[Answer]:
    """Request a file from byte `have` on, if `validator` still matches.

    Raise Stale if it does not, Refused if a retry cannot help, and one of BROKEN for other failures.
    """
    headers = {"Range": f"bytes={have}-"} if have else {}
    headers |= {"If-Range": validator} if have and validator else {}
    try:
        if urlsplit(url).scheme not in SCHEMES:
            raise Refused("not an http or https address")
        with _opener(deadline).open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as response:
            yield _answer(response, deadline, have, validator)
    except urllib.error.HTTPError as error:
        error.close()
        if have and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise Stale from None
        raise Refused(f"HTTP {error.code} {printable(' '.join(str(error.reason).split()), 100)}") from None
    except ValueError as error:  # an invalid port, host or redirect location
        raise Refused(reason(error)) from None


def _answer(response: Any, deadline: Deadline, have: int, validator: str) -> Answer:
    headers = response.headers
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refused(f"it is encoded as {printable(headers['Content-Encoding'], 20)}, which was not requested")
    if headers.get_content_type() in ("text/html", "application/xhtml+xml"):
        raise Refused("the server sent a web page instead: does this network require a login?")
    found = _validator(headers)
    length = _number(headers.get_all("Content-Length"), "Content-Length")
    if response.status == http.client.OK:
        return Answer(0, None if response.chunked else _bounded(length), found, response, deadline)
    if response.status != http.client.PARTIAL_CONTENT or not have:
        raise Refused(f"HTTP {response.status}")
    part = re.fullmatch(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", headers.get("Content-Range", ""))
    if not part or int(part[1]) != have or int(part[2]) + 1 != int(part[3]) or (validator and found != validator):
        raise Stale
    return Answer(have, _bounded(int(part[3])), found, response, deadline)


def _validator(headers: Any) -> str:
    """Return a strong ETag, or the time of the last change."""
    strong = re.fullmatch(r'"[!#-~]{1,200}"', headers.get("ETag", ""))
    dated = re.fullmatch(r"[A-Za-z0-9 ,:]{20,40}", headers.get("Last-Modified", ""))
    return strong[0] if strong else dated[0] if dated else ""


def _number(said: list[str] | None, name: str) -> int | None:
    if said is None:
        return None
    if len(set(said)) > 1 or not re.fullmatch(r"\d{1,15}", said[0].strip()):
        raise Refused(f"invalid {name}: {printable(', '.join(said), 40)}")
    return int(said[0])


def _bounded(total: int | None) -> int | None:
    if total is not None and total > LARGEST:
        raise Refused(f"it has {total:,} bytes; at most {LARGEST:,} are fetched")
    return total


# ------------------------------------------------------------------------------------------- connections


def _opener(deadline: Deadline) -> urllib.request.OpenerDirector:
    """Build an opener for http and https only."""
    opener = urllib.request.OpenerDirector()
    handlers = (
        *(urllib.request.ProxyHandler(), _Handler(deadline), _SecureHandler(deadline), _Redirects()),
        *(urllib.request.HTTPDefaultErrorHandler(), urllib.request.HTTPErrorProcessor()),
    )
    for handler in handlers:
        opener.add_handler(handler)
    return opener


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = REDIRECTS

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """Follow redirects to http and https, but never from https to http."""
        before, after = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if after not in SCHEMES or (before == "https" and after != "https"):
            fp.close()
            raise Refused(f"it redirects from {before} to {printable(newurl, 80)}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Handler(urllib.request.HTTPHandler):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self.deadline = deadline

    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_watched(http.client.HTTPConnection, self.deadline), req)


class _SecureHandler(urllib.request.HTTPSHandler):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self.deadline = deadline

    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_watched(http.client.HTTPSConnection, self.deadline), req)


def _watched(kind: type[Any], deadline: Deadline) -> Any:
    class Watched(kind):
        def connect(self) -> None:
            super().connect()
            deadline.over(self.sock)

    return Watched
