"""Seeds of all random choices: stable hashes of their purpose, so no generator state is ever stored."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

import torch

from gancli.system import dist


def seed_of(*key: int | str) -> int:
    """Hash a key to a 63-bit seed, the same in every process and version."""
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=8).digest(), "little") >> 1


def seed_all(*key: int | str) -> None:
    """Seed the generators of torch, on the CPU and on the accelerator, from a key."""
    seed = seed_of(*key)
    torch.default_generator.manual_seed(seed)  # torch.manual_seed seeds every backend, at 100 times the cost
    if torch.accelerator.is_available():
        torch.get_device_module().manual_seed(seed)


@contextmanager
def aside(*key: int | str) -> Iterator[None]:
    """Use a separate seed in the block, as a single process, and restore the generators afterwards."""
    with torch.random.fork_rng(), dist.alone():
        seed_all(*key)
        yield
