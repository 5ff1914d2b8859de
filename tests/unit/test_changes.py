"""Settings that a user changes."""

from __future__ import annotations

import pytest

from studylib.changes import changed, read_changes, words_of
from studylib.design import StudyDesign
from studylib.errors import InputError


def test_settings_of_a_file_and_over_them_those_of_the_command_line(tmp_path):
    (tmp_path / "mine.toml").write_text(
        "ms_ssim_sigma = 0.5\n[map]\ntv = 0.4\niterations = 9\n[pinn.grouping]\ngridsize = 1\n"
    )
    given = read_changes(["map.tv=0.2", "sample.scan_step=4"], tmp_path / "mine.toml")
    design = changed(StudyDesign.for_profile("smoke"), given)
    assert design.arms["map"] == {"iterations": 9, "rounds": 1, "tv": 0.2} and design.arms["ptychi"]["epochs"] == 15
    assert design.arms["pinn"]["grouping"] == {"gridsize": 1} and design.arms["pinn"]["steps"] == 300
    assert design.sample.scan_step == 4.0 and design.ms_ssim_sigma == 0.5
    assert read_changes(words_of(given)) == given


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["map.tv"], "name=value"), (["map.tw=1"], "one of .*tv"), (["mop.tv=1"], "an arm"),
        (["map.tv=cat"], "setting tv: got 'cat'"), (["sample.n_pixels=33"], "multiple of 16"),
        (["profile=full"], "setting: got 'profile'"), (["doses=[1]"], "setting: got 'doses'"),
    ],
)  # fmt: skip
def test_a_setting_that_is_none_is_refused_with_what_there_is(words, expected):
    with pytest.raises(InputError, match=expected):
        changed(StudyDesign.for_profile("smoke"), read_changes(words))


def test_a_settings_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "bad.toml").write_text("map = [")
    for name in ("bad.toml", "absent.toml"):
        with pytest.raises(InputError, match=f"{name}.*TOML"):
            read_changes(file=tmp_path / name)
