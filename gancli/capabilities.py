"""What a GAN can do besides being trained. Capabilities are methods, not flags: a variant can do what it implements.

Shapes as in `gancli.gan`: N batch, C channels, H height, W width, Z latent size, K classes.
"""

from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class Samples(Protocol):
    """Generates images from latents: `sample`, `interpolate`."""

    def prior(self, n: int) -> Tensor:
        """Sample latents (n, Z)."""
        ...

    def generate(self, z: Tensor) -> Tensor:
        """Generate images (N, C, H, W) in [-1, 1] from latents (N, Z)."""
        ...


@runtime_checkable
class Rates(Protocol):
    """Rates samples: `--truncation T` keeps the share T that it rates highest."""

    def rate(self, image: Tensor, z: Tensor) -> Tensor:
        """Return a number (N,) for images (N, C, H, W) of latents (N, Z), higher for better ones.

        The rating of an image does not depend on the rest of the batch.
        """
        ...


@runtime_checkable
class Truncates(Protocol):
    """Truncates in its own way, which `--truncation` prefers to the rating of samples.

    For models that were trained for it, or whose latents can be moved towards a centre.
    """

    truncates_by: ClassVar[str]  # a phrase for `info` and a PNG's metadata

    def truncated(self, n: int, truncation: float) -> Tensor:
        """Sample latents (n, Z); raise UserError for a truncation that is out of range."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """Prepares its networks for a truncation, once, before it truncates; the result is cached."""

    def prepared(self, truncation: float) -> dict[str, Tensor]:
        """Return float32 buffers by name that replace its own; raise UserError for a truncation out of range.

        The result depends on nothing else, and changes nothing but these buffers.
        """
        ...


@runtime_checkable
class Classes(Protocol):
    """Generates a chosen class: `--class`. Labels are a part of the latent, so walks can lead from class to class."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the names of the classes, none if it learnt without labels; a label is an index into them."""
        ...

    def of_class(self, z: Tensor, label: Tensor) -> Tensor:
        """Replace the labels of latents (N, Z) by labels (N,)."""
        ...

    def label_of(self, z: Tensor) -> Tensor:
        """Return the labels (N,) of latents (N, Z)."""
        ...


@runtime_checkable
class Styled(Protocol):
    """Generates through styles w that steer the layers one by one: style mixing, truncation and editing in w."""

    @property
    def style_layers(self) -> int:
        """Return L, how many styles steer an image; the first act on the coarsest features."""
        ...

    def styles(self, z: Tensor) -> Tensor:
        """Map latents (N, Z) to styles (N, L, W), the same one for every layer."""
        ...

    def mean_styles(self, z: Tensor) -> Tensor:
        """Return the mean styles (N, L, W) that truncation moves latents z towards: those of their class, if any."""
        ...

    def synthesise(self, w: Tensor) -> Tensor:
        """Generate images (N, C, H, W) in [-1, 1] from styles (N, L, W)."""
        ...


@runtime_checkable
class Appends(Protocol):
    """Appends labels or codes to the noise of its latents: walks are arcs in the noise and straight lines in these."""

    @property
    def noise_axes(self) -> int:
        """Return how many leading axes of a latent are noise."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """Encodes an image to its latent: `interpolate --images`, reconstructions."""

    def encode(self, image: Tensor) -> Tensor:
        """Return the latents (N, Z) of images (N, C, H, W) in [-1, 1]; the result is deterministic."""
        ...


@runtime_checkable
class Translates(Protocol):
    """Translates images of one domain into another: `translate`."""

    directions: tuple[str, ...]  # supported directions: AB, and BA for models that also translate back
    multiple: int  # height and width must be multiples of it; otherwise any size is allowed

    def translate(self, image: Tensor, direction: str) -> Tensor:
        """Translate images (N, C, H, W) in [-1, 1]; float32, of the same size, unless the model `Enlarges`."""
        ...


@runtime_checkable
class Enlarges(Protocol):
    """A translator whose images are larger than its input's."""

    @property
    def scale(self) -> int:
        """Return how many times each side is enlarged."""
        ...


@runtime_checkable
class Changes(Protocol):
    """Changes the attributes of an image: `translate --attributes`."""

    multiple: int  # as in Translates

    @property
    def attributes(self) -> int:
        """Return A, how many attributes there are."""
        ...

    def change(self, image: Tensor, attributes: Tensor) -> Tensor:
        """Translate images (N, C, H, W) in [-1, 1] to attributes (N, A), each 0 or 1."""
        ...


@runtime_checkable
class DrawsLabels(Protocol):
    """Generates images from maps of labels: `translate` takes each grey value for a label."""

    multiple: int  # as in Translates
    edges: bool  # whether a last plane holds the edges between instances

    @property
    def labels(self) -> int:
        """Return how many labels there are."""
        ...

    def draw(self, planes: Tensor) -> Tensor:
        """Generate images (N, C, H, W) in [-1, 1] from one-hot planes (N, labels, H, W), and one of edges if asked."""
        ...


@runtime_checkable
class Fills(Protocol):
    """Fills the missing part of an image: `translate --mask`."""

    def fill(self, image: Tensor, mask: Tensor) -> Tensor:
        """Fill images (N, C, H, W) in [-1, 1] where the mask (N, 1, H, W) is 1; all other pixels stay bit-equal.

        The image's content inside the hole has no influence.
        """
        ...


@runtime_checkable
class Classifies(Protocol):
    """Classifies images: `classify`."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the names of the classes, in the order of the logits."""
        ...

    def classify(self, image: Tensor) -> Tensor:
        """Return the logits (N, K) of images (N, C, H, W)."""
        ...


def each_class(gan: Classes, z: Tensor) -> Tensor:
    """Repeat latents (N, Z) for every class, one class after another: (K * N, Z)."""
    label = torch.arange(len(gan.classes), device=z.device)
    return gan.of_class(z.repeat(len(label), 1), label.repeat_interleave(len(z)))
