"""Small pictures, as a real encoder writes them."""

import io
import zlib
from functools import cache
from typing import Any

import PIL.Image
import PIL.PngImagePlugin


@cache
def jpeg(width: int = 80, height: int = 80, progressive: bool = False) -> bytes:
    return _encoded("JPEG", width, height, progressive=progressive)


@cache
def png(width: int = 80, height: int = 80) -> bytes:
    return _encoded("PNG", width, height)


@cache
def in_format(name: str) -> bytes:
    return _encoded(name, 80, 80)


def commented_jpeg(*comments: bytes) -> bytes:
    """A JPEG with comment segments right behind its start, as they come."""
    segments = (b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment for comment in comments)
    return jpeg()[:2] + b"".join(segments) + jpeg()[2:]


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png_with(*chunks: bytes) -> bytes:
    """A PNG with chunks right behind its header."""
    behind_header = 8 + 12 + 13
    return png()[:behind_header] + b"".join(chunks) + png()[behind_header:]


def _encoded(image_format: str, width: int, height: int, **options: Any) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (width, height), (200, 120, 40)).save(buffer, image_format, **options)
    return buffer.getvalue()
