"""The orchestrator: the whole smoke chain for real, the dry run, and failures that stop it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import numpy as np
import pytest

from studylib.evidence import checksums, verify
from studylib.io.files import read_json, write_json
from studylib.run import removal
from studylib.run.hub import Hub
from studylib.run.provenance import sha256
from tests.conftest import ROOT, scores, studylib


def test_run_phase_g_dense_exec_runs_analyze_digest(smoke):
    hub, done = smoke
    assert done.returncode == 0, done.stdout + done.stderr
    log = (hub / "cli/run_phase_g_dense.log").read_text()
    for said in (done.stdout, log.partition("SUCCESS")[0]):  # other tests run the same command on this hub again
        banners = [line for line in said.splitlines() if line.startswith("[")]
        assert [line[:5] for line in banners] == [f"[{n}/8]" for n in range(1, 9)]
    assert "SUCCESS: All phases completed" in log and "analysis/metrics_delta_summary.json" in log
    assert not (hub / ".snakemake").exists(), "it names paths of this machine"
    for name in ("phase_c_generation", "phase_d_dense", "phase_e_baseline_gs1_dose1000", "phase_e_dense_gs2_dose1000",
                 "phase_f_dense_train", "phase_f_dense_test", "phase_g_dense_train", "phase_g_dense_test",
                 "aggregate_report_cli", "metrics_digest_cli", "ssim_grid_cli"):  # fmt: skip
        assert (hub / f"cli/{name}.log").read_text().split()[-1] == "complete", name
    digest = (hub / "analysis/metrics_digest.md").read_text()
    assert "✓ ALL COMPARISONS SUCCESSFUL ✓" in digest and "Failed: 0" in digest
    assert json.loads((hub / "analysis/verification_report.json").read_text())["ok"]
    deltas = json.loads((hub / "analysis/metrics_delta_summary.json").read_text())
    assert deltas["provenance"]["commands_document"] == "docs/TESTING_GUIDE.md"
    assert set(deltas["deltas_by_split"]) == {"train", "test"} and deltas["deltas_split"] == "test"
    inventory = (hub / "analysis/artifact_inventory.txt").read_text().splitlines()
    assert inventory == sorted(inventory) and all((hub / name).is_file() for name in inventory)
    assert not (hub / "analysis/blocker.txt").exists()
    limit = json.loads((hub / "analysis/dose_1000/dense/test/limit.json").read_text())
    assert 0 < limit["phase_wiener"] < limit["phase_bound"] and not limit["reason"]
    assert f"<td>{limit['phase_wiener']:.4f}</td>" in (hub / "analysis/report.html").read_text()


def test_run_phase_g_dense_collect_only_generates_commands(tmp_path):
    hub = tmp_path / "never"
    done = studylib("dense", "--hub", str(hub), "--collect-only")
    assert done.returncode == 0, done.stderr
    first, *lines = done.stdout.splitlines()
    assert "-m studylib dense" in first and first.endswith("--prepare-only")
    assert len(lines) == 20 and all("-m papermill notebooks/" in line for line in lines)
    assert not hub.exists()


def test_the_collected_commands_run_as_printed(tmp_path):
    """All but the last; then the run itself finds them done, does the rest, and verifies.

    With quick arms: a run without PtychoPINN has no deltas of the contract, but it is a run, and nothing is trained.
    """
    hub = tmp_path / "by-hand"
    given = ("dense", "--hub", str(hub), "--profile", "smoke", "--arms", "ptychi", "map", "--splits", "test")
    lines = studylib(*given, "--collect-only").stdout.splitlines()
    for line in lines[:-1]:
        subprocess.run(line, shell=True, cwd=ROOT, check=True, capture_output=True)
    made = hub / "data/phase_f/dose_1000/dense/test"
    before = {p: p.stat().st_mtime_ns for p in made.rglob("*") if p.is_file()}
    done = studylib(*given)
    assert done.returncode == 0, done.stdout + done.stderr
    assert before and before == {p: p.stat().st_mtime_ns for p in made.rglob("*") if p.is_file()}
    deltas = json.loads((hub / "analysis/metrics_delta_summary.json").read_text())
    assert deltas["deltas"]["vs_PtyChi"]["ms_ssim"]["phase"] is None
    assert {k.split("/")[0] for k in scores(hub)} == {"PtyChi", "MAP", "constant"}
    assert not (hub / "data/phase_e").exists()


def test_a_finished_hub_is_refused_with_other_parameters(smoke):
    hub, _ = smoke
    before = {p: p.stat().st_mtime_ns for p in hub.rglob("*") if p.is_file()}
    done = studylib("dense", "--hub", str(hub), "--profile", "smoke", "--dose", "10000")
    assert done.returncode == 2 and "--clobber" in done.stderr and "earlier output" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert before == {p: p.stat().st_mtime_ns for p in hub.rglob("*") if p.is_file()}


def test_the_same_command_on_a_finished_hub_verifies_it(smoke):
    hub, _ = smoke
    made = {p: p.stat().st_mtime_ns for folder in ("data", "notebooks") for p in (hub / folder).rglob("*")}
    done = studylib("dense", "--hub", str(hub), "--profile", "smoke")
    assert done.returncode == 0 and "verified: " in done.stdout and "again:" not in done.stdout, done.stdout
    assert made == {p: p.stat().st_mtime_ns for folder in ("data", "notebooks") for p in (hub / folder).rglob("*")}


def test_the_same_command_mends_what_is_missing_cut_or_changed(smoke, tmp_path):
    """With what depends on it, and nothing else: one flipped byte with its time kept, a cut notebook, a lost page."""
    hub = tmp_path / "damaged"
    shutil.copytree(smoke[0], hub)
    kept = {p: p.stat().st_mtime_ns for p in hub.rglob("model.keras")}
    flipped = hub / "data/phase_f/dose_1000/dense/test/map/reconstruction.npz"
    content, times = flipped.read_bytes(), flipped.stat()
    flipped.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(flipped, ns=(times.st_atime_ns, times.st_mtime_ns))
    cut = hub / "notebooks/05_compare_dose1000_dense_train.ipynb"
    cut.write_bytes(cut.read_bytes()[:-9])
    (hub / "analysis/metrics_digest.md").unlink()
    done = studylib("dense", "--hub", str(hub), "--profile", "smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    again = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("again:")]
    assert again == ["04_reconstruct_dose1000_dense_test_map", "05_compare_dose1000_dense_train"]
    assert "05_compare_dose1000_dense_test:" in done.stdout and (hub / "analysis/metrics_digest.md").is_file()
    assert scores(hub) == scores(smoke[0])
    assert len(kept) == 2 and kept == {p: p.stat().st_mtime_ns for p in kept}
    assert removal.remove(Hub(hub)) == [] and not hub.exists(), "every file of a finished run is known as its own"


def test_a_rerun_after_an_interruption_does_only_what_is_missing(smoke, tmp_path):
    hub = tmp_path / "interrupted"
    shutil.copytree(smoke[0], hub)
    (hub / "analysis/verification_report.json").unlink()
    (hub / "analysis/metrics_summary.json").unlink()
    kept = hub / "data/phase_e/dose_1000/dense/gs2/model.keras"
    before = kept.stat().st_mtime_ns
    done = studylib("dense", "--hub", str(hub), "--profile", "smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    assert kept.stat().st_mtime_ns == before and (hub / "analysis/metrics_summary.json").is_file()


@pytest.mark.parametrize("name", ["analysis/metrics_delta_summary.json", "data/phase_d/dose_1000/dense/test.npz"])
def test_the_verifier_sees_a_changed_number(smoke, tmp_path, name):
    hub = tmp_path / "forged"
    shutil.copytree(smoke[0], hub)
    path = hub / name
    if path.suffix == ".json":
        content = json.loads(path.read_text())
        content["deltas_by_split"]["test"]["vs_Baseline"]["ms_ssim"]["phase"] += 0.01
        path.write_text(json.dumps(content))
    else:
        path.write_bytes(path.read_bytes() + b"x")
    done = studylib("verify", "--hub", str(hub))
    assert done.returncode == 1 and done.stdout.strip()
    before = {p: p.read_bytes() for p in hub.rglob("*") if p.is_file()}
    assert not verify.intact(Hub(hub)).ok
    assert before == {p: p.read_bytes() for p in hub.rglob("*") if p.is_file()}, "to verify changes nothing"


def test_a_score_that_does_not_follow_from_the_images_is_seen(smoke, tmp_path):
    """Also where every hash was made anew: the images are scored again."""
    hub = Hub(tmp_path / "flattered")
    shutil.copytree(smoke[0], hub.root)
    assert not any(verify._scores(hub))
    table = hub.comparison(1000, "dense", "test") / "comparison_metrics.csv"
    lines = table.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("PtychoPINN,ms_ssim"))
    cells = lines[at].split(",")
    lines[at] = ",".join(str(float(c) + 0.01) if c[:2] == "0." else c for c in cells)
    table.write_text("\n".join(lines) + "\n")
    problems = list(filter(None, verify._scores(hub)))
    assert problems and all("PtychoPINN ms_ssim" in p and "the images give" in p for p in problems)


def test_one_bit_in_any_file_and_any_lost_file_is_seen(smoke, tmp_path):
    hub = Hub(tmp_path / "bits")
    shutil.copytree(smoke[0], hub.root)
    assert not any(checksums.damaged(hub))
    files = [p for p in hub.root.rglob("*") if p.is_file()]
    assert len(files) > 90
    for number, path in enumerate(sorted(files)):
        content = path.read_bytes()
        at = (7919 * number) % max(len(content), 1)
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << number % 8]) + content[at + 1 :] if content else b"x")
        assert any(checksums.damaged(hub)), f"{hub.relative(path)}, bit {number % 8} of byte {at}"
        path.unlink()
        assert any(checksums.damaged(hub)), f"{hub.relative(path)} is lost"
        path.write_bytes(content)
    assert not any(checksums.damaged(hub))


def test_a_crash_stops_at_once_and_leaves_a_blocker(smoke, tmp_path):
    hub = tmp_path / "crash"
    shutil.copytree(smoke[0], hub)
    # A table without a row of the Baseline, as its stage would have left it.
    name = "analysis/dose_1000/dense/test/comparison_metrics.csv"
    (hub / name).write_text((hub / name).read_text().replace("Baseline,mae", "Baseline,nothing"))
    stamp = hub / "analysis/stages/05_compare_dose1000_dense_test.json"
    content = json.loads(stamp.read_text())
    content["outputs"][name] = sha256(hub / name)
    stamp.write_text(json.dumps(content))
    (hub / "analysis/metrics_summary.json").unlink()
    done = studylib("dense", "--hub", str(hub), "--profile", "smoke")
    said = next(line for line in done.stdout.splitlines() if line.startswith("FAILED"))
    assert done.returncode == 1 and "06_evidence failed: StageError" in said and "Baseline mae is incomplete" in said
    blocker = (hub / "analysis/blocker.txt").read_text()
    assert "Baseline mae is incomplete" in blocker
    assert "papermill notebooks/06_evidence.ipynb" in blocker and "cli/phase_g_evidence.log" in blocker
    assert "Traceback" in blocker and str(tmp_path) not in blocker
    # The summary failed, so a stale delta file may not stand.
    assert not (hub / "analysis/metrics_delta_summary.json").exists()
    assert "SUCCESS" not in (hub / "cli/run_phase_g_dense.log").read_text().split("FAILED")[-1]


def test_the_arms_never_open_the_truth_of_the_test_half(smoke, tmp_path):
    """With another truth in the test data every arm makes the same image, bit by bit."""
    from studylib.arms.registry import USUAL
    from studylib.io import dataset
    from studylib.run import arm_stages

    hub = Hub(tmp_path / "blind")
    shutil.copytree(smoke[0], hub.root)
    where = (hub, "smoke", 1000, "dense", "test")
    path = hub.phase_d(1000, "dense", "test")
    # Both times in this process: with other threads than a stage has, sums are rounded otherwise.
    before = {key: arm_stages.reconstruct(*where, key).object for key in USUAL}
    scan = dataset.load_scan(path)
    dataset.save(path, scan, np.zeros(scan.shape, np.complex64))
    for key in USUAL:
        np.testing.assert_array_equal(arm_stages.reconstruct(*where, key).object, before[key], err_msg=key)


def test_every_arm_says_with_which_settings_it_ran_and_where_they_come_from(smoke):
    """In the stamp of the stage, in the file itself and in the provenance of the deltas."""
    told = json.loads((smoke[0] / "analysis/metrics_delta_summary.json").read_text())["provenance"]["settings"]
    assert {n.removeprefix("04_reconstruct_dose1000_dense_test_") for n in told if "_test_" in n} == {
        "pinn", "baseline", "ptychi", "map", "pinn_map"
    }  # fmt: skip
    assert all(record["settings"] and record["settings_from"] for record in told.values())
    training = json.loads((smoke[0] / "data/phase_e/dose_1000/dense/gs2/training.json").read_text())
    assert training["settings"]["steps"] == 300 and "profile smoke sets" in training["settings_from"]


def test_the_whole_chain_runs_on_tensorflow(smoke, tmp_path):
    """The iterative arm is the same; the networks have other first weights, and the smoke profile's vary with them."""
    hub = tmp_path / "tensorflow"
    done = studylib(
        "dense", "--hub", str(hub), "--profile", "smoke", "--splits", "test", "--backend", "tensorflow",
        "--arms", "pinn", "baseline", "ptychi",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    provenance = json.loads((hub / "analysis/metrics_delta_summary.json").read_text())["provenance"]
    assert provenance["backend"] == "tensorflow"
    mine, torchs = scores(hub), scores(smoke[0])
    assert {k: v for k, v in mine.items() if "PtyChi" in k} == {k: v for k, v in torchs.items() if "PtyChi" in k}
    assert mine.keys() == {k for k in torchs if "MAP" not in k}


def test_the_error_of_each_pixel_is_told_without_the_truth(smoke):
    """By MAP; of normal errors that are told right 68 % and 95 % of the pixels lie within one and two of them."""
    folder = smoke[0] / "analysis/dose_1000/dense/test"
    told = json.loads((folder / "uncertainty_map.json").read_text())
    maps = np.load(folder / "uncertainty_map.npz")
    for channel in ("phase", "amplitude"):
        assert 0.55 < told[channel]["within_one"] < 0.8 and 0.88 < told[channel]["within_two"] < 0.99
        assert maps[channel].mean() == pytest.approx(told[channel]["told"], rel=1e-5) and (maps[channel] > 0).all()
    page = (smoke[0] / "analysis/report.html").read_text()
    assert "How sure" in page and f"the estimated error is {told['phase']['told']:.4f} rad" in page


def test_more_arms_stand_beside_the_others(smoke, tmp_path):
    """A network on MAP's image, PtychoPINN fine-tuned, and PtyChi started from it, on a copy of the smoke hub."""
    from studylib.arms import registry
    from studylib.run import arm_stages

    hub = Hub(tmp_path / "more")
    shutil.copytree(smoke[0], hub.root)
    before = scores(hub.root)
    design = read_json(hub / "analysis/design.json", "")
    design["arms"]["pinn_adapt"] = {"epochs": 2}
    write_json(hub / "analysis/design.json", design)
    where = (hub, "smoke", 1000, "dense", "test")
    more = ("unrolled", "pinn_adapt", "ptychi_pinn")
    arm_stages.train(*where[:4], "unrolled", "torch")
    for key in more:
        arm_stages.reconstruct(*where, key)
    arm_stages.compare(*where, (*registry.USUAL, *more))
    after = scores(hub.root)
    assert {k.split("/")[0] for k in set(after) - set(before)} == {registry.arm(k).name for k in more}
    assert {k: after[k] for k in before} == before


def test_arms_are_planned_after_those_they_start_from(tmp_path):
    done = studylib(
        "dense", "--hub", str(tmp_path / "h"), "--collect-only", "--splits", "test", "--arms", "ptychi_pinn"
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) == 10
    assert "-r arm pinn " in lines[4] and "03_train" in lines[4]
    assert "-r arm pinn " in lines[5] and "-r arm ptychi_pinn" in lines[6]
    assert "-r arms 'pinn ptychi_pinn'" in lines[7]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--dose", "-1"), "dose"),
        (("--replicate", "-1"), "replicate"),
        (("--arms", "ePIE"), "arm"),
        (("--sample", "moon"), "sample"),
        (("--probe", "pencil"), "probe"),
        (("--dose", "0"), "dose"),
        (("--cores", "0"), "cores"),
        (("--cores", "two"), "cores"),
        (("--dose", "nan"), "dose"),
        (("--view", "medium"), "view"),
        (("--profile", "huge"), "profile"),
        (("--splits", "validation"), "split"),
        (("--base", "no-such.npz"), "existing NPZ"),
        (("--hub", "a{b}"), "braces"),
        (("--hub", "/proc/no-such-place/hub"), "hub"),
    ],
)
def test_bad_input_is_one_line_and_status_2(tmp_path, arguments, words):
    hub = () if "--hub" in arguments else ("--hub", str(tmp_path / "h"))
    done = studylib("dense", *hub, *arguments)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1 and words in done.stderr
    assert not (tmp_path / "h").exists()


