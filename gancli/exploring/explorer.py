"""A trained model at work for the page: latents of spots, and their images."""

import copy
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from gancli.capabilities import Appends, Classes, Prepares
from gancli.errors import UserError
from gancli.exploring.views import Frame, Sample, Sheet, Shown, Spot
from gancli.images.pixels import grid, to_picture
from gancli.inference.sampling import directions
from gancli.inference.sampling.draw import classes_of, draw, label_named, load_sampler
from gancli.inference.sampling.stops import in_styles
from gancli.inference.sampling.styles import is_styled, steered, truncates_styles
from gancli.inference.sampling.truncation import Choose, chooser, refusal, way_of
from gancli.inference.sampling.walks.walk import arcs, through
from gancli.system.devices import choose_device
from gancli.system.seeds import aside

AXES, DIRECTIONS = 8, 6  # sliders
LEAST_SHARE = 0.1  # to which the slider of truncation goes
REACH, CODE_REACH, DIRECTION_REACH = 3.0, 2.0, 5.0  # of the sliders: noise; codes (InfoGAN, figure 2); directions
REMEMBERED = 256  # latents of seeds


class Explorer:
    """Generates the images that the page asks for; one thread at a time."""

    def __init__(self, name: str, device: str, *, best: bool = False) -> None:
        self.model, self.gan = load_sampler(name, best)
        if self.gan.spec.points:
            raise UserError(
                f"{self.model.about.variant} generates points, not images to explore: "
                f"try `gancli sample` or `gancli interpolate --grid`"
            )
        self.device = device
        place = choose_device(device)
        # latents are always sampled on the CPU, as by the commands
        self._placed = self.gan if place.type == "cpu" else copy.deepcopy(self.gan).to(place)
        self._buffers = {name: buffer.clone() for name, buffer in self.gan.named_buffers()} if self.prepares else {}
        self._seeds: dict[Spot, Tensor] = {}
        self._choosers: dict[float | None, Choose] = {}
        self._found: dict[directions.Finder, Tensor] = {}

    @property
    def prepares(self) -> bool:
        """Whether truncation changes the networks, so that a latent does not suffice to generate an image again."""
        return isinstance(self.gan, Prepares)

    # ------------------------------------------------------------------------------------------------ latents

    def latent(self, spot: Spot) -> Tensor:
        """Return the latent of a spot: z (1, Z), or styles (1, L, W). Raise UserError if the model has no such spot."""
        if self.prepares and spot.truncation is not None and not spot.plain:
            raise UserError(
                "truncation changes the networks of this model: reset the axes and directions, or turn truncation off"
            )
        z = self._seeded(spot).clone()
        for axis, value in spot.axes:
            if axis >= z.shape[1]:
                raise UserError(f"axis {axis}: this model's latents have axes 0 to {z.shape[1] - 1}")
            z[:, axis] = value
        latent = steered(self.gan, z, spot.truncation)
        return self._moved(latent, spot) if spot.directions else latent

    def _seeded(self, spot: Spot) -> Tensor:
        """Return the latent of a spot's seed (1, Z), which takes long where truncation chooses among many."""
        plain = Spot(spot.seed, spot.of_class, spot.truncation)
        if plain not in self._seeds:
            label = None if spot.of_class is None else label_named(classes_of(self.gan, self.model), spot.of_class)
            self._seeds = {} if len(self._seeds) >= REMEMBERED else self._seeds
            self._seeds[plain] = self._choose(spot.truncation)(spot.seed, label)
        return self._seeds[plain]

    def _choose(self, truncation: float | None) -> Choose:
        if truncation not in self._choosers:
            self._choosers = {truncation: chooser(self.gan, self.model, truncation)}
        return self._choosers[truncation]

    def _moved(self, latent: Tensor, spot: Spot) -> Tensor:
        found = self.directions(directions.Finder(spot.by, spot.layers))
        latent = in_styles(self.gan, latent) if found.dim() == 3 else latent
        for number, amount in spot.directions:
            if number >= len(found):
                raise UserError(f"direction {number}: this model has directions 0 to {len(found) - 1}")
            latent = latent + amount * found[number]
        return latent

    def directions(self, how: directions.Finder) -> Tensor:
        """Return all directions, (D, Z) or (D, L, W); they are found once."""
        if how not in self._found:
            self._found[how] = directions.find(self.gan, how)
        return self._found[how]

    def path(self, pins: tuple[Spot, ...], frames: int) -> Tensor:
        """Return the latents of a walk between spots, as `interpolate` walks."""
        stops = [self.latent(pin) for pin in pins]
        if self.prepares and len({pin.truncation for pin in pins}) > 1:
            raise UserError("truncation changes the networks of this model: give all pins the same one")
        if is_styled(self.gan):
            stops = [in_styles(self.gan, stop) for stop in stops]
        whole = torch.cat(stops)
        return through(whole, frames, arcs(self.gan, whole))

    # ------------------------------------------------------------------------------------------------- images

    def image(self, view: Shown) -> Image.Image:
        """Generate what a view shows."""
        match view:
            case Sample(spot):
                self._prepare(spot.truncation)
                return to_picture(draw(self._placed, self.latent(spot))[0])
            case Sheet(spot, side):
                self._prepare(spot.truncation)
                latents = torch.cat([self.latent(other) for other in neighbours(spot, side)])
                return grid(draw(self._placed, latents), side)
            case Frame(pins, frames, at):
                self._prepare(pins[0].truncation)
                path = self.path(pins, frames)
                return to_picture(draw(self._placed, path[min(at, frames - 1)][None])[0])

    def _prepare(self, truncation: float | None) -> None:
        """Give a model that prepares for truncation its buffers for this one."""
        if not self.prepares:
            return
        own = dict(self.gan.named_buffers())
        for name, value in self._buffers.items():
            own[name].copy_(value)
        chooser(self.gan, self.model, truncation)
        if self._placed is not self.gan:
            self._placed.load_state_dict(self.gan.state_dict())

    # ------------------------------------------------------------------------------------------------- offers

    def axes(self, spot: Spot) -> list[float]:
        """Return the values that the seed of a spot gives the axes that have sliders."""
        z = self._seeded(spot)
        return [round(float(z[0, axis]), 2) for axis, _, _ in self._sliders()]

    def offers(self) -> dict[str, Any]:
        """Describe what the page can change."""
        gan, about, spec = self.gan, self.model.about, self.gan.spec
        by, count = self._ways()
        return {
            "model": self.model.name,
            "variant": about.variant,
            "size": f"{spec.width} × {spec.height}",
            "small": max(spec.width, spec.height) < 128,
            "classes": list(gan.classes) if isinstance(gan, Classes) else [],
            "truncation": self._truncation(),
            "axes": [{"axis": axis, "name": name, "reach": reach} for axis, name, reach in self._sliders()],
            "directions": {"count": count, "by": by, "reach": DIRECTION_REACH, "layers": is_styled(gan)},
        }

    def _truncation(self) -> dict[str, Any] | None:
        kind = type(self.gan)
        if refusal(kind, [name for name, _ in self.gan.named_children()]):
            return None
        styles = truncates_styles(self.gan)
        return {"by": way_of(kind), "least": 0.0 if styles else LEAST_SHARE, "most": 1.0}

    def _sliders(self) -> list[tuple[int, str, float]]:
        """Return the axes that have sliders, with their names and how far these go: noise, then codes, no labels."""
        with aside("explore"):
            size = self.gan.prior(1).shape[1]  # pyright: ignore[reportCallIssue]  it samples
        noise = self.gan.noise_axes if isinstance(self.gan, Appends) else size
        labels = len(self.gan.classes) if isinstance(self.gan, Classes) and noise < size else 0
        codes = range(noise + labels, size)
        return [
            *((axis, f"Axis {axis}", REACH) for axis in range(min(noise, AXES))),
            *((axis, f"Code {number}", CODE_REACH) for number, axis in enumerate(codes[:AXES], 1)),
        ]

    def _ways(self) -> tuple[list[str], int]:
        """Return how directions can be found, and how many have sliders."""
        try:
            return ["sefa", "pca"], min(DIRECTIONS, len(self.directions(directions.Finder())))
        except UserError:  # no layer takes the latents, or the styles, directly
            return (["pca"], DIRECTIONS) if is_styled(self.gan) else ([], 0)


def neighbours(spot: Spot, side: int) -> list[Spot]:
    """Return the spots of a grid: the plain samples of consecutive seeds."""
    return [Spot(spot.seed + i, spot.of_class, spot.truncation) for i in range(side * side)]
