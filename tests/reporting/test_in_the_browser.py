"""The page of `gancli report` in a real browser: it works by mouse and keyboard, and everybody can read it."""

from pathlib import Path
from typing import Literal

import pytest

from gancli.reporting.page import report
from tests.browser import Pages, axe
from tests.conftest import Once
from tests.reporting.fake_runs import HPARAMS, run_of, ticks

pytestmark = pytest.mark.browser
SLIDERS = {"samples": "Training progress", "curves": "Read values at"}


@pytest.fixture
def one(once: Once) -> str:
    """The address of the report of one run, with a warning."""
    return _reported(once, "report-of-one", 1)


@pytest.fixture
def two(once: Once) -> str:
    """The address of the report of two runs."""
    return _reported(once, "report-of-two", 2)


def _reported(once: Once, name: str, count: int) -> str:
    def write(folder: Path) -> None:
        runs = [
            run_of(folder / f"seed-{i}", ticks(120, seed=i), about={"hparams": {**HPARAMS, "lr": 0.1 * (i + 1)}})
            for i in range(count)
        ]
        (runs[0] / "warnings.jsonl").write_text('{"images": 2000, "text": "D overpowers G"}\n')
        report([str(run) for run in runs], folder / "page.html")

    return (once(name, write) / "page.html").as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_a_page_fits_its_window_and_breaks_no_rule(
    page: Pages, one: str, two: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    for address in (two, one) if (width < 1000) == (scheme == "light") else (two,):
        tab = page(address, width=width, scheme=scheme)
        tab.page.locator("summary").first.click()
        assert axe(tab.page) == []
        assert tab.errors == []
        assert tab.page.evaluate("document.documentElement.scrollWidth") == width
        panel = tab.page.locator(".panel").first.bounding_box()
        assert panel
        assert 250 < panel["width"] < 450


def test_values_are_read_off_by_keyboard(page: Pages, one: str) -> None:
    """The slider stops at each line of the log, and the panels show the values there."""
    tab = page(one)
    slider = tab.page.get_by_label(SLIDERS["curves"])
    slider.focus()
    slider.press("Home")
    logged = [tick for tick in ticks(120) if "D/adversarial" in tick]
    panel = tab.page.locator(".panel", has_text="D/adversarial")
    for tick in logged[:3]:
        assert slider.get_attribute("aria-valuetext") == f"{tick['images'] / 1000:g} kimg"
        title = panel.locator(".value").get_attribute("title") or ""
        assert float(title.split()[0]) == tick["D/adversarial"]
        assert float(panel.locator(".value").inner_text()) == pytest.approx(tick["D/adversarial"], rel=1e-5)
        slider.press("ArrowRight")
    tab.page.locator("#read-off", has_text="D/adversarial").wait_for(state="attached")
    assert tab.errors == []


def test_values_are_read_off_by_pointing(page: Pages, two: str) -> None:
    tab = page(two)
    panel = tab.page.locator(".panel", has_text="G/adversarial")
    panel.scroll_into_view_if_needed()
    box = panel.locator("svg[role=img]").bounding_box()
    assert box
    shown = []
    for share in (0.2, 0.5, 0.9):
        tab.page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        shown.append(panel.locator(".value").all_inner_texts())
    assert len({tuple(values) for values in shown}) == 3
    assert all(len(values) == 2 for values in shown)
    at = float((tab.page.locator("#at-said").inner_text()).split()[0])
    assert at == pytest.approx(4 * (0.9 * 360 - 52) / 298, abs=0.05)
    for seed, value in enumerate(shown[-1]):
        tick = min((t for t in ticks(120, seed) if "G/adversarial" in t), key=lambda t: abs(t["images"] / 1000 - at))
        assert float(value) == pytest.approx(tick["G/adversarial"], rel=1e-5)


def test_samples_move_with_their_slider_and_play(page: Pages, two: str) -> None:
    tab = page(two)
    images = [tab.page.locator(f"#sample-{i}") for i in range(2)]
    slider = tab.page.get_by_label(SLIDERS["samples"])
    last = [image.get_attribute("src") for image in images]
    slider.press("Home")
    assert all(image.get_attribute("src") != src for image, src in zip(images, last))
    assert [image.get_attribute("alt") for image in images] == [
        f"Grid of samples of seed-{i} after 0 kimg" for i in range(2)
    ]
    assert all(image.evaluate("image => image.complete && image.naturalWidth > 0") for image in images)
    tab.page.get_by_role("button", name="Play").press("Enter")
    tab.page.get_by_role("button", name="Stop").wait_for()
    tab.page.get_by_role("button", name="Play").wait_for()
    assert [image.get_attribute("src") for image in images] == last
    assert tab.errors == []


def test_all_settings_are_a_click_away(page: Pages, two: str) -> None:
    tab = page(two)
    rows = tab.page.locator("#settings-table tbody tr")
    assert [row for row in rows.all() if row.is_visible()] != rows.all()
    assert tab.page.locator("#settings-table tr.told").inner_text().startswith("--lr")
    tab.page.get_by_label("Show all settings").press("Space")
    assert all(row.is_visible() for row in rows.all())


def test_tab_reaches_everything_in_its_order(page: Pages, one: str) -> None:
    tab = page(one)
    reached = []
    for _ in range(40):
        tab.page.keyboard.press("Tab")
        name = "e => e.getAttribute('aria-label') || e.id || e.textContent.slice(0, 30)"
        reached.append(tab.page.evaluate(f"({name})(document.activeElement)"))
        if reached[-1] == "Make this report again":
            break
    wanted = [
        "Skip to the report",
        "Samples",
        "Commands",
        "when",
        "play",
        "at",
        "Values of seed-0",
        "Table of settings",
    ]
    places = [next((i for i, name in enumerate(reached) if name.strip().startswith(w)), None) for w in wanted]
    assert None not in places, (places, reached)
    assert places == sorted(place for place in places if place is not None)
    assert reached[-1] == "Make this report again"


def test_no_script_from_a_file_runs(page: Pages, tmp_path: Path) -> None:
    spoilt = "</script><img src=x onerror=alert(1)><script>window.hit = 1</script>"
    lines = [{**tick, spoilt: 1.0} for tick in ticks(3)]
    run = run_of(tmp_path / "run", lines, about={"data": spoilt, "variant": spoilt, "versions": {spoilt: spoilt}})
    report([str(run)], tmp_path / "page.html")
    tab = page((tmp_path / "page.html").as_uri())
    assert tab.page.evaluate("window.hit === undefined && !document.querySelector('img[onerror]')")
    assert tab.page.locator(".panel figcaption", has_text="<img src=x").count() == 1
    assert tab.errors == []


def test_even_a_script_in_the_page_would_not_run(page: Pages, one: str, tmp_path: Path) -> None:
    """The page's policy lets no script run but ours: the last wall, if text were not escaped."""
    text = Path(one.removeprefix("file://")).read_text()
    (tmp_path / "page.html").write_text(text.replace("</main>", "<script>window.hit = 1</script></main>"))
    tab = page((tmp_path / "page.html").as_uri())
    assert tab.page.evaluate("window.hit === undefined")
    assert any("Content Security Policy" in error for error in tab.errors)


def test_an_empty_run_has_a_page_without_errors(page: Pages, tmp_path: Path) -> None:
    report([str(run_of(tmp_path / "run", [], grids=0))], tmp_path / "page.html")
    tab = page((tmp_path / "page.html").as_uri(), width=400)
    assert axe(tab.page) == []
    assert tab.errors == []
