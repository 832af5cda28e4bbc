"""What the browser's page is served, and what becomes of posts that nobody honest would send."""

from __future__ import annotations

import json
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from latency_lut.browser import BrowserDevice, Settings
from latency_lut.browser.address import invitation, tls_context
from latency_lut.browser.posts import MOST_BYTES, MalformedError
from latency_lut.browser.posts import page as parsed
from latency_lut.browser.settings import kept_token
from latency_lut.browser.silence import Silence
from latency_lut.errors import DeviceError
from latency_lut.seam import Loaded, Model, Sample
from tests.latency_lut.fake_page import ABOUT, TOKEN, Campaign, FakePage, right, served

CONTENT = b"the bytes of a model"
MODEL = Model("m", lambda: CONTENT, {"x": (1, 3)})
VISITS, RUNS = ["m", "m"], 3
EXPECTED = [Sample("m", (1.0, 2.0, 3.0))] * 2


@pytest.fixture
def device(tmp_path: Path) -> Iterator[BrowserDevice]:
    device = served(tmp_path)
    yield device
    device.close()


@pytest.fixture
def page(device: BrowserDevice) -> FakePage:
    return FakePage(device.url)


def both(device: BrowserDevice) -> tuple[list[Loaded], list[Sample]]:
    with device.connect() as connection:
        return list(connection.load([MODEL])), list(connection.time(VISITS, RUNS))


def at_visits(device: BrowserDevice, page: FakePage) -> tuple[Campaign, Any]:
    """A campaign that waits for the samples of two visits, and the work as the page has it."""
    campaign = Campaign(lambda: both(device))
    page.hello()
    work = page.work()
    assert page.answer(work, right(work)).status == 200
    return campaign, page.work()


def raw(page: FakePage, request: bytes) -> bytes:
    """All that the server says to a request until it closes the connection."""
    where = urlsplit(page.url)
    assert where.hostname and where.port
    with socket.create_connection((where.hostname, where.port), 20) as line:
        line.sendall(request)
        received = b""
        while more := line.recv(4096):
            received += more
    return received


def head_alone(page: FakePage, *headers: bytes) -> bytes:
    """The response to a post whose body never comes."""
    lines = [f"POST {page.below('answer')} HTTP/1.1".encode(), *headers, b"", b""]
    received = raw(page, b"\r\n".join(lines))
    assert received.endswith(b"\r\n\r\n"), "no body"
    return received


def test_an_honest_page_is_given_models_and_its_samples_come_out(
    device: BrowserDevice, page: FakePage
) -> None:
    campaign = Campaign(lambda: both(device))
    assert page.hello().json["threads"] == 1
    work = page.work()
    assert (work["load"], work["shapes"]) == ("m", {"x": [1, 3]})
    assert page.get(f"model/{work['work']}").body == CONTENT
    page.answer(work, right(work))
    assert page.get(f"model/{work['work']}").status == 404, "not after it was loaded"
    work = page.work()
    assert (work["time"], work["runs"]) == (VISITS, RUNS)
    page.answer(work, right(work))
    assert campaign.result() == ([Loaded("m", {}, 2.5)], EXPECTED)
    found = device.fingerprint()
    assert (found.cpu, found.cores, found.system) == ("Phone 3", 4, "Linux armv8l")
    assert (found.provider, found.runtime) == ("wasm", "onnxruntime-web 9.9.9 in Test/1.0")


def test_every_response_isolates_the_page_and_files_have_their_types(page: FakePage) -> None:
    kinds = {
        "": "text/html; charset=utf-8",
        "page.js": "text/javascript; charset=utf-8",
        "worker.js": "text/javascript; charset=utf-8",
        "ort/9.9.9/ort.wasm.min.mjs": "text/javascript; charset=utf-8",
        "ort/9.9.9/ort-wasm-simd-threaded.wasm": "application/wasm",
    }
    replies = {path: page.get(path) for path in kinds}
    assert {path: reply.headers["Content-Type"] for path, reply in replies.items()} == kinds
    assert replies["ort/9.9.9/ort.wasm.min.mjs"].body == b"this is ort.wasm.min.mjs"
    others = [page.get("nothing"), page.hello(), page.post("hello", b"{"), page.request("PUT", "/")]
    assert [reply.status for reply in others] == [404, 200, 400, 501]
    for reply in (*replies.values(), *others):
        assert reply.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert reply.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        policy = dict(
            one.split(" ", 1) for one in reply.headers["Content-Security-Policy"].split("; ")
        )
        assert policy["default-src"] == "'self'", "nothing is fetched from anywhere else"
        assert (
            policy["script-src"] == "'self' 'wasm-unsafe-eval'" and policy["worker-src"] == "'self'"
        )


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


