"""The server answers its own page, and nobody else."""

import socket
from typing import Any

import pytest

from gancli.errors import UserError
from gancli.exploring.server import LARGEST_BODY, Action, LocalServer, Site
from gancli.exploring.views import Shown
from tests.exploring.conftest import Client, Served

JSON = {"Content-Type": "application/json"}


def fail(error: Exception) -> Any:
    raise error


@pytest.fixture
def client(served: Served) -> Client:
    return served(
        Site(
            lambda nonce: f"<script nonce={nonce}></script>",
            {
                "twice": Action(int, lambda number: {"twice": 2 * number}),
                "view": Action(Shown, lambda view: {"view": type(view).__name__}),
                "wrong": Action(int, lambda _: fail(UserError("this cannot be"))),
                "full": Action(int, lambda _: fail(OSError(28, "No space left on device"))),
                "bug": Action(int, lambda _: fail(ZeroDivisionError("oh"))),
            },
        )
    )


def raw(client: Client, text: str) -> bytes:
    """Send bytes as they are, and return the answer."""
    with socket.create_connection(("127.0.0.1", client.server.server_port), timeout=20) as connection:
        connection.sendall(text.encode("latin-1"))
        connection.shutdown(socket.SHUT_WR)
        found = b""
        while part := connection.recv(65536):
            found += part
    return found


def test_it_listens_on_this_machine_only(client: Client) -> None:
    assert client.server.server_address[0] == "127.0.0.1"
    assert len(client.token) >= 32
    assert client.token != Site(str, {}).token


def test_the_page_loads_nothing_from_elsewhere(client: Client) -> None:
    status, text, headers = client.request("GET", f"/{client.token}/")
    policy = headers["Content-Security-Policy"]
    nonce = text.decode().split("nonce=")[1].split(">")[0]
    assert status == 200
    assert "default-src 'none'" in policy
    assert f"script-src 'nonce-{nonce}'" in policy
    assert "http" not in policy
    assert "unsafe" not in policy
    assert nonce not in client.request("GET", f"/{client.token}/")[1].decode()
    assert not [name for name in headers if name.lower().startswith("access-control-")]
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")


def test_actions_are_answered(client: Client) -> None:
    assert client.post("twice", 21) == (200, {"twice": 42})


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_without_the_token_nothing_is_told(client: Client, method: str) -> None:
    token = client.token
    wrong = ["/", "//", "/twice", f"/{token[:-1]}/twice", f"/{token}x/", f"/x/{token}/", f"/?token={token}", "/%00/"]
    for path in wrong:
        assert client.request(method, path, b"1", JSON)[0] == 403, path
    status, _, headers = client.request(method, f"/{token.swapcase()}/twice", b"1", JSON)
    assert status == 403
    assert not [name for name in headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}", ""]
)
def test_other_hosts_are_refused(client: Client, host: str) -> None:
    """A name of an attacker's that leads to this machine (DNS rebinding)."""
    headers = {"Host": host.format(port=client.server.server_port)}
    assert client.request("GET", f"/{client.token}/", None, headers)[0] == 403
    assert client.request("POST", f"/{client.token}/twice", b"1", JSON | headers)[0] == 403


def test_localhost_is_this_machine(client: Client) -> None:
    headers = {"Host": f"localhost:{client.server.server_port}"}
    assert client.request("GET", f"/{client.token}/", None, headers)[0] == 200


def test_several_hosts_or_none_are_refused(client: Client) -> None:
    port, path = client.server.server_port, f"/{client.token}/"
    ours = f"Host: 127.0.0.1:{port}\r\n"
    assert b" 200 " in raw(client, f"GET {path} HTTP/1.1\r\n{ours}\r\n")
    for lines in ("", ours + ours, ours + "Host: evil.example\r\n"):
        assert b" 403 " in raw(client, f"GET {path} HTTP/1.1\r\n{lines}\r\n")


