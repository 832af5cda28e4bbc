"""``nas-bench-macro``: the 6,561 networks of a benchmark that trained every one of them.

Su et al., "Prioritized Architecture Sampling with Monto-Carlo Tree Search" (CVPR 2021), section 4:
eight layers, each an identity or one of two MBConvs, for 32x32 images. The benchmark names a
network by its options, one digit a layer: "01201212". What it calls FLOPs are our MACs, one for
one: norms, additions and pooling count nothing in either.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from search_spaces.choices import layer, path
from search_spaces.errors import SpaceError
from search_spaces.net import Net
from search_spaces.space import Population, Space
from search_spaces.specs import Classifier, Conv, MBConv

NAME: Final = "nas-bench-macro"

# Output channels and stride of every layer.
LAYERS: Final = (
    (64, 2),
    (64, 1),
    (128, 2),
    (128, 1),
    (128, 1),
    (256, 2),
    (256, 1),
    (256, 1),
)
OPTIONS: Final = ("identity", "mb_e3_k3", "mb_e6_k5")
IDENTITY: Final = 0

# Layers in a row that keep the shape: an identity among them is no layer at all, so that only the
# order of the others counts.
COMMUTING: Final = (slice(3, 5), slice(6, 8))
# Layers 0, 1, 2 and 5 stand alone; a pair has none, one, or two layers of two kinds.
SIZE: Final = 3**4 * (1 + 2 + 4) ** 2


def nas_bench_macro(num_classes: int = 10, resolution: int = 32) -> Space:
    """The space; the benchmark itself has 10 classes and images of 32x32 pixels.

    Raises:
        SpaceError: fewer than 2 classes, or a resolution below 8.
    """
    if num_classes < 2:
        raise SpaceError(f"num_classes is 2 or more; got {num_classes}")
    if resolution < 8:
        raise SpaceError(f"resolution is 8 or more; got {resolution}")
    net = Net(image=(3, resolution))
    net("stem", Conv, out=32, kernel=3, act="relu")
    for i, (out, stride) in enumerate(LAYERS):
        reshapes = i == 0 or (out, stride) != (LAYERS[i - 1][0], 1)
        options = (
            layer(Conv, out=out, kernel=1, stride=stride, act="none") if reshapes else None,
            layer(MBConv, out=out, expand=3, kernel=3, stride=stride, act="relu"),
            layer(MBConv, out=out, expand=6, kernel=5, stride=stride, act="relu"),
        )
        net(f"l{i}", path(**dict(zip(OPTIONS, options, strict=True))))
    net("head", Conv, out=1280, kernel=1, act="relu")
    net("classifier", Classifier, classes=num_classes)
    return Space(net, NAME, rows_are_exact=True, canonical=identities_last, size=SIZE)


def identities_last(space: Space, rows: Population) -> Population:
    """Rows [n, 8] with the identities of a stage behind its other layers, whose order is kept."""
    ordered = rows.copy()
    for stage in COMMUTING:
        order = np.argsort(rows[:, stage] == IDENTITY, axis=1, kind="stable")
        ordered[:, stage] = np.take_along_axis(rows[:, stage], order, axis=1)
    return ordered


def genotypes(X: npt.ArrayLike) -> list[str]:
    """The benchmark's names of rows [n, 8], canonical or not.

    Raises:
        SpaceError: rows of something else.
    """
    rows = np.atleast_2d(np.asarray(X))
    if rows.dtype.kind not in "iu" or rows.shape[1:] != (len(LAYERS),):
        raise SpaceError(
            f"rows of {NAME} are integers [n, {len(LAYERS)}]; got {rows.dtype} {rows.shape}"
        )
    bad = rows[(rows < 0) | (rows >= len(OPTIONS))]
    if len(bad):
        raise SpaceError(f"options of {NAME} are 0 to {len(OPTIONS) - 1}; got {bad[0]}")
    return ["".join(map(str, row)) for row in rows.tolist()]


def rows_of(names: Iterable[str]) -> Population:
    """Rows [n, 8] of the benchmark's names, as they are; the inverse of ``genotypes``.

    Raises:
        SpaceError: a name that is not eight digits from 0 to 2.
    """
    names = list(names)
    for name in names:
        if len(name) != len(LAYERS) or set(name) - set("012"):
            raise SpaceError(
                f"a genotype of {NAME} is {len(LAYERS)} digits from 0 to 2, such as '01201212'; "
                f"got {name!r}"
            )
    return np.array([list(name) for name in names], dtype=np.int64).reshape(-1, len(LAYERS))
