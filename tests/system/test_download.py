"""Whatever a server says, a file is whole, or there is one line; tried on servers that say anything."""

import hashlib
import io
import multiprocessing
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gancli.errors import UserError
from gancli.system import download, web

DATA = bytes(range(256)) * 300
SHA256 = hashlib.sha256(DATA).hexdigest()


class Scripted:
    """Answers each connection with the next of its bytes, and the last of them ever after."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.asked: list[str] = []
        self.pause, self.slow = 0.0, b""  # seconds between the bytes, from these on
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/x"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            asked = b""
            while b"\r\n\r\n" not in asked and (more := connection.recv(4096)):
                asked += more
            self.asked.append(asked.decode())
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            try:
                if not self.pause:
                    connection.sendall(answer)
                    return
                at = answer.index(self.slow)
                connection.sendall(answer[:at])
                for byte in answer[at:]:
                    connection.sendall(bytes([byte]))
                    time.sleep(self.pause)
            except OSError:  # the client has gone
                pass

    def close(self) -> None:
        self._socket.close()


def answer(body: bytes = DATA, status: str = "200 OK", **headers: object) -> bytes:
    said = {"Content_Length": len(body), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in said.items() if value is not None]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin1") + body


def rest(start: int, tag: str | None = '"one"', said: str | None = None, data: bytes = DATA) -> bytes:
    whole = f"bytes {start}-{len(data) - 1}/{len(data)}"
    return answer(data[start:], "206 Partial Content", Content_Range=said or whole, ETag=tag)


def cut(at: int, **headers: str) -> bytes:
    return answer(DATA, **headers)[: at - len(DATA)]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "PAUSE", 0.01)
    served = Scripted()
    yield served
    served.close()


# --- going on


def test_a_cut_body_goes_on_if_it_is_still_the_same(server: Scripted, tmp_path: Path) -> None:
    server.answers = [cut(1000, ETag='"one"'), rest(1000)]
    assert download.fetch(server.url, tmp_path / "x").read_bytes() == DATA
    assert "Range: bytes=1000-" in server.asked[1]
    assert 'If-Range: "one"' in server.asked[1].replace("If-range", "If-Range")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_so_does_one_of_the_start_before(server: Scripted, tmp_path: Path) -> None:
    server.answers = [cut(1000, ETag='"one"'), answer(b"", "503 Busy")]
    with pytest.raises(UserError, match="503"):
        download.fetch(server.url, tmp_path / "x")
    server.answers = [rest(1000)]
    assert download.fetch(server.url, tmp_path / "x").read_bytes() == DATA


NEW = DATA[::-1]


@pytest.mark.parametrize(
    "second",
    [
        answer(NEW, ETag='"two"'),  # a server that knows If-Range
        rest(1000, '"two"', data=NEW),  # one that does not
        rest(1000, None, data=NEW),
        rest(1000, said="bytes 999-76799/76800", data=NEW),
        rest(1000, said="bytes 1000-1999/76800", data=NEW),
        rest(1000, said="1000", data=NEW),
        rest(1000, said=f"bytes {10**30}-{10**31}/{10**32}", data=NEW),
        answer(NEW[1000:], "206 Partial Content", ETag='"one"'),  # of what?
        answer(b"", "416 Range Not Satisfiable"),
    ],
)
def test_a_changed_file_starts_again(server: Scripted, second: bytes, tmp_path: Path) -> None:
    server.answers = [cut(1000, ETag='"one"'), second, answer(NEW, ETag='"two"')]
    assert download.fetch(server.url, tmp_path / "x").read_bytes() == NEW
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}, {"ETag": "bare"}, {"ETag": '"a\tb"'}])
def test_a_part_that_nothing_tells_from_another_starts_again(
    server: Scripted, headers: dict[str, str], tmp_path: Path
) -> None:
    server.answers = [cut(1000, **headers), answer(NEW)]
    assert download.fetch(server.url, tmp_path / "x").read_bytes() == NEW
    assert "Range" not in server.asked[1]


def test_a_date_tells_too_and_so_does_a_hash(server: Scripted, tmp_path: Path) -> None:
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    same = answer(DATA[1000:], "206 Partial Content", Content_Range="bytes 1000-76799/76800", Last_Modified=date)
    server.answers = [cut(1000, Last_Modified=date), same]
    assert download.fetch(server.url, tmp_path / "x").read_bytes() == DATA
    server.answers = [cut(1000), rest(1000, None)]
    assert download.fetch(server.url, tmp_path / "y", SHA256[:8]).read_bytes() == DATA


def test_a_part_of_another_url_starts_again(server: Scripted, tmp_path: Path) -> None:
    server.answers = [cut(1000, ETag='"one"'), answer(b"", "503 Busy")]
    with pytest.raises(UserError):
        download.fetch(server.url, tmp_path / "x")
    server.answers = [answer(NEW, ETag='"one"')]
    assert download.fetch(server.url + "/other", tmp_path / "x").read_bytes() == NEW
    assert "Range" not in server.asked[-1]


# --- what a server may not say


def to(location: str, code: str = "302 Found") -> bytes:
    return answer(b"", code, Location=location)


REFUSED = {
    "a page of a captive portal": (answer(b"<html>", Content_Type="text/html; charset=utf-8"), "web page"),
    "negative length": (answer(Content_Length=-5), "invalid Content-Length: -5"),
    "length of 31 digits": (answer(Content_Length=10**30), "invalid Content-Length: 1000"),
    "length in words": (answer(Content_Length="abc"), "invalid Content-Length: abc"),
    "empty length": (answer(Content_Length=""), "invalid Content-Length: "),
    "lengths that differ": (answer(b"", X="y\r\nContent-Length: 7"), "invalid Content-Length: 0, 7"),
    "length beyond the bound": (answer(Content_Length=5 * 2**30), "at most 4,294,967,296 are fetched"),
    "packed": (answer(Content_Encoding="gzip"), "encoded as gzip"),
    "to a file": (to("file:///etc/passwd"), "302"),
    "to ftp": (to("ftp://127.0.0.1/x"), "it redirects from http to ftp://127.0.0.1/x"),
    "to another scheme": (to("gopher://127.0.0.1/x"), "302"),
    "round and round": (to("/x"), "302"),
    "no file": (answer(b"", "404 Not \x1b[31mFound"), r"404 Not \x1b[31mFound"),
    "nothing": (answer(b"", "204 No Content"), "204"),
    "a part that was not asked for": (rest(0), "206"),
    "a header without end": (answer(X="y" * 70_000), "header"),
    "1,000 headers": (answer(X="\r\n".join(["y", *(f"X{i}: y" for i in range(1000))])), "headers"),
    "no HTTP at all": (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH-2.0"),
    "silence": (b"", "Remote end closed"),
    "no chunk": (answer(b"zz\r\n", Content_Length=None, Transfer_Encoding="chunked"), "cannot be fetched"),
    "always too short": (cut(1000, ETag='"one"'), "at 1,000 bytes"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_one_line(server: Scripted, what: str, tmp_path: Path) -> None:
    given, words = REFUSED[what]
    server.answers = [given]
    with pytest.raises(UserError) as error:
        download.fetch(server.url, tmp_path / "x")
    assert words in str(error.value)
    assert str(error.value).isprintable()
    assert str(tmp_path / "x") in str(error.value)
    assert not (tmp_path / "x").exists()
    server.answers = [answer()]  # and nothing is barred
    assert download.fetch(server.url, tmp_path / "x").read_bytes() == DATA


def test_redirects_are_followed_a_few_times(server: Scripted, tmp_path: Path) -> None:
    server.answers = [to(f"/{i}") for i in range(web.REDIRECTS)] + [answer()]
    assert download.fetch(server.url, tmp_path / "x").read_bytes() == DATA
    server.answers = [to(f"/{i}") for i in range(web.REDIRECTS + 1)] + [answer()]
    with pytest.raises(UserError, match="302"):
        download.fetch(server.url, tmp_path / "y")


def test_from_https_none_leads_to_http() -> None:
    class Request:
        full_url = "https://host.example/x"

    arguments: Any = (Request(), io.BytesIO(), 302, "Found", {}, "http://host.example/x")
    with pytest.raises(web.Refused, match="it redirects from https to http://host"):
        web._Redirects().redirect_request(*arguments)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://h/x", "x", "http://", "http://[", "http://h:port/x"])
def test_what_is_no_http_address(url: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        download.fetch(url, tmp_path / "x")
    assert len(str(error.value).splitlines()) == 1


def test_a_body_without_length_is_bounded(server: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers = [answer(Content_Length=None)]
    assert download.fetch(server.url, tmp_path / "x").read_bytes() == DATA
    monkeypatch.setattr(web, "LARGEST", 50_000)
    with pytest.raises(UserError, match="larger than 50,000 bytes"):
        download.fetch(server.url, tmp_path / "y")


TRICKLES = {
    "headers": (b"X: ", answer(X="y" * 900)),
    "a body": (DATA[:9], answer()),
    "the head of a chunk": (b"5;", answer(b"5;" + b"x" * 900, Content_Length=None, Transfer_Encoding="chunked")),
}


@pytest.mark.parametrize("what", TRICKLES)
def test_what_trickles_is_cut(server: Scripted, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte by byte, no read ever times out."""
    monkeypatch.setattr(web, "GRACE", 0.5)
    server.pause = 0.02
    server.slow, given = TRICKLES[what]
    server.answers = [given]
    before = time.monotonic()
    with pytest.raises(UserError, match="slower than 16,384 bytes/s"):
        download.fetch(server.url, tmp_path / "x")
    assert time.monotonic() - before < 5


# --- more than one


def _fetch(url: str, path: Path) -> None:
    with download.alone(path.parent):
        if not path.exists():
            download.fetch(url, path)


def test_two_processes_fetch_once(server: Scripted, tmp_path: Path) -> None:
    server.answers, server.pause = [answer(DATA[:300], ETag='"one"')], 0.003
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=_fetch, args=(server.url, tmp_path / "x")) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(30)
    assert [process.exitcode for process in both] == [0, 0]
    assert len(server.asked) == 1
    assert (tmp_path / "x").read_bytes() == DATA[:300]