def test_a_base_with_pickles_is_refused(tmp_path):
    path = tmp_path / "base.npz"
    np.savez(path, probeGuess=np.array([{"a": 1}], dtype=object), objectGuess=np.ones((300, 300), np.complex64))
    done = studylib("dense", "--hub", str(tmp_path / "h"), "--base", str(path))
    assert done.returncode == 2 and "not pickled" in done.stderr and not (tmp_path / "h").exists()


def test_a_commands_document_that_is_no_file_is_refused(tmp_path):
    done = studylib("dense", "--hub", str(tmp_path / "h"), AUTHORITATIVE_CMDS_DOC="docs/none.md")
    assert done.returncode == 2 and "AUTHORITATIVE_CMDS_DOC" in done.stderr


def test_a_hub_in_use_is_refused_and_its_lock_stays(tmp_path):
    from filelock import FileLock

    hub = tmp_path / "busy"
    with FileLock(f"{hub}.lock"):
        done = studylib("dense", "--hub", str(hub), "--profile", "smoke")
        assert done.returncode == 2 and "no other run" in done.stderr
        assert (tmp_path / "busy.lock").exists() and not hub.exists()


def test_the_report_is_one_file_without_code_or_checks(smoke):
    html = (smoke[0] / "analysis/report.html").read_text()
    assert "http://" not in html.replace("http://www.w3.org/", "") and 'src="data:image/webp;base64' in html
    assert "write_evidence" not in html and "deltas of test against" not in html
    assert "What was asked" in html and "has the best image" in html and "against Baseline it is" in html
    assert html.count("<figure>") == 11  # three a split, curves, convergence, limit, error map, scan map


@pytest.mark.parametrize("name", ["notes.txt", "data/mine.csv", "analysis/figure.svg"])
@pytest.mark.parametrize("more", [(), ("--clobber",)])
def test_a_folder_with_somebodys_files_is_no_hub(tmp_path, name, more):
    mine = tmp_path / "mine" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("years of work")
    done = studylib("dense", "--hub", str(tmp_path / "mine"), "--profile", "smoke", *more)
    assert done.returncode == 2 and "a new or empty folder" in done.stderr
    assert [p for p in (tmp_path / "mine").rglob("*") if p.is_file()] == [mine] and mine.read_text() == "years of work"


def test_a_notebook_makes_no_hub_of_somebodys_folder(tmp_path):
    from studylib.errors import InputError
    from studylib.run.notebook import open_hub

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("years of work")
    with pytest.raises(InputError, match="a new or empty folder"):
        open_hub(str(tmp_path / "mine"))
    assert open_hub(str(tmp_path / "new")).exists and open_hub(str(tmp_path / "new")).exists
