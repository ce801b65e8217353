"""torch.compile the loss terms of a game, after checking that their gradients equal the uncompiled ones.

Loss terms are compiled, not networks: torch cannot differentiate a compiled network twice, but a penalty whose inner
gradient is inside the compiled function is differentiated only once (`penalties.input_gradient`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gancli.engine.step import parameters
from gancli.gan import GAN, Clock
from gancli.system import parts
from gancli.system.devices import full_precision

TERMS = {"d_terms": "D", "g_terms": "G"}  # the functions of a game that can be compiled, and their players
ALIKE = 1e-4  # relative difference of gradients that rounding explains in full precision
ROUNDED = 3.0  # most of their error in the run's precision, as a multiple of that of the uncompiled ones
LONG = 20 * 60  # seconds of remaining training that justify minutes of compiling
SETTLED, WINDOW = 80, 48  # steps until all kinds are graphs, and then steps to time: each kind of step is due in both

Note = Callable[[str], None]


class Terms:
    """A loss function compiled at its first call; if that fails or gradients differ, it stays uncompiled."""

    def __init__(self, gan: GAN[Any], name: str, moved: Sequence[nn.Parameter], note: Note, backend: str) -> None:
        parts.keep_out_of_compiled_code()
        self._plain: Callable[..., dict[str, Tensor]] = getattr(gan, name)
        # use torch's own random numbers: a seed gives the same noise, compiled or not
        options: Any = {"fallback_random": True} if backend == "inductor" else None
        self._compiled = torch.compile(self._plain, dynamic=False, backend=backend, options=options)
        self._gan, self._name, self._note = gan, name, note
        mine = {id(p) for p in moved}
        self._others = [p for p in gan.parameters() if id(p) not in mine]
        self._mine = list(moved)
        self.why_not: str | None = None
        self._checked = False

    def __call__(self, *given: Tensor) -> dict[str, Tensor]:
        """Return the loss terms."""
        if not self._checked:
            self._checked = True
            self.why_not = self._differs(given)
            if self.why_not:
                self._note(f"{self._name} is not compiled: {self.why_not}")
        if self.why_not:
            return self._plain(*given)
        with frozen(self._others):  # otherwise their gradients would be computed and discarded
            return self._compiled(*given)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Give a copy of the game its own, uncompiled function."""
        copied = memo[id(self._gan)]
        return getattr(type(copied), self._name).__get__(copied)

    def _differs(self, given: Sequence[Tensor]) -> str | None:
        """Return why the compiled function fails on a first batch; None if it works."""
        buffers = [buffer.clone() for buffer in self._gan.buffers()]
        try:
            plain, compiled = (self._gradients(f, given) for f in (self._plain, self._compiled))
            with full_precision(plain.device), _without_tf32():
                exact = self._gradients(self._plain, given)
        except RuntimeError as error:  # from torch.compile, or from the C++ compiler that it needs
            return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        finally:
            for buffer, before in zip(self._gan.buffers(), buffers):
                if not torch.equal(buffer, before):  # an unneeded write would invalidate the backward in progress
                    buffer.copy_(before)
        # compiled code rounds elsewhere: in bf16 it differs by per cents from the uncompiled, but is as near the truth
        size = exact.norm().clamp(min=1e-12)
        far, usual = (float((found - exact).norm() / size) for found in (compiled, plain))
        if far <= max(ALIKE, ROUNDED * usual):
            return None
        return f"its gradients are off by {far:.1e}, and those of the uncompiled ones by {usual:.1e}"

    def _gradients(self, function: Callable[..., dict[str, Tensor]], given: Sequence[Tensor]) -> Tensor:
        """Return all gradients in one vector: of the player's weights and of the inputs."""
        inputs = [t.detach().requires_grad_(t.requires_grad) for t in given]
        wanted = [*self._mine, *(t for t in inputs if t.requires_grad)]
        with torch.random.fork_rng(), parts.aside(), frozen(self._others):
            loss = torch.stack([term.float() for term in function(*inputs).values()]).sum()
            found = torch.autograd.grad(loss, wanted, allow_unused=True)
        return torch.cat([g.float().flatten() for g in found if g is not None])


@contextmanager
def _without_tf32() -> Iterator[None]:
    """Compute convolutions of float32 on a GPU in float32."""
    before, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


@contextmanager
def frozen(weights: Sequence[nn.Parameter]) -> Iterator[None]:
    """Disable gradients of some weights inside the block."""
    held = [p for p in weights if p.requires_grad]
    for p in held:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in held:
            p.requires_grad_(True)


def compile_terms(
    gan: GAN[Any], players: Mapping[str, Optimizer], note: Note, backend: str = "inductor"
) -> dict[str, Terms]:
    """Compile a game's loss functions in place, where it has them, and return them by name."""
    made = {
        name: Terms(gan, name, parameters(players[player]), note, backend)
        for name, player in TERMS.items()
        if hasattr(gan, name) and player in players
    }
    vars(gan).update(made)
    if not made:
        note("nothing is compiled: this variant has no loss functions to compile")
    return made


def uncompile(gan: GAN[Any], made: Mapping[str, Terms]) -> None:
    """Give a game its own loss functions back."""
    for name in made:
        del vars(gan)[name]


class CompileWhenLong:
    """Play steps, compile once the measured speed predicts a long run, and stop using that if it is no faster.

    `begin` compiles, and returns what undoes it; `now` is the time in seconds when the device has done all work.
    """

    def __init__(
        self,
        play: Callable[..., dict[str, Tensor]],
        begin: Callable[[], Callable[[], object]],
        now: Callable[[], float],
        note: Note,
    ) -> None:
        self._play, self._begin, self._now, self._note = play, begin, now, note
        self._count, self._started = 0, 0.0
        self._plain, self._undo = 0.0, None  # seconds of a window without compiling; undoes compiling

    def __call__(self, parts: Sequence[Any], clock: Clock, slower: float = 1.0) -> dict[str, Tensor]:
        """Play one step."""
        self._count += 1
        if self._count == SETTLED:
            self._started = self._now()
        elif self._count == SETTLED + WINDOW:
            self._window_done(self._now() - self._started, clock)
        return self._play(parts, clock, slower)

    def _window_done(self, seconds: float, clock: Clock) -> None:
        if self._undo is not None:
            if seconds >= self._plain:
                self._undo()
                self._note(f"not compiled: {self._plain / WINDOW:.2g} s per step, compiled {seconds / WINDOW:.2g} s")
            return
        left = (clock.total - clock.images) / (clock.images / clock.step) if clock.images else 0
        if seconds / WINDOW * left > LONG:
            self._plain, self._undo, self._count = seconds, self._begin(), 0
