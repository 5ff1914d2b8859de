"""A run: its hub, plan, stages, provenance and engine."""
