"""Execution providers of ONNX Runtime by the names that devices have, and what each is asked for.

This is the one table from a device's name to a provider. A provider that it does not hold goes by
its own name in small letters (``VitisAIExecutionProvider`` is ``vitisai``), without options.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

SUFFIX = "ExecutionProvider"


@dataclass(frozen=True)
class Provider:
    """A provider as a session is asked for it.

    ``memory`` is where inputs and outputs are bound, device type and number; None for the
    machine's own memory. Then, on an accelerator, the copies there and back are part of the time.
    """

    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    memory: tuple[str, int] | None = None


def _cuda(number: int, threads: int) -> Provider:
    # The search that a session makes by itself, said so that no later default changes a table.
    options = {"device_id": str(number), "cudnn_conv_algo_search": "EXHAUSTIVE"}
    return Provider("CUDAExecutionProvider", options, ("cuda", number))


def _tensorrt(number: int, threads: int) -> Provider:
    # Half precision would be another table; a cached engine could be of another day's timing.
    options = {
        "device_id": str(number),
        "trt_fp16_enable": "0",
        "trt_int8_enable": "0",
        "trt_engine_cache_enable": "0",
    }
    return Provider("TensorrtExecutionProvider", options, ("cuda", number))


def _openvino(number: int, threads: int) -> Provider:
    # It has threads of its own. Without FP32 a processor with bfloat16 units may use those.
    options = {"device_type": "CPU", "num_of_threads": str(threads), "precision": "FP32"}
    return Provider("OpenVINOExecutionProvider", options)


def _xnnpack(number: int, threads: int) -> Provider:
    return Provider("XnnpackExecutionProvider", {"intra_op_num_threads": str(threads)})


def _of_that_name(name: str) -> Callable[[int, int], Provider]:
    return lambda number, threads: Provider(name)


def _numbered(name: str) -> Callable[[int, int], Provider]:
    return lambda number, threads: Provider(name, {"device_id": str(number)})


PROVIDERS: Mapping[str, Callable[[int, int], Provider]] = {
    "cpu": _of_that_name("CPUExecutionProvider"),
    "cuda": _cuda,
    "tensorrt": _tensorrt,
    "openvino": _openvino,
    "xnnpack": _xnnpack,
    "directml": _numbered("DmlExecutionProvider"),
    "migraphx": _numbered("MIGraphXExecutionProvider"),
    "rocm": _numbered("ROCMExecutionProvider"),
}
# These may be several on a machine: ``cuda:0``, ``cuda:1``.
NUMBERED = ("cuda", "tensorrt", "directml", "migraphx", "rocm")


def short_name(provider: str) -> str:
    """The name of a device with ONNX Runtime's provider: ``openvino``, ``cuda``."""
    known = {make(0, 1).name: short for short, make in PROVIDERS.items()}
    return known.get(provider, provider.removesuffix(SUFFIX).lower())


def find(name: str, threads: int, installed: Iterable[str]) -> Provider | None:
    """The provider of a device's name (``cuda:0``), None if it is not among the ``installed``."""
    short, colon, digits = name.partition(":")
    if colon and (short not in NUMBERED or not digits.isdecimal()):
        return None
    for provider in installed:
        if short_name(provider) == short:
            make = PROVIDERS.get(short, _of_that_name(provider))
            return make(int(digits or 0), threads)
    return None
