"""`gancli report`: what a page says is what the run's files say, whatever is in them."""

import json
import re
import time
from html import unescape
from pathlib import Path

import pytest
from PIL import Image

from gancli.checkpoints.run_folder import Folder
from gancli.reporting import commands, curves, grids
from gancli.reporting.runs import read_runs
from gancli.system import atomic
from tests.conftest import Cli, Trained
from tests.reporting.fake_runs import HPARAMS, run_of, ticks

SPOILT = "<script>alert(1)</script>"


def page_of(cli: Cli, *words: object) -> str:
    done = cli("report", *words, "--json")
    assert done.code == 0, done.err
    return Path(json.loads(done.out)["report"]).read_text()


def table(page: str) -> list[dict[str, str]]:
    """Read the table of values back from a page."""
    text = re.search(r'<table class="values">(.*?)</table>', page, re.DOTALL)
    assert text
    rows = [re.findall(r"<t[hd](?: [^>]*)?>(.*?)</t[hd]>", row) for row in text[1].split("</tr>")[:-1]]
    return [{unescape(n): unescape(v) for n, v in zip(rows[0], row) if v} for row in rows[1:]]


def test_figures_are_those_of_the_log_to_the_last_digit(cli: Cli, trained: Trained) -> None:
    run = trained("run", "gan", "--data", "ring8", "--width", 4, "--batch", 4, "--steps", 6)
    said, page = table(page_of(cli, run)), (run / "report.html").read_text()
    log = (run / "metrics.jsonl").read_text().splitlines()
    lines = [json.loads(line, parse_float=str, parse_int=str) for line in log]
    assert len(said) == len(lines) > 6
    for row, line in zip(said, lines):
        expected = {name.replace("_", " "): value or "not finite" for name, value in line.items()}
        assert row.pop("kimg") == f"{int(line['images']) / 1000:.10g}"
        assert row == {name: value for name, value in expected.items() if name not in ("step", "images", "seconds")}
    last = next(line for line in reversed(lines) if "modes_hit" in line)
    assert f'<span class="number">{last["modes_hit"]}</span>' in page
    assert "--width" in page


def test_what_the_script_reads_off_is_in_the_log(cli: Cli, tmp_path: Path) -> None:
    page = page_of(cli, run_of(tmp_path / "run", ticks(1500)))
    found = re.search(r'id="content">(.*?)</script>', page)
    assert found
    (panel,) = [p for p in json.loads(found[1])["panels"] if p["name"] == "D/adversarial"]
    logged = {(t["images"], t["D/adversarial"]) for t in ticks(1500) if "D/adversarial" in t}
    curve = panel["curves"][0]
    assert len(curve["x"]) <= curves.MOST_POINTS
    assert set(zip(curve["x"], curve["y"])) <= logged
    assert "200 of 1650 lines" in page


def test_names_from_files_are_text_and_never_markup(cli: Cli, tmp_path: Path) -> None:
    lines = [{**tick, f"D/{SPOILT}": 1.0, f"'\"><img src=x onerror={SPOILT}>": 2.0} for tick in ticks(5)]
    about = {
        "variant": f"./{SPOILT}.py",
        "data": SPOILT,
        "folder": f"</script>{SPOILT}",
        "hparams": {**HPARAMS, SPOILT: SPOILT},
        "versions": {SPOILT: SPOILT},
        "options": {"metrics": SPOILT, "pairs": SPOILT},
        "spec": {"channels": 3, "height": 8, "width": 8, "classes": [SPOILT], "domains": [SPOILT, "b"]},
    }
    run = run_of(tmp_path / SPOILT.replace("/", "|"), lines, about=about)
    (run / "warnings.jsonl").write_text(json.dumps({"images": 1, "text": SPOILT}))
    page = page_of(cli, run, "--out", "page.html")
    assert page.count("<script") == 2  # the data, and ours
    assert page.count("</script") == 2
    assert "<img src=x" not in page
    assert "alert(1)" in unescape(page)


def test_what_a_command_hides_is_shown(cli: Cli, tmp_path: Path) -> None:
    """A text that runs from right to left, or over several lines, is not what a terminal would get."""
    about = {"variant": "\u202e./mine.py", "data": "a\n\u2066b", "hparams": {**HPARAMS, "x\u202e": 1}}
    page = page_of(cli, run_of(tmp_path / "run", about=about))
    assert not {"\u202e", "\u2066"} & set(page)
    assert r"gancli train &#39;\u202e./mine.py&#39; --data &#39;a\n\u2066b&#39;" in page