SAMPLES = [{"model": "m", "ms": [1.0, 2.0, 3.0]}] * 2
WRONG_SAMPLES = {
    "NaN": b'{"samples":[{"model":"m","ms":[NaN,1,1]},{"model":"m","ms":[1,1,1]}]}',
    "infinity": b'{"samples":[{"model":"m","ms":[Infinity,1,1]},{"model":"m","ms":[1,1,1]}]}',
    "overflow": b'{"samples":[{"model":"m","ms":[1e999,1,1]},{"model":"m","ms":[1,1,1]}]}',
    "endless": b'{"samples":[{"model":"m","ms":[1' + b"0" * 400 + b',1,1]},{"model":"m","ms":[]}]}',
    "digits": b'{"samples":[{"model":"m","ms":[1' + b"0" * 9999 + b"]}]}",
    "zero": [{"model": "m", "ms": [0.0, 1.0, 1.0]}] * 2,
    "negative": [{"model": "m", "ms": [1.0, -1.0, 1.0]}] * 2,
    "denormal years": [{"model": "m", "ms": [1.0, 1e12, 1.0]}] * 2,
    "less than a clock tells": [{"model": "m", "ms": [5e-324, 1.0, 1.0]}] * 2,
    "true": [{"model": "m", "ms": [True, 1.0, 1.0]}] * 2,
    "text": [{"model": "m", "ms": ["1", "1", "1"]}] * 2,
    "no list": [{"model": "m", "ms": 1.0}] * 2,
    "too few times": [{"model": "m", "ms": [1.0, 1.0]}] * 2,
    "too many times": [{"model": "m", "ms": [1.0] * 4}] * 2,
    "too few visits": SAMPLES[:1],
    "too many visits": SAMPLES * 2,
    "another model": [{"model": "n", "ms": [1.0, 1.0, 1.0]}] * 2,
    "a path for a model": [{"model": "../m", "ms": [1.0, 1.0, 1.0]}] * 2,
    "more keys": [{"model": "m", "ms": [1.0, 1.0, 1.0], "x": 1}] * 2,
    "texts for samples": ["m", "m"],
    "an object for samples": {"m": [1.0, 1.0, 1.0]},
}


@pytest.mark.parametrize("wrong", WRONG_SAMPLES.values(), ids=WRONG_SAMPLES)
def test_samples_that_are_none_change_nothing(
    device: BrowserDevice, page: FakePage, wrong: Any
) -> None:
    campaign, work = at_visits(device, page)
    answer = wrong if isinstance(wrong, bytes) else json.dumps({"samples": wrong}).encode()
    head = json.dumps({"tab": page.tab, "work": work["work"]}).encode()[:-1]
    assert page.post("answer", head + b', "answer": ' + answer + b"}").status == 400
    assert page.answer(work, right(work)).status == 200
    assert campaign.result()[1] == EXPECTED


