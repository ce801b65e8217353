"""Two networks that share most of their layers: Liu and Tuzel 2016, arXiv:1606.07536, section 3, on DCGAN's."""

from torch import Tensor, nn

from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.nets import dcgan
from gancli.nets.layers.norms import LayerNorm2d

LAYER = 3  # modules of an inner layer: convolution, norm, activation
OUTER = 2  # of the one next to the image


def _own(layers: int, spec: DataSpec) -> int:
    """Count the modules that a domain has of its own; raises UserError when there are not so many layers."""
    most = dcgan.stages(spec) + 1
    if layers > most:
        raise UserError(f"--own-layers {layers}: these networks have {most} at {spec.width}x{spec.height}")
    return OUTER + LAYER * (layers - 1)


class Generators(nn.Module):
    """Latents (N, Z) -> images of both domains: the first layers, which decide what it is, are the same."""

    def __init__(self, z_dim: int, width: int, own: int, spec: DataSpec) -> None:
        super().__init__()
        one, other = (dcgan.Generator(z_dim, width, spec).net for _ in "ab")
        cut = len(one) - _own(own, spec)
        self.shared, self.a, self.b = one[:cut], one[cut:], other[cut:]

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Draw a pair."""
        common = self.shared(z[:, :, None, None])
        return self.a(common), self.b(common)


class Discriminators(nn.Module):
    """Images of both domains -> logits (N,) of each: the last layers, which judge what it is, are the same."""

    def __init__(self, width: int, own: int, spec: DataSpec) -> None:
        super().__init__()
        # layer norm: with a batch norm, which fakes and two domains would each shift their way, D soon wins outright
        one, other = (dcgan.Discriminator(width, spec, LayerNorm2d) for _ in "ab")
        layers, others = nn.Sequential(*one.trunk, one.head), nn.Sequential(*other.trunk, other.head)
        cut = _own(own, spec) if own <= dcgan.stages(spec) else len(layers)
        self.a, self.b, self.shared = layers[:cut], others[:cut], layers[cut:]

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Judge images."""
        return self.shared(self.a(a)).flatten(), self.shared(self.b(b)).flatten()
