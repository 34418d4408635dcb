"""What the errors of DetectModerationLabels mean for an image (API reference; Developer Guide, error-handling.html).

The codes of a bulk job's manifest summary are not documented. An upload with one that has none of these names is given
to the image engine for a definite answer.
"""

#: The image is nothing that Rekognition reads.
_UNSUPPORTED = frozenset({"InvalidImageFormatException", "ImageTooLargeException"})

#: Which error carries wrong dimensions is not documented. Reported were `Input image dimensions 10800 x 5400 exceed
#: maximum dimension size of 10000 pixels`, and for images under 80 pixels (boto/botocore issue 1366) a mere `Request
#: has invalid parameters`; of ours, all others are checked before they are sent.
_INVALID_PARAMETER = "InvalidParameterException"
_ABOUT_DIMENSIONS = ("dimension", "pixel", "image height", "image width", "request has invalid parameters")

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

#: May go away: the service's own trouble, an adapter that is not ready, a permission that is not known everywhere yet.
_PASSING = frozenset(
    {"InternalServerError", "ServiceUnavailable", "ServiceUnavailableException", "ResourceNotReadyException"}
    | {"AccessDeniedException", "InternalFailure", "RequestTimeout"}
)

#: HTTP statuses that mean the same under any name: `ThrottlingException` comes as 400 and as 500.
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500


def is_unsupported(code: str, message: str) -> bool:
    """Whether the image itself is the reason, so that it could be analysed by nobody and never."""
    if code in _UNSUPPORTED:
        return True
    return code == _INVALID_PARAMETER and any(word in message.lower() for word in _ABOUT_DIMENSIONS)


def is_throttling(code: str, http_status: int) -> bool:
    """Whether to wait and ask again for as long as it takes."""
    return code in _THROTTLED or http_status == _TOO_MANY_REQUESTS


def may_pass(code: str, http_status: int) -> bool:
    """Whether asking again a few times may help."""
    return code in _PASSING or http_status >= _SERVER_ERROR
