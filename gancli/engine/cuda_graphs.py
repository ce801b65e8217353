"""The whole step as a CUDA graph: a replay launches all kernels at once that Python would launch one by one.

A graph repeats what was captured and runs no Python. So each graph serves one kind of step: those in which the game
reads the same values from the clock and the optimisers' settings are equal. Learning rates that change are tensors on
the device; batches are copied into the captured tensors.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

from gancli.engine.step import Amp, follow_schedule, play_turns
from gancli.gan import GAN, Clock
from gancli.system import dist

WARM_UP = 3  # eager steps of a kind before capture, which create the optimisers' state; they train like any other
MOST = 8  # most kinds of steps; with more, there is no regular pattern

Log = dict[str, Tensor]
Rhythm = tuple[str, int]  # a question to the clock, such as ("every", 5)


@dataclass(frozen=True)
class AskedClock(Clock):
    """Record what a game reads from the clock. Rhythms are predictable; other values change in every step."""

    rhythms: set[Rhythm] = field(default_factory=set)
    read: set[str] = field(default_factory=set)

    def every(self, n: int) -> bool:
        """Tell whether this step is the last of n."""
        return self._asked("every", n)

    def opens(self, n: int) -> bool:
        """Tell whether this step is the first of n."""
        return self._asked("opens", n)

    def _asked(self, name: str, n: int) -> bool:
        about = vars(self)
        about["rhythms"].add((name, n))
        return getattr(Clock(about["step"], about["images"], about["total"]), name)(n)

    def __getattribute__(self, name: str) -> Any:
        if name in ("step", "images", "progress"):
            object.__getattribute__(self, "read").add(name)
        return object.__getattribute__(self, name)


class Engine(Protocol):
    """Captures and replays steps: CUDA, or a substitute in tests."""

    def warm(self, play: Callable[[], Log]) -> Log:
        """Play eagerly on the stream that will be captured."""
        ...

    def capture(self, play: Callable[[], Log]) -> tuple[Callable[[], object], Log]:
        """Record `play` without running it; return its replay and the tensors that will hold its results."""
        ...


class Cuda:
    """CUDA graphs that share one memory pool: results must be copied before the next replay."""

    def __init__(self, device: torch.device) -> None:
        self._stream, self._pool = torch.cuda.Stream(device), torch.cuda.graph_pool_handle()

    def warm(self, play: Callable[[], Log]) -> Log:
        """Play on the stream to be captured, so that libraries complete their per-stream setup."""
        now = torch.cuda.current_stream()
        self._stream.wait_stream(now)
        with torch.cuda.stream(self._stream):
            log = play()
        now.wait_stream(self._stream)
        return log

    def capture(self, play: Callable[[], Log]) -> tuple[Callable[[], object], Log]:
        """Capture on the same stream; other threads, such as one that prefetches batches, may use the device."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
            log = play()
        return graph.replay, log


@dataclass
class _Graph:
    parts: Sequence[Any]  # the batch tensors that it reads
    replay: Callable[[], object]
    log: Log


class Graphs:
    """Play steps like `gancli.engine.step.play_step`, as graphs where possible; `why_not` gives the reason if not."""

    def __init__(
        self,
        gan: GAN[Any],
        players: Mapping[str, Optimizer],
        amp: Amp,
        engine: Engine,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._gan, self._players, self._amp, self._engine = gan, players, amp, engine
        self._rhythms: set[Rhythm] = set()
        self._seen: dict[Hashable, int] = {}
        self._graphs: dict[Hashable, _Graph] = {}
        self._note, self.why_not = note, ""
        if dist.world() > 1:
            self._stay_eager("several processes synchronise within a step")
        for player in players.values():
            rates_on_device(player, gan.device)

    def __call__(self, parts: Sequence[Any], clock: Clock, slower: float = 1.0) -> Log:
        """Play one step."""
        follow_schedule(self._gan, self._players, clock, slower)
        if self.why_not:
            return self._play(parts, clock)
        kind = self._kind(clock), tuple(map(len, parts))
        if kind not in self._graphs:
            self._seen[kind] = self._seen.get(kind, 0) + 1
            if self._seen[kind] <= WARM_UP:
                return self._watched(parts, clock)
            if not self._captured(kind, parts, clock):
                return self._play(parts, clock)
        graph = self._graphs[kind]
        for own, part in zip(graph.parts, parts):
            for name, tensor in vars(part).items():
                getattr(own, name).copy_(tensor)
        graph.replay()
        copies = torch.stack(list(graph.log.values())).unbind()  # the next replay overwrites the log
        return dict(zip(graph.log, copies))

    def forget(self) -> None:
        """Drop all graphs, because the step has changed or state was restored to other tensors."""
        self._graphs.clear()
        self._seen.clear()

    def _play(self, parts: Sequence[Any], clock: Clock) -> Log:
        return play_turns(self._gan, self._players, parts, clock, self._amp)

    def _kind(self, clock: Clock) -> Hashable:
        due = tuple(getattr(clock, name)(n) for name, n in sorted(self._rhythms))
        settings = (group.items() for player in self._players.values() for group in player.param_groups)
        return due, tuple((k, v) for items in settings for k, v in items if isinstance(v, float | int | bool | tuple))

    def _watched(self, parts: Sequence[Any], clock: Clock) -> Log:
        """Play eagerly, and record what the game reads from the clock."""
        asked = AskedClock(clock.step, clock.images, clock.total)
        log = self._engine.warm(lambda: self._play(parts, asked))
        read, rhythms = vars(asked)["read"], vars(asked)["rhythms"]
        if read:
            self._stay_eager(f"the losses depend on the clock ({', '.join(sorted(read))})")
        if not rhythms <= self._rhythms:  # the game has more kinds of steps than known so far
            self._rhythms |= rhythms
            self._graphs.clear()
            self._seen = {self._kind(clock): 1}
        if len(self._seen) > MOST:
            self._stay_eager(f"there are more than {MOST} kinds of steps")
        return log

    def _captured(self, kind: Hashable, parts: Sequence[Any], clock: Clock) -> bool:
        own = [part.map(torch.clone) for part in parts]
        before = self._state()
        try:
            replay, log = self._engine.capture(lambda: self._play(own, clock))
        except RuntimeError as error:  # a kernel or a read that is not allowed during capture
            return self._stay_eager(f"capture failed: {str(error).splitlines()[0]}")
        if self._state() != before:
            return self._stay_eager("an optimiser's state is reset during the step")
        self._graphs[kind] = _Graph(own, replay, log)
        return True

    def _stay_eager(self, reason: str) -> bool:
        self.why_not = reason
        self._graphs.clear()
        self._note(f"no CUDA graph: {reason}; steps run eagerly")
        return False

    def _state(self) -> list[int]:
        """Return the addresses of all tensors that outlive a step: a graph writes only there."""
        values = [v for p in self._players.values() for state in p.state.values() for v in state.values()]
        kept = [*self._gan.parameters(), *self._gan.buffers(), *(v for v in values if isinstance(v, Tensor))]
        return [tensor.data_ptr() for tensor in kept]


def rates_on_device(player: Optimizer, device: torch.device) -> None:
    """Turn learning rates into tensors on the device, so that a graph reads their current values."""
    for group in player.param_groups:
        group["lr"] = torch.as_tensor(float(group["lr"]), device=device)
        if "capturable" in group:
            group["capturable"] = device.type == "cuda"
