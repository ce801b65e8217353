"""pix2pixHD's local enhancer: Wang et al. 2018, "High-Resolution Image Synthesis with GANs", arXiv:1711.11585, 3.1.

Its global generator is `resnet_translator`'s with more halvings: Encoder(inputs, 64, 9, down=4) and Decoder(3, 64).
"""

from torch import Tensor, nn
from torch.nn import functional as F

from gancli.nets.resnet_translator import Decoder, Encoder


class GlobalNet(nn.Module):
    """Maps of labels (N, inputs, H, W) to images (N, 3, H, W) in [-1, 1]; sides are multiples of 2^down."""

    def __init__(self, inputs: int, width: int = 64, blocks: int = 9, down: int = 4, channels: int = 3) -> None:
        super().__init__()
        self.encoder = Encoder(inputs, width, blocks, down=down)
        self.decoder = Decoder(channels, width, down=down)

    def forward(self, x: Tensor) -> Tensor:
        """Generate images."""
        return self.decoder(self.encoder(x))

    def features(self, x: Tensor) -> Tensor:
        """Return what the last layer sees, (N, width, H, W)."""
        x = self.encoder(x)
        for layer in (*self.decoder.blocks, *self.decoder.up):
            x = layer(x)
        return x


class LocalNet(nn.Module):
    """The same at twice the size: the global generator's features at half of it are added to those of the halved image.

    Sides are multiples of 2^(down + 1).
    """

    def __init__(
        self, inputs: int, width: int = 32, blocks: int = 9, down: int = 4, local: int = 3, channels: int = 3
    ) -> None:
        super().__init__()
        self.coarse = GlobalNet(inputs, 2 * width, blocks, down)
        del self.coarse.decoder.head  # its image is not used
        self.encoder = Encoder(inputs, width, 0, down=1)
        self.decoder = Decoder(channels, width, local, down=1)

    def forward(self, x: Tensor) -> Tensor:
        """Generate images."""
        half = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
        return self.decoder(self.encoder(x) + self.coarse.features(half))
