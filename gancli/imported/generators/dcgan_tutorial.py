"""DCGAN of tutorials: Radford et al. 2016, "Unsupervised Representation Learning with Deep Convolutional GANs"."""

from dataclasses import dataclass

from gancli.data.spec import DataSpec
from gancli.families.latents import FromLabels, SizeHParams
from gancli.hparams import hparam, whole_numbers
from gancli.nets.deconvolutions import Deconvolutions


@dataclass(frozen=True, kw_only=True)
class TutorialHParams(SizeHParams):
    """The widths of PyTorch's tutorial."""

    widths: str = hparam("512,256,128,64", "channels of each layer but the last, from the coarsest on")
    bias: bool = hparam(False, "biases in all convolutions")


class TutorialDCGAN(FromLabels[TutorialHParams]):
    """arXiv:1511.06434, with widths, depth and labels as people chose them; labels are appended to the noise."""

    purpose = "imported DCGANs"
    hparams = TutorialHParams

    def __init__(self, hp: TutorialHParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.G = Deconvolutions(hp.z_dim + len(spec.classes), whole_numbers(hp.widths), spec.channels, bias=hp.bias)
