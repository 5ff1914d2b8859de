"""One definition, two frameworks: the same weights give the same numbers on torch and on TensorFlow."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.timeout(300)

CODE = """
import sys
import numpy as np
from studylib.learn.backend import use_backend
backend, policy, optimizer, updates, mine, other, given, out = sys.argv[1:]
use_backend(backend)
import keras
from studylib.learn import networks
from studylib.learn.layers import poisson_nll
from studylib.learn.predict import load_network
data = np.load(given)
if other == "none":
    keras.utils.set_random_seed(3)
    network = networks.ptychopinn(data["probe"], 4, 8, 1.0, policy, updates=int(updates))
else:
    network = load_network(__import__("pathlib").Path(other), "")
network.save(mine)
before = network.predict_on_batch([data["amplitudes"], data["offsets"], data["fractions"]])
model = networks.with_detector(network, data["probe"])
rate = {"Adam": 3e-3, "SGD": 2.0}[optimizer]
model.compile(getattr(keras.optimizers, optimizer)(rate, global_clipnorm=0.1), loss=poisson_nll, jit_compile=False)
inputs = [data["amplitudes"], data["offsets"], data["fractions"]]
losses = [float(model.train_on_batch(inputs, data["amplitudes"] ** 2)) for _ in range(2)]
after = network.predict_on_batch([data["amplitudes"], data["offsets"], data["fractions"]])
np.savez(out, losses=losses, before=np.stack([np.asarray(a) for a in before]),
         after=np.stack([np.asarray(a) for a in after]))
"""


@pytest.mark.parametrize(
    ("policy", "tolerance", "optimizer", "updates"),
    # Adam's first steps are the sign of each gradient: where bfloat16 leaves a gradient of 0 in doubt, a
    # whole step. Plain descent holds the two networks against each other, not the luck of those signs.
    [
        ("float32", 1e-4, "Adam", 0),
        ("float32", 1e-4, "SGD", 3),
        ("mixed_bfloat16", 1e-2, "SGD", 0),
    ],
)
def test_two_steps_and_a_prediction_agree(tmp_path, scan, policy, tolerance, optimizer, updates):
    from studylib.learn.backend import precision
    from studylib.learn.batches import group_batch

    if policy != "float32" and precision(True) != policy:
        pytest.skip(f"no network runs in {policy} on this processor: it has no such numbers")
    (amplitudes, offsets, fractions), _ = group_batch(scan, np.array([[40, 41, 52, 53], [60, 61, 72, 73]]))
    np.savez(tmp_path / "given.npz", probe=scan.probe, amplitudes=amplitudes, offsets=offsets, fractions=fractions)
    told = {}
    # torch makes the weights, TensorFlow reads them and saves them again, torch reads those.
    for backend, mine, other in (("torch", "a", "none"), ("tensorflow", "b", "a"), ("torch", "c", "b")):
        names = [str(tmp_path / f"{name}.keras") if name != "none" else name for name in (mine, other)]
        out = tmp_path / f"{mine}.npz"
        told_to = [backend, policy, optimizer, str(updates), *names, str(tmp_path / "given.npz"), str(out)]
        command = [sys.executable, "-c", CODE, *told_to]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
        assert done.returncode == 0, done.stderr[-2000:]
        with np.load(out) as file:
            told[mine] = {name: file[name] for name in file.files}
    for name in ("losses", "before", "after"):
        np.testing.assert_allclose(told["b"][name], told["a"][name], atol=tolerance, err_msg=name)
        np.testing.assert_allclose(told["c"][name], told["a"][name], atol=tolerance / 100, err_msg=name)
    assert np.abs(told["a"]["after"] - told["a"]["before"]).max() > 5 * tolerance, (
        "two steps changed too little to tell"
    )
