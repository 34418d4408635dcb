"""Pictures of any of our formats, opened by Pillow: what they hold, and each frame as it is shown.

Runs in a process of its own (lambdas/renderer/decoding_process.py). All it may need is imported here, for there it can
open no file.
"""

import codecs
import hashlib
import io
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    MpoImagePlugin,  # noqa: F401 - Pillow imports it while it opens a JPEG
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from gatehouse.contracts.render_call import RenderAnswer
from gatehouse.moderation.image_format import HEAD_BYTES, ImageFormat, format_of
from gatehouse.moderation.rendition import (
    Background,
    Description,
    JudgedFrame,
    RefusalCode,
    RefusedError,
    choose_frames,
)
from lambdas.renderer import shown_picture
from lambdas.renderer.frame_count import count_gif_frames, count_png_frames

#: Of a frame. Decoded it has up to four bytes a pixel, and some of it exists twice or three times for a moment.
MOST_PIXELS: Final = 50_000_000

#: Of a file. Long animations have some hundred; each is decoded to know which are equal.
MOST_FRAMES: Final = 1_000

#: Format -> the one plugin of Pillow's that may read it, by its own name. pi-heif brings the last one.
_PLUGINS: Final[Mapping[ImageFormat, str]] = {
    ImageFormat.JPEG: JpegImagePlugin.JpegImageFile.format,
    ImageFormat.PNG: PngImagePlugin.PngImageFile.format,
    ImageFormat.WEBP: WebPImagePlugin.WebPImageFile.format,
    ImageFormat.AVIF: AvifImagePlugin.AvifImageFile.format,
    ImageFormat.GIF: GifImagePlugin.GifImageFile.format,
    ImageFormat.TIFF: TiffImagePlugin.TiffImageFile.format,
    ImageFormat.BMP: BmpImagePlugin.BmpImageFile.format,
    ImageFormat.HEIC: "HEIF",
}

#: One picture. Of a JPEG with more behind it (MPO: another eye's view, a gain map) browsers show the first one alone.
_SINGLE: Final = frozenset({ImageFormat.JPEG, ImageFormat.BMP})

#: What their libraries say is true: libwebp, libavif and libheif read a file's structure before its pixels.
_COUNTED_BY_THEIR_DECODER: Final = frozenset({ImageFormat.WEBP, ImageFormat.AVIF, ImageFormat.HEIC})

_BOTH: Final = (Background.WHITE, Background.BLACK)

#: Pixels of a frame that are compared at a time: their copy is small beside the frame.
_COMPARED_PIXELS: Final = 1_000_000


@dataclass(slots=True)
class _File:
    """A file that was opened.

    Attributes:
        image: Pillow's, which is one frame after the other.
        size: as it was before anything was decoded or made smaller; turned already where Pillow turns it itself.
        frames: that it has, or None if that is not known before its end.
        orientation: that Pillow undoes itself, or None.
    """

    format: ImageFormat
    image: Image.Image
    size: tuple[int, int]
    frames: int | None
    orientation: int | None


