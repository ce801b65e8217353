"""StyleGAN3: Karras et al. 2021, "Alias-Free Generative Adversarial Networks", arXiv:2106.12423; of other shapes."""

from dataclasses import dataclass
from typing import ClassVar

from gancli.data.spec import DataSpec
from gancli.families.high_fidelity.styles import StyleHParams, Styles
from gancli.hparams import hparam
from gancli.nets.high_fidelity import stylegan3


@dataclass(frozen=True, kw_only=True)
class HParams(StyleHParams):
    """Those of config R."""

    mapping: int = 2
    g_layers: int = hparam(14, "convolutions before the one that gives colours (section 3.2)", min=3)
    width: int = hparam(1024, "most channels of a layer", min=1)
    channel_base: int = hparam(65536, "channels of a layer times twice its cycles per image, up to --width", min=1)
    kernel: int = hparam(1, "side of the kernels of convolutions", min=1, max=9)
    radial: bool = hparam(True, "filters that pass all directions alike")


class StyleGAN3Generator(Styles[HParams]):
    """No layer of G can tell where its sampling grid lies, so details do not stick to pixels (section 2)."""

    purpose = "imported StyleGAN3s"
    hparams = HParams
    judges: ClassVar = ()

    def __init__(self, hp: HParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        shape = stylegan3.Shape(
            z_dim=hp.z_dim, w_dim=hp.w_dim, mapping=hp.mapping, layers=hp.g_layers, base=hp.channel_base,
            most=hp.width, kernel=hp.kernel, radial=hp.radial,
        )  # fmt: skip
        self.G = stylegan3.Generator(shape, spec)
