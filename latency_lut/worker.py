"""The process that times models: one file, to be copied to a device as it is.

It needs Python 3.9, NumPy and onnxruntime, and nothing of ours. Requests are lines of JSON on
standard input, answers lines of JSON on standard output:

    {"threads": 1, "provider": "CPUExecutionProvider"}      {"ready": true, "machine": {...}}
                perhaps with "options" of the provider, and "memory": ["cuda", 0] where inputs and
                outputs are to lie (else in the machine's own)
    {"load": NAME, "bytes": N, "shapes": {}, "warmup_s": 0.02, "describe": true, "energy_s": 0},
                and N bytes of ONNX
                {"loaded": NAME, "operators": {...}, "run_ms": 0.1, "memory_bytes": 1000000,
                 "energy_mj": null}
    {"time": [NAME, ...], "runs": 8, "visit_s": 0.001}      {"sample": NAME, "ms": [...]} each

or, in place of the first, with no session after it:

    {"about": "machine"}                                    {"machine": {...}, "conditions": {...}}
    {"about": "providers"}                                  {"machine": {...}, "providers": [...]}

A request that fails is answered with {"error": TEXT} and the process ends. A model is in a file
only while it is loaded, in a temporary folder that goes also when the other side is cut off.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

WARMUP_RUNS = 5
MOST_RUNS = 64
# Providers that run on the processor (OpenVINO as it is asked here).
ON_PROCESSOR = tuple(f"{name}ExecutionProvider" for name in ("CPU", "Dnnl", "OpenVINO", "Xnnpack"))
# The counter of a card is refreshed every tenth of a second at worst.
CARD_S = 2.0
CHUNK = 1 << 16


def machine() -> dict[str, Any]:
    """This machine, as a fingerprint names it; needs no onnxruntime in memory."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.machine()}",
        "runtime": _runtime(),
    }


def providers() -> list[str]:
    """The execution providers that onnxruntime has here."""
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def _runtime() -> str:
    # The same version is another runtime in each of these packages.
    for variant in ("", "-gpu", "-openvino", "-directml", "-qnn", "-migraphx", "-rocm"):
        with suppress(metadata.PackageNotFoundError):
            return f"onnxruntime{variant} {metadata.version('onnxruntime' + variant)}"
    return "onnxruntime none"


def _cpu() -> str:
    # Virtual machines call many processors by one name; family, model and stepping tell them apart.
    wanted = ("cpu family", "model", "stepping", "CPU implementer", "CPU part", "CPU revision")
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    found: dict[str, str] = {}
    for line in text.split("\n\n", 1)[0].splitlines():
        name, _, value = line.partition(":")
        found[name.strip()] = value.strip()
    numbers = ", ".join(f"{name} {found[name]}" for name in wanted if name in found)
    return f"{found.get('model name', platform.machine())} ({numbers})"


def conditions(system: Path = Path("/sys")) -> dict[str, Any]:
    """What sways times beside all that a fingerprint names; None for what the system hides.

    ``governor``: of the processor's clock, several where cores have different ones. ``celsius``:
    of the hottest thermal zone. ``load``: processes that ran or waited in the last minute, on
    average.
    """
    governors = _read(system, "devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")
    degrees = []
    for text in _read(system, "class/thermal/thermal_zone[0-9]*/temp"):
        with suppress(ValueError):
            degrees.append(int(text) / 1000)
    try:
        load = round(os.getloadavg()[0], 2)
    except (OSError, AttributeError):
        load = None
    return {
        "governor": ", ".join(sorted(set(governors))) or None,
        "celsius": max(degrees, default=None),
        "load": load,
    }


def _read(folder: Path, pattern: str) -> list[str]:
    found = []
    for path in sorted(folder.glob(pattern)):
        with suppress(OSError):  # Some sensors are there and cannot be read.
            found.append(path.read_text(encoding="utf-8", errors="replace").strip())
    return found


