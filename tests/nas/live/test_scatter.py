"""Pictures of text, dot by dot."""

from __future__ import annotations

import numpy as np

from nas.live.scatter import scatter, sparkline


def test_dots_stand_where_points_are() -> None:
    # 2 by 2 characters of 2 x 4 dots: the corners, and one dot from the lower left to the right.
    points = np.array([[0.0, 0.0], [3.0, 7.0], [1.0, 0.0]])
    lines = scatter(points, ("ms", "error"), 2, 2, plain=False)
    assert lines == [
        "  error",
        "7 │⠀⠈",  # The dot in the first row and second column, U+2808.
        "0 │⣀⠀",  # Both dots of the last row, U+28C0.
        "  └──",
        "   0ms3",
    ]


def test_asterisks_where_nothing_else_is_known() -> None:
    points = np.array([[0.0, 5.0], [10.0, 5.0], [5.0, 25.0]])
    lines = scatter(points, ("ms", "error"), 11, 3, plain=True)
    assert lines == [
        "   error",
        "25 |     *     ",
        "   |           ",
        " 5 |*         *",
        "   +-----------",
        "    0   ms   10",
    ]
    assert all(line.isascii() for line in lines)


def test_a_front_of_one_network_stands_in_the_middle() -> None:
    plain = scatter(np.array([[2.0, 3.0]]), ("ms", "error"), 5, 3, plain=True)
    assert plain[2] == "  |  *  " and plain[1] == "3 |     "


def test_every_point_has_a_dot() -> None:
    rng = np.random.default_rng(0)
    points = rng.permutation(40)[:, None] * np.array([[1.0, 2.0]])
    lines = scatter(points, ("x", "y"), 20, 10, plain=False)[1:-2]
    dots = [bin(ord(c) - 0x2800).count("1") for line in lines for c in line.partition("│")[2]]
    assert sum(dots) == 40, "a diagonal of 40 by 40 dots"


def test_sparklines() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([5.0]) == "▁" and sparkline([3, 3]) == "▁▁"
    assert sparkline(range(100), width=2) == "▁█"
