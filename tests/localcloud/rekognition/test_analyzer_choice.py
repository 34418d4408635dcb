"""Who looks at the images."""

from typing import cast

import pytest

from gatehouse.moderation.image_errors import is_unsupported
from localcloud.rekognition import analyzer_choice
from localcloud.rekognition.analyzer_choice import VARIABLE, AnalyzerError, chosen_model, environment_for
from localcloud.rekognition.errors import ErrorName, ServiceError
from localcloud.rekognition.findings import Finding, Findings
from localcloud.rekognition.images import Image, open_image
from localcloud.rekognition.moderation_model import CheckedModel
from localcloud.rekognition.planted_labels import plant
from tests.localcloud.rekognition import pictures

SEEN = Findings((Finding("Weapons", 91.0),), model_version="mine")
PLANTED = plant(pictures.jpeg(), {"ModerationLabels": [{"Name": "Smoking", "Confidence": 99.0}]})
PLANTED_CLEAN = plant(pictures.jpeg(), {"ModerationLabels": []})
OWN = f"{__name__}:OwnModel"


class OwnModel:
    """Somebody's own."""

    def analyze(self, image: Image) -> Findings:
        return SEEN


class BrokenModel:
    """Somebody's own, which gives back or raises what it is made with."""

    def __init__(self, given: object) -> None:
        self._given = given

    def analyze(self, image: Image) -> Findings:
        if isinstance(self._given, Exception):
            raise self._given
        return cast("Findings", self._given)


class NoModel:
    """Has no method that looks."""


def opened(body: bytes) -> Image:
    return open_image(body, 10**7)


@pytest.mark.parametrize("environment", [{}, {VARIABLE: ""}, {VARIABLE: "planted"}])
def test_without_a_choice_only_planted_labels_count(environment: dict[str, str]) -> None:
    model = chosen_model(environment)

    assert model.analyze(opened(PLANTED)).labels == (Finding("Smoking", 99.0),)
    assert model.analyze(opened(pictures.jpeg())) == Findings()


def test_a_model_of_ones_own_looks_at_what_has_no_plant() -> None:
    model = chosen_model({VARIABLE: OWN})

    assert model.analyze(opened(pictures.jpeg())) == SEEN
    assert model.analyze(opened(PLANTED)).labels == (Finding("Smoking", 99.0),)
    assert model.analyze(opened(PLANTED_CLEAN)) == Findings()


@pytest.mark.parametrize(
    "given",
    [
        None,
        RuntimeError("out of memory"),
        Findings((Finding("Guns", 90.0),)),
        Findings((Finding("Weapons", float("nan")),)),
        Findings((Finding("Weapons", -1.0),)),
        Findings((Finding("Weapons", 101.0),)),
        Findings(content_types=(Finding("Illustrated", float("nan")),)),
    ],
)
def test_what_is_wrong_with_a_model_of_ones_own_is_an_error_and_never_a_clean_image(given: object) -> None:
    with pytest.raises(ServiceError, match="The analyzer mine failed: ") as error:
        CheckedModel("mine", BrokenModel(given)).analyze(opened(pictures.jpeg()))

    assert error.value.name is ErrorName.INVALID_PARAMETER
    assert not is_unsupported(error.value.name, error.value.message, None)


def test_a_model_of_ones_own_may_refuse_an_image() -> None:
    refused = ServiceError(ErrorName.INVALID_IMAGE_FORMAT, "no")

    with pytest.raises(ServiceError) as error:
        CheckedModel("mine", BrokenModel(refused)).analyze(opened(pictures.jpeg()))

    assert error.value is refused


def test_the_small_model_looks_where_it_is_chosen() -> None:
    found = chosen_model({VARIABLE: "nsfwjs"}).analyze(opened(pictures.png(200, 120)))

    assert found.model_version == "nsfwjs 4.4.0"


def test_a_missing_small_model_is_an_error_that_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setattr(analyzer_choice, "SMALL_MODEL_FOLDER", tmp_path)

    with pytest.raises(AnalyzerError, match="run make demo with a network"):
        chosen_model({VARIABLE: "nsfwjs"})


def test_a_local_cloud_gets_the_choice_and_the_variables_of_the_chosen_one_alone() -> None:
    environment = {VARIABLE: "planted", f"{VARIABLE}_LIST": "mine.json", "GATEHOUSE_SETTINGS": "x", "HOME": "/root"}

    assert environment_for(OWN, environment) == {VARIABLE: OWN, f"{VARIABLE}_LIST": "mine.json"}


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("nsfw", "none of planted, nsfwjs and module:Class"),
        (":Model", "none of planted, nsfwjs and module:Class"),
        ("no_such_module:Model", "can't be used: ModuleNotFoundError"),
        (f"{__name__}:Missing", "can't be used: AttributeError"),
        (f"{__name__}:NoModel", r"no method analyze\(image\)"),
    ],
)
def test_a_choice_that_does_not_work_is_an_error_that_says_what_does(choice: str, message: str) -> None:
    with pytest.raises(AnalyzerError, match=message):
        chosen_model({VARIABLE: choice})