def test_posts_that_are_no_answers_change_nothing(device: BrowserDevice, page: FakePage) -> None:
    campaign, work = at_visits(device, page)
    number, honest = work["work"], right(work)
    for wrong in (
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"1",
        b"NaN",
        nested(20_000),
        {"tab": page.tab, "work": number},
        {"tab": page.tab, "work": number, "answer": []},
        {"tab": page.tab, "work": number, "answer": honest, "more": 1},
        {"tab": page.tab, "work": number + 1, "answer": honest},
        {"tab": page.tab, "work": number - 1, "answer": {"run_ms": 1.0}},
        {"tab": page.tab, "work": str(number), "answer": honest},
        {"tab": page.tab, "work": True, "answer": honest},
        {"tab": page.tab, "work": float(number), "answer": honest},
        {"tab": page.tab, "work": -1, "answer": honest},
        {"tab": page.tab, "work": [number], "answer": honest},
        {"tab": page.tab, "work": number, "answer": {"run_ms": 1.0}},
        {"tab": page.tab, "work": number, "answer": {"error": 1}},
        {"tab": page.tab, "work": number, "answer": {"error": "e", **honest}},
        {"tab": 7, "work": number, "answer": honest},
        {"tab": [page.tab], "work": number, "answer": honest},
    ):
        assert page.post("answer", wrong).status == 400, wrong
    for tab in ("", "x" * 32):
        post = {"tab": tab, "work": number, "answer": honest}
        assert page.post("answer", post).status == 410, tab
    assert page.post("shutdown", {}).status == 404
    assert page.answer(work, honest).status == 200
    samples = campaign.result()[1]
    assert page.answer(work, honest).status == 400, "a replay"
    assert samples == EXPECTED


def test_an_answer_counts_once(device: BrowserDevice, page: FakePage) -> None:
    def twice() -> list[Sample]:
        with device.connect() as connection:
            return [sample for _ in range(2) for sample in connection.time(["m"], 1)]

    campaign = Campaign(twice)
    page.hello()
    first = page.work()
    slow, fast = ({"samples": [{"model": "m", "ms": [ms]}]} for ms in (9.0, 1.0))
    assert page.answer(first, slow).status == 200
    second = page.work()
    assert page.answer(first, slow).status == 400, "a replay while another answer is due"
    assert page.answer(second, fast).status == 200
    assert campaign.result() == [Sample("m", (9.0,)), Sample("m", (1.0,))]


@pytest.mark.parametrize("length", [str(MOST_BYTES + 1), "9" * 19, "9" * 5000])
def test_posts_that_are_too_long_are_not_read(
    device: BrowserDevice, page: FakePage, length: str
) -> None:
    campaign, work = at_visits(device, page)
    reply = head_alone(page, b"Content-Length: " + length.encode())
    assert reply.split()[1] == (b"413" if len(length) < 20 else b"411")
    page.answer(work, right(work))
    assert campaign.result()[1] == EXPECTED


@pytest.mark.parametrize("length", ["-1", "+2", "1_0", "two", "", "\u0662"])
def test_posts_of_no_known_length_are_not_read(page: FakePage, length: str) -> None:
    reply = head_alone(page, b"Content-Length: " + length.encode())
    assert reply.split()[1] == b"411"


def test_posts_in_pieces_are_not_read(page: FakePage) -> None:
    assert head_alone(page, b"Transfer-Encoding: chunked").split()[1] == b"411"


def test_whoever_has_no_token_gets_nothing(page: FakePage) -> None:
    paths = [
        "/",
        "/page.js",
        f"/{TOKEN}",
        f"/{TOKEN[:-1]}/",
        f"/{TOKEN}x/page.js",
        f"/{TOKEN.lower()}/page.js",
        f"/%30{TOKEN[1:]}/page.js",
        f"{TOKEN}/page.js",
        "*",
    ]
    for path in paths:
        assert (found := page.request("GET", path)).status == 404 and not found.body, path
    for path in ("/t\u00f6ken/page.js".encode(), b"/\xff\xfe/page.js", b"/\x00/page.js"):
        reply = raw(page, b"GET " + path + b" HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert reply.split()[1] == b"404" and reply.endswith(b"\r\n\r\n")
    for what in ("hello", "work", "answer", "alive"):
        posted = page.request("POST", f"/{TOKEN[::-1]}/{what}", json.dumps(ABOUT))
        assert posted.status == 404 and not posted.body
    assert page.hello().status == 200, "the desk has met nobody else"


@pytest.mark.parametrize(
    "path",
    [
        "../../../../../../etc/passwd",
        "/etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "ort/9.9.9/../../page.js",
        "ort/9.9.9/../package.json",
        "ort/9.9.9/%00",
        "..\\desk.py",
        "desk.py",
        "page.js/",
        "page.js?x",
        "model/",
        "model/../page.js",
        "model/1",
        "model/None",
    ],
)
def test_nothing_else_is_served(page: FakePage, path: str) -> None:
    assert page.get("page.js").status == 200
    found = page.get(path)
    assert found.status == 404 and not found.body


def test_rubbish_on_the_line_stops_nobody(
    device: BrowserDevice, page: FakePage, capfd: pytest.CaptureFixture[str]
) -> None:
    campaign, work = at_visits(device, page)
    where = urlsplit(device.url)
    assert where.hostname and where.port
    lingering = []
    for rubbish in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # A TLS greeting.
        b"GET " + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 1000 + b"\r\n",
        b"POST /" + TOKEN.encode() + b"/answer HTTP/1.1\r\nContent-Length: 500\r\n\r\nhalf",
        b"",
    ):
        line = socket.create_connection((where.hostname, where.port), 5)
        line.sendall(rubbish)
        lingering.append(line)
    assert page.answer(work, right(work)).status == 200
    assert campaign.result()[1] == EXPECTED
    for line in lingering:
        line.close()
    printed = capfd.readouterr()
    assert printed.out == printed.err == ""


