"""A download ends with a verified file or with none."""

from __future__ import annotations

import multiprocessing
import threading
import traceback
import urllib.request
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from dtrain.data import download as module
from dtrain.data.download import download
from dtrain.ground.errors import DataError, EnvironmentProblem
from tests.data.helpers import UNREACHABLE, Answer, send, serve

CONTENT = b"the right content" * 1000


def check(path: Path) -> None:
    if path.read_bytes() != CONTENT:
        raise DataError("content has SHA-256 0; expected 1")


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path / "datasets" / "file.gz"


def visible_files(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if not path.name.startswith("."))


def refusal(target: Path, answer: bytes | Answer, timeout: float = 10.0) -> str:
    with serve({"/file.gz": answer}) as server, pytest.raises(DataError) as caught:
        download(f"{server.address}/file.gz", target, check, timeout=timeout)
    assert visible_files(target) == []
    assert caught.value.problems[0].where == f"{server.address}/file.gz"
    return str(caught.value)


def test_brings_the_file_and_reports_progress(target: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    with serve({"/file.gz": CONTENT}) as server:
        download(f"{server.address}/file.gz", target, check, lambda *progress: seen.append(progress))
    assert target.read_bytes() == CONTENT
    assert visible_files(target) == ["file.gz"]
    assert seen[-1] == ("downloading file.gz", len(CONTENT), len(CONTENT))


def test_a_sound_file_is_not_downloaded_again(target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(CONTENT)
    download(f"{UNREACHABLE}/file.gz", target, check)


def test_row_24_a_damaged_file_is_kept_and_replaced(target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"damaged")
    with serve({"/file.gz": CONTENT}) as server:
        download(f"{server.address}/file.gz", target, check)
    assert target.read_bytes() == CONTENT
    assert (target.parent / "file.gz.corrupt").read_bytes() == b"damaged"


def test_row_25_wrong_content_never_gets_the_name(target: Path) -> None:
    message = refusal(target, b"other content")
    assert "the received file is refused: content has SHA-256 0; expected 1" in message


def test_row_36_stalled_server_times_out(target: Path) -> None:
    stop = threading.Event()

    def stall(handler: BaseHTTPRequestHandler) -> None:
        send(handler, CONTENT[:100], announced=len(CONTENT))
        handler.wfile.flush()
        stop.wait(10)

    with serve({"/file.gz": stall}) as server:
        with pytest.raises(DataError, match=r"no byte for 0\.2 seconds"):
            download(f"{server.address}/file.gz", target, check, timeout=0.2)
        stop.set()
    assert visible_files(target) == []


def test_row_36_not_found_shows_the_status(target: Path) -> None:
    assert "the server answered 404" in refusal(target, lambda handler: handler.send_error(404))


def test_row_36_web_page_in_place_of_the_file(target: Path) -> None:
    assert "the server sent a web page" in refusal(target, b"\n<!DOCTYPE html><title>Log in</title>")


def test_row_36_connection_that_ends_early(target: Path) -> None:
    message = refusal(target, lambda handler: send(handler, CONTENT[:100], announced=len(CONTENT)))
    assert f"received 100 bytes; expected {len(CONTENT):,}" in message


def test_row_36_unreachable_server(target: Path) -> None:
    with pytest.raises(DataError, match="download failed"):
        download(f"{UNREACHABLE}/file.gz", target, check)


def test_row_36_what_a_killed_download_left_is_no_cache(target: Path) -> None:
    target.parent.mkdir()
    (target.parent / ".file-1-0123abcd.gz").write_bytes(CONTENT[:10])
    with serve({"/file.gz": CONTENT}) as server:
        download(f"{server.address}/file.gz", target, check)
    assert target.read_bytes() == CONTENT
    assert {path.name for path in target.parent.iterdir()} <= {"file.gz", ".file.gz.lock"}


def test_row_107_the_password_of_a_proxy_is_never_shown(monkeypatch: pytest.MonkeyPatch, target: Path) -> None:
    for proxy in ("http://me:s3cret", "http://me:s3cret@[", "http://me:s3cret@127.0.0.1:1", "socks5://me:s3cret@host"):
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setattr(urllib.request, "_opener", None)
        with pytest.raises(DataError) as caught:
            download("http://example.invalid/file.gz", target, check)
        assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_row_28_endless_answer_is_given_up(monkeypatch: pytest.MonkeyPatch, target: Path) -> None:
    monkeypatch.setattr(module, "MAX_DOWNLOAD_BYTES", 1000)
    assert "sent over 1,000 bytes; given up" in refusal(target, CONTENT)


def test_row_37_missing_keras_home_stops_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "missing"))
    with serve({"/file.gz": CONTENT}) as server, pytest.raises(EnvironmentProblem, match="missing"):
        download(f"{server.address}/file.gz", tmp_path / "missing" / "datasets" / "file.gz", check)
    assert server.requests == []


def test_row_84_two_first_downloads_ask_once(target: Path) -> None:
    failures: list[Exception] = []
    with serve({"/file.gz": CONTENT}) as server:

        def one() -> None:
            try:
                download(f"{server.address}/file.gz", target, check)
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=one) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    assert server.requests == ["/file.gz"]
    assert target.read_bytes() == CONTENT


def download_in_a_process(address: str, target: Path) -> None:
    download(address, target, check)


def test_row_84_two_processes_ask_once(target: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with serve({"/file.gz": CONTENT}) as server:
        arguments = (f"{server.address}/file.gz", target)
        processes = [context.Process(target=download_in_a_process, args=arguments) for _ in range(2)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert server.requests == ["/file.gz"]
    assert visible_files(target) == ["file.gz"]
