"""The names inside ministack that the patches hold on to."""

import sys
from importlib.metadata import version
from types import ModuleType

import pytest

from localcloud import patches
from localcloud.faults import injection, strikes
from localcloud.patches.seam import MINISTACK_VERSION, Seam, SeamMovedError, check

SEAMS = {*injection.SEAMS, *(seam for patch in (*patches.PATCHES, *strikes.STRIKES) for seam in patch.SEAMS)}


def test_the_patches_are_written_for_the_installed_ministack() -> None:
    assert version("ministack") == MINISTACK_VERSION


@pytest.mark.parametrize("seam", sorted(SEAMS, key=str), ids=str)
def test_the_installed_ministack_has_the_seam(seam: Seam) -> None:
    check([seam])


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("some_library")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_a_function_with_other_parameters_is_refused_by_name(library: ModuleType) -> None:
    library.receive = lambda queue, limit: (queue, limit)  # type: ignore[attr-defined]
    with pytest.raises(SeamMovedError, match=r"some_library\.receive takes \(queue, limit\) where \(queue\)"):
        check([Seam("some_library", "receive", ("queue",))])


def test_a_name_that_is_gone_is_refused_by_name(library: ModuleType) -> None:
    with pytest.raises(SeamMovedError, match=r"some_library\.receive no longer exists"):
        check([Seam(library.__name__, "receive", ("queue",))])
