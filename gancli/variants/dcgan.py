"""DCGAN: Radford et al. 2016, "Unsupervised Representation Learning with Deep Convolutional GANs", arXiv:1511.06434."""

from gancli.variants._noise import NoiseHParams, NoiseToImage


class DCGAN(NoiseToImage[NoiseHParams]):
    """Strided convolutions and batch norm in both networks make image GANs train stably (section 3)."""

    hparams = NoiseHParams
