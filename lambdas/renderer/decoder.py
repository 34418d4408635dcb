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
from lambdas.renderer import boxes, shown_picture
from lambdas.renderer.composition import Animation, composed
from lambdas.renderer.file_frames import read_gif, read_png
from lambdas.renderer.file_headers import check_bmp, with_alpha_said

#: Of a frame. Decoded it has up to four bytes a pixel, and some of it exists twice or three times for a moment.
MOST_PIXELS: Final = 50_000_000

#: Of a file. Long animations have some hundred; each is decoded to know which are equal.
MOST_FRAMES: Final = 1_000

#: Of all frames of a file, which bounds the time that they take together: 400 of 1,000 x 1,000.
MOST_PIXELS_IN_ALL: Final = 400_000_000

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

#: A color past the end of the palette is the last one, black, or what was in memory.
_MAY_LACK_COLORS: Final = frozenset({ImageFormat.PNG, ImageFormat.BMP})

#: What their libraries say is true: libwebp, libavif and libheif read a file's structure before its pixels.
_COUNTED_BY_THEIR_DECODER: Final = frozenset({ImageFormat.WEBP, ImageFormat.AVIF, ImageFormat.HEIC})

_BOXED: Final = frozenset({ImageFormat.AVIF, ImageFormat.HEIC})

_BOTH: Final = (Background.WHITE, Background.BLACK)

#: Pixels of a frame that are compared at a time: their copy is small beside the frame.
_COMPARED_PIXELS: Final = 1_000_000


@dataclass(slots=True)
class _File:
    """A file that was opened.

    Attributes:
        size: as it was before anything was decoded or made smaller; turned already where Pillow turns it itself.
        pictures: one frame after the other, decoded. They may be one object: use one before the next.
        frames: that it has, or None if that is not known before its end.
        orientation: that Pillow undoes itself, or None.
        beside: a picture that some programs show in place of the frames.
    """

    format: ImageFormat
    size: tuple[int, int]
    pictures: Iterator[Image.Image]
    frames: int | None
    orientation: int | None = None
    beside: Image.Image | None = None