def _fields(message: bytes) -> Any:
    """Numbers and contents of the length-delimited fields of a protocol-buffer message."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            varint()
        elif kind == 2:
            length = varint()
            yield tag >> 3, message[at : at + length]
            at += length
        else:
            at += 8 if kind == 1 else 4


def operators(model: bytes) -> dict[str, int]:
    """How often each operator stands in an ONNX model, fused activations after a plus.

    Read straight from the file's bytes, because the `onnx` package is not on every device:
    ModelProto.graph is field 7, GraphProto.node 1, NodeProto.op_type 4 and .attribute 5,
    AttributeProto.name 1 and .s 4.
    """
    count: Counter[str] = Counter()
    for number, graph in _fields(model):
        if number != 7:
            continue
        for part, node in _fields(graph):
            if part != 1:
                continue
            names: list[str] = []
            for field, content in _fields(node):
                if field == 4:
                    names.insert(0, content.decode())
                elif field == 5:
                    attribute = dict(_fields(content))
                    if attribute.get(1) == b"activation":
                        names.append(attribute.get(4, b"").decode())
            count["+".join(names)] += 1
    return dict(sorted(count.items()))


def _memory(line: str) -> int | None:
    """VmRSS (now) or VmHWM (the highest since the mark was reset) of this process, in bytes."""
    try:
        for entry in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if entry.startswith(line):
                return int(entry.split()[1]) * 1024
    except OSError:
        pass
    return None


def _reset_memory_mark() -> None:
    # Where it fails, the mark counts from the start of the process: at worst it is too high.
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def _joules(system: Path) -> tuple[list[float], list[float]] | None:
    """What Linux's RAPL counters of the processor's packages say, and where each begins again."""
    now, ends = [], []
    try:
        for folder in sorted(system.glob("class/powercap/intel-rapl:[0-9]*")):
            if folder.name.count(":") == 1:  # Further colons are parts of a package.
                now.append(float((folder / "energy_uj").read_text()) / 1e6)
                ends.append(float((folder / "max_energy_range_uj").read_text()) / 1e6)
    except (OSError, ValueError):  # Not readable for this user, or no number.
        return None
    return (now, ends) if now else None


def driver_id(number: int) -> str:
    """What NVIDIA's driver calls CUDA's card: an index, or what stands in the variable."""
    # CUDA counts what the variable lets it see, in its order; the driver counts all.
    visible = [one for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one]
    return visible[number] if number < len(visible) else str(number)


def _card_joules(number: int) -> tuple[list[float], list[float]] | None:
    """What NVIDIA's driver counts for a card (Volta or later) since it was loaded."""
    its = driver_id(number)
    card, millijoules = ctypes.c_void_p(), ctypes.c_ulonglong()
    try:
        driver = ctypes.CDLL("libnvidia-ml.so.1")
        if driver.nvmlInit_v2():
            return None
        if its.isdecimal():
            failed = driver.nvmlDeviceGetHandleByIndex_v2(
                ctypes.c_uint(int(its)), ctypes.byref(card)
            )
        else:
            failed = driver.nvmlDeviceGetHandleByUUID(its.encode(), ctypes.byref(card))
        failed = failed or driver.nvmlDeviceGetTotalEnergyConsumption(
            card, ctypes.byref(millijoules)
        )
        driver.nvmlShutdown()
    except (OSError, AttributeError):  # No driver, or one from before it counted energy.
        return None
    return None if failed else ([millijoules.value / 1e3], [0.0])


def energy_mj(
    run: Any, seconds: float, counters: Callable[[], tuple[list[float], list[float]] | None]
) -> float | None:
    """Millijoules that one ``run`` takes, from runs of so many seconds; None without a counter.

    ``counters`` gives joules so far and where each begins again, 0 for never. All that is counted
    meanwhile, whoever makes it be taken.
    """
    before = counters()
    if before is None:
        return None
    runs, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        run()
        runs += 1
    after = counters()
    if after is None or not runs:
        return None
    taken = [
        (now - then) % most if most > 0 else now - then
        for then, now, most in zip(before[0], after[0], before[1])  # noqa: B905
    ]
    return 1e3 * sum(taken) / runs


