import pytest

from gatehouse.moderation.image_errors import is_throttling, is_unsupported, may_pass
from tests.unit.builders import ADAPTER


@pytest.mark.parametrize("adapter", [None, ADAPTER])
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("InvalidImageFormatException", "Request has invalid image format"),
        ("InvalidImageFormatException", ""),
        ("ImageTooLargeException", "Image size is too large"),
        (
            "InvalidParameterException",
            "Input image dimensions 10800 x 5400 exceed maximum dimension size of 10000 pixels",
        ),
        ("InvalidParameterException", "Minimum image height is 80 pixels"),
        ("InvalidParameterException", "IMAGE WIDTH is too small"),
    ],
)
def test_an_image_nobody_could_analyze_is_unsupported(code: str, message: str, adapter: str | None) -> None:
    assert is_unsupported(code, message, adapter)


@pytest.mark.parametrize("message", ["Request has invalid parameters", "request has INVALID parameters."])
def test_an_invalid_parameter_without_a_name_is_the_image_only_where_it_cannot_be_the_adapter(message: str) -> None:
    assert is_unsupported("InvalidParameterException", message, None)
    assert not is_unsupported("InvalidParameterException", message, ADAPTER)


@pytest.mark.parametrize("adapter", [None, ADAPTER])
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("InvalidParameterException", "ProjectVersion is not a valid ARN"),
        ("InvalidParameterException", ""),
        ("InvalidS3ObjectException", "Unable to get object metadata from S3. Check object key, region and/or access"),
        ("ThrottlingException", "too many pixels a second"),
        ("InternalServerError", "Request has invalid parameters"),
        ("NotAnalyzed", "no result"),
        ("", "dimension"),
    ],
)
def test_what_is_not_the_images_own_fault_is_a_failure(code: str, message: str, adapter: str | None) -> None:
    assert not is_unsupported(code, message, adapter)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ProvisionedThroughputExceededException", 400),
        ("ThrottlingException", 400),
        ("ThrottlingException", 500),
        ("Throttling", 400),
        ("TooManyRequestsException", 429),
        ("RequestLimitExceeded", 503),
        ("SlowDown", 503),
        ("Unknown", 429),
    ],
)
def test_a_rate_that_is_used_up_is_throttling_under_any_name(code: str, status: int) -> None:
    assert is_throttling(code, status)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("InternalServerError", 500),
        ("InternalServerError", 400),
        ("InternalFailure", 400),
        ("ServiceUnavailable", 503),
        ("ServiceUnavailableException", 400),
        ("RequestTimeout", 408),
        ("502", 502),
        ("AccessDeniedException", 400),
        ("ResourceNotReadyException", 400),
        ("AccessDeniedException", 500),
        ("Unknown", 500),
    ],
)
def test_trouble_that_is_not_the_images_may_pass(code: str, status: int) -> None:
    assert may_pass(code, status)
    assert not is_throttling(code, status)


@pytest.mark.parametrize(
    "code",
    [
        "InvalidImageFormatException",
        "ImageTooLargeException",
        "InvalidParameterException",
        "InvalidS3ObjectException",
        "ResourceNotFoundException",
        "HumanLoopQuotaExceededException",
        "Unknown",
        "",
    ],
)
def test_an_error_about_the_request_itself_is_an_answer(code: str) -> None:
    assert not is_throttling(code, 400)
    assert not may_pass(code, 400)
