"""A study of four conditions: what is shared runs once, what did not change runs not again, what fails is told."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from studylib.evidence.response_schema import Response
from studylib.run import removal
from studylib.run.hub import Hub
from tests.conftest import studylib

WORDS = (
    "response", "--profile", "smoke", "--doses", "1000", "100000", "--views", "dense", "sparse", "--arms", "map",
    "--set", "map.iterations=20", "--cores", "2",
)  # fmt: skip
SHARED = "leaves_zone-plate_r0"


def run(folder: Path) -> tuple[int, list[str], str]:
    """Return exit status, the stages that ran, and all that was said."""
    done = studylib(*WORDS, "--hub", str(folder))
    ran = re.findall(r"^ {6}(\S*\d\d_\w+)(?:: [\d.]+ s)?$", done.stdout, re.MULTILINE)
    return done.returncode, ran, done.stdout + done.stderr


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> tuple[Path, tuple[int, list[str], str]]:
    folder = tmp_path_factory.mktemp("study") / "four"
    return folder, run(folder)


def test_four_conditions_give_one_response(study):
    folder, (status, ran, said) = study
    assert status == 0, said
    assert [name for name in ran if "dose_" not in name.removesuffix("1000")].count(f"{SHARED}/00_design") == 1
    told = Response.model_validate_json((folder / "analysis/response.json").read_text())
    assert {(r.dose, r.view, r.arm) for r in told.rows} == {
        (dose, view, arm) for dose in (1000, 100_000) for view in ("dense", "sparse") for arm in ("MAP", "constant")
    }
    assert [w.best for w in told.winners] == ["MAP"] * 4 and not told.failed and len(told.tables) == 4
    score = {(r.dose, r.view): r.phase_ms_ssim for r in told.rows if r.arm == "MAP"}
    assert score[100_000, "dense"] > score[1000, "dense"] > score[1000, "sparse"]
    allowed = {(m.dose, m.view): m for m in told.limits}
    assert len(allowed) == 4 and all(m.phase_bound > m.phase_wiener > 0 for m in told.limits)
    assert allowed[100_000, "dense"].phase_bound < 0.2 * allowed[1000, "dense"].phase_bound
    assert {(m.dose, m.view, m.arm) for m in told.sure} == {
        (d, v, "MAP") for d in (1000, 100_000) for v in ("dense", "sparse")
    }
    assert all(0 < m.phase_within_one < m.phase_within_two <= 1 for m in told.sure)
    page = (folder / "analysis/response.html").read_text()
    assert page.count("data:image/png;base64") >= 4 and "phase of leaves, zone-plate, dense: a row a dose" in page
    assert not re.search(r"(src|href)=.https?:", page)
    hub = folder / SHARED / "dose_1000_sparse"
    assert studylib("verify", "--hub", str(hub)).returncode == 0, "a condition is a hub like any other"
    assert studylib("verify", "--hub", str(folder)).returncode == 0, "and so is the study"
    report = hub / "analysis/report.html"
    page = report.read_bytes()
    report.write_bytes(page[:-1] + b"x")
    done = studylib("verify", "--hub", str(folder))
    assert done.returncode == 1 and f"{SHARED}/dose_1000_sparse: analysis/report.html" in done.stdout
    report.write_bytes(page)
    design = json.loads((hub / "analysis/design.json").read_text())
    assert design["arms"]["map"]["iterations"] == 20


def test_a_study_is_published_as_documents(study, tmp_path):
    from benchmarks.publish_response import publish

    folder, _ = study
    publish(folder, "four", tmp_path)
    page = (tmp_path / "four.md").read_text()
    assert (tmp_path / "four.json").read_bytes() == (folder / "analysis/response.json").read_bytes()
    assert {p.name for p in tmp_path.glob("*.png")} == set(re.findall(r"\((four_[\w-]+\.png)\)", page))
    assert "(four_leaves_zone-plate_sparse.png)" in page
    told = Response.model_validate_json((folder / "analysis/response.json").read_text())
    score = next(r.phase_ms_ssim for r in told.rows if (r.dose, r.view, r.arm) == (1000, "dense", "MAP"))
    assert f" {score:.3f} |" in page and "| MAP | - |" in page and "At equal fluence" in page


def test_studies_of_several_samples_are_published_on_one_page(study, tmp_path):
    from benchmarks import publish_samples

    folder, _ = study
    publish_samples.add(folder, tmp_path / "samples")
    publish_samples.write_page(tmp_path / "samples.md")
    page = (tmp_path / "samples.md").read_text()
    assert "| leaves, zone-plate | 1,000 | dense |" in page and "- [four](samples/four.json): 20" in page
    assert {p.name for p in (tmp_path / "samples").glob("*.webp")} == set(re.findall(r"\(samples/(.*webp)\)", page))
    told = Response.model_validate_json((tmp_path / "samples/four.json").read_text())
    with pytest.raises(ValueError, match="one split"):
        publish_samples.joined([told, told.model_copy(update={"split": "train"})])


def test_only_what_changed_runs_again(study):
    folder, _ = study
    before = (folder / "analysis/response.json").read_bytes()
    assert run(folder)[:2] == (0, []) and (folder / "analysis/response.json").read_bytes() == before
    data = folder / SHARED / "dose_1000_sparse/data/phase_d/dose_1000/sparse/test.npz"
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(bytes(content))
    (folder / SHARED / "data/phase_c/dose_100000/test.npz").touch()
    status, ran, said = run(folder)
    assert status == 0 and "again: leaves_zone-plate_r0/dose_1000_sparse/02_overlap" in said, said
    mine = {f"{SHARED}/dose_1000_sparse", f"{SHARED}/dose_100000_dense", f"{SHARED}/dose_100000_sparse"}
    assert {name.rpartition("/")[0] for name in ran} == mine | {""}, said


def test_a_failed_condition_is_told_with_its_reason_and_the_others_go_on(study):
    folder, _ = study
    hub = folder / SHARED / "dose_1000_dense"
    (hub / "analysis/dose_1000/dense/test/comparison_metrics.csv").unlink()
    blocked = hub / "notebooks/.05_compare_dose1000_dense_test.part.ipynb"
    blocked.mkdir()  # papermill cannot write there
    status, _, said = run(folder)
    assert status == 1 and "1 of 4 conditions failed" in said, said
    told = Response.model_validate_json((folder / "analysis/response.json").read_text())
    assert [f.folder for f in told.failed] == [f"{SHARED}/dose_1000_dense"] and "05_compare" in told.failed[0].reason
    assert len(told.tables) == 3 and (hub / "analysis/blocker.txt").is_file()
    assert "conditions failed" in (folder / "analysis/response.html").read_text()
    blocked.rmdir()
    status, _, said = run(folder)
    assert status == 0 and not (hub / "analysis/blocker.txt").exists(), said


def test_another_study_is_refused_and_its_folder_left_alone(study):
    folder, _ = study
    done = studylib(*WORDS, "--hub", str(folder), "--replicates", "2")
    assert done.returncode == 2 and "--clobber" in done.stderr
    assert (folder / "analysis/response.json").is_file()


def test_every_file_of_a_study_is_known_as_its_own(study, tmp_path):
    copy = shutil.copytree(study[0], tmp_path / "copy", symlinks=True)
    mine = copy / SHARED / "dose_1000_dense/data/mine.csv"
    mine.write_text("years of work")
    assert removal.remove(Hub(copy)) == [mine.relative_to(copy).as_posix()]
    assert (study[0] / "analysis/response.json").is_file()