@dataclass(frozen=True, slots=True)
class Decoder:
    """Opens pictures.

    Attributes:
        heic: whether HEIC is opened, too.
        most_pixels: of a frame.
        most_frames: of a file.
    """

    heic: bool = False
    most_pixels: int = MOST_PIXELS
    most_frames: int = MOST_FRAMES

    def prepare(self) -> None:
        """Import what decoding needs. Called once, before anything is decoded, by who can still open files."""
        Image.preinit()  # Pillow does it when it opens its first picture
        for encoding in ("ascii", "latin-1", "utf-8", "utf-16"):  # of texts in metadata
            codecs.lookup(encoding)
        if self.heic:
            import pi_heif  # only then is it part of the asset

            pi_heif.register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)

    def describe(self, body: bytes, most_judged: int) -> RenderAnswer:
        """What a file holds, and its first frame over white.

        Args:
            most_judged: frames to name for judging.

        Raises:
            RefusedError: there is nothing to judge, and the code says why.
            Exception: whatever Pillow raises for a damaged file.
        """
        file = self._open(body)
        jpeg, orientation, frames = b"", 1, 0
        seen: set[bytes] = set()
        distinct: list[int] = []
        on_both: set[int] = set()
        for number, frame in enumerate(self._frames(file)):
            frames += 1
            if number == 0:
                orientation = _orientation(file)
                jpeg = _shown(file, Background.WHITE)
            if file.frames != 1:
                if (digest := _digest(frame)) in seen:
                    continue
                seen.add(digest)
            distinct.append(number)
            if shown_picture.shows_its_background(frame):
                on_both.add(number)
        judged = tuple(
            JudgedFrame(number, _BOTH if number in on_both else _BOTH[:1])
            for number in choose_frames(distinct, most_judged)
        )
        size = file.size if file.orientation else shown_picture.upright_size(file.size, orientation)
        return RenderAnswer(jpeg, Description(file.format, *size, orientation, frames, len(distinct), judged))

    def render(self, body: bytes, number: int, background: Background) -> RenderAnswer:
        """One frame.

        Raises:
            RefusedError: there is none, and the code says why.
            Exception: whatever Pillow raises for a damaged file.
        """
        file = self._open(body)
        for n, _ in enumerate(self._frames(file)):
            if n == number:
                return RenderAnswer(_shown(file, background))
        raise RefusedError(RefusalCode.NO_SUCH_FRAME, f"the file has no frame {number}")

    def _open(self, body: bytes) -> _File:
        """The file before any pixel is decoded."""
        image_format = format_of(body[:HEAD_BYTES])
        if image_format is None or (image_format is ImageFormat.HEIC and not self.heic):
            message = "HEIC is not turned on" if image_format else "no format that is read"
            raise RefusedError(RefusalCode.UNSUPPORTED_FORMAT, message)
        frames: int | None = None
        if image_format is ImageFormat.GIF:
            frames = count_gif_frames(body, self.most_frames)
        elif image_format is ImageFormat.PNG:
            frames = count_png_frames(body, self.most_frames)
        image = self._open_with(_PLUGINS[image_format], body)
        self._check_size(image)
        if image_format in _SINGLE:
            frames = 1
        elif image_format in _COUNTED_BY_THEIR_DECODER:
            frames = int(getattr(image, "n_frames", 1))
        if frames is not None and frames > self.most_frames:
            raise self._too_many_frames()
        size, orientation = image.size, None
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            orientation = shown_picture.known_orientation(image.tag_v2.get(shown_picture.ORIENTATION))
        if image_format is ImageFormat.JPEG:
            image.draft("", shown_picture.fitted_size(size))  # fewer pixels are decoded where that is enough
        return _File(image_format, image, size, frames, orientation)

    def _open_with(self, plugin: str, body: bytes) -> Image.Image:
        Image.MAX_IMAGE_PIXELS = self.most_pixels // 2  # Pillow warns beyond that, and refuses beyond twice that
        AvifImagePlugin.DEFAULT_MAX_THREADS = 1
        warnings.simplefilter("ignore")  # damaged metadata takes nothing from what is shown
        try:
            return Image.open(io.BytesIO(body), formats=[plugin])
        except Image.DecompressionBombError:
            raise self._too_many_pixels() from None

    def _frames(self, file: _File) -> Iterator[Image.Image]:
        """Each frame in turn, decoded. They are one object: use one before the next."""
        number = 0
        while file.frames is None or number < file.frames:
            try:
                if number:
                    file.image.seek(number)
                if number >= self.most_frames:
                    raise self._too_many_frames()
                self._check_size(file.image)
                file.image.load()
            except Image.DecompressionBombError:
                raise self._too_many_pixels() from None
            except EOFError:
                if number and file.frames is None:
                    return
                raise
            self._check_size(file.image)
            yield file.image
            number += 1

    def _check_size(self, image: Image.Image) -> None:
        if image.width * image.height > self.most_pixels:
            raise self._too_many_pixels()

    def _too_many_pixels(self) -> RefusedError:
        return RefusedError(RefusalCode.TOO_MANY_PIXELS, f"more than {self.most_pixels} pixels")

    def _too_many_frames(self) -> RefusedError:
        return RefusedError(RefusalCode.TOO_MANY_FRAMES, f"more than {self.most_frames} frames")


def _orientation(file: _File) -> int:
    """Of the first frame, once it is decoded: a PNG may say it behind its pixels."""
    return shown_picture.exif_orientation(file.image) if file.orientation is None else file.orientation


def _shown(file: _File, background: Background) -> bytes:
    orientation = shown_picture.exif_orientation(file.image) if file.orientation is None else 1
    return shown_picture.to_jpeg(file.image, background, orientation)


def _digest(frame: Image.Image) -> bytes:
    """The same for frames whose pixels are equal."""
    digest = hashlib.blake2b(repr(frame.size).encode())
    rows = max(1, _COMPARED_PIXELS // frame.width)
    for top in range(0, frame.height, rows):
        strip = frame.crop((0, top, frame.width, min(top + rows, frame.height)))
        digest.update(shown_picture.in_color(strip).convert("RGBA").tobytes())
    return digest.digest()