WRONG_PAGES = {
    "cores": [0, -1, True, "4", 1e9, 4.0],
    "resolution_ms": [0, -1.0, "0", None, True],
    "isolated": [1, "yes", None],
    "webgpu": [0],
    "user_agent": [None, 7, "x" * 600, "\x1b[2J", "two\nlines"],
    "platform": ["\x07"],
    "model": [["Phone"]],
    "more": [1],
}


@pytest.mark.parametrize("key", WRONG_PAGES)
def test_a_page_that_describes_itself_wrongly_is_none(page: FakePage, key: str) -> None:
    for value in WRONG_PAGES[key]:
        page.about = {**ABOUT, key: value}
        assert page.hello().status == 400, value
    missing = {name: value for name, value in ABOUT.items() if name != "cores"}
    assert page.post("hello", missing).status == 400
    page.about = dict(ABOUT)
    assert page.hello().status == 200


def test_the_newest_page_takes_over_and_the_older_hears_it(
    device: BrowserDevice, page: FakePage
) -> None:
    said: list[str] = []
    device._say = said.append
    campaign, work = at_visits(device, page)
    newer = FakePage(device.url)
    newer.hello()
    for what, document in (
        ("alive", {"tab": page.tab}),
        ("work", {"tab": page.tab}),
        ("answer", {"tab": page.tab, "work": work["work"], "answer": right(work)}),
    ):
        reply = page.post(what, document)
        assert reply.status == 409 and "again elsewhere" in reply.json["gone"]
    again = newer.work()
    assert again["load"] == "m", "nothing is loaded in a page that was opened anew"
    newer.answer(again, {"run_ms": 2.5})
    again = newer.work()
    assert again["time"] == VISITS, "the visits that were not finished"
    newer.answer(again, right(again))
    assert campaign.result()[1] == EXPECTED
    assert said == ["the page was opened anew; models to load again: 1"]


def test_what_is_meant_for_one_page_is_not_given_to_the_next(
    device: BrowserDevice, page: FakePage
) -> None:
    campaign, work = at_visits(device, page)
    desk = device._serve().desk
    with desk._changed:  # The campaign cannot hear of the new page for so long.
        newer = desk.hello(parsed(ABOUT))
        assert desk.work(newer, 0.0) is None, "nothing is loaded in it"
        with pytest.raises(MalformedError, match="no answer of that number is due"):
            desk.answer(newer, work["work"], right(work))
    page.tab = newer
    again = page.work()
    assert again["load"] == "m"
    page.answer(again, right(again))
    again = page.work()
    page.answer(again, right(again))
    assert campaign.result()[1] == EXPECTED


def test_another_device_is_turned_away_and_changes_nothing(
    device: BrowserDevice, page: FakePage
) -> None:
    campaign, work = at_visits(device, page)
    stranger = FakePage(device.url, about={**ABOUT, "model": "Phone 4"})
    reply = stranger.hello()
    assert reply.status == 403 and "belongs to another device" in reply.json["refused"]
    page.answer(work, right(work))
    assert campaign.result()[1] == EXPECTED
    assert device.fingerprint().cpu.startswith("Phone 3")


