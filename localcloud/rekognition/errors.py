"""Rekognition's errors, with the names of its API model and the texts of its Developer Guide (error-handling.html).

Where a documented text alone would leave a developer guessing, what exactly is wrong follows it after a colon.
"""

from enum import StrEnum

INVALID_PARAMETERS = "Request has invalid parameters"
INVALID_IMAGE_FORMAT = "Request has invalid image format"
IMAGE_TOO_LARGE = "Image size is too large"
UNREADABLE_OBJECT = "Unable to get object metadata from S3. Check object key, region and/or access permissions."
RATE_EXCEEDED = "Provisioned Rate exceeded"
SLOW_DOWN = "Slow down; sudden increase in rate of requests"


class ErrorName(StrEnum):
    """The errors the operations declare; the last two are the JSON protocol's own, in no service's model."""

    ACCESS_DENIED = "AccessDeniedException"
    IDEMPOTENT_PARAMETER_MISMATCH = "IdempotentParameterMismatchException"
    IMAGE_TOO_LARGE = "ImageTooLargeException"
    INTERNAL_SERVER = "InternalServerError"
    INVALID_IMAGE_FORMAT = "InvalidImageFormatException"
    INVALID_MANIFEST = "InvalidManifestException"
    INVALID_PAGINATION_TOKEN = "InvalidPaginationTokenException"  # noqa: S105 - an error's name
    INVALID_PARAMETER = "InvalidParameterException"
    INVALID_S3_OBJECT = "InvalidS3ObjectException"
    LIMIT_EXCEEDED = "LimitExceededException"
    PROVISIONED_THROUGHPUT_EXCEEDED = "ProvisionedThroughputExceededException"
    RESOURCE_IN_USE = "ResourceInUseException"
    RESOURCE_NOT_FOUND = "ResourceNotFoundException"
    RESOURCE_NOT_READY = "ResourceNotReadyException"
    THROTTLING = "ThrottlingException"
    SERIALIZATION = "SerializationException"
    UNKNOWN_OPERATION = "UnknownOperationException"


class ServiceError(Exception):
    """An error answer.

    Attributes:
        name: the error's name, on the wire `__type`.
        message: a text for people.
    """

    def __init__(self, name: ErrorName, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message

    @property
    def status(self) -> int:
        """The HTTP status: 500 for the service's own fault, else 400."""
        return 500 if self.name is ErrorName.INTERNAL_SERVER else 400


class DamagedImageError(ValueError):
    """Bytes that begin like a JPEG or PNG but do not hold together as one. The message says where they break."""
