"""An Android phone, through ``adb`` and ``onnxruntime_perf_test``."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from latency_lut.android import perf_test
from latency_lut.android import phone as phones
from latency_lut.android.client import Adb
from latency_lut.android.perf_test import DROPPED, TOOL, Result, Tool
from latency_lut.android.shapes import fixed
from latency_lut.errors import DeviceError
from latency_lut.fingerprint import Fingerprint
from latency_lut.process import WorkerProcess
from latency_lut.seam import Connection, Loaded, Model, Sample

HOME = "/data/local/tmp/nas-loop"
WARMUP_RUNS = 5
# Visits in a command: adb of old phones takes 4 kB.
AT_ONCE = 256


@dataclass(frozen=True)
class AdbDevice:
    """``name`` is ``adb``, ``adb://SERIAL`` or ``adb://SERIAL/PROVIDER`` (``adb:///PROVIDER``).

    ``tool`` is where ``onnxruntime_perf_test`` is on this machine, else the environment says;
    ``mask`` the cores that it may use, as for ``taskset``, else the phone's fastest.
    """

    name: str = "adb"
    threads: int = 1
    tool: str | Path | None = None
    mask: str | None = None
    timeout_s: float = 120.0

    def __post_init__(self) -> None:
        """Raises ``DeviceError`` for a name, a provider or a number of threads that cannot be."""
        form = self.name == "adb" or self.name.startswith("adb://")
        if not form or self.provider not in perf_test.PROVIDERS:
            raise DeviceError(
                f"a phone is adb://SERIAL or adb://SERIAL/PROVIDER, with a provider of "
                f"{', '.join(perf_test.PROVIDERS)}; got {self.name!r}"
            )
        if self.threads < 1:
            raise DeviceError(f"threads is at least 1; got {self.threads}")

    @property
    def provider(self) -> str:
        """As the tool is asked for it: ``cpu``, ``xnnpack``, ``nnapi`` or ``qnn``."""
        return self._parts[1] or "cpu"

    @property
    def _parts(self) -> tuple[str, str]:
        serial, _, provider = self.name.removeprefix("adb").removeprefix("://").partition("/")
        return serial, provider

    def _adb(self) -> Adb:
        return Adb(self._parts[0], self.name, self.timeout_s).found()

    def _mask(self, phone: phones.Phone) -> str:
        return phone.mask(self.threads) if self.mask is None else self.mask

    def fingerprint(self) -> Fingerprint:
        """The phone, its Android, the cores used, and the tool. Raises ``DeviceError``."""
        tool = perf_test.tool(self.tool)
        phone = phones.phone(self._adb().shell(phones.FACTS))
        return Fingerprint(
            device=self.name,
            cpu=f"{phone.model} ({phone.processor}, cores {self._mask(phone) or 'any'})",
            cores=phone.cores,
            system=f"Android {phone.android} {phone.abi}",
            threads=self.threads,
            provider=self.provider,
            runtime=tool.runtime,
        )

    def conditions(self) -> dict[str, str | float | None]:
        """Governor, temperature and load of now, as far as the phone lets its shell read them."""
        return phones.conditions(self._adb().shell(phones.STATE))

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """The tool on the phone, pushed if it is not there, and an empty folder for models."""
        tool = perf_test.tool(self.tool)
        adb = self._adb()
        phone = phones.phone(adb.shell(phones.FACTS))
        if self.threads > phone.cores:
            raise DeviceError(
                f"{self.name}: threads is from 1 to the {phone.cores} cores of the phone; got "
                f"{self.threads}"
            )
        tools = _pushed(adb, tool)
        folder = f"{HOME}/run-{secrets.token_hex(4)}"
        # One campaign at a time on a phone: what is there was left by one that lost it.
        adb.shell(f"rm -rf {HOME}/run-*; mkdir -p {folder}")
        asked = perf_test.options(self.provider, self.threads)
        command = f"$tools/{tool.files[0].name} {asked}"
        mask = self._mask(phone)
        if mask:
            command = f"taskset {mask} {command}"
        try:
            with tempfile.TemporaryDirectory(prefix="nas-loop-") as here:
                connection = AdbConnection(adb, folder, Path(here), self.threads)
                connection.push(_visits_script(tools, command), "visit.sh")
                yield connection
        finally:
            with suppress(DeviceError):  # The phone is gone, or its folder is.
                adb.shell(f"rm -rf {folder}")


def _pushed(adb: Adb, tool: Tool) -> str:
    """The tool's folder below ours on the phone, named by digest: pushed once, whole or not."""
    name = f"tool-{tool.digest}"
    folder = f"{HOME}/{name}"
    if adb.shell(f"[ ! -d {folder} ] || echo there").strip() != "there":
        adb.shell(f"rm -rf {folder}.part; mkdir -p {folder}.part")
        for file in tool.files:
            adb.push(file, f"{folder}.part/{file.name}")
        adb.shell(f"chmod -R 755 {folder}.part; mv {folder}.part {folder}")
    return name


