"""The table of published models: what each does, where its file lies, and under which licence.

Addresses and licences were read in the authors' repositories in November 2026; nothing in it is guessed, so a file
whose size or hash nobody states has none here.
"""

from collections.abc import Iterator
from dataclasses import dataclass

EFROS = "http://efrosgans.eecs.berkeley.edu"
REAL = "https://github.com/xinntao/Real-ESRGAN/releases/download"
ANIME = "https://github.com/bryandlee/animegan2-pytorch/raw/main/weights"
CARTOON = "http://vllab1.ucmerced.edu/~yli62/CartoonGAN/pytorch_pth"
BIGGAN = "https://s3.amazonaws.com/models.huggingface.co/biggan"
NVLABS = "https://nvlabs-fi-cdn.nvidia.com"
NGC = "https://api.ngc.nvidia.com/v2/models/nvidia/research"
LERNAPPARAT = "https://github.com/lernapparat/lernapparat/releases/download/v2019-02-01"
GAN_ZOO = "https://dl.fbaipublicfiles.com/gan_zoo/PGAN"
NVIDIA = "Nvidia Source Code License: non-commercial, for research or evaluation only"
UNSTATED = "no licence is stated for the weights"


@dataclass(frozen=True)
class Published:
    """One model; the cache keeps it under its family and name."""

    family: str
    name: str
    does: str  # sample, translate or enlarge
    url: str
    licence: str  # of code and weights, in words
    sha256: str | None = None  # where the authors or a package state it
    blends: str | None = None  # the name of the model that --denoise blends it with
    config: str | None = None  # the URL of a second file, without which the first cannot be converted
    classes: tuple[str, ...] = ()  # where the file has labels without names

    @property
    def full(self) -> str:
        """Return the name with its family, which is never ambiguous."""
        return f"{self.family}/{self.name}"


CYCLEGAN = (
    "apple2orange", "orange2apple", "summer2winter_yosemite", "winter2summer_yosemite", "horse2zebra", "zebra2horse",
    "monet2photo", "style_monet", "style_cezanne", "style_ukiyoe", "style_vangogh", "sat2map", "map2sat",
    "cityscapes_photo2label", "cityscapes_label2photo", "facades_photo2label", "facades_label2photo",
    "iphone2dslr_flower",
)  # fmt: skip
PIX2PIX = ("edges2shoes", "edges2handbags", "facades_label2photo", "day2night", "map2sat", "sat2map")
REAL_ESRGAN = {  # name: release and file
    "realesrgan-x4plus": "v0.1.0/RealESRGAN_x4plus.pth",
    "realesrnet-x4plus": "v0.1.1/RealESRNet_x4plus.pth",
    "esrgan-x4": "v0.1.1/ESRGAN_SRx4_DF2KOST_official-ff704c30.pth",
    "realesrgan-x2plus": "v0.2.1/RealESRGAN_x2plus.pth",
    "realesrgan-x4plus-anime": "v0.2.2.4/RealESRGAN_x4plus_anime_6B.pth",
    "realesr-animevideov3": "v0.2.5.0/realesr-animevideov3.pth",
    "realesr-general-x4v3": "v0.2.5.0/realesr-general-x4v3.pth",
    "realesr-general-wdn-x4v3": "v0.2.5.0/realesr-general-wdn-x4v3.pth",
}
SHA256 = {"esrgan-x4": "ff704c30"}  # the first digits, which its file name states
BLENDS = {"realesr-general-x4v3": "realesr-general-wdn-x4v3"}

