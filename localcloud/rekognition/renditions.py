"""Renditions that say in a comment what they are renditions of, so that they can be counted (`rendered_plants`)."""

from localcloud.rekognition.images import Image

#: Before the object's URI, the frame's number and its background.
RENDITION = "rendition of "


def source_of(image: Image) -> str | None:
    """`s3://bucket/key <frame> <background>`, or None if the image does not say."""
    return next((text.removeprefix(RENDITION) for text in image.texts if text.startswith(RENDITION)), None)
