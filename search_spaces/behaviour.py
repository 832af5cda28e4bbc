"""Networks named by what they do: those that answer alike have one name.

Gillard et al., "Unified Functional Hashing in Automatic Machine Learning" (2023). A graph's digest
cannot see that a layer does nothing or that two layers undo each other; answers to fixed inputs
can. Where such networks are common and an evaluation is dear, one of them is evaluated for all.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from search_spaces.space import Population
from search_spaces.supernet import Supernet

# Answers that agree in so many binary digits are equal: far more than a float's rounding undoes,
# far fewer than two networks that differ could share on all inputs.
DIGITS = 12


class Behaviour:
    """Names of subnets of ``supernet`` with the weights that it has.

    Of a supernet that is not trained, it says what networks do by their structure; of a trained
    one, what its weights do as well, such as a block that was pruned to nothing.
    """

    def __init__(self, supernet: Supernet, images: int = 4, seed: int = 0) -> None:
        """``images``: how many inputs of normal noise, drawn from ``seed``, are answered."""
        self._supernet = supernet
        self._images = images
        self._seed = seed

    def __call__(self, X: Population) -> list[str]:
        """A name for every row [n, choices]; equal names answer alike."""
        training = self._supernet.training
        self._supernet.eval()
        try:
            with torch.inference_mode():
                return [self._name(row) for row in X]
        finally:
            self._supernet.train(training)

    def _name(self, row: Population) -> str:
        architecture = self._supernet.space.decode(row)
        shape = self._supernet.plan(architecture).image.shape
        generator = torch.Generator().manual_seed(self._seed)
        noise = torch.randn((self._images, *shape), generator=generator)
        parameter = next(self._supernet.parameters())
        answers = self._supernet(noise.to(parameter.device, parameter.dtype), architecture)
        return hashlib.sha256(_rounded(answers).numpy().tobytes()).hexdigest()


def _rounded(answers: Tensor) -> Tensor:
    """To ``DIGITS`` binary digits of the largest answer, so that the order of sums is forgotten."""
    answers = answers.double().cpu()
    largest = answers.abs().max()
    _, exponent = torch.frexp(largest)
    # -0.0 and 0.0 are one number and two patterns of bits.
    return torch.round(torch.ldexp(answers, DIGITS - exponent)) + 0.0
