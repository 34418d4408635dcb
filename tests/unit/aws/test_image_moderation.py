from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.stub import Stubber

from gatehouse.aws.image_moderation import CallFailedError, CallThrottledError, ImageModeration
from gatehouse.moderation.analysis import ImageError
from gatehouse.moderation.upload import Upload
from tests.unit.aws_calls import AwsCalls, an_error
from tests.unit.builders import ADAPTER, an_answer, an_upload

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient

OPERATION = "DetectModerationLabels"
IMAGE = {"S3Object": {"Bucket": "uploads", "Name": "cat.jpg"}}
ENDPOINT = "https://rekognition.us-east-1.amazonaws.com/"


class Meaning(Enum):
    """What an error says of the image."""

    ANSWER = "the error is the answer"
    THROTTLED = "wait, for as long as it takes"
    PASSING = "ask again, a limited number of times"


#: Every error in the operation's model, with each status it is documented to come with.
DOCUMENTED = [
    ("InvalidImageFormatException", 400, Meaning.ANSWER),
    ("ImageTooLargeException", 400, Meaning.ANSWER),
    ("InvalidParameterException", 400, Meaning.ANSWER),
    ("InvalidS3ObjectException", 400, Meaning.ANSWER),
    ("ResourceNotFoundException", 400, Meaning.ANSWER),
    ("HumanLoopQuotaExceededException", 400, Meaning.ANSWER),
    ("ResourceNotReadyException", 400, Meaning.PASSING),
    ("AccessDeniedException", 400, Meaning.PASSING),
    ("InternalServerError", 500, Meaning.PASSING),
    ("ProvisionedThroughputExceededException", 400, Meaning.THROTTLED),
    ("ThrottlingException", 400, Meaning.THROTTLED),
    ("ThrottlingException", 500, Meaning.THROTTLED),
]

#: What a service or something on the way may answer all the same.
UNDOCUMENTED = [
    ("ServiceUnavailable", 503, Meaning.PASSING),
    ("502", 502, Meaning.PASSING),
    ("TooManyRequestsException", 429, Meaning.THROTTLED),
    ("RequestLimitExceeded", 503, Meaning.THROTTLED),
    ("SomethingNew", 429, Meaning.THROTTLED),
    ("SomethingNew", 500, Meaning.PASSING),
    ("AccessDeniedException", 503, Meaning.PASSING),
    ("SomethingNew", 400, Meaning.ANSWER),
]


@pytest.fixture
def client() -> "RekognitionClient":
    return boto3.client("rekognition", config=Config(retries={"mode": "standard", "total_max_attempts": 1}))


@pytest.fixture
def rekognition(client: "RekognitionClient") -> Iterator[Stubber]:
    """What Rekognition is to be asked and to answer."""
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def _meaning(client: "RekognitionClient", upload: Upload, adapter: str | None = None) -> tuple[Meaning, str]:
    try:
        answer = ImageModeration(client).detect(upload, 30.0, adapter)
    except CallThrottledError as throttled:
        return Meaning.THROTTLED, str(throttled)
    except CallFailedError as failed:
        return Meaning.PASSING, failed.error.code
    assert isinstance(answer, ImageError)
    return Meaning.ANSWER, answer.code


@pytest.mark.parametrize(
    ("version_id", "version"),
    [("3sL4kqtJlcpXroDTDmJ", {"Version": "3sL4kqtJlcpXroDTDmJ"}), (None, {})],
)
@pytest.mark.parametrize(("adapter", "asked"), [(None, {}), (ADAPTER, {"ProjectVersion": ADAPTER})])
def test_rekognition_is_asked_about_the_very_version_where_there_is_one(
    client: "RekognitionClient",
    rekognition: Stubber,
    version_id: str | None,
    version: dict[str, str],
    adapter: str | None,
    asked: dict[str, str],
) -> None:
    answer = an_answer({"Violence": 70.0}, adapter)
    image = {"S3Object": IMAGE["S3Object"] | version}
    rekognition.add_response("detect_moderation_labels", answer, {"Image": image, "MinConfidence": 12.5, **asked})

    found = ImageModeration(client).detect(an_upload(version_id=version_id), 12.5, adapter)

    assert isinstance(found, dict)
    assert {name: found[name] for name in answer} == answer


