"""Custom Moderation adapters: those of the settings and those that were trained exist, others do not."""

from collections.abc import Mapping

from localcloud.rekognition.errors import ErrorName, ServiceError
from localcloud.rekognition.settings import AdapterStatus

_USABLE = (AdapterStatus.TRAINING_COMPLETED, AdapterStatus.DEPRECATED)


def resolve(
    adapters: Mapping[str, AdapterStatus], asked: str | None, trained: Mapping[str, AdapterStatus]
) -> str | None:
    """The adapter that will really be used; None for the base model, which also stands in for an EXPIRED adapter.

    Args:
        adapters: those of the settings; they may also give one that was trained another status.

    Source: Developer Guide, managing-adapters.html.

    Raises:
        ServiceError: ResourceNotFoundException if there is no such adapter, ResourceNotReadyException if it can't be
            used in its status.
    """
    if asked is None:
        return None
    status = adapters.get(asked, trained.get(asked))
    if status is None:
        raise ServiceError(
            ErrorName.RESOURCE_NOT_FOUND,
            f"The project version {asked} does not exist. Locally, name it in GATEHOUSE_REKOGNITION_ADAPTERS.",
        )
    if status is AdapterStatus.EXPIRED:
        return None
    if status not in _USABLE:
        raise ServiceError(ErrorName.RESOURCE_NOT_READY, f"The project version {asked} is in the status {status}.")
    return asked
