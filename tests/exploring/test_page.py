"""The page in a real browser: by mouse, by keyboard, for screen readers, on wide and narrow screens."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gancli.exploring.explore import site_of
from gancli.exploring.page import page as text_of
from tests.browser import Pages, Tab, axe
from tests.conftest import Cli, Once, Trained
from tests.exploring.conftest import Served
from tests.inference.bands import trained as trained_bands

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
SMALL = ("--batch", 4, "--width", 4, "--z-dim", 6, "--steps", 3)


@pytest.fixture
def url(served: Served, trained: Trained) -> str:
    site, _ = site_of(str(trained("cgan", "cgan", "--data", "digits", *SMALL)), "cpu")
    return served(site).server.url


def says(page: "Page", caption: str) -> str:
    """Wait until the page shows an image of this caption, and return the image."""
    from playwright.sync_api import expect

    expect(page.locator("#caption")).to_have_text(caption)
    expect(page.get_by_role("img", name=caption, exact=True)).to_be_visible()
    return str(page.locator("#image").get_attribute("src"))


def saved(tab: Tab, button: str = "Save image") -> tuple[Path, list[str]]:
    """Press a button that saves, and return the file and the command."""
    tab.page.get_by_role("button", name=button).click()
    file = str(tab.page.get_by_text("Saved as ").text_content()).removeprefix("Saved as ").partition(". This")[0]
    return Path(file), shlex.split(str(tab.page.locator("#saved code").text_content()))


def test_sliders_change_the_image_and_the_command_repeats_it(cli: Cli, url: str, page: Pages) -> None:
    tab = page(url)
    images = [says(tab.page, "Seed 0")]
    tab.page.get_by_role("button", name="Next").click()
    images.append(says(tab.page, "Seed 1"))
    tab.page.get_by_label("Axis 2").fill("2.5")
    images.append(says(tab.page, "Seed 1, 1 slider moved"))
    tab.page.get_by_label("Direction 0").fill("-4")
    images.append(says(tab.page, "Seed 1, 2 sliders moved"))
    tab.page.get_by_label("Class").select_option("7")
    images.append(says(tab.page, "Seed 1, class 7, 2 sliders moved"))
    assert len({*images}) == len(images)
    file, command = saved(tab)
    assert cli(*command[1:]).code == 0
    assert file.read_bytes() == Path(command[-1]).read_bytes()
    tab.page.get_by_role("button", name="Reset axes").click()
    tab.page.get_by_role("button", name="Reset directions").click()
    says(tab.page, "Seed 1, class 7")
    assert tab.errors == []


SEEN = """() => {
  window.seen = { frames: new Set(), images: new Set() };
  new MutationObserver(() => {
    seen.frames.add(/frame (\\d) of 9/.exec(document.body.innerText)?.[1]);
    seen.images.add(document.querySelector("#image").src);
  }).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
}"""


def test_pins_and_walks(cli: Cli, url: str, page: Pages) -> None:
    tab = page(url)
    for seed, name in ((0, "A"), (1, "B")):
        says(tab.page, f"Seed {seed}")
        tab.page.get_by_role("button", name="Pin for a walk").click()
        tab.page.get_by_text(f"{name}: Seed {seed}").wait_for()
        tab.page.get_by_role("button", name="Next").click()
    tab.page.get_by_label("Frames").fill("9")
    tab.page.get_by_label("Position").fill("4")
    says(tab.page, "Walk from A to B: frame 5 of 9")
    file, command = saved(tab, "Save frame")
    assert cli(*command[1:]).code == 0
    assert file.read_bytes() == Path(command[-1]).read_bytes()
    file, command = saved(tab, "Save walk")
    assert cli(*command[1:]).code == 0
    assert file.read_bytes() == Path(command[-1]).read_bytes()
    tab.page.evaluate(SEEN)
    tab.page.get_by_role("button", name="Play").click()
    # all frames are noted: by the time of a click on Stop it may have come round to the middle again
    tab.page.wait_for_function("() => seen.frames.has('9') && seen.images.size > 1", timeout=30_000)
    tab.page.get_by_role("button", name="Stop").click()
    tab.page.get_by_role("button", name="Remove pin A").click()
    says(tab.page, "Seed 2")
    assert not tab.page.get_by_label("Position").is_visible()
    assert tab.errors == []


def test_a_grid_needs_no_sliders(url: str, page: Pages) -> None:
    tab = page(url)
    tab.page.get_by_label("Show").select_option("9 seeds")
    says(tab.page, "Seeds 0 to 8")
    tab.page.get_by_role("button", name="Next").click()
    says(tab.page, "Seeds 9 to 17")
    assert tab.page.get_by_label("Axis 0").is_disabled()
    assert saved(tab, "Save grid")[1][3:7] == ["--seeds", "9-17", "--cols", "3"]
    assert tab.errors == []


def test_truncation_and_layers_where_a_model_has_them(cli: Cli, once: Once, served: Served, page: Pages) -> None:
    site, _ = site_of(str(trained_bands(cli, once)), "cpu", Path("mine"))
    tab = page(served(site).server.url)
    plain = says(tab.page, "Seed 0")
    assert tab.page.get_by_text("w towards its mean").is_visible()
    assert not tab.page.get_by_label("Class").is_visible()
    tab.page.get_by_label("Truncate").check()
    assert says(tab.page, "Seed 0, truncation 0.7") != plain
    tab.page.get_by_label("Truncation", exact=True).fill("0")
    mean = says(tab.page, "Seed 0, truncation 0")
    tab.page.get_by_role("button", name="Random").click()
    tab.page.locator("#caption", has_not_text="Seed 0,").wait_for()
    assert tab.page.locator("#image").get_attribute("src") == mean
    tab.page.get_by_label("Layers").select_option("fine")
    tab.page.get_by_label("Direction 1").fill("3")
    tab.page.locator("#caption", has_text="1 slider moved").wait_for()
    assert tab.page.locator("#image").get_attribute("src") != mean
    assert tab.errors == []


def test_everything_can_be_reached_with_the_keyboard(url: str, page: Pages) -> None:
    tab = page(url)
    says(tab.page, "Seed 0")
    tab.page.get_by_role("button", name="Save image").focus()
    names = []
    for _ in range(40):
        names.append(
            tab.page.evaluate(
                "document.activeElement.labels?.[0]?.textContent || document.activeElement.textContent.trim()"
            )
        )
        tab.page.keyboard.press("Tab")
    reached = {"Save image", "Pin for a walk", "Seed", "Next", "Show", "Class", "Axis 0", "Axis 5", "Reset axes",
               "Found by", "Direction 0", "Reset directions"}  # fmt: skip
    assert reached <= {*names}
    tab.page.get_by_label("Seed, slider").press("ArrowRight")
    says(tab.page, "Seed 1")
    tab.page.get_by_label("Axis 3").press("Home")
    says(tab.page, "Seed 1, 1 slider moved")
    assert tab.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_everybody_can_use_it(url: str, page: Pages, width: int, scheme: str) -> None:
    tab = page(url, width=width, scheme="dark" if scheme == "dark" else "light")
    says(tab.page, "Seed 0")
    for _ in range(2):
        tab.page.get_by_role("button", name="Pin for a walk").click()
    saved(tab)
    assert axe(tab.page) == []
    assert tab.page.evaluate("document.documentElement.scrollWidth") == width
    assert tab.errors == []


def test_problems_are_told(url: str, page: Pages, served: Served, cli: Cli) -> None:
    """Of a model that has gone, and of a server that has."""
    tab = page(url)
    says(tab.page, "Seed 0")
    for checkpoint in Path("cgan/checkpoints").iterdir():
        checkpoint.unlink()
    tab.page.get_by_role("button", name="Save image").click()
    tab.page.get_by_role("alert").get_by_text("no model").wait_for()
    tab.page.route("**/image", lambda route: route.abort())
    tab.page.get_by_role("button", name="Next").click()
    tab.page.get_by_role("alert").get_by_text("gancli explore has ended").wait_for()


def test_without_the_token_there_is_no_page(url: str, page: Pages) -> None:
    tab = page(f"{url[:-2]}x/")
    assert "with its token" in str(tab.page.locator("body").text_content())
    assert tab.page.get_by_role("button").count() == 0


def test_names_are_text_whatever_they_hold(served: Served, page: Pages, tmp_path: Path) -> None:
    evil = "</script><script>document.title='mine'</script><img src=x onerror=alert(1)>$css"
    offers = {
        "model": evil, "variant": evil, "size": "8 × 8", "small": True, "classes": [evil], "truncation": None,
        "axes": [], "directions": {"count": 0, "by": [], "reach": 5.0, "layers": False},
    }  # fmt: skip
    from gancli.exploring.server import Action, Site
    from gancli.exploring.views import Shown

    site = Site(
        lambda nonce: text_of(offers, nonce), {"image": Action(Shown, lambda _: {"image": "data:,", "axes": []})}
    )
    tab = page(served(site).server.url)
    assert tab.page.locator("h1").text_content() == evil
    assert tab.page.get_by_label("Class").locator("option").all_text_contents()[1] == evil
    assert tab.page.title() == f"{evil} · gancli explore"
    assert tab.errors == []
