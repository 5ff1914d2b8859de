"""What the machine is."""

from __future__ import annotations

import sys
from types import SimpleNamespace

from studylib import machine


def test_the_device_is_the_gpu_where_there_is_one(monkeypatch):
    gpu = SimpleNamespace(is_available=lambda: True, get_device_name=lambda: "a GPU")
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=gpu))
    assert machine.device() == "a GPU"
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert machine.device() == "cpu"
