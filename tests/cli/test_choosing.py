"""What helps to choose a variant: what each is for, what it needs, and the one that is trained when none is named."""

import json
from pathlib import Path

import pytest

from gancli import registry
from tests.conftest import Cli

QUICK = ("--batch", 4, "--width", 4, "--z-dim", 6, "--steps", 1)
PLUG_IN = '''"""Mine: You 2026, "A margin for LSGAN"."""

from gancli.families.noise import NoiseHParams, NoiseToImage


class Mine(NoiseToImage[NoiseHParams]):
    """Nothing of its own."""

    hparams = NoiseHParams
    recommended = True
    purpose = "a " + "riddle"
'''


@pytest.mark.parametrize("name", registry.names())
def test_what_is_read_of_the_source_is_what_the_class_says(name: str) -> None:
    about, kind = registry.describe(name), registry.load(name)
    assert (about.purpose, about.data, about.recommended) == (kind.purpose, kind.data.needs, kind.recommended)
    assert 8 < len(about.purpose) <= 52
    assert about.data
    assert '"' not in about.citation


def test_one_of_a_kind_of_data_is_recommended_and_each_has_its_own_purpose() -> None:
    about = [registry.describe(name) for name in registry.names()]
    marked = [entry for entry in about if entry.recommended]
    assert {entry.name for entry in marked} == {registry.recommended(entry.data) for entry in marked}
    assert len({entry.data for entry in marked}) == len(marked)
    assert {entry.data for entry in marked} >= {registry.IMAGES, registry.LABELS, registry.DOMAINS, registry.PAIRS}
    assert len({entry.purpose for entry in about}) == len(about)


def test_the_guide_to_variants_begins_with_those_that_are_recommended() -> None:
    """`gancli data` and docs/which-variant.md give one answer."""
    table = (Path(__file__).parents[2] / "docs" / "which-variant.md").read_text().split("\n## ")[0]
    first = {cells[3] for line in table.splitlines() if len(cells := line.split("|")) > 4}
    for name in registry.names():
        if registry.describe(name).recommended:
            assert any(cell.strip(" [").startswith(f"`{name}`") for cell in first), name


def test_the_list_says_it_to_people_and_to_scripts(cli: Cli) -> None:
    rows, entries = cli("list").out.splitlines(), json.loads(cli("list", "--json").out)
    assert len(rows) == len(entries) + 1
    for row, entry in zip(rows, entries):
        assert row.split()[0] == entry["name"]
        assert f"  {entry['purpose']}" in row
        assert f"  {entry['data']} " in row
        assert row.startswith(f"{entry['name']} * ") == entry["recommended"]
    assert rows[-1].endswith(f"trains {registry.recommended()}")
    assert max(map(len, rows)) < 160


def test_options_without_a_name_train_the_recommended_one(cli: Cli, pictures: Path) -> None:
    name = registry.recommended()
    told = cli("train", "--data", pictures, *QUICK, "--out", "x")
    assert told.code == 0, told.err
    assert f"variant   {name} (recommended" in told.out
    assert json.loads(Path("x/run.json").read_text())["variant"] == name
    assert cli("train", *QUICK, "--data", pictures, "--out", "x", "--resume").code == 0
    assert cli("train", f"--data={pictures}", "--dry-run").code == 0
    assert "(recommended" not in cli("train", "gan", "--data", pictures, *QUICK).out


def test_its_options_are_those_of_the_recommended_one(cli: Cli) -> None:
    wrong = cli("train", "--colour", "red")
    assert (wrong.code, wrong.out) == (2, "")
    assert "No such option: --colour" in wrong.err
    assert cli("train", "--steps", 3, "--help").out == cli("train", registry.recommended(), "--help").out
    assert "Usage: gancli train VARIANT [OPTIONS]\n" in cli("train", "--help").out


def test_a_plug_in_does_not_take_its_place(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor need it say what it is for."""
    Path("mine.py").write_text(PLUG_IN)
    about = registry.describe("./mine.py")
    assert (about.purpose, about.data) == ("", "images")
    monkeypatch.setattr(registry, "names", lambda: ["./mine.py", "dcgan"])
    assert registry.recommended() != "./mine.py"
    assert cli("list").code == 0
