"""A run that is continued."""

from __future__ import annotations

from dataclasses import replace

import pytest

from studylib.arms.registry import algorithm
from studylib.errors import InputError
from studylib.run import plan, provenance
from studylib.run.hub import Hub
from studylib.run.mend import refuse_to_mix
from studylib.run.parameters import Run
from studylib.run.plan import reconstruction_stage


def test_images_by_other_code_are_not_added_to(tmp_path):
    hub, run = Hub(tmp_path / "hub").create(), Run(profile="smoke", arms=("map",))
    done = reconstruction_stage(run, "train", "map")
    (hub / done.outputs[0]).parent.mkdir(parents=True)
    (hub / done.outputs[0]).touch()
    mine = replace(done, inputs=[])
    provenance.stamp(hub, mine, seconds=1.0, parameters={"algorithm": algorithm("map")})
    assert refuse_to_mix(hub, plan.stages(run)) == []
    provenance.stamp(hub, mine, seconds=1.0, parameters={"algorithm": "0" * 16})
    with pytest.raises(InputError, match="images of MAP by this code"):
        refuse_to_mix(hub, plan.stages(run))
    (line,) = refuse_to_mix(hub, [done])  # nothing of that arm is left to run, and that is said
    assert "images of MAP are kept" in line and "0" * 16 in line and algorithm("map") in line and "CLOBBER=1" in line
