"""Pictures of the report."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.evidence import page
from studylib.io.files import write_json
from studylib.run.hub import Hub
from studylib.run.paths import uncertainty


@pytest.fixture
def hub(tmp_path):
    """A hub with an image of MAP, which has a loss, and one of a network, which has none."""
    hub = Hub(tmp_path / "hub").create()
    for key, loss in (("map", [3.0, 2.0, 1.5]), ("pinn", [])):
        path = hub.phase_f(1000, "dense", "test", key)
        path.parent.mkdir(parents=True)
        np.savez(path, loss=np.array(loss))
    return hub


def test_the_loss_of_an_arm_that_iterates_is_drawn_and_that_of_a_network_is_not(hub, monkeypatch):
    drawn = []
    monkeypatch.setattr(page, "embedded", lambda figure, text: drawn.append(figure) or text)
    assert "Loss" in page.convergence(hub, 1000, "dense", "test", ("pinn", "map")).data
    (axes,) = drawn[0].axes
    assert axes.get_title() == "MAP" and list(axes.lines[0].get_ydata()) == [3.0, 2.0, 1.5]
    assert "No arm" in page.convergence(hub, 1000, "dense", "test", ("pinn",)).data


@pytest.mark.parametrize(("share", "words"), [(0.43, "too small"), (0.68, "about right"), (0.9, "too large")])
def test_it_is_said_whether_an_estimated_error_is_right(tmp_path, share, words):
    folder = Hub(tmp_path / "hub").create().comparison(1000, "dense", "test")
    folder.mkdir(parents=True)
    one = {"told": 0.1, "error": 0.05, "within_one": share, "within_two": 0.95}
    write_json(folder / uncertainty("map"), {"arm": "MAP", "phase": one, "amplitude": one})
    from PIL import Image

    Image.new("RGB", (4, 4)).save(folder / uncertainty("map", "png"))
    shown = page.uncertainty(Hub(tmp_path / "hub"), 1000, "dense", "test").data
    assert f"so that it is {words} here" in shown
