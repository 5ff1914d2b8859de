"""Options chosen by split counts: which row of the table is taken."""

from __future__ import annotations

import numpy as np

from studylib.arms import choices
from tests.asymmetric import scan_of


def test_the_nearest_condition_is_taken_and_named(monkeypatch):
    leaves = {"sample": "leaves", "probe": "zone-plate"}
    rows = [leaves | {"view": "dense", "fluence": f, "settings": {"tv": f}} for f in (1.0, 10.0, 100.0)]
    rows += [leaves | {"view": "sparse", "fluence": f, "settings": {"tv": -f}} for f in (5.0, 500.0)]
    rows += [{"sample": "natural", "probe": "smooth", "view": "dense", "fluence": 10.0, "settings": {"tv": 7.0}}]
    monkeypatch.setattr(choices, "table", lambda: {"map": rows})
    scan = scan_of(1000)

    def told(sample, probe, view="dense"):
        scan.metadata.update(sample_kind=sample, probe_kind=probe, view=view)
        return choices.choice("map", scan)

    assert told("natural", "smooth")[0] == {"tv": 7.0}
    near = min((1.0, 10.0, 100.0), key=lambda f: abs(np.log(f / scan.fluence)))
    settings, words = told("leaves", "zone-plate")
    assert settings == {"tv": near} and "leaves, zone-plate, dense" in words and "split counts" in words
    assert told("siemens", "zone-plate")[0] == {"tv": near}
    assert told("measured", "measured")[0] in ({"tv": near}, {"tv": 7.0}), "not that of a few bright patterns"
    assert told("measured", "measured", "sparse")[0] == {"tv": -5.0}
    assert told("natural", "smooth", "sparse")[0] == {"tv": 7.0}, "no other row is of its sample and probe"
    assert choices.choice("nobody", scan) == ({}, "the arm's own defaults")
