"""DiscoGAN's translators: Kim et al. 2017, arXiv:1703.05192, section 3.1 and the authors' code."""

from torch import Tensor, nn

from gancli.data.spec import DataSpec
from gancli.nets import dcgan
from gancli.nets.layers.norms import BatchNorm2d

CODE = 100  # channels where the image is smallest


class Bottleneck(nn.Module):
    """Down to one pixel of 100 channels and up again, nothing handed over; (N, C, H, W) in [-1, 1] both sides."""

    def __init__(self, width: int, spec: DataSpec) -> None:
        super().__init__()
        judge = dcgan.Discriminator(width, spec)
        kernel = judge.head.kernel_size
        self.encode = nn.Sequential(
            judge.trunk,
            nn.Conv2d(judge.head.in_channels, CODE, (kernel[0], kernel[1]), bias=False),
            BatchNorm2d(CODE),
            nn.LeakyReLU(0.2, inplace=True),
        ).apply(dcgan.initialise)
        self.decode = dcgan.Generator(CODE, width, spec).net

    def forward(self, x: Tensor) -> Tensor:
        """Translate."""
        return self.decode(self.encode(x))
