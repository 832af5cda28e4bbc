"""A connection to a page, which survives that the page is closed and opened again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from latency_lut.browser.desk import Desk, MovedError
from latency_lut.browser.posts import Failure, loaded_reader, samples_reader
from latency_lut.errors import DeviceError
from latency_lut.seam import Loaded, Model, Sample

T = TypeVar("T")

# One post for so much work: what is lost with a page is short, and what lies between is rare.
CHUNK_MS = 500.0
MOST_LOSSES = 20


@dataclass
class BrowserConnection:
    """See ``seam.Connection``. ``number`` makes the page begin with a fresh worker.

    What was loaded is loaded again into a page that is opened anew, and the unfinished visits are
    repeated there.
    """

    device: str
    desk: Desk
    number: int
    say: Callable[[str], None]
    _loaded: dict[str, tuple[Model, float]] = field(default_factory=dict)
    _run_ms: dict[str, float] = field(default_factory=dict)
    _tab: str | None = None

    def load(
        self,
        models: Iterable[Model],
        warmup_s: float = 0.02,
        describe: bool = True,
        energy_s: float = 0.0,
    ) -> Iterator[Loaded]:
        """Have the page fetch each model. It does not tell operators, nor its memory."""
        for model in models:
            ms = self._repeated(partial(self._load, model, warmup_s))
            self._loaded[model.name] = (model, warmup_s)
            self._run_ms[model.name] = ms
            yield Loaded(model.name, {}, ms)

    def time(self, visits: Sequence[str], runs: int) -> Iterator[Sample]:
        """Have the page do the visits, some at a time."""
        for chunk in self._chunks(visits, runs):
            yield from self._repeated(partial(self._time, chunk, runs))

    def _chunks(self, visits: Sequence[str], runs: int) -> Iterator[list[str]]:
        chunk: list[str] = []
        ms = 0.0
        for name in visits:
            chunk.append(name)
            ms += runs * max(1.0, self._run_ms.get(name, 1.0))
            if ms >= CHUNK_MS:
                yield chunk
                chunk, ms = [], 0.0
        if chunk:
            yield chunk

    def _load(self, model: Model, warmup_s: float, tab: str) -> float:
        shapes = {name: list(shape) for name, shape in model.shapes.items()}
        request = {"load": model.name, "shapes": shapes, "warmup_s": warmup_s}
        what = f" (loading model {model.name!r})"
        return float(self._ask(tab, request, loaded_reader(), what, model.content()))

    def _time(self, visits: list[str], runs: int, tab: str) -> list[Sample]:
        request = {"time": visits, "runs": runs}
        samples: list[Sample] = self._ask(tab, request, samples_reader(visits, runs))
        return samples

    def _ask(
        self, tab: str, request: dict[str, Any], read: Any, what: str = "", *content: bytes
    ) -> Any:
        answer = self.desk.ask(tab, {"connection": self.number, **request}, read, *content)
        if isinstance(answer, Failure):
            raise DeviceError(f"{self.device}: {answer.words}{what}")
        return answer

    def _repeated(self, work: Callable[[str], T]) -> T:
        for _ in range(MOST_LOSSES):
            try:
                return work(self._ready())
            except MovedError:
                continue
        raise DeviceError(
            f"{self.device}: the page was opened {MOST_LOSSES} times while it did one piece of "
            "work; if the browser closes it for want of memory, measure fewer resolutions at once"
        )

    def _ready(self) -> str:
        """The page that is there, with all models loaded."""
        tab = self.desk.tab()
        if tab != self._tab:
            if self._tab is not None and self._loaded:
                self.say(f"the page was opened anew; models to load again: {len(self._loaded)}")
            for model, warmup_s in self._loaded.values():
                self._load(model, warmup_s, tab)
            self._tab = tab
        return tab