class Timer:
    """Sessions by name, each bound to its input and output once."""

    def __init__(
        self,
        threads: int,
        provider: str,
        options: dict[str, str] | None = None,
        memory: tuple[str, int] | None = None,
    ) -> None:
        # Cards are numbered as nvidia-smi does it, not the fastest first.
        os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
        import numpy
        import onnxruntime

        self.numpy = numpy
        self.runtime = onnxruntime
        self.threads = threads
        self.provider = provider
        self.options = options or {}
        self.memory = memory
        self.has_graph = True
        self.sessions: dict[str, Any] = {}
        onnxruntime.set_default_logger_severity(3)
        known = onnxruntime.get_available_providers()
        if provider not in known:
            raise ValueError(f"onnxruntime here has no {provider}; it has {', '.join(known)}")
        # One pool for all sessions, as a process that runs one network has it. With a pool each,
        # their idle threads spin against each other: a campaign of 10 s took 370.
        self.shared_pool = threads > 1 and hasattr(onnxruntime, "set_global_thread_pool_sizes")
        if self.shared_pool:
            onnxruntime.set_global_thread_pool_sizes(threads, 1)

    def load(
        self,
        name: str,
        content: Any,
        size: int,
        shapes: dict[str, list[int]],
        warmup_s: float,
        describe: bool,
        energy_s: float = 0.0,
    ) -> dict[str, Any]:
        """Make a session of the next ``size`` bytes of ``content``, warm it up; says what it is."""
        # Through a file, piece by piece: memory that held the model and was freed again would
        # serve the session, and its peak would look smaller than it is.
        with tempfile.TemporaryDirectory(prefix="nas-loop-") as folder:
            path, optimised = Path(folder) / "model.onnx", Path(folder) / "optimised.onnx"
            _receive(content, size, path)
            _reset_memory_mark()
            before = _memory("VmRSS")
            wanted = str(optimised) if describe and self.has_graph else ""
            session = self._session(str(path), wanted)
            count = operators(optimised.read_bytes()) if optimised.exists() else {}
        self.sessions[name] = (session, self._bound(session, shapes))
        run = self._run(name)
        times = [run()]
        end = time.perf_counter() + warmup_s
        while len(times) < WARMUP_RUNS or time.perf_counter() < end:
            times.append(run())
        after = _memory("VmHWM")
        memory = None if before is None or after is None else max(0, after - before)
        # What an accelerator holds is not in the process's memory.
        here = self.memory is None and self.provider in ON_PROCESSOR
        memory = memory if here else None
        return {
            "loaded": name,
            "operators": count,
            "run_ms": min(times) * 1e3,
            "memory_bytes": memory,
            "energy_mj": self._energy_mj(run, energy_s) if energy_s > 0 else None,
        }

    def _energy_mj(self, run: Any, seconds: float) -> float | None:
        kind, number = self.memory or ("cpu", 0)
        if kind == "cuda":
            return energy_mj(run, max(seconds, CARD_S), lambda: _card_joules(number))
        if self.provider not in ON_PROCESSOR:
            return None
        return energy_mj(run, seconds, lambda: _joules(Path("/sys")))

    def _session(self, path: str, optimised: str) -> Any:
        options = self.runtime.SessionOptions()
        options.graph_optimization_level = self.runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.execution_mode = self.runtime.ExecutionMode.ORT_SEQUENTIAL
        if self.shared_pool:
            options.use_per_session_threads = False
        else:
            options.intra_op_num_threads = self.threads
            options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.optimized_model_filepath = optimised
        if self.provider != "CPUExecutionProvider":
            # What the provider does not take would run on the processor, unnoticed, and a
            # provider that does not start is left out with a warning.
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        try:
            session = self.runtime.InferenceSession(
                path, options, providers=[(self.provider, self.options)], enable_fallback=0
            )
        except Exception as error:
            if not optimised or "compiled nodes" not in str(error):
                raise
            # A provider that compiles what it runs leaves no graph to write.
            self.has_graph = False
            return self._session(path, "")
        if session.get_providers()[0] != self.provider:
            raise ValueError(f"{self.provider} does not start here; see what it needs")
        return session

    def _bound(self, session: Any, shapes: dict[str, list[int]]) -> Any:
        binding = session.io_binding()
        kind, number = self.memory or ("cpu", 0)
        random = self.numpy.random.default_rng(0)
        for value in session.get_inputs():
            shape = shapes.get(value.name) or [
                size if isinstance(size, int) and size > 0 else 1 for size in value.shape
            ]
            array = self._array(value.type, shape, random)
            binding.bind_ortvalue_input(
                value.name, self.runtime.OrtValue.ortvalue_from_numpy(array, kind, number)
            )
        for value in session.get_outputs():
            binding.bind_output(value.name, kind, number)
        return binding

    def _array(self, kind: str, shape: list[int], random: Any) -> Any:
        if kind in ("tensor(float)", "tensor(double)", "tensor(float16)"):
            name = {"tensor(float)": "float32", "tensor(double)": "float64"}.get(kind, "float16")
            return random.normal(size=shape).astype(name)
        if kind == "tensor(uint8)":
            return random.integers(0, 256, shape).astype("uint8")
        if kind in ("tensor(int8)", "tensor(int32)", "tensor(int64)", "tensor(bool)"):
            return self.numpy.zeros(shape, kind[7:-1])
        raise ValueError(f"inputs of type {kind} are not known to the timer")

    def _run(self, name: str) -> Any:
        session, binding = self.sessions[name]
        clock, call = time.perf_counter, session.run_with_iobinding

        def run() -> float:
            start = clock()
            call(binding)
            return clock() - start

        def run_elsewhere() -> float:
            # The call may come back while the device still works.
            start = clock()
            call(binding)
            binding.synchronize_outputs()
            return clock() - start

        return run if self.memory is None else run_elsewhere

    def visit(self, name: str, runs: int, visit_s: float) -> dict[str, Any]:
        """Times of ``runs`` runs, more if ``visit_s`` is not over by then, after an untimed one."""
        run = self._run(name)
        run()
        times: list[float] = []
        end = time.perf_counter() + visit_s
        while len(times) < runs or (time.perf_counter() < end and len(times) < MOST_RUNS):
            times.append(run())
        return {"sample": name, "ms": [round(seconds * 1e3, 6) for seconds in times]}


