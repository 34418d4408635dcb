"""What the workflow hands to Results."""

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
        is_refusal: the job could not even be started; else it failed.
    """

    failure: Failure
    is_refusal: bool


@dataclass(frozen=True, slots=True)
class Request:
    """A batch whose analysis has ended, by one engine or the other, well or not."""

    batch_id: str
    analysis: EngineRun
    fallback: Fallback | None = None

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "Request":
        """Read the workflow's payload.

        Raises:
            ValueError: the payload is not the workflow's.
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
