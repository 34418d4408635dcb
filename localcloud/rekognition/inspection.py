"""One image from S3 or from a request, opened, analyzed and answered: the part that both engines share."""

from collections.abc import Callable
from typing import Any

from localcloud.rekognition import analysis
from localcloud.rekognition.caller import Caller
from localcloud.rekognition.counters import Counters
from localcloud.rekognition.errors import UNREADABLE_OBJECT, ErrorName, ServiceError
from localcloud.rekognition.images import MOST_BYTES_IN_A_REQUEST, MOST_BYTES_OF_AN_OBJECT, Image, open_image
from localcloud.rekognition.moderation_model import ModerationModel
from localcloud.rekognition.renditions import source_of
from localcloud.rekognition.storage import ObjectStorage, ObjectUnreadable


class Inspector:
    """Answers for single images."""

    def __init__(self, storage: ObjectStorage, model: ModerationModel, counters: Counters) -> None:
        self._storage = storage
        self._model = model
        self._counters = counters
        self._left_out: Callable[[str | None], frozenset[str]] = lambda _: frozenset()

    def learn_from(self, left_out: Callable[[str | None], frozenset[str]]) -> None:
        """Ask this which labels an adapter leaves out of its answers."""
        self._left_out = left_out

    def inspect_object(
        self,
        caller: Caller,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        min_confidence: float,
        adapter: str | None,
    ) -> dict[str, Any]:
        """The answer for an S3 object as it is now, or for one version of it.

        Raises:
            ServiceError: InvalidS3ObjectException if the caller can't read it, and what `open_image` and the model
                raise.
        """
        try:
            stored = self._storage.read(caller, bucket, key, version_id)
        except ObjectUnreadable as error:
            raise ServiceError(ErrorName.INVALID_S3_OBJECT, f"{UNREADABLE_OBJECT} {error}") from error
        image = open_image(stored.body, MOST_BYTES_OF_AN_OBJECT, stored.metadata)
        response = self._answer(image, min_confidence, adapter)
        self._counters.count_image(f"s3://{bucket}/{key}")
        return response

    def inspect_bytes(self, body: bytes, *, min_confidence: float, adapter: str | None) -> dict[str, Any]:
        """The answer for bytes sent in a request.

        Raises:
            ServiceError: what `open_image` and the model raise.
        """
        image = open_image(body, MOST_BYTES_IN_A_REQUEST)
        response = self._answer(image, min_confidence, adapter)
        if source := source_of(image):
            self._counters.count_rendition(source)
        return response

    def _answer(self, image: Image, min_confidence: float, adapter: str | None) -> dict[str, Any]:
        response = analysis.answer(self._model.analyze(image), min_confidence, adapter)
        left_out = self._left_out(adapter)
        labels = [label for label in response["ModerationLabels"] if label["Name"] not in left_out]
        return response | {"ModerationLabels": labels}
