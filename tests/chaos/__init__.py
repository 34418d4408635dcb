"""Faults at every step of the deployed pipeline, and what must hold whatever strikes: `make chaos`."""
