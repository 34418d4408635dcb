"""The workflow of the shipped settings, as the tests of templates have it."""

from tests.stacks.conftest import live, shipped, synthesized

__all__ = ["live", "shipped", "synthesized"]