@dataclass(frozen=True, slots=True)
class Decoder:
    """Opens pictures.

    Attributes:
        heic: whether HEIC is opened, too.
        most_pixels: of a frame.
        most_frames: of a file.
        most_in_all: pixels of all frames of a file.
    """

    heic: bool = False
    most_pixels: int = MOST_PIXELS
    most_frames: int = MOST_FRAMES
    most_in_all: int = MOST_PIXELS_IN_ALL

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
        for number, frame in enumerate(file.pictures):
            frames += 1
            if number == 0:
                orientation = _orientation(file, frame)
                jpeg = _shown(file, frame, Background.WHITE)
            if file.frames != 1 or file.beside:
                if (digest := _digest(frame)) in seen:
                    continue
                seen.add(digest)
            shown_picture.check_profile(frame)
            distinct.append(number)
            if shown_picture.shows_its_background(frame):
                on_both.add(number)
        if file.beside and _digest(file.beside) not in seen:
            message = "a picture beside an animation that does not show it"
            raise RefusedError(RefusalCode.UNSUPPORTED_FORMAT, message)
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
        for n, frame in enumerate(file.pictures):
            if n == number:
                return RenderAnswer(_shown(file, frame, background))
        raise RefusedError(RefusalCode.NO_SUCH_FRAME, f"the file has no frame {number}")

    def _open(self, body: bytes) -> _File:
        """The file before any pixel is decoded."""
        image_format = format_of(body[:HEAD_BYTES])
        if image_format is None or (image_format is ImageFormat.HEIC and not self.heic):
            message = "HEIC is not turned on" if image_format else "no format that is read"
            raise RefusedError(RefusalCode.UNSUPPORTED_FORMAT, message)
        animation: Animation | None = None
        has_two = False
        if image_format is ImageFormat.GIF:
            animation = read_gif(body, self.most_frames)
        elif image_format is ImageFormat.PNG:
            animation = read_png(body, self.most_frames)
        elif image_format is ImageFormat.WEBP:
            body = with_alpha_said(body)
        elif image_format in _BOXED:
            has_two = boxes.has_two_pictures(body, image_format)
        if animation:
            return self._composed(image_format, animation)
        plugin = _PLUGINS[image_format]
        image = self._open_with(plugin, boxes.as_animation(body) if has_two else body)
        self._check_size(image)
        frames = None if image_format is ImageFormat.TIFF else 1  # of an MPO browsers show the first one alone
        if image_format in _COUNTED_BY_THEIR_DECODER:
            frames = int(getattr(image, "n_frames", 1))
            self._check_frames(frames, frames * image.width * image.height)
        size, orientation = image.size, None
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            orientation = shown_picture.known_orientation(image.tag_v2.get(shown_picture.ORIENTATION))
        if image_format is ImageFormat.BMP:
            check_bmp(body, image.mode)
        if image_format is ImageFormat.JPEG:
            image.draft("", shown_picture.fitted_size(size))  # fewer pixels are decoded where that is enough
        beside = self._loaded(image_format, self._open_with(plugin, boxes.as_picture(body))) if has_two else None
        return _File(image_format, size, self._frames(image_format, image, frames), frames, orientation, beside)

    def _composed(self, image_format: ImageFormat, animation: Animation) -> _File:
        """A file whose frames are decoded one by one and put together here."""
        if animation.most_pixels > self.most_pixels:
            raise self._too_many_pixels()
        self._check_frames(len(animation.parts), animation.pixels)
        plugin = _PLUGINS[image_format]
        pictures = composed(animation, lambda file: self._loaded(image_format, self._open_with(plugin, file)))
        return _File(image_format, (animation.width, animation.height), pictures, len(animation.parts))

    def _open_with(self, plugin: str, body: bytes) -> Image.Image:
        Image.MAX_IMAGE_PIXELS = self.most_pixels // 2  # Pillow warns beyond that, and refuses beyond twice that
        AvifImagePlugin.DEFAULT_MAX_THREADS = 1
        warnings.simplefilter("ignore")  # damaged metadata takes nothing from what is shown
        try:
            return Image.open(io.BytesIO(body), formats=[plugin])
        except Image.DecompressionBombError:
            raise self._too_many_pixels() from None

    def _frames(self, image_format: ImageFormat, image: Image.Image, frames: int | None) -> Iterator[Image.Image]:
        """Each frame that Pillow finds in turn, decoded. They are one object."""
        number = pixels = 0
        while frames is None or number < frames:
            try:
                if number:
                    if image_format is ImageFormat.TIFF:
                        image.info.pop("icc_profile", None)  # Pillow would keep it for a page that has none
                    image.seek(number)
            except Image.DecompressionBombError:
                raise self._too_many_pixels() from None
            except EOFError:
                if number and frames is None:
                    return
                raise
            pixels += image.width * image.height
            self._check_frames(number + 1, pixels)
            yield self._loaded(image_format, image)
            number += 1

    def _loaded(self, image_format: ImageFormat, image: Image.Image) -> Image.Image:
        """The picture, decoded."""
        self._check_size(image)
        try:
            image.load()
        except Image.DecompressionBombError:
            raise self._too_many_pixels() from None
        self._check_size(image)
        if image_format in _MAY_LACK_COLORS:
            _check_palette(image)
        return image

    def _check_frames(self, frames: int, pixels: int) -> None:
        if frames > self.most_frames:
            raise RefusedError(RefusalCode.TOO_MANY_FRAMES, f"more than {self.most_frames} frames")
        if frames > 1 and pixels > self.most_in_all:
            raise RefusedError(RefusalCode.TOO_MANY_PIXELS, f"more than {self.most_in_all} pixels in all frames")

    def _check_size(self, image: Image.Image) -> None:
        if image.width * image.height > self.most_pixels:
            raise self._too_many_pixels()

    def _too_many_pixels(self) -> RefusedError:
        return RefusedError(RefusalCode.TOO_MANY_PIXELS, f"more than {self.most_pixels} pixels")


def _check_palette(image: Image.Image) -> None:
    """Refuse a picture with a color that its palette does not have."""
    if image.mode == "P" and image.palette:
        _, last = image.getextrema()
        if isinstance(last, int | float) and last >= len(image.palette.palette) // len(image.palette.mode):
            raise RefusedError(RefusalCode.UNREADABLE_IMAGE, "a color that the palette does not have")


def _orientation(file: _File, frame: Image.Image) -> int:
    """Of the first frame, once it is decoded: a PNG may say it behind its pixels."""
    return shown_picture.exif_orientation(frame) if file.orientation is None else file.orientation


def _shown(file: _File, frame: Image.Image, background: Background) -> bytes:
    orientation = shown_picture.exif_orientation(frame) if file.orientation is None else 1
    return shown_picture.to_jpeg(frame, background, orientation)


def _digest(frame: Image.Image) -> bytes:
    """The same for frames that are shown alike: their pixels are equal, and so is what is said of them."""
    profile = frame.info.get("icc_profile")
    kind = shown_picture.in_color(frame.crop((0, 0, 1, 1))).mode
    said = (frame.size, kind == "CMYK", shown_picture.exif_orientation(frame), profile)
    digest = hashlib.blake2b(repr(said).encode())
    rows = max(1, _COMPARED_PIXELS // frame.width)
    for top in range(0, frame.height, rows):
        strip = frame.crop((0, top, frame.width, min(top + rows, frame.height)))
        digest.update(shown_picture.in_color(strip).convert("RGBA").tobytes())
    return digest.digest()