@pytest.mark.parametrize(
    "about",
    [
        {"hparams": {**HPARAMS, **{f"x{i}": 0 for i in range(1001)}}},
        {"hparams": {**HPARAMS, "x" * 10_000: 0}},
        *({name: {f"x{i}": 0 for i in range(1001)}} for name in ("versions", "machine", "options")),
    ],
    ids=lambda about: next(iter(about)),
)
def test_a_run_of_absurdly_many_settings_is_refused_in_one_line(cli: Cli, tmp_path: Path, about: dict) -> None:
    done = cli("report", run_of(tmp_path / "run", about=about))
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "run.json" in done.err
    assert not (tmp_path / "run" / "report.html").exists()


def test_a_log_of_many_names_makes_a_small_page_soon(cli: Cli, tmp_path: Path) -> None:
    place = {"step": 1, "images": 16, "seconds": 1.0}
    lines = [{**place, **{f"D/{kind}{i}": 1.0 for i in range(5000)}} for kind in "ab"]
    lines += [{**place, **{f"fid_class_{i}": 1.0 for i in range(5000)}}, {**place, f"fid_class_{'1' * 10_000}": 1.0}]
    start = time.process_time()
    page = page_of(cli, run_of(tmp_path / "run", lines, grids=0))
    assert time.process_time() - start < 5
    assert len(page) < 2_000_000
    assert "4,700 more metrics" in page
    assert max(map(len, re.findall(r"<th scope=.row.>(.*?)<", page))) < 200


@pytest.mark.parametrize("count", [1, 2, 3])
def test_several_runs_stand_side_by_side_and_say_what_differs(cli: Cli, tmp_path: Path, count: int) -> None:
    runs = [
        run_of(tmp_path / f"seed-{i}", ticks(seed=i), about={"hparams": {**HPARAMS, "lr": 0.1 * (i + 1)}})
        for i in range(count)
    ]
    page = page_of(cli, *runs, "--out", "page.html")
    assert [f"seed-{i}" in page for i in range(4)] == [i < count for i in range(4)]
    row = re.search(r'<tr class="(\w+)"><th scope="row"><code>--lr</code>.*?</tr>', page, re.DOTALL)
    assert row
    assert row[1] == "told"
    assert [f"{0.1 * (i + 1)!r}" in row[0] for i in range(3)] == [i < count for i in range(3)]
    assert page.count("best of all") == (0 if count == 1 else count + 1)  # mode_kl is equal, valid_share has one best


def test_the_best_is_the_lowest_of_what_should_be_low(cli: Cli, tmp_path: Path) -> None:
    page = page_of(cli, run_of(tmp_path / "run"))
    shares = [t["valid_share"] for t in ticks() if "valid_share" in t]
    assert f'<b class="number">{max(shares)!r}</b>' in page
    assert f'<b class="number">{3 - 39 / 20!r}</b>' in page


@pytest.mark.parametrize(
    ("lines", "about", "said"),
    [
        ([], {}, "the log is empty"),
        (ticks(2)[:1], {}, "training stopped after 2 of 4 kimg"),
        ([{**t, "D/adversarial": None} for t in ticks(3)], {}, "D/adversarial was not finite 3 times"),
        (ticks(), {"spec": None, "versions": None, "options": None, "device": None, "suited": None}, ""),
        (ticks(), {"variant": "no-longer-here"}, ""),
        (ticks(), {"spec": {"channels": 2, "height": 1, "width": 1}, "variant": "gan"}, ""),
        (ticks(1), {"spec": {"channels": 3, "height": 8, "width": 8, "domains": ["a", "b"]}, "variant": "unit"}, ""),
        ([{**t, "D/adversarial": v} for t, v in zip(ticks(4), (1e308, -1e308, 5e-324, 0))], {}, ""),
        ([{**t, "D/adversarial": 0.5 if t["images"] < 500 else 0.0} for t in ticks()], {}, "D overpowers G"),
    ],
)
def test_every_run_has_a_report(cli: Cli, tmp_path: Path, lines: list, about: dict, said: str) -> None:
    page = page_of(cli, run_of(tmp_path / "run", lines, grids=0 if not lines else 2, about=about))
    assert said in unescape(page)
    page_of(cli, run_of(tmp_path / "other"), tmp_path / "run", "--out", "both.html")


