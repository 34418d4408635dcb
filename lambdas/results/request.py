"""The payload that the workflow sends to Results."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatehouse.moderation.document import MISSHAPEN, of_kind, text
from gatehouse.moderation.failure import Failure
from lambdas.results.bulk_run import BulkRun
from lambdas.results.engine_run import EngineRun
from lambdas.results.image_run import ImageRun


@dataclass(frozen=True, slots=True)
class Fallback:
    """Why the image engine took over from Bulk Analysis.

    Attributes:
        is_refusal: whether the job could not be started; otherwise it failed.
    """

    failure: Failure
    is_refusal: bool


@dataclass(frozen=True, slots=True)
class Request:
    """A batch whose analysis has ended, successfully or not, by either engine."""

    batch_id: str
    analysis: EngineRun
    fallback: Fallback | None = None

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "Request":
        """Read the workflow's payload.

        Raises:
            ValueError: the workflow did not send this payload.
        """
        try:
            batch_id, images, fallback = text(payload["batch_id"]), payload["images"], payload["fallback"]
            return cls(
                batch_id=batch_id,
                analysis=ImageRun.parse(batch_id, images) if images else BulkRun.parse(payload["job"]),
                fallback=_fallback(fallback) if fallback else None,
            )
        except MISSHAPEN as error:
            raise ValueError(f"not a payload of the workflow: {error!r}") from error


def _fallback(document: Mapping[str, Any]) -> Fallback:
    failure = Failure.reported(document["code"], document["message"])
    return Fallback(failure, of_kind(document["is_refusal"], bool))