@pytest.mark.parametrize(
    ("options", "about", "message"),
    [
        ({"threads": 2}, {"isolated": False}, "2 threads need .*isolation.*https or localhost"),
        ({"threads": 8}, {}, "8 threads are wanted; the browser says it has 4 cores"),
        ({"provider": "webgpu"}, {}, "no WebGPU .Test/1.0.*--device browser"),
        ({}, {"resolution_ms": 100.0}, "steps of 100 ms, at most 2 ms"),
    ],
)
def test_a_page_that_cannot_measure_is_refused_with_the_reason(
    tmp_path: Path, options: dict[str, Any], about: dict[str, Any], message: str
) -> None:
    device = served(tmp_path, **options)
    try:
        page = FakePage(device.url, about={**ABOUT, **about})
        campaign = Campaign(device.fingerprint)
        assert page.hello().status == 403
        with pytest.raises(DeviceError, match=message):
            campaign.result()
        capable = FakePage(device.url, about={**ABOUT, "cores": 8, "webgpu": True})
        capable.hello()
        assert Campaign(device.fingerprint).result().cores == 8
    finally:
        device.close()


def test_threads_that_no_browser_has_are_refused() -> None:
    with pytest.raises(DeviceError, match="1 or more; got 0"):
        BrowserDevice(threads=0)
    with pytest.raises(DeviceError, match="leave threads at 1, got 2"):
        BrowserDevice(threads=2, provider="webgpu")


def test_an_error_in_the_page_ends_the_campaign_on_one_line(
    device: BrowserDevice, page: FakePage
) -> None:
    campaign = Campaign(lambda: both(device))
    page.hello()
    page.answer(page.work(), {"error": "no\nmemory \x1b[31m" + "x" * 9999})
    with pytest.raises(DeviceError, match=r"^browser: no memory .31mx+ .loading model 'm'.$") as e:
        campaign.result()
    assert len(str(e.value)) < 600


def test_a_page_that_is_there_and_does_nothing_hangs(tmp_path: Path) -> None:
    device = served(tmp_path, timeout_s=0.2)
    try:
        page = FakePage(device.url)
        page.hello()
        with pytest.raises(DeviceError, match="has not answered for .* seems to hang"):
            both(device)
    finally:
        device.close()


def test_patience_may_end(tmp_path: Path) -> None:
    device = served(tmp_path, patience_s=0.2)
    try:
        with pytest.raises(DeviceError, match=f"no word from the page.*open {device.url} and run"):
            device.fingerprint()
    finally:
        device.close()


def test_a_page_that_is_always_lost_at_the_same_work_ends_the_campaign(
    device: BrowserDevice, page: FakePage
) -> None:
    campaign = Campaign(lambda: both(device))
    for _ in range(20):
        page.hello()
        page.work()
    page.hello()
    with pytest.raises(DeviceError, match="opened 20 times while it did one piece of work"):
        campaign.result()


def test_the_terminal_hears_of_a_silence_less_and_less_often_and_of_its_end() -> None:
    now, said = [0.0], list[str]()
    silence = Silence(said.append, lambda: now[0], limit_s=10, patience_s=1000, where="URL")
    heard_at = []
    for now[0] in range(1, 301):
        before = len(said)
        silence.check()
        heard_at += [now[0]] if len(said) > before else []
    assert heard_at == [10, 20, 40, 80, 160]
    assert said[0] == (
        "no word from the page for 10 s (closed, locked or out of reach?): the campaign waits, "
        "and goes on when URL is open again"
    )
    assert silence.hear() and said[-1] == "the page is back after 5 min; the campaign goes on"
    now[0] += 9
    silence.check()
    assert not silence.hear() and len(said) == 6
    now[0] += 1001
    with pytest.raises(DeviceError, match="no word from the page for 17 min"):
        silence.check()


# Address and certificate.


@pytest.mark.parametrize("address", ["", "8765", "host:", "host:port", "host:65536", "host:-1"])
def test_an_address_is_a_host_and_a_port(address: str) -> None:
    with pytest.raises(DeviceError, match="HOST:PORT.*65536.*got"):
        BrowserDevice(settings=Settings(address)).fingerprint()


