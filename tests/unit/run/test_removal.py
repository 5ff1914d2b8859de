"""What is taken away of a study, and what never is: a file that somebody else put there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from studylib.errors import InputError
from studylib.io.files import write_json
from studylib.run import removal
from studylib.run.hub import Hub
from studylib.run.parameters import Run
from studylib.run.plan import stages
from studylib.run.preparation import clean_hub, lock, prepare
from studylib.run.study import Study
from tests.conftest import studylib

RUN = Run(arms=("map",), splits=("test",))


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Hub:
    """A hub with a file under every name that a run of MAP writes."""
    monkeypatch.setenv("AUTHORITATIVE_CMDS_DOC", "docs/TESTING_GUIDE.md")
    hub = Hub(tmp_path / "hub")
    prepare(hub, Study.of(RUN), None, clobber=False)
    for stage in stages(RUN):
        for name in (*stage.outputs, stage.log, stage.executed):
            (hub / name).parent.mkdir(parents=True, exist_ok=True)
            (hub / name).write_text("made")
    (hub / "analysis/metrics_digest.md").write_text("made")
    (hub / ".snakemake/metadata").mkdir(parents=True)
    (hub / ".snakemake/metadata/x").write_text("made")
    return hub


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir() or p.is_symlink()}


MINE = (
    "notes.txt", "data/mine.csv", "analysis/dose_1000/dense/test/figure.svg", "cli/mine.log", "notebooks/mine.ipynb",
)  # fmt: skip


def test_what_somebody_put_into_a_hub_stays(hub):
    for name in MINE:
        (hub / name).write_text("years of work")
    assert removal.remove(hub) == sorted(MINE)
    assert files(hub.root) == set(MINE) and all((hub / name).read_text() == "years of work" for name in MINE)


def test_of_a_hub_that_holds_nothing_else_nothing_is_left(hub):
    half_written = hub / "data/phase_c/dose_1000/.train.npz.k2j3.npz"
    half_written.write_text("cut")
    assert removal.remove(hub) == [] and not hub.root.exists()


def test_no_link_is_followed_out_of_the_hub(hub, tmp_path):
    elsewhere = tmp_path / "elsewhere/dose_1000"
    elsewhere.mkdir(parents=True)
    (elsewhere / "test.npz").write_text("years of work")
    (tmp_path / "deltas.json").write_text("years of work")
    for path in (hub / "data/phase_c").rglob("*.npz"):
        path.unlink()
    (hub / "data/phase_c/dose_1000").rmdir()
    (hub / "data/phase_c").rmdir()
    (hub / "data/phase_c").symlink_to(elsewhere.parent)
    (hub / "analysis/metrics_digest.md").unlink()
    (hub / "analysis/metrics_digest.md").symlink_to(tmp_path / "deltas.json")
    assert removal.remove(hub) == ["data/phase_c"]
    assert (elsewhere / "test.npz").is_file() and (tmp_path / "deltas.json").is_file()
    assert not (hub / "analysis/metrics_digest.md").is_symlink()


@pytest.mark.parametrize("name", ["../mine.txt", "/{}/mine.txt", "data/../../mine.txt"])
def test_a_forged_stamp_takes_nothing_away(hub, tmp_path, name):
    mine = tmp_path / "mine.txt"
    mine.write_text("years of work")
    outputs = {name.format(tmp_path): "0" * 64, "data/old.npz": "0" * 64}
    write_json(hub / "analysis/stages/00_design.json", {"outputs": outputs})
    (hub / "data/old.npz").write_text("made by an earlier version")
    assert removal.remove(hub) == [] and mine.read_text() == "years of work"


def test_starting_over_keeps_what_is_somebodys(hub):
    (hub / "data/mine.csv").write_text("years of work")
    other = RUN.model_copy(update={"dose": 10_000})
    prepare(hub, Study.of(other), None, clobber=True)
    assert {"data/mine.csv", "plan/run.json"} <= files(hub.root) <= {"data/mine.csv", "plan/run.json", "plan/hub.json"}
    assert json.loads((hub / "plan/run.json").read_text())["dose"] == 10_000


def test_a_hub_of_an_earlier_version_can_be_started_over_beside_a_file_of_somebodys(hub):
    """It has no plan/hub.json, and its plan, which marks it, is made anew."""
    (hub / "plan/hub.json").unlink(missing_ok=True)
    (hub / "data/mine.csv").write_text("years of work")
    prepare(hub, Study.of(RUN), None, clobber=True)
    assert hub.exists and "data/mine.csv" in files(hub.root) and not (hub / "analysis/design.json").exists()


@pytest.mark.parametrize("place", ["/", ".", "..", "~"])
def test_a_place_that_is_no_hub_by_its_nature_is_refused(place, tmp_path, monkeypatch):
    """Also with a forged plan in it."""
    home = tmp_path / "home/work"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home.parent))
    monkeypatch.chdir(home)
    for folder in (home, home.parent):
        write_json(folder / "plan/run.json", RUN.model_dump(mode="json"))
    with pytest.raises(InputError, match="a hub"):
        clean_hub(Hub(Path(place).expanduser()))
    assert (home / "plan/run.json").is_file() and (home.parent / "plan/run.json").is_file()


def test_the_command_says_what_is_left(hub, tmp_path):
    (hub / "data/mine.csv").write_text("years of work")
    done = studylib("clean", "--hub", str(hub.root))
    assert done.returncode == 0 and "1 file is left that the study did not make: data/mine.csv" in done.stdout
    assert files(hub.root) == {"data/mine.csv"}
    again = studylib("clean", "--hub", str(hub.root))
    assert again.returncode == 2 and again.stderr.count("\n") == 1 and (hub / "data/mine.csv").is_file()


def test_a_hub_in_use_is_not_taken_away(hub):
    with lock(hub), pytest.raises(InputError, match="no other run"):
        clean_hub(hub)
    assert (hub / "plan/run.json").is_file()


def test_what_cannot_be_read_of_a_plan_is_told_by_the_stamps(hub):
    (hub / "plan/run.json").write_text("{")
    write_json(hub / "analysis/stages/00_design.json", {"outputs": {"data/phase_c/dose_1000/test.npz": ""}})
    left = removal.remove(hub)
    assert "data/phase_c/dose_1000/test.npz" not in left and "data/phase_c/dose_1000/train.npz" in left
    assert os.path.exists(hub / "data/phase_c/dose_1000/train.npz")
