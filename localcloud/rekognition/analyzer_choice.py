"""Which model looks at the images: the planted labels alone, the small one that comes along, or the user's own."""

import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path

from localcloud.rekognition.moderation_model import CheckedModel, ModerationModel, PlantedLabels

#: `planted`, `nsfwjs`, or `module:Class` of a `ModerationModel` that needs no arguments.
VARIABLE = "GATEHOUSE_ANALYZER"

PLANTED, SMALL_MODEL = "planted", "nsfwjs"

#: What the small model can find, by the names of the taxonomy: no rule about another label can fire on its word.
SMALL_MODEL_LABELS = ("Explicit", "Swimwear or Underwear")

#: Where `make` puts the small model's files.
SMALL_MODEL_FOLDER = Path(__file__).resolve().parents[2] / ".cache" / "small-model"


class AnalyzerError(Exception):
    """The chosen model can't be used. The message says why."""


def chosen_model(environment: Mapping[str, str]) -> ModerationModel:
    """The model that an environment asks for. Planted labels always count; it looks at what has none.

    Raises:
        AnalyzerError: the small model's files are missing, or there is no such class.
    """
    choice = environment.get(VARIABLE) or PLANTED
    if choice == PLANTED:
        return PlantedLabels()
    return PlantedLabels(_small_model() if choice == SMALL_MODEL else _own_model(choice))


def environment_for(choice: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables for a local cloud with this model: the choice, and those of `GATEHOUSE_ANALYZER_...`, its own."""
    return {name: value for name, value in environment.items() if name.startswith(f"{VARIABLE}_")} | {VARIABLE: choice}


def has_small_model() -> bool:
    """Whether set-up could fetch the small model; without a network it can't."""
    return SMALL_MODEL_FOLDER.is_dir() and importlib.util.find_spec("numpy") is not None


def _small_model() -> ModerationModel:
    # numpy is not needed for planted labels, and may be missing where there was no network.
    try:
        from localcloud.rekognition.small_model.analyzer import SmallModel
        from localcloud.rekognition.small_model.weights import WeightsError
    except ImportError as error:
        raise AnalyzerError(f"the small model needs numpy ({error}); run make demo with a network") from error
    try:
        return SmallModel(SMALL_MODEL_FOLDER)
    except WeightsError as error:
        raise AnalyzerError(str(error)) from error


def _own_model(choice: str) -> ModerationModel:
    module, colon, name = choice.partition(":")
    if not (module and colon and name):
        raise AnalyzerError(f"{VARIABLE}={choice!r} is none of {PLANTED}, {SMALL_MODEL} and module:Class")
    try:
        model: ModerationModel = getattr(importlib.import_module(module), name)()
    except Exception as error:  # whatever the user's code raises
        raise AnalyzerError(f"{VARIABLE}={choice!r} can't be used: {type(error).__name__}: {error}") from error
    if not callable(getattr(model, "analyze", None)):
        raise AnalyzerError(f"{VARIABLE}={choice!r} has no method analyze(image); see docs/local-cloud.md")
    return CheckedModel(choice, model)