def test_settings_come_from_the_environment() -> None:
    names = ("ADDRESS", "CERTIFICATE", "ASSETS")
    given = {f"NAS_LOOP_BROWSER_{name}": value for name, value in zip(names, "abc", strict=True)}
    settings = Settings.from_environment(given)
    found = (settings.address, settings.certificate, settings.assets)
    assert found == ("a", "b", Path("c"))
    usual = Settings.from_environment({})
    assert usual.bind == ("0.0.0.0", 8765) and usual.certificate is usual.assets is None


def test_a_port_that_is_taken_is_named(tmp_path: Path, device: BrowserDevice) -> None:
    taken = f"127.0.0.1:{urlsplit(device.url).port}"
    settings = Settings(taken, assets=device.settings.assets, cache=tmp_path)
    with pytest.raises(DeviceError, match=f"cannot be served on {taken}.*BROWSER_ADDRESS"):
        BrowserDevice(settings=settings).fingerprint()


def test_the_token_stays_and_is_for_its_user_alone(tmp_path: Path) -> None:
    token = kept_token(tmp_path / "cache")
    assert kept_token(tmp_path / "cache") == token and len(token) == 43
    file = tmp_path / "cache" / "browser-token"
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("short\n")
    assert len(kept_token(tmp_path / "cache")) == 43
    (tmp_path / "file").write_text("")
    with pytest.raises(DeviceError, match="token .* cannot be kept .*XDG_CACHE_HOME"):
        kept_token(tmp_path / "file")


def test_the_invitation_has_a_code_of_the_size_that_the_address_needs() -> None:
    url = f"http://192.0.2.7:8765/{TOKEN}/"
    assert len(url) == 66
    plain, drawn = invitation(url, 8765, False), invitation(url, 8765, True)
    assert url in plain and "adb reverse tcp:8765 tcp:8765" in plain
    assert "\033" not in plain
    # ISO/IEC 18004: 66 bytes fit into version 4, 33 modules a side; two more around, two a line.
    rows = drawn.splitlines()[len(plain.splitlines()) :]
    assert len(rows) == -(-(33 + 2 * 2) // 2)
    assert all(len(row) == 33 + 2 * 2 + len("\033[97;40m\033[0m") for row in rows)
    assert "plain http" not in invitation(url.replace("http", "https"), 8765, False)
    assert "plain http" not in invitation("http://localhost:1/t/", 1, False)


def test_a_certificate_of_ones_own_is_made_once_and_holds_for_the_address(tmp_path: Path) -> None:
    device = served(tmp_path)
    device.settings = Settings("127.0.0.1:0", "self", device.settings.assets, device.settings.cache)
    try:
        where = urlsplit(device.url)
        assert where.scheme == "https" and where.hostname and where.port
        (made,) = (tmp_path / "cache").glob("*.pem")
        assert made.stat().st_mode & 0o777 == 0o600
        silent = socket.create_connection((where.hostname, where.port), 5)  # It greets nobody.
        trust = ssl.create_default_context(cafile=str(made))
        with (
            socket.create_connection((where.hostname, where.port), 5) as line,
            trust.wrap_socket(line, server_hostname=where.hostname) as secure,
        ):
            secure.sendall(f"GET /{TOKEN}/page.js HTTP/1.0\r\n\r\n".encode())
            assert secure.recv(12) == b"HTTP/1.1 200"
        silent.close()
    finally:
        device.close()
    before = made.read_bytes()
    tls_context("self", "127.0.0.1", tmp_path / "cache")
    assert made.read_bytes() == before
    os.utime(made, (0, 0))
    tls_context("self", "127.0.0.1", tmp_path / "cache")
    assert made.read_bytes() != before, "it had expired"


def test_a_certificate_that_is_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key.pem"
    file.write_text("no certificate")
    for path in (file, tmp_path / "nowhere.pem"):
        with pytest.raises(DeviceError, match=f"{path}.*PEM file"):
            tls_context(str(path), "127.0.0.1", tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DeviceError, match="openssl, which is not installed"):
        tls_context("self", "192.0.2.7", tmp_path)
