"""What fine-tuning brought: accuracies with inherited weights and with a subnet's own."""

from __future__ import annotations

from nas.report.data import ReportData, TunedSubnet
from nas.report.draw.markup import Html, el
from nas.report.draw.numbers import fixed
from nas.report.sections.common import section, table

__all__ = ["finetuned"]

HEADER = (
    "folder",
    "validation, inherited, %",
    "validation, fine-tuned, %",
    "test, inherited, %",
    "test, fine-tuned, %",
    "test gain, points",
)


def finetuned(data: ReportData) -> Html | None:
    """The table of all fine-tuned subnets; nothing if there are none."""
    if data.tuned is None:
        return None
    return section(
        "finetuned",
        "Fine-tuned subnets",
        table(
            f"Top-1 accuracy on held-out images and on {data.tuned.images:,} test images",
            HEADER,
            [_row(one) for one in data.tuned.subnets],
        ),
        el(
            "p",
            "Each is in a folder of its own in ",
            el("code", "finetuned/"),
            ". The network of the other parts of this page has inherited weights.",
            class_="small",
        ),
    )


def _row(one: TunedSubnet) -> tuple[str, ...]:
    accuracies = (one.val_inherited, one.val_finetuned, one.test_inherited, one.test_finetuned)
    gain = f"{one.test_finetuned - one.test_inherited:+.2f}"
    return (one.folder, *(fixed(value) for value in accuracies), gain)
