"""One-way translators that keep content by a contrastive loss on patches: no cycle, no second generator."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from gancli.data.kinds.unpaired import Unpaired
from gancli.data.spec import DataSpec
from gancli.families.translators import QUICK_RESNET, ResnetHParams, Translator, halves
from gancli.families.unpaired import cut, translated
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.nets import resnet_translator
from gancli.nets.patchgan import PatchGAN
from gancli.ops import losses
from gancli.system import dist


@dataclass(frozen=True, kw_only=True)
class ContrastiveHParams(ResnetHParams):
    """Park et al. 2020, section 4, and the authors' code: 400 epochs of some 1,000 images."""

    kimg: float = 400.0
    antialias: bool = hparam(True, "blur before downsampling (G and D), interpolate for upsampling")
    nce: float = hparam(1.0, "weight of the contrastive patch loss, lambda_X in eq. 5", min=0)
    patches: int = hparam(256, "patches compared per layer of an image (section 3)", min=2)
    features: int = hparam(256, "size of a patch's feature after the two-layer head (section 3)", min=1)
    temperature: float = hparam(0.07, "temperature tau in eq. 2", min=0.001)


class Heads(nn.Module):
    """H_l: a two-layer network for each compared layer, with features of unit length."""

    def __init__(self, channels: list[int], features: int) -> None:
        super().__init__()
        self.nets = nn.ModuleList(
            nn.Sequential(nn.Linear(c, features), nn.ReLU(inplace=True), nn.Linear(features, features))
            for c in channels
        )
        self.apply(resnet_translator.initialise)

    def forward(self, layers: list[Tensor], places: list[Tensor]) -> list[Tensor]:
        """Return the features of layers (N, C, H, W) at positions (S,), each (N, S, F)."""
        rows = [layer.flatten(2)[:, :, place].transpose(1, 2) for layer, place in zip(layers, places)]
        return [F.normalize(net(row).float(), dim=2) for net, row in zip(self.nets, rows)]


class OneWay(Translator[ContrastiveHParams]):
    """G's own encoder gives the features of patches: a fake's patch must be most similar to its source (section 3)."""

    data = Unpaired
    directions = ("AB",)
    adversarial = losses.LEAST_SQUARES
    quick: ClassVar = QUICK_RESNET
    # without momentum: with it, fakes chase D from one colour to the next
    on_small: ClassVar = {
        "down": 1,
        "layers": 2,
        "lr": 5e-4,
        "beta1": 0.0,
        "beta2": 0.99,
        "patches": 64,
        "features": 64,
    }

    def __init__(self, hp: ContrastiveHParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.multiple = 1 << hp.down
        self.G = resnet_translator.ResnetTranslator(hp.width, hp.blocks, spec, down=hp.down, antialias=hp.antialias)
        self.D = PatchGAN(hp.width, hp.layers, spec, antialias=hp.antialias)
        looked_at = [hp.width << i for i in range(1, hp.down + 1)] + [hp.width << hp.down] * min(-(-hp.blocks // 2), 2)
        self.F = Heads([spec.channels, *looked_at], hp.features)
        self.apply(resnet_translator.initialise_xavier)

    def players(self) -> Mapping[str, Optimizer]:
        """Return the optimisers; the heads are trained with G, at the same learning rate."""
        return {"D": self.adam(self.D), "G": self.adam(self.G, self.F)}

    def play(self, batch: Unpaired, clock: Clock) -> Iterator[Turn]:
        """Play D, then G and F, on one fake."""
        del clock
        a, b = cut(batch, self.hp)
        drawn = self.draw(a, b)
        fake = drawn["fake"]
        yield Turn("D", {"adversarial": self.adversarial.d(*halves(self.D, b, fake.detach()))})
        adversarial = 2 * self.adversarial.g(self.D(fake))  # the authors' G has no half
        yield Turn("G", {"adversarial": adversarial} | self.content_terms(a, b, drawn))

    def draw(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        """Generate the fake, and what else the content terms need."""
        del b
        return {"fake": self.G(a).float()}

    def content_terms(self, a: Tensor, b: Tensor, drawn: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the loss terms that keep the content."""
        raise NotImplementedError

    def nce(self, source: Tensor, query: list[Tensor]) -> Tensor:
        """Return the loss of matching patches of `query`, features of a translation, to its source's (eq. 4)."""
        key = self.G.encoder.features(source)
        sizes = [layer.shape[2] * layer.shape[3] for layer in key]
        drawn = [dist.common(lambda size=size: torch.randperm(size, device=source.device)) for size in sizes]
        places = [place[: self.hp.patches] for place in drawn]
        keys = [k.detach() for k in self.F(key, places)]
        found = [losses.patch_nce(q, k, self.hp.temperature) for q, k in zip(self.F(query, places), keys)]
        return torch.stack(found).mean()

    def translate(self, image: Tensor, direction: str = "AB") -> Tensor:
        """Translate images with G."""
        del direction
        return self.G(image).float()

    def fakes(self, batch: Unpaired) -> Tensor:
        """Translate A's images."""
        return self.translate(batch.a)

    def panels(self, batch: Unpaired) -> list[Tensor]:
        """Return A, and A translated to B."""
        return [batch.a, self.fakes(batch)]

    def panel_names(self) -> tuple[str, ...]:
        """Name the rows of a panel."""
        return translated(self.spec.domains)[:2]
