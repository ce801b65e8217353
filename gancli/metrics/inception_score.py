"""Scores from an extractor's class predictions (N, K): confident for each image, varied over all images."""

import numpy as np
import torch
from torch import Tensor

SPLITS, SEED = 10, 2020  # of torch-fidelity


def inception_score(logits: Tensor, splits: int = SPLITS, seed: int = SEED) -> tuple[float, float]:
    """Return mean and deviation over splits of exp E KL(p(y|x) || p(y)) (Salimans et al. 2016, arXiv:1606.03498).

    Images are assigned to splits by torch-fidelity's permutation; there are at most as many splits as images.
    """
    order = np.random.RandomState(seed).permutation(len(logits))
    parts = logits.double()[torch.from_numpy(order)].log_softmax(1).tensor_split(_bounds(len(logits), splits))
    scores = torch.stack([_divergence(part, _marginal(part)).exp() for part in parts])
    return float(scores.mean()), float(scores.std(correction=0))


def _bounds(n: int, splits: int) -> list[int]:
    splits = min(splits, n)
    return [i * n // splits for i in range(1, splits)]


def mode_score(fake: Tensor, real: Tensor) -> float:
    """Return exp(E KL(p(y|x) || p(y)) - KL(p(y) || p*(y))), p* of real images (Xu et al. 2018, arXiv:1806.07755).

    This is eq. 2. Che et al. 2017 take the first term against p*, giving the Inception Score for any real images.
    """
    log_fake = fake.double().log_softmax(1)
    marginal = _marginal(log_fake)
    against_real = _divergence(marginal[None], _marginal(real.double().log_softmax(1)))
    return float((_divergence(log_fake, marginal) - against_real).exp())


def _marginal(log_p: Tensor) -> Tensor:
    return log_p.exp().mean(0).log()


def _divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return the mean over rows of KL(p || q)."""
    p = log_p.exp()
    return (p * (log_p - log_q)).where(p > 0, 0).sum(1).mean()  # 0 log 0 = 0
