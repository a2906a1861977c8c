"""One file from the web, whole or with the reason why not: time, size, redirects and retries are all bounded."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import responses
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path

import requests
from urllib3 import Retry
from urllib3.exceptions import HTTPError, InvalidHeader, NameResolutionError, NewConnectionError, ReadTimeoutError

from helpers.config import REPOSITORY

MAX_REDIRECTS = 5
MAX_PAUSE = 30  # seconds, whatever a server asks for in Retry-After
CHUNK = 1 << 16  # bytes
USER_AGENT = f"image-to-poem/0.1 (+{REPOSITORY})"
RETRIED_STATUSES = {429, 500, 502, 503, 504}  # they may be gone the next time
_ERRORS = (requests.RequestException, HTTPError, ValueError)  # odd addresses raise the latter two


class Failure(Exception):
    """A file could not be had; the message is the reason, in one short line."""


class TemporaryFailure(Failure):
    """A failure that may be gone in `pause` seconds."""

    def __init__(self, reason: str, pause: float = 0) -> None:
        super().__init__(reason)
        self.pause = pause


@dataclass(frozen=True)
class Limits:
    timeout: float = 10  # seconds to connect, and to wait for the next byte
    deadline: float = 60  # seconds for a file, with all its retries (but for headers that come byte by byte)
    retries: int = 3  # after a time-out, a lost connection, a body cut off, or a status code of RETRIED_STATUSES
    back_off: float = 0.5  # seconds before the first retry, then twice as long each time
    max_bytes: int = 50_000_000  # a picture; more is a film or a trap


def fetch_file(url: str, path: Path, limits: Limits) -> None:
    """Write the file at `url` to `path`; raises Failure, and then `path` may hold a part of it.

    The retries are ours, not urllib3's: those are over before requests reads the body, and know no deadline.
    """
    if not url.lower().startswith(("http://", "https://")):
        raise Failure("not an http or https address")
    end = time.monotonic() + limits.deadline
    for attempt in range(limits.retries + 1):
        try:
            return _receive(url, path, limits, end)
        except TemporaryFailure as failure:
            pause = max(limits.back_off * 2**attempt, min(failure.pause, MAX_PAUSE))
            if attempt == limits.retries or time.monotonic() + pause >= end:
                raise
        time.sleep(pause)


def _receive(url: str, path: Path, limits: Limits, end: float) -> None:
    failure = None
    try:
        with _session().get(url, stream=True, timeout=limits.timeout) as response:
            _check_status(response)
            with hang_up_at(end, response), open(path, "wb") as file:
                for chunk in response.iter_content(CHUNK):
                    file.write(chunk)
                    if file.tell() > limits.max_bytes:
                        raise Failure(f"larger than {limits.max_bytes / 1e6:g} MB")
    except _ERRORS as error:
        failure = _failure(error, limits)
    if time.monotonic() >= end:  # we hung up, which may look like a lost connection or even like the end of the file
        failure = Failure(f"not done after {limits.deadline:g} s")
    if failure:
        raise failure


def _check_status(response: requests.Response) -> None:
    code = response.status_code
    status = f"{code} {responses.get(code, '')}".strip()
    if code in RETRIED_STATUSES:
        raise TemporaryFailure(status, _asked_pause(response.headers.get("Retry-After", "0")))
    if not 200 <= code < 300:
        raise Failure(status)


def _asked_pause(header: str) -> float:
    """Seconds; the header has seconds or a date."""
    try:
        return Retry().parse_retry_after(header)
    except InvalidHeader:
        return 0


def _failure(error: Exception, limits: Limits) -> Failure:
    """An error of requests, in words for a reader."""
    cause = error.args[0] if error.args else error  # an error of urllib3
    cause = getattr(cause, "reason", cause)
    if isinstance(error, requests.TooManyRedirects):
        return Failure("too many redirects")
    if isinstance(error, requests.exceptions.SSLError):
        return Failure("no secure connection")
    if isinstance(error, requests.Timeout) or isinstance(cause, ReadTimeoutError):  # the second one in the body
        return TemporaryFailure(f"timed out after {limits.timeout:g} s")
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return TemporaryFailure("cut off")
    if isinstance(cause, NameResolutionError):
        return TemporaryFailure("no such host")
    if isinstance(cause, NewConnectionError):
        return TemporaryFailure("no connection")
    if isinstance(error, requests.ConnectionError):
        return TemporaryFailure("connection lost")
    return Failure("not a valid address or answer")


_local = threading.local()


def _session() -> requests.Session:
    """One for each thread: requests does not promise that threads can share one."""
    if not hasattr(_local, "session"):
        session = _local.session = requests.Session()
        session.headers["User-Agent"] = USER_AGENT
        session.max_redirects = MAX_REDIRECTS
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # else a million hosts' cookies add up
    return _local.session


@contextmanager
def hang_up_at(end: float, response: requests.Response) -> Iterator[None]:
    """Ends the answer in time: a server that sends a byte now and then never runs into a time-out."""

    def hang_up() -> None:
        with suppress(OSError, RuntimeError, ValueError):  # it is over already
            response.raw.shutdown()

    timer = threading.Timer(max(0, end - time.monotonic()), hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
