import torch
from hypothesis import given
from hypothesis import strategies as st

from gancli.inference.sampling.paths import lerp, slerp, walk


def vectors(size: int) -> st.SearchStrategy[torch.Tensor]:
    numbers = st.floats(-10, 10, width=32, allow_subnormal=False)
    return st.lists(numbers, min_size=size, max_size=size).map(torch.tensor).filter(lambda v: v.norm() > 0.1)


@given(vectors(5), vectors(5))
def test_both_ways_start_and_end_at_their_ends(a: torch.Tensor, b: torch.Tensor) -> None:
    for way in (lerp, slerp):
        ends = way(a, b, torch.tensor([0.0, 1.0]))
        torch.testing.assert_close(ends, torch.stack([a, b]), rtol=1e-3, atol=1e-3)


@given(vectors(6), vectors(6), st.floats(0, 1))
def test_slerp_keeps_between_the_lengths(a: torch.Tensor, b: torch.Tensor, t: float) -> None:
    if abs(torch.dot(a, b) / (a.norm() * b.norm())) > 0.99:
        return  # no single arc: a straight line
    length = slerp(a, b, torch.tensor([t])).norm()
    low, high = sorted([a.norm(), b.norm()])
    assert low * 0.999 <= length <= high * 1.001


def test_slerp_of_right_angles_is_the_circle() -> None:
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    torch.testing.assert_close(slerp(a, b, torch.tensor([0.5])), torch.full((1, 2), 0.5**0.5))


@given(st.integers(2, 5), st.integers(2, 40))
def test_a_walk_has_its_frames_and_passes_its_ends(stops: int, frames: int) -> None:
    z = torch.randn(stops, 4, generator=torch.Generator().manual_seed(stops))
    path = walk(z, frames, "slerp")
    assert path.shape == (frames, 4)
    torch.testing.assert_close(path[0], z[0])
    torch.testing.assert_close(path[-1], z[-1])
