"""Scores are kept by users under a formula's version: it is raised when scores become others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from predictors import proxies
from predictors.proxies import ProxyError
from tests.conformance.test_proxy import Transformer, batch
from tests.search_spaces.networks import resnet

FILE = Path(__file__).with_name("formulas.json")


def found(name: str) -> list[float]:
    """Scores of a residual network and, where it has to be, of one with tokens."""
    torch.manual_seed(7)
    networks = [Transformer()] if name == "w_pca" else [resnet(), Transformer()]
    return [proxies.score(network, batch(), (name,))[name] for network in networks]


@pytest.mark.parametrize("name", proxies.names())
def test_a_score_that_changes_is_of_another_version(name: str) -> None:
    (formula,) = proxies.formulas([name])
    kept = json.loads(FILE.read_text())
    assert formula in kept, (
        f"record {formula} with python -m tests.predictors.proxies.test_formulas"
    )
    assert found(name) == pytest.approx(kept[formula], rel=0.01, abs=1e-6), (
        f"{name} scores otherwise than {formula} did: raise the version of its Proxy, so that "
        "nobody mixes the two, and record the new one"
    )


def test_formulas_of_no_proxy_are_refused() -> None:
    with pytest.raises(ProxyError, match="did you mean 'naswot'"):
        proxies.formulas(["nasswot"])


if __name__ == "__main__":
    known = json.loads(FILE.read_text()) if FILE.is_file() else {}
    for name in proxies.names():
        known.setdefault(*proxies.formulas([name]), found(name))
    FILE.write_text(json.dumps(known, indent=1) + "\n")
