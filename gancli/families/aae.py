"""Adversarial autoencoders, whose codes are trained to follow a prior: Makhzani et al. 2015, arXiv:1511.05644."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gancli.data.spec import DataSpec
from gancli.families.codes import Coded, H
from gancli.gan import Clock, Turn
from gancli.nets import mlp
from gancli.ops import losses


class Regularised(Coded[H]):
    """E encodes an image to a style z and, in some variants, a category y; discriminators see only these codes."""

    adversarial = losses.NONSATURATING

    def __init__(self, hp: H, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.D = nn.ModuleDict({"style": mlp.CodeDiscriminator(hp.z_dim, hp.hidden)})
        if self.categories:
            self.D["category"] = mlp.CodeDiscriminator(self.categories, hp.hidden)

    def players(self) -> Mapping[str, Optimizer]:
        """Return the optimisers: E has two, one with G for reconstruction, one against D for the code."""
        return {"G": self.adam(self.G, self.E), "D": self.adam(self.D), "E": self.adam(self.E)}

    def play(self, batch: Any, clock: Clock) -> Iterator[Turn]:
        """Play the reconstruction phase, then the regularisation phase: D, and E as its generator (section 2)."""
        del clock
        error = (self.generate(self.encode(batch.image)) - batch.image).square().mean()
        yield Turn("G", {"reconstruction": error})
        with torch.no_grad():
            code = self.encode(batch.image)
        drawn, read = self.judged(self.prior(len(batch))), self.judged(code)
        yield Turn("D", {name: self.adversarial.d(drawn[name], read[name]) for name in drawn})
        read = self.judged(self.encode(batch.image))
        yield Turn("E", {name: self.adversarial.g(logits) for name, logits in read.items()})

    def judged(self, code: Tensor) -> dict[str, Tensor]:
        """Return the logits of every discriminator, by name."""
        parts = code.tensor_split([self.hp.z_dim], 1)
        return {name: network(part) for (name, network), part in zip(self.D.items(), parts)}

    def read(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Encode images to the style (N, Z) and the logits of the category (N, K)."""
        style, logits = self.E(image).float().tensor_split([self.hp.z_dim], 1)
        return style, logits

    def encode(self, image: Tensor) -> Tensor:
        """Encode images: the style, and the probability of each category (section 5)."""
        style, logits = self.read(image)
        return torch.cat([style, logits.softmax(1)], 1)