def test_a_key_is_given_to_rekognition_as_it_is(client: "RekognitionClient", rekognition: Stubber) -> None:
    key = "a+b%20c?d#e/../é😀.jpg"
    image = {"S3Object": {"Bucket": "uploads", "Name": key}}
    rekognition.add_response("detect_moderation_labels", an_answer(), {"Image": image, "MinConfidence": 30.0})

    assert isinstance(ImageModeration(client).detect(an_upload(key), 30.0, None), dict)


@pytest.mark.parametrize(("code", "status", "meaning"), DOCUMENTED + UNDOCUMENTED)
def test_an_error_means_what_it_says(
    client: "RekognitionClient", rekognition: Stubber, code: str, status: int, meaning: Meaning
) -> None:
    rekognition.add_client_error(
        "detect_moderation_labels",
        code,
        "in its own words",
        status,
        expected_params={"Image": IMAGE, "MinConfidence": 30.0},
    )

    assert _meaning(client, an_upload()) == (meaning, code)


def test_every_documented_error_has_a_meaning(client: "RekognitionClient") -> None:
    model = client.meta.service_model.operation_model(OPERATION)

    assert {code for code, _, _ in DOCUMENTED} == {shape.name for shape in model.error_shapes}


@pytest.mark.parametrize("passing", ["InternalServerError", "AccessDeniedException"])
def test_an_answered_error_and_a_passing_one_keep_their_words(
    client: "RekognitionClient", rekognition: Stubber, passing: str
) -> None:
    for code in ("InvalidS3ObjectException", passing):
        rekognition.add_client_error("detect_moderation_labels", code, "in its own words")

    assert ImageModeration(client).detect(an_upload(), 30.0, None) == ImageError(
        "InvalidS3ObjectException", "in its own words"
    )
    with pytest.raises(CallFailedError, match=f"{passing}: in its own words") as caught:
        ImageModeration(client).detect(an_upload(), 30.0, None)
    assert caught.value.error == ImageError(passing, "in its own words")


def test_an_error_without_a_message_is_one_all_the_same(client: "RekognitionClient") -> None:
    calls = AwsCalls()
    calls.watch(client)
    error = an_error("InvalidS3ObjectException")
    del error["Error"]["Message"]
    calls.answer_next(OPERATION, error, 400)

    assert ImageModeration(client).detect(an_upload(), 30.0, None) == ImageError("InvalidS3ObjectException", "")


@pytest.mark.parametrize(
    ("upload", "adapter"),
    [(an_upload(bucket="b"), None), (an_upload(), "short"), (an_upload(key=""), None)],
)
def test_what_botocore_does_not_even_send_is_an_answer(
    client: "RekognitionClient", upload: Upload, adapter: str | None
) -> None:
    calls = AwsCalls()
    calls.watch(client)

    assert _meaning(client, upload, adapter) == (Meaning.ANSWER, "ParamValidationError")
    assert calls.made[OPERATION] == 0


@pytest.mark.parametrize(
    "failure",
    [
        ReadTimeoutError(endpoint_url=ENDPOINT),
        ConnectionClosedError(endpoint_url=ENDPOINT),
        ConnectTimeoutError(endpoint_url=ENDPOINT),
        EndpointConnectionError(endpoint_url=ENDPOINT),
        NoCredentialsError(),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_no_connection_or_no_answer_in_time_says_nothing_of_the_image(
    client: "RekognitionClient", failure: BotoCoreError
) -> None:
    calls = AwsCalls()
    calls.watch(client)

    def fail(_request: Any) -> None:
        raise failure

    calls.answer_always(OPERATION, fail)

    assert _meaning(client, an_upload()) == (Meaning.PASSING, type(failure).__name__)
