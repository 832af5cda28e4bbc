"""Where the thread of the campaign and those of the server meet: one job, one page.

The campaign hands in a job and waits; the page fetches it and posts the answer. A page that is
opened takes over from the one before, and the campaign learns that nothing is loaded any more.
"""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from latency_lut.browser.posts import MalformedError, Page, Reader
from latency_lut.browser.silence import Silence, spoken
from latency_lut.errors import DeviceError

TICK_S = 0.5


class RefusedError(Exception):
    """This page is not what the campaign needs; says why."""


class GoneError(Exception):
    """Another page has taken over."""


class UnknownError(Exception):
    """No page of this name was ever admitted, in this run of the command."""


class MovedError(Exception):
    """The page that had the job is not the one that is there now."""


@dataclass(frozen=True)
class Job:
    """What the page ``tab`` is to do, and no other: another has nothing loaded.

    ``read`` checks the answer, ``content`` is the model to fetch.
    """

    number: int
    tab: str
    request: dict[str, Any]
    read: Reader
    content: bytes | None


class Desk:
    """One lock for all of it; every method may be called from any thread.

    ``unfit`` says why a page cannot do what is wanted, or None. ``timeout_s`` is how long a page
    that is there may take for one job.
    """

    def __init__(
        self,
        unfit: Callable[[Page], str | None],
        silence: Silence,
        timeout_s: float,
    ) -> None:
        self._unfit = unfit
        self._silence = silence
        self._timeout_s = timeout_s
        self._changed = threading.Condition()
        self._numbers = itertools.count(1)
        self._page: Page | None = None
        self._refusal: str | None = None
        self._tab: str | None = None
        self._former: set[str] = set()
        self._job: Job | None = None
        self._answers: list[Any] = []
        self._since = 0.0

    # The campaign's side.

    def page(self) -> Page:
        """The page of this campaign; waits for the first. Raises ``DeviceError`` if it is unfit."""
        with self._changed:
            while self._page is None:
                if self._refusal is not None:
                    refusal, self._refusal = self._refusal, None
                    raise DeviceError(refusal)
                self._wait()
            return self._page

    def tab(self) -> str:
        """The page that is there now."""
        self.page()
        with self._changed:
            assert self._tab is not None
            return self._tab

    def ask(
        self, tab: str, request: dict[str, Any], read: Reader, content: bytes | None = None
    ) -> Any:
        """Have the page ``tab`` do something, and wait for what it answers.

        Raises:
            MovedError: another page is there now; nothing is loaded in it.
            DeviceError: the page is there, and has not answered for ``timeout_s``.
        """
        with self._changed:
            self._answers.clear()
            self._job = Job(next(self._numbers), tab, request, read, content)
            self._since = self._silence.clock()
            self._changed.notify_all()
            try:
                while not self._answers:
                    if self._tab != tab:
                        raise MovedError
                    self._wait()
                    self._require_answer()
                return self._answers[0]
            finally:
                self._job = None

    def _wait(self) -> None:
        self._changed.wait(TICK_S)
        self._silence.check()

    def _require_answer(self) -> None:
        # A page that is silent is waited for; one that talks, and yet does nothing, hangs.
        took = self._silence.clock() - self._since
        silent = self._silence.clock() - self._silence.heard
        if took > self._timeout_s and silent < self._silence.limit_s and not self._answers:
            raise DeviceError(
                f"the page is there, but has not answered for {spoken(took)} and seems to hang; "
                "reload it and run the same command again, a table's samples are kept"
            )

    # The page's side.

    def hello(self, page: Page) -> str:
        """Admit a page that was opened; returns its name. Raises ``RefusedError``."""
        with self._changed:
            refusal = self._unfit(page) or self._stranger(page)
            if refusal is not None:
                if self._page is None:
                    self._refusal = refusal
                    self._changed.notify_all()
                raise RefusedError(refusal)
            if self._tab is not None:
                self._former.add(self._tab)
            self._page, self._refusal = page, None
            self._tab = secrets.token_hex(16)
            self._hear(self._tab)
            self._changed.notify_all()
            return self._tab

    def _stranger(self, page: Page) -> str | None:
        def identity(one: Page) -> tuple[str, str, str, int]:
            return one.user_agent, one.platform, one.model, one.cores

        if self._page is None or identity(page) == identity(self._page):
            return None
        return (
            "this campaign belongs to another device or browser "
            f"({self._page.model or self._page.user_agent}); open the page there"
        )

    def work(self, tab: str, wait_s: float) -> Job | None:
        """The job that is to be done; None if none has come within ``wait_s`` seconds.

        Raises ``GoneError`` or ``UnknownError`` for a page that is not the one that counts.
        """
        with self._changed:
            self._hear(tab)
            self._changed.wait_for(lambda: self._due(tab) or self._tab != tab, wait_s)
            self._hear(tab)
            return self._job if self._due(tab) else None

    def _due(self, tab: str) -> bool:
        return self._job is not None and self._job.tab == tab and not self._answers

    def alive(self, tab: str) -> None:
        """A word from a page that is busy. Raises as ``work`` does."""
        with self._changed:
            self._hear(tab)

    def answer(self, tab: str, number: int, document: dict[str, Any]) -> None:
        """What the page has to say to the job of that number. Raises as ``work`` does.

        Raises ``MalformedError``: this is no answer to it, or there is no such job (any more).
        """
        with self._changed:
            self._require(tab)
            job = self._job
            if job is None or not self._due(tab) or number != job.number:
                raise MalformedError("no answer of that number is due")
            self._answers.append(job.read(document))
            self._hear(tab)
            self._changed.notify_all()

    def content(self, number: str) -> bytes | None:
        """The model of the job of that number while it is due, or None."""
        with self._changed:
            job = self._job
            due = job is not None and str(job.number) == number and not self._answers
            return job.content if job is not None and due else None

    def _hear(self, tab: str) -> None:
        self._require(tab)
        if self._silence.hear():
            self._since = self._silence.clock()

    def _require(self, tab: str) -> None:
        if tab == self._tab:
            return
        if tab in self._former:
            raise GoneError
        raise UnknownError
