"""`gancli train` of translators with no other word, on the built-in two domains, each beside a control. Slow."""

import json

import pytest

from tests.conftest import Cli

pytestmark = pytest.mark.slow


def scores(cli: Cli, *command: object) -> dict[str, float]:
    done = cli("train", *command, "--json", "--quiet")
    assert done.code == 0, done.err
    return json.loads(done.out.splitlines()[-1])["metrics"]


def content_is_kept(found: dict[str, float]) -> bool:
    """Whether the domain is right and shape and place are kept, in every direction."""
    right = [value for name, value in found.items() if name.endswith("domain_right")]
    kept = [value for name, value in found.items() if name.endswith("iou")]
    return min(right) >= 0.95 and min(kept) >= 0.8


@pytest.mark.parametrize("name", ["cyclegan", "pix2pix", "cut"])
def test_the_right_domain_with_the_content_kept(cli: Cli, name: str) -> None:
    found = scores(cli, name)
    assert content_is_kept(found), found


@pytest.mark.parametrize("control", [("cyclegan", "--cycle", 0), ("cut", "--nce", 0)])
def test_without_what_ties_the_domains_the_content_is_lost(cli: Cli, control: tuple[object, ...]) -> None:
    found = scores(cli, *control)
    assert not content_is_kept(found), found