def _receive(content: Any, size: int, path: Path) -> None:
    try:
        with path.open("wb") as file:
            while size:
                piece = content.read(min(size, CHUNK))
                if not piece:
                    raise EOFError("the model was cut off")
                file.write(piece)
                size -= len(piece)
    except OSError as error:
        raise OSError(
            f"the model cannot be written to {path.parent} ({error.strerror}); make room there, or "
            "point TMPDIR elsewhere"
        ) from error


def serve(requests: Any, answers: Any) -> None:
    """Answer the requests of a binary stream until there are no more."""

    def answer(document: dict[str, Any]) -> None:
        answers.write(json.dumps(document) + "\n")
        answers.flush()

    try:
        settings = json.loads(requests.readline())
        if settings.get("about") == "machine":
            answer({"machine": machine(), "conditions": conditions()})
            return
        if settings.get("about") == "providers":
            answer({"machine": machine(), "providers": providers()})
            return
        timer = Timer(**settings)
        answer({"ready": True, "machine": machine()})
        for line in iter(requests.readline, b""):
            request = json.loads(line)
            if "load" in request:
                names = ("bytes", "shapes", "warmup_s", "describe", "energy_s")
                how = [request[key] for key in names]
                answer(timer.load(request["load"], requests, *how))
            else:
                for name in request["time"]:
                    answer(timer.visit(name, request["runs"], request["visit_s"]))
    except Exception as error:  # Whatever it is, the other side has to hear of it.
        with suppress(OSError):  # Unless there is none any more.
            answer({"error": f"{type(error).__name__}: {error}"})


def main() -> None:
    """Serve on the standard streams."""
    # Where Python looks for modules first: our file names there would hide others'.
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != here]
    # Ended from outside, it still leaves no files behind.
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: sys.exit(1))
    # Libraries that print must not be taken for answers: what they write goes to standard error.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