ADA = {  # name: file; the sources of transfer learning have the names of the authors' --resume
    **{name: name for name in ("ffhq", "metfaces", "afhqcat", "afhqdog", "afhqwild", "brecahad", "cifar10")},
    "ffhq256": "transfer-learning-source-nets/ffhq-res256-mirror-paper256-noaug",
    "ffhq512": "transfer-learning-source-nets/ffhq-res512-mirror-stylegan2-noaug",
    "ffhq1024": "transfer-learning-source-nets/ffhq-res1024-mirror-stylegan2-noaug",
    "celebahq256": "transfer-learning-source-nets/celebahq-res256-mirror-paper256-kimg100000-ada-target0.5",
    "lsundog256": "transfer-learning-source-nets/lsundog-res256-paper256-kimg100000-noaug",
}
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
STYLEGAN2 = (
    "ffhq-1024x1024", "ffhq-512x512", "ffhq-256x256", "ffhqu-1024x1024", "ffhqu-256x256", "metfaces-1024x1024",
    "metfacesu-1024x1024", "afhqv2-512x512", "afhqcat-512x512", "afhqdog-512x512", "afhqwild-512x512",
    "brecahad-512x512", "cifar10-32x32", "celebahq-256x256", "lsundog-256x256",
)  # fmt: skip
STYLEGAN3 = (
    "ffhq-1024x1024", "ffhqu-1024x1024", "ffhqu-256x256", "metfaces-1024x1024", "metfacesu-1024x1024", "afhqv2-512x512"
)  # fmt: skip
PGAN = {
    "celebahq-256": "celebaHQ_s6_i80000-6196db68",
    "celebahq-512": "celebaHQ16_december_s7_i96000-9c72988c",
    "dtd-128": "testDTD_s5_i96000-04efa39f",
    "celeba-128": "celebaCropped_s5_i83000-2b0acc76",
}


def models() -> Iterator[Published]:
    """List all published models."""
    yield from translators()
    yield from samplers()


def samplers() -> Iterator[Published]:
    """List those that generate images from latents."""
    for kind in ("t", "r"):
        for name in (f"stylegan3-{kind}-{name}" for name in STYLEGAN3):
            yield Published("stylegan3", name, "sample", f"{NGC}/stylegan3/versions/1/files/{name}.pkl", NVIDIA)
    for name in (f"stylegan2-{name}" for name in STYLEGAN2):
        yield Published("stylegan2", name, "sample", f"{NGC}/stylegan2/versions/1/files/{name}.pkl", NVIDIA)
    for name in (f"stylegan2-{name}-config-f" for name in ("ffhq", "car", "cat", "church", "horse")):
        yield Published("stylegan2", name, "sample", f"{NVLABS}/stylegan2/networks/{name}.pkl", NVIDIA)
    for name, path in ADA.items():
        url = f"{NVLABS}/stylegan2-ada-pytorch/pretrained/{path}.pkl"
        classes = CIFAR10 if name == "cifar10" else ()
        yield Published("stylegan2-ada", f"stylegan2-ada-{name}", "sample", url, NVIDIA, classes=classes)
    url = f"{LERNAPPARAT}/karras2019stylegan-ffhq-1024x1024.for_g_all.pt"
    yield Published("stylegan", "stylegan-ffhq-1024x1024", "sample", url, "CC BY-NC 4.0: non-commercial")
    for name, path in PGAN.items():
        yield Published("pgan", f"pgan-{name}", "sample", f"{GAN_ZOO}/{path}.pth", f"code: BSD 3-Clause; {UNSTATED}")


def translators() -> Iterator[Published]:
    """List those that translate or enlarge images."""
    for family, names in (("cyclegan", CYCLEGAN), ("pix2pix", PIX2PIX)):
        for name in names:
            url = f"{EFROS}/{family}/pretrained_models/{name}.pth"
            yield Published(family, name, "translate", url, f"code: BSD; {UNSTATED}")
    for name in ("celeba_distill", "face_paint_512_v1", "face_paint_512_v2", "paprika"):
        plain = f"animegan2-{name.replace('_', '-')}"
        yield Published("animegan2", plain, "translate", f"{ANIME}/{name}.pt", f"code: MIT; {UNSTATED}")
    for name in ("Hayao", "Hosoda", "Paprika", "Shinkai"):
        url = f"{CARTOON}/{name}_net_G_float.pth"
        yield Published("cartoongan", f"cartoongan-{name.lower()}", "translate", url, UNSTATED)
    for name, path in REAL_ESRGAN.items():
        licence = "Apache 2.0" if name == "esrgan-x4" else "BSD 3-Clause"
        yield Published("real-esrgan", name, "enlarge", f"{REAL}/{path}", licence, SHA256.get(name), BLENDS.get(name))
    for size in (128, 256, 512):
        name = f"biggan-deep-{size}"
        url, config = (f"{BIGGAN}/{name}-{file}" for file in ("pytorch_model.bin", "config.json"))
        licence = "code: MIT; no licence is stated for the weights, which DeepMind trained"
        yield Published("biggan", name, "sample", url, licence, config=config)


MODELS = tuple(models())
