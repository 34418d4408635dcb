"""One cloud for this module's rows and its randomized run: synthesized once a run, as the end-to-end tests' are."""

from tests.e2e.conftest import assemblies, deployed

__all__ = ["assemblies", "deployed"]
