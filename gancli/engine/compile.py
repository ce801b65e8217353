"""torch.compile of a game's term functions, once they were seen to give the gradients that they give uncompiled.

Terms are compiled, not networks: torch cannot differentiate a compiled network twice, but a penalty whose inner
gradient is inside of what is compiled is differentiated only once (`penalties.input_gradient`).
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gancli.engine.step import parameters
from gancli.gan import GAN, Clock

TERMS = {"d_terms": "D", "g_terms": "G"}  # the functions of a game that can be compiled, and whose turn they are
ALIKE = {torch.float32: 1e-4, torch.bfloat16: 1e-2}  # relative difference of gradients that rounding explains
LONG = 20 * 60  # seconds of training that are worth the minutes of compiling
FIRST, LAST = 20, 60  # steps between which the speed is measured

Note = Callable[[str], None]


class Terms:
    """A term function that is compiled when it is first called; if that fails or differs, it stays as it is."""

    def __init__(self, gan: GAN[Any], name: str, moved: Sequence[nn.Parameter], note: Note, backend: str) -> None:
        self._plain: Callable[..., dict[str, Tensor]] = getattr(gan, name)
        # torch's own random numbers in what is compiled: the same seed gives the same noise, compiled or not
        options: Any = {"fallback_random": True} if backend == "inductor" else None
        self._compiled = torch.compile(self._plain, dynamic=False, backend=backend, options=options)
        self._gan, self._name, self._note = gan, name, note
        mine = {id(p) for p in moved}
        self._others = [p for p in gan.parameters() if id(p) not in mine]
        self._mine = list(moved)
        self.why_not: str | None = None
        self._checked = False

    def __call__(self, *given: Tensor) -> dict[str, Tensor]:
        """Give the terms."""
        if not self._checked:
            self._checked = True
            self.why_not = self._differs(given)
            if self.why_not:
                self._note(f"{self._name} is not compiled: {self.why_not}")
        if self.why_not:
            return self._plain(*given)
        with frozen(self._others):  # else their gradients are computed too, and thrown away
            return self._compiled(*given)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Give a copy of the game its own function, as it was."""
        copied = memo[id(self._gan)]
        return getattr(type(copied), self._name).__get__(copied)

    def _differs(self, given: Sequence[Tensor]) -> str | None:
        """Say how the compiled function fails on a first batch, if it does."""
        buffers = [buffer.clone() for buffer in self._gan.buffers()]
        try:
            plain, compiled = (self._gradients(f, given) for f in (self._plain, self._compiled))
        except RuntimeError as error:  # of the compiler, or of the C++ compiler that it needs
            return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        finally:
            for buffer, before in zip(self._gan.buffers(), buffers):
                if not torch.equal(buffer, before):  # a write would spoil the backward that is under way
                    buffer.copy_(before)
        kind = torch.get_autocast_dtype(given[0].device.type) if torch.is_autocast_enabled() else torch.float32
        far = float((plain - compiled).norm() / plain.norm().clamp(min=1e-12))
        return f"its gradients differ by {far:.1e}" if far > ALIKE.get(kind, 1e-2) else None

    def _gradients(self, function: Callable[..., dict[str, Tensor]], given: Sequence[Tensor]) -> Tensor:
        """All gradients of the terms in one vector: of what the player moves, and of what is given."""
        inputs = [t.detach().requires_grad_(t.requires_grad) for t in given]
        wanted = [*self._mine, *(t for t in inputs if t.requires_grad)]
        with torch.random.fork_rng(), frozen(self._others):
            loss = torch.stack([term.float() for term in function(*inputs).values()]).sum()
            found = torch.autograd.grad(loss, wanted, allow_unused=True)
        return torch.cat([g.float().flatten() for g in found if g is not None])


@contextmanager
def frozen(weights: Sequence[nn.Parameter]) -> Iterator[None]:
    """Ask no gradient of some weights for a while."""
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
    """Compile what can be of a game, in place; they are called by the name of the function."""
    made = {
        name: Terms(gan, name, parameters(players[player]), note, backend)
        for name, player in TERMS.items()
        if hasattr(gan, name) and player in players
    }
    vars(gan).update(made)
    if not made:
        note("nothing is compiled: the game has no term functions")
    return made


class CompileWhenLong:
    """Plays steps, and begins to compile when the measured speed says that the run will take long."""

    def __init__(self, play: Callable[..., dict[str, Tensor]], begin: Callable[[], object]) -> None:
        self._play, self._begin, self._count, self._began = play, begin, 0, (0.0, 0)

    def __call__(self, parts: Sequence[Any], clock: Clock, slower: float = 1.0) -> dict[str, Tensor]:
        """Play one step."""
        self._count += 1
        if self._count == FIRST:
            self._began = time.monotonic(), clock.images
        elif self._count == LAST:
            took, seen = time.monotonic() - self._began[0], clock.images - self._began[1]
            if took / max(seen, 1) * (clock.total - clock.images) > LONG:
                self._begin()
        return self._play(parts, clock, slower)
