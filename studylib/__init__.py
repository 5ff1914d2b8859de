"""Ptychography dose-overlap study: PtychoPINN against a supervised baseline and LSQML."""

__version__ = "0.1.0"