def test_pages_of_others_cannot_ask(client: Client) -> None:
    path, port = f"/{client.token}/twice", client.server.server_port
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{port}", "http://127.0.0.1"):
        assert client.request("POST", path, b"1", JSON | {"Origin": origin})[0] == 403, origin
    assert client.request("POST", path, b"1", JSON | {"Origin": f"http://127.0.0.1:{port}"})[0] == 200


def test_only_json_of_a_known_size_is_read(client: Client) -> None:
    path = f"/{client.token}/twice"
    host = f"Host: 127.0.0.1:{client.server.server_port}\r\nContent-Type: application/json\r\n"
    assert client.request("POST", path, b"1")[0] == 415
    assert client.request("POST", path, b"1", {"Content-Type": "text/plain"})[0] == 415
    assert client.request("POST", path, b" " * LARGEST_BODY + b"1", JSON)[0] == 413
    for length in ("", "Content-Length: -1\r\n", "Content-Length: ²\r\n", "Transfer-Encoding: chunked\r\n"):
        assert b" 411 " in raw(client, f"POST {path} HTTP/1.1\r\n{host}{length}\r\n"), length
    assert b" 413 " in raw(client, f"POST {path} HTTP/1.1\r\n{host}Content-Length: {10**30}\r\n\r\n")
    assert client.request("POST", f"/{client.token}/nothing", b"1", JSON)[0] == 404
    assert client.request("GET", f"/{client.token}/twice")[0] == 404
    assert client.request("PUT", path, b"1", JSON)[0] == 501


SPOT = '{"view": "sample", "spot": {"seed": 1%s}}'


@pytest.mark.parametrize(
    "body",
    [
        "", "nothing", "[" * 10_000, "NaN", "{}", '{"view": "sample"}', '{"view": "walk", "pins": [], "frames": 9}',
        SPOT % ', "more": 1', SPOT % ', "truncation": -1', SPOT % ', "truncation": 1e999', SPOT % ', "truncation": "1"',
        SPOT % ', "axes": [[-1, 0]]', SPOT % ', "axes": [[0, 1e9]]', SPOT % ', "axes": [[0.5, 0]]',
        SPOT % (', "axes": [' + ", ".join(["[0, 0]"] * 33) + "]"), SPOT % ', "by": "magic"', SPOT % ', "layers": "0-3"',
        '{"view": "sample", "spot": {"seed": -1}}', '{"view": "sample", "spot": {"seed": 1000000000000}}',
        '{"view": "sheet", "spot": {"seed": 1}, "side": 100}', '{"view": "sample", "spot": {"seed": true}}',
        '{"view": "frame", "pins": [{"seed": 1}], "frames": 9, "at": 0}',
        '{"view": "frame", "pins": [{"seed": 1}, {"seed": 2}], "frames": 1000000, "at": 0}', "\xff",
    ],
)  # fmt: skip
def test_other_json_is_refused_in_one_line(client: Client, body: str) -> None:
    status, answer = client.post("view", body.encode("latin-1"))
    assert status == 400
    assert len(answer["error"].splitlines()) == 1
    assert client.post("view", (SPOT % "").encode()) == (200, {"view": "Sample"})


def test_errors_reach_the_page_and_the_server_goes_on(client: Client, capfd: pytest.CaptureFixture[str]) -> None:
    assert client.post("wrong", 1) == (422, {"error": "this cannot be"})
    assert client.post("full", 1) == (422, {"error": "No space left on device"})
    assert capfd.readouterr().err == ""
    assert client.post("bug", 1) == (500, {"error": "ZeroDivisionError: oh"})
    assert "ZeroDivisionError: oh" in capfd.readouterr().err  # a bug is seen, with its place
    assert client.post("twice", 1)[0] == 200


def test_a_client_that_says_nothing_keeps_nobody_waiting(client: Client) -> None:
    with socket.create_connection(("127.0.0.1", client.server.server_port)):
        assert client.post("twice", 1)[0] == 200


def test_a_port_that_is_taken_is_one_line(client: Client) -> None:
    with pytest.raises(UserError, match=r"--port .* cannot be used: Address already in use"):
        LocalServer(Site(str, {}), client.server.server_port)