def _visits_script(tools: str, command: str) -> str:
    """A script for the phone's shell: ``visit.sh RUNS MODEL...`` visits the models in this order.

    Each visit is a line of JSON as soon as it is over, the rows of its result or what went wrong.
    What the tool says is cut down to characters that need no escape. QNN finds its own libraries
    for the DSP through a path of another name.
    """
    return f"""\
tools=$(cd ../{tools} && pwd)
export LD_LIBRARY_PATH=$tools ADSP_LIBRARY_PATH=$tools
runs=$1
shift
for name do
  rm -f out.csv
  {command} -r $runs $name/model.onnx out.csv </dev/null >log 2>&1
  code=$?
  if [ $code = 0 ] && [ -s out.csv ]; then
    echo "{{\\"rows\\": \\"$(tr '\\n' ';' <out.csv | tr -cd '0-9A-Za-z.,;+_-')\\"}}"
  else
    said=$(tail -c 400 log | tr '\\n\\t' '  ' | tr -cd ' !#-[]-~')
    echo "{{\\"error\\": \\"{TOOL} ended with code $code and said: $said\\"}}"
    exit
  fi
done
"""


@dataclass(frozen=True)
class AdbConnection:
    """See ``seam.Connection``.

    Every visit is a process of its own, which makes its session anew: its times begin after a
    warm-up of 11 runs instead of one, caches and the frequency of the cores have settled by then,
    and what a process fixes (addresses, alignment) varies from visit to visit and not only between
    the legs of a campaign. A visit costs what starting the tool costs, tens of milliseconds.
    """

    adb: Adb
    folder: str
    here: Path
    threads: int
    numbers: dict[str, int] = field(default_factory=dict)

    def load(
        self,
        models: Iterable[Model],
        warmup_s: float = 0.02,
        describe: bool = True,
        energy_s: float = 0.0,
    ) -> Iterator[Loaded]:
        """Push each model, run it once. The tool does not tell the optimised graph's operators.

        ``memory_bytes`` is the peak of the whole fresh process, the runtime in it included.
        """
        for model in models:
            number = self.numbers.setdefault(model.name, len(self.numbers))
            content = fixed(model.content(), model.shapes) if model.shapes else model.content()
            self.push(content, f"{number}/model.onnx")
            try:
                (result,) = self._visit([number], WARMUP_RUNS)
            except DeviceError as error:
                raise DeviceError(f"{error} (loading model {model.name!r})") from error
            yield Loaded(model.name, {}, min(result.times_ms), result.peak_bytes)

    def time(self, visits: Sequence[str], runs: int) -> Iterator[Sample]:
        """Many visits in one shell: nothing but the phone's own work lies between them."""
        unknown = [name for name in visits if name not in self.numbers]
        if unknown:
            raise DeviceError(f"{self.adb.name}: no model {unknown[0]!r} is loaded")
        for start in range(0, len(visits), AT_ONCE):
            names = visits[start : start + AT_ONCE]
            results = self._visit([self.numbers[name] for name in names], runs)
            for name, result in zip(names, results, strict=True):
                yield Sample(name, result.times_ms)

    def push(self, content: str | bytes, target: str) -> None:
        """Put a file into the folder on the phone. Raises ``DeviceError``."""
        source = self.here / "content"
        try:
            source.write_bytes(content.encode() if isinstance(content, str) else content)
        except OSError as error:
            raise DeviceError(
                f"{self.adb.name}: {target} cannot be written to {source} ({error.strerror}); "
                "make room, or point TMPDIR elsewhere"
            ) from error
        self.adb.push(source, f"{self.folder}/{target}")

    def _visit(self, numbers: Sequence[int], runs: int) -> Iterator[Result]:
        names = " ".join(map(str, numbers))
        script = f"cd {self.folder} && sh visit.sh {runs + DROPPED} {names}"
        name, timeout_s = self.adb.name, self.adb.timeout_s
        command = self.adb.shell_command(script)
        with WorkerProcess(command, name, timeout_s, self.threads) as process:
            for _ in numbers:
                try:
                    rows = str(process.receive("rows")["rows"])
                except DeviceError as error:
                    raise self.adb.gone(str(error).removeprefix(f"{name}: ")) from error
                try:
                    yield perf_test.parse(rows.replace(";", "\n"), runs)
                except ValueError as error:
                    raise DeviceError(
                        f"{name}: the results of {TOOL} were cut off or are of an unknown "
                        f"version: {error}"
                    ) from error
