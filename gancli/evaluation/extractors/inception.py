"""A fast version of the FID paper's Inception as torch-fidelity defines it, for FID, IS, KID and similar scores.

Weights and results are torch-fidelity's, which tests compare; the network is in `inception_network.py`. Memory layout
is channels last, and TensorFlow 1's resize runs along rows and then columns, which is bit-equal and cheaper.
"""

from pathlib import Path

import torch
from torch import Tensor

from gancli.evaluation.extractors import weights
from gancli.evaluation.extractors.inception_network import Network

SIDE = 299
CPU_BATCH, GPU_BATCH = 8, 64  # on a CPU, small batches stay in its caches
FILE = "weights-inception-2015-12-05-6726825d.pth"  # the digits are the start of its sha256
URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE}"


class Inception:
    """torch-fidelity's inception-v3-compat: 2048 features and 1008 logits without bias."""

    name = "inception-v3-compat"
    inception = True
    resize = "TensorFlow 1 bilinear to 299x299"

    def __init__(self, file: Path | None, device: torch.device, *, fast: bool = False) -> None:
        path = file or weights.fetch_weights(FILE, URL, option="--weights")
        self.weights = weights.fingerprint(path)
        self.official = FILE.endswith(f"-{self.weights[:8]}.pth")
        self.precision = "bf16" if fast else "fp32"
        self.batch = CPU_BATCH if device.type == "cpu" else GPU_BATCH
        self._device = device
        network = _network(weights.load(path, "torch-fidelity's Inception"), path)
        self._network = network.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, 2048) and logits (N, 1008) of uint8 images (N, 3, H, W)."""
        x = (resized(images.to(self._device)) - 128) / 128
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            features = self._network(x).float()
        return features, features @ self._network.fc.weight.T


def _network(state: dict[str, Tensor], path: Path) -> Network:
    with torch.device("meta"):  # so that no weight is initialised or copied
        network = Network()
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise weights.unfit(path, "torch-fidelity's Inception", error) from None
    del state  # so that each weight is freed as soon as it is fused
    network.eval().requires_grad_(False).fuse()
    return network


def resized(images: Tensor, side: int = SIDE) -> Tensor:
    """Resize uint8 images (N, C, H, W) as TensorFlow 1 did, to float32 in [0, 255], bit-equal to torch-fidelity.

    It neither aligns corners nor antialiases; later versions do, and give another FID.
    """
    x = images.float()
    for dim in (3, 2):
        low, high, share = _taps(x.shape[dim], side, x.device)
        before = x.index_select(dim, low)
        x = before + (x.index_select(dim, high) - before) * (share if dim == 3 else share[:, None])
    return x


def _taps(size: int, side: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return the two source pixels of each target pixel (side,), and the weight of the second."""
    place = torch.arange(side, dtype=torch.float32, device=device) * torch.tensor(size / side, dtype=torch.float32)
    low = place.long()
    return low, (low + 1).clamp_max(size - 1), place - low.float()
