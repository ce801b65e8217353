"""BigGAN-deep with DeepMind's weights: Brock et al. 2019, "Large Scale GAN Training for …", arXiv:1809.11096."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from gancli.data.spec import DataSpec
from gancli.families.high_fidelity.scaled import Scaled, check_truncation
from gancli.families.latents import SizeHParams
from gancli.hparams import hparam, whole_numbers
from gancli.nets.high_fidelity import biggan_deep
from gancli.nets.high_fidelity.resnet_gan import Numerics
from gancli.nets.layers import statistics
from gancli.system import dist


@dataclass(frozen=True, kw_only=True)
class DeepHParams(SizeHParams):
    """DeepMind's for ImageNet at 128 pixels, as Hugging Face converted them."""

    z_dim: int = 128
    embedding: int = hparam(128, "size of the class embedding that all layers share", min=1)
    channels: str = hparam(
        "2048,2048,2048,2048,1024,1024,512,512,256,256,128", "channels before the first block, and after each block"
    )
    doubling: str = hparam("2,4,6,8,10", "blocks that double the size, counted from 1")
    attention: int = hparam(8, "the block that self-attention follows, counted from 1; 0: none", min=0)
    eps: float = hparam(1e-4, "epsilon of the batch norms", min=0)
    rows: int = hparam(51, "truncations from 0 to 1 for which the file holds statistics", min=2, max=10_001)
    spare: int = hparam(125, "outputs of the last layer that are not used", min=0)


class TabulatedBigGANDeep(Scaled[DeepHParams]):
    """Each truncation has its own statistics of the batch norms, which DeepMind measured (appendix A)."""

    purpose = "DeepMind's BigGAN-deep"
    hparams = DeepHParams
    truncates_by = "latents of N(0, 1) within 2 that are scaled by T, and the batch norms' statistics for T"

    def __init__(self, hp: DeepHParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        doubling = whole_numbers(hp.doubling)
        sizes = pairwise(whole_numbers(hp.channels))
        blocks = [biggan_deep.Layer(i in doubling, a, b) for i, (a, b) in enumerate(sizes, 1)]
        codes = biggan_deep.WholeCodes(hp.z_dim, len(spec.classes), hp.embedding, len(blocks))
        numerics = Numerics(hp.eps, hp.eps)
        self.G = biggan_deep.generator(spec, blocks, codes, hp.attention, numerics, hp.spare)
        statistics.tabulate(self.G, hp.rows)

    def noise(self, n: int) -> Tensor:
        """Sample N(0, I) within 2, (n, z_dim), as at a truncation of 1."""
        return dist.rows(
            lambda rows: torch.nn.init.trunc_normal_(torch.empty(rows, self.hp.z_dim, device=self.device)), n
        )

    def prepared(self, truncation: float) -> dict[str, Tensor]:
        """Return the statistics for a truncation."""
        check_truncation(truncation)
        return {f"G.{name}": value for name, value in statistics.chosen(self.G, truncation).items()}