def test_a_run_that_trains_is_said_to_run(cli: Cli, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", ticks(4)[:2])
    with atomic.locked(run):
        assert "training is running: the report shows the first 2 of 4 kimg" in page_of(cli, run)


def test_warnings_of_training_are_kept_and_said(cli: Cli, trained: Trained) -> None:
    """Of networks that have hardly learnt, all samples are alike."""
    run = trained("run", "dcgan", "--width", 4, "--batch", 4, "--z-dim", 6, "--steps", 3)
    (kept,) = [json.loads(line) for line in (run / "warnings.jsonl").read_text().splitlines()]
    assert kept["text"].startswith("possible mode collapse")
    assert kept["images"] == 12
    assert f"{kept['text']} (at 0.012 kimg)" in unescape(page_of(cli, run))


def test_damaged_files_are_named_and_the_rest_is_shown(cli: Cli, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run")
    (run / "samples" / "000000000.png").write_bytes(b"\x89PNG no")
    with (run / "metrics.jsonl").open("a") as log:
        log.write("nonsense\n{}\n")
    done = json.loads(cli("report", run, "--json").out)
    assert done["samples"] == [3]
    assert any("000000000.png cannot be read" in text for text in done["warnings"][0])
    assert any("metrics.jsonl: lines 45, 46 cannot be read and are left out" in text for text in done["warnings"][0])


def test_a_page_stays_small(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With grids of noise, which no format shrinks: they become smaller, then fewer."""
    monkeypatch.setattr(grids, "BUDGET", 60_000)
    monkeypatch.setattr(grids, "SMALLEST", 48)
    monkeypatch.setattr(grids, "MOST", 10)
    for side, count, kept in ((64, 12, 10), (100, 6, 6)):
        run = run_of(tmp_path / f"{side}-{count}", grids=count, side=side)
        (history,) = grids.histories(read_runs([str(run)]))
        assert sum(len(image.url) for image in history.samples) <= 1.34 * 60_000 + count * 30
        assert (len(history.samples), history.of, history.faults) == (kept, count, [])
    monkeypatch.setattr(grids, "BUDGET", 4000)
    (history,) = grids.histories(read_runs([str(run)]))
    assert 2 <= len(history.samples) < 6
    assert (history.samples[0].images, history.samples[-1].images) == (0, 4000)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "no run 'nowhere'"),
        (["."], "holds no run"),
        (["run", "run"], "named twice"),
        (["run/run.json"], "that is a file"),
        (["run", "--out", "x.pdf"], "written as .html"),
        (["run", "--out", "mine.html"], "exists and is not a report"),
        (["run", "--film", "x.txt"], ".gif, .webp, .mp4"),
        (["run", "other", "--film", "x.gif"], "shows one run, not 2"),
        (["bare", "--film", "x.gif"], "holds no sample grids"),
        (["run", "--fps", "3"], "--fps needs --film"),
        (["broken"], "run.json cannot be read"),
        (["strange"], "run.json cannot be read"),
    ],
)
def test_what_cannot_be_reported_is_refused_in_one_line(cli: Cli, tmp_path: Path, words: list[str], said: str) -> None:
    for name in ("run", "other", "bare", "broken"):
        run_of(tmp_path / name, grids=0 if name == "bare" else 1)
    run_of(tmp_path / "strange", about={"versions": 3})
    (tmp_path / "broken" / "run.json").write_text("{")
    (tmp_path / "mine.html").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    done = cli("report", *words)
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "mine.html").read_text() == "mine"


def test_a_link_among_the_samples_is_not_followed(cli: Cli, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run")
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.png")
    (run / "samples" / "000009999.png").symlink_to(tmp_path / "secret.png")
    assert cli("report", run).code == 2


def test_a_report_is_replaced_by_the_next(cli: Cli, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run")
    assert page_of(cli, run) == page_of(cli, run)
    assert sorted(p.name for p in run.iterdir()) == ["metrics.jsonl", "report.html", "run.json", "samples"]


@pytest.mark.parametrize(
    "given",
    [
        ["--width", 4],
        ["--lr", 0.003, "--seed", 5, "--mirror"],
        ["--z-dim", 128],  # the default, but not the preset
        ["--preset", "paper", "--beta1", 0.25],
    ],
)
def test_the_command_trains_the_same_again(cli: Cli, tmp_path: Path, pictures: Path, given: list[object]) -> None:
    common = ["--data", pictures, "--batch", 4, "--steps", 0, "--metrics", "none", "--quiet"]
    assert cli("train", "dcgan", *common, *given, "--out", tmp_path / "run").code == 0
    words = commands.train(read_runs([str(tmp_path / "run")])[0]).split()
    assert words[:3] == ["gancli", "train", "dcgan"]
    assert cli(*words[1:], "--quiet", "--out", tmp_path / "again").code == 0
    first, second = (Folder(tmp_path / name).read_about() for name in ("run", "again"))
    assert first
    assert second
    assert (first.hparams, first.suited, first.seed, first.spec) == (
        second.hparams, second.suited, second.seed, second.spec
    )  # fmt: skip


def test_no_code_that_a_run_names_is_run(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text("from pathlib import Path\nPath('ran').touch()")
    page = page_of(cli, run_of(tmp_path / "run", about={"variant": "./evil.py"}))
    assert "gancli train ./evil.py" in page
    assert not (tmp_path / "ran").exists()
