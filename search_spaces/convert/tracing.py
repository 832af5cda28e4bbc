"""From a PyTorch module to a graph of layers: torch.fx says what is called, a run what shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from search_spaces.convert.functions import JOINS, called
from search_spaces.convert.graph import IMAGE, Layer
from search_spaces.convert.modules import Found, Shape, found, normalises_and_acts
from search_spaces.convert.refusal import WAY_OUT, RefusedError
from search_spaces.errors import SpaceError

BATCH = 2
"""More than one image, so that a layer which mixes them is seen."""


class _Tracer(fx.Tracer):
    """Remembers in which module tracing failed; batch norms of timm are leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.failed = ""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return normalises_and_acts(m) or super().is_leaf_module(m, module_qualified_name)

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        try:
            return super().call_module(m, forward, args, kwargs)
        except Exception:
            self.failed = self.failed or self.path_of_module(m)
            raise


class _Shapes(fx.Interpreter):
    """Runs a graph and keeps the shape of every tensor, without the batch."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.shapes: dict[fx.Node, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, Tensor):
            self.shapes[n] = tuple(value.shape)
        return value


def traced(module: nn.Module, image: Shape) -> tuple[list[Layer], str]:
    """The layers of ``module`` (in evaluation) on images [C, H, W], and the name of the last.

    Raises ``SpaceError`` that names a layer which cannot be converted, and why.
    """
    tracer = _Tracer()
    try:
        graph = tracer.trace(module)
    except Exception as error:
        where = f"module {tracer.failed!r}" if tracer.failed else "the network's own forward"
        raise SpaceError(
            f"{where}: torch.fx cannot trace it ({_line(error)}); what forward does may depend on "
            "settings of the module, not on data: rewrite it, or convert the part that does not"
        ) from error
    shapes = _Shapes(fx.GraphModule(module, graph))
    try:
        with torch.no_grad():
            shapes.run(torch.zeros(BATCH, *image))
    except Exception as error:
        raise SpaceError(
            f"the network cannot run images of {tuple(image)} ({_line(error)}); pass channels and "
            "resolutions that it takes"
        ) from error
    return _Reader(module, shapes.shapes).read(graph)


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"


class _Reader:
    """Makes a layer of every node of a graph."""

    def __init__(self, module: nn.Module, shapes: dict[fx.Node, tuple[int, ...]]) -> None:
        self.modules = dict(module.named_modules())
        self.shapes = shapes
        self.layers: list[Layer] = []
        self.stands: dict[fx.Node, str] = {}
        self.joined: dict[tuple[str, ...], str] = {}
        self.calls: Counter[str] = Counter()

    def read(self, graph: fx.Graph) -> tuple[list[Layer], str]:
        images = [node for node in graph.nodes if node.op == "placeholder" and node.users]
        if len(images) != 1:
            raise SpaceError(f"a network takes images alone; this one takes {len(images)} inputs")
        for node in graph.nodes:
            if node.op == "placeholder":
                self.stands[node] = IMAGE
            elif node.op == "output":
                return self.layers, self._output(node)
            elif node in self.shapes and node.op != "get_attr":
                name = self._name(node)
                try:
                    self._read(node, name)
                except RefusedError as refusal:
                    raise SpaceError(
                        f"layer {name!r} cannot be converted: {refusal.reason}; {refusal.way_out}"
                    ) from refusal
        raise AssertionError("a graph of torch.fx ends with an output")

    def _output(self, node: fx.Node) -> str:
        result = node.args[0]
        if not isinstance(result, fx.Node) or len(self.shapes.get(result, ())) != 2:
            raise SpaceError(
                "a network ends with one tensor of logits [N, classes]; convert the part up to it"
            )
        return self.stands[result]

    def _name(self, node: fx.Node) -> str:
        if node.op == "call_module" and str(node.target) not in self.calls:
            return str(node.target)
        # A call belongs to the module whose forward makes it.
        stack = list((node.meta.get("nn_module_stack") or {}).values())
        path = stack[-1][0] if stack and node.op != "call_module" else ""
        name = getattr(node.target, "__name__", str(node.target)).strip("_")
        base = f"{path}.{name}" if path else name
        taken = {layer.name for layer in self.layers} | {IMAGE}
        plain = [base, *(f"{base}_{number}" for number in range(1, len(taken) + 1))]
        return next(name for name in plain if name not in taken)

    def _read(self, node: fx.Node, name: str) -> None:
        inputs = [n for n in node.all_input_nodes if n in self.shapes]
        for source in inputs:
            if source not in self.stands:
                raise RefusedError(
                    f"it takes the tensor {source.target!s} of the module itself", WAY_OUT
                )
        if any(self.shapes[n][0] != BATCH for n in (*inputs, node)):
            raise RefusedError("it mixes the images of a batch")
        if node.op == "call_module":
            what = self._module(node, inputs)
        else:
            args = {str(i): value for i, value in enumerate(node.args)} | dict(node.kwargs)
            shapes = [self._shape(n) for n in self._operands(node)]
            what = called(node.target, args, shapes, self._shape(node))
        operands = self._operands(node)
        sources = tuple(self.stands[n] for n in operands)
        if what.kind == "identity":
            self.stands[node] = sources[0]
        elif what.kind == "concat":
            self.stands[node] = self._join(name, sources)
        else:
            if what.kind == "multiply" and self._shape(operands[0])[1:] == (1, 1):
                sources = sources[::-1]
            self._add(node, name, what, sources)

    def _module(self, node: fx.Node, inputs: list[fx.Node]) -> Found:
        path = str(node.target)
        module = self.modules[path]
        self.calls[path] += 1
        if self.calls[path] > 1 and any(True for _ in module.parameters()):
            raise RefusedError(
                f"it is called a second time; weights of {path!r} cannot stand in two places",
                "copy the module for the second place",
            )
        if len(inputs) != 1 or len(node.all_input_nodes) != 1:
            raise RefusedError(f"{type(module).__name__} takes {len(inputs)} tensors")
        return found(module, self._shape(inputs[0]))

    def _operands(self, node: fx.Node) -> list[fx.Node]:
        # Unlike `all_input_nodes` with repetitions: x + x has two.
        if node.target in JOINS:
            tensors = node.args[0] if node.args else node.kwargs["tensors"]
            return [n for n in tensors if isinstance(n, fx.Node)]  # type: ignore[union-attr]
        values = (*node.args, *node.kwargs.values())
        return [n for n in values if isinstance(n, fx.Node) and n in self.shapes]

    def _shape(self, node: fx.Node) -> Shape:
        return self.shapes[node][1:]

    def _add(self, node: fx.Node, name: str, what: Found, sources: tuple[str, ...]) -> None:
        layer = Layer(name, what.kind, sources, what.attributes, what.tensors)
        self.stands[node] = name
        if what.kind == "norm" and "act" in what.attributes:
            # timm's norm with an activation is two layers, so that the norm joins its convolution.
            attributes = dict(what.attributes)
            behind = {"act": attributes.pop("act")}
            self.layers.append(replace(layer, attributes=attributes))
            layer = Layer(f"{name}.act", "activation", (name,), behind)
            self.stands[node] = layer.name
        self.layers.append(layer)

    def _join(self, name: str, sources: tuple[str, ...]) -> str:
        """Two at a time, each beginning of a list once: dense blocks put the same ones first."""
        if len(sources) == 1:
            return sources[0]
        before = sources[0]
        for count in range(2, len(sources) + 1):
            prefix = sources[:count]
            if prefix not in self.joined:
                own = name if count == len(sources) else f"{name}.{count}"
                self.layers.append(Layer(own, "concat", (before, prefix[-1])))
                self.joined[prefix] = own
            before = self.joined[prefix]
        return before
