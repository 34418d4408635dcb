"""What the errors of DetectModerationLabels mean for an image (API reference; Developer Guide, error-handling.html).

The codes of a bulk job's manifest summary are not documented. An upload with one that has none of these names is given
to the image engine for a definite answer.
"""

#: The image is nothing that Rekognition reads.
_UNSUPPORTED = frozenset({"InvalidImageFormatException", "ImageTooLargeException"})

#: Which error carries wrong dimensions is not documented. Reported were `Input image dimensions 10800 x 5400 exceed
#: maximum dimension size of 10000 pixels`, and for images under 80 pixels (boto/botocore issue 1366) a mere `Request
#: has invalid parameters`. All others are checked before they are sent, but for the adapter.
_INVALID_PARAMETER = "InvalidParameterException"
_ABOUT_DIMENSIONS = ("dimension", "pixel", "image height", "image width")
_ANY_PARAMETER = "request has invalid parameters"

#: The rate is used up, the account's or S3's for Rekognition: says nothing of the image, however often it comes.
_THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
    }
)

#: The service's own trouble, a permission that is missing or not known everywhere yet, an adapter that is not ready.
_PASSING = frozenset(
    {
        "AccessDeniedException",
        "InternalFailure",
        "InternalServerError",
        "RequestTimeout",
        "ResourceNotReadyException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
    }
)

#: HTTP statuses that mean the same under any name: `ThrottlingException` comes as 400 and as 500.
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500


def is_unsupported(code: str, message: str, adapter: str | None) -> bool:
    """Whether the image itself is the reason, so that it could be analyzed by nobody and never.

    Args:
        adapter: that was asked for, or None. An invalid parameter may be the adapter then.
    """
    if code in _UNSUPPORTED:
        return True
    words = _ABOUT_DIMENSIONS if adapter else (*_ABOUT_DIMENSIONS, _ANY_PARAMETER)
    return code == _INVALID_PARAMETER and any(word in message.lower() for word in words)


def is_throttling(code: str, http_status: int) -> bool:
    """Whether to wait and ask again for as long as it takes."""
    return code in _THROTTLED or http_status == _TOO_MANY_REQUESTS


def may_pass(code: str, http_status: int) -> bool:
    """Whether to ask again, a limited number of times: it is not about the image."""
    return code in _PASSING or http_status >= _SERVER_ERROR
