"""What a mistyped name of a command, a variant or a model leads to: the right name, or where to look for it."""

from pathlib import Path

import pytest

from gancli import registry
from gancli.checkpoints import find, published
from tests.conftest import Cli


def refused(cli: Cli, *words: object) -> str:
    done = cli(*words)
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    return done.err


@pytest.mark.parametrize(("given", "says"), [("trian", "did you mean train"), ("help", "; gancli --help lists them")])
def test_a_command(cli: Cli, given: str, says: str) -> None:
    assert f"no command '{given}'" in (said := refused(cli, given))
    assert says in said


@pytest.mark.parametrize("given", ["./faces", "data/faces", "faces.zip"])
def test_data_in_the_place_of_a_variant(cli: Cli, given: str) -> None:
    Path("faces.zip").touch()
    assert f"gancli train {registry.recommended()} --data {given}" in refused(cli, "train", given)


@pytest.mark.parametrize("group", ["train", "bench"])
def test_data_without_its_option(cli: Cli, group: str) -> None:
    assert "only options; give data as --data ./a" in refused(cli, group, "gan", "./a", "./b")


def test_a_run_to_resume_without_its_option(cli: Cli) -> None:
    assert "only options; give the run as --out runs/a" in refused(cli, "train", "gan", "--resume", "runs/a")


def test_a_variant_like_no_other(cli: Cli) -> None:
    assert refused(cli, "train", "q") == "gancli: no variant 'q'; gancli list shows them\n"
    assert "no file ./faces.py" in refused(cli, "train", "./faces.py")


def test_a_run_is_looked_for_among_the_runs_here(cli: Cli) -> None:
    assert "there are no runs in ./runs" in refused(cli, "sample", "q")
    for number in range(find.FEW_RUNS + 3):
        (folder := Path(f"runs/vae-emoji-{number:02}")).mkdir(parents=True)
        (folder / "run.json").write_text("{}")
    said = refused(cli, "sample", "q")
    assert "runs/vae-emoji-00, runs/vae-emoji-01, " in said
    assert f"runs/vae-emoji-{find.FEW_RUNS - 1:02} and 3 more; gancli list --published" in said
    assert not any(name in said for name in published.names())
    assert "did you mean runs/vae-emoji-0" in refused(cli, "sample", "vae-emojis-05")


@pytest.mark.parametrize("group", ["train", "bench"])
def test_without_a_name_every_variant_is_shown_with_its_purpose(cli: Cli, group: str) -> None:
    rows = cli(group).out.splitlines()
    assert rows[0] == f"Usage: gancli {group} VARIANT [OPTIONS]"
    for name in registry.names():
        assert any(row.split() == [name, *registry.describe(name).purpose.split()] for row in rows), name


@pytest.mark.parametrize("given", ["runs/vae-emoji", "vae-emojis-1"])
def test_a_model_to_score_is_looked_for_among_the_runs_too(cli: Cli, given: str) -> None:
    Path("runs/vae-emoji-1").mkdir(parents=True)
    Path("runs/vae-emoji-1/run.json").write_text("{}")
    said = refused(cli, "eval", given, "--data", "digits", "--extractor", "local")
    assert said == f"gancli: no model or images '{given}'; did you mean runs/vae-emoji-1?\n"
    assert "the runs here are runs/vae-emoji-1" in refused(
        cli, "eval", "./q", "--data", "digits", "--extractor", "local"
    )
