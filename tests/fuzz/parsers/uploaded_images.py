"""First bytes of uploads, as far as we look at them ourselves: no file of any shape may hide an animation."""

from random import Random

from gatehouse.moderation.png_animation import ANIMATED, MOST_PIECES, PIECE_BYTES, UNREADABLE, unseen_frames
from tests.fuzz.mutation import mutated_bytes
from tests.fuzz.parser import Case, Parser
from tests.unit.pngs import ANIMATION, END, SIGNATURE, animated, chunk, png

_KINDS = (b"tEXt", b"iCCP", b"eXIf", b"fcTL", b"fdAT", b"acTL", b"IDAT", b"IEND", b"IHDR", b"\0\0\0\0", b"\xff" * 4)
_LENGTHS = (0, 1, 8, 20, 300, PIECE_BYTES - 45, PIECE_BYTES - 12, PIECE_BYTES, 3 * PIECE_BYTES)
#: Files are no longer than what is read of one and then some.
_MOST_CHUNKS = 2 * MOST_PIECES


def _chunks(random: Random) -> list[bytes]:
    count = random.choice((0, 0, 1, 2, 4, _MOST_CHUNKS))
    return [chunk(random.choice(_KINDS), bytes(random.choice(_LENGTHS))) for _ in range(count)]


def _draw(random: Random) -> Case:
    parts = _chunks(random)
    file = random.choice((png(*parts), animated(*parts), SIGNATURE + b"".join(parts), png(*parts) + ANIMATION + END))
    if random.random() < 0.05:
        file = random.choice((b"\xff\xd8\xff", b"GIF89a", b"")) + file
    return mutated_bytes(random, file) if random.random() < 0.5 else file


def _check(case: Case) -> bool:
    assert isinstance(case, bytes)
    reads = 1

    def read(start: int) -> bytes:
        nonlocal reads
        assert 0 <= start < len(case), "S3 answers 416"
        reads += 1
        return case[start : start + PIECE_BYTES]

    found = unseen_frames(case[:PIECE_BYTES], len(case), read)

    assert reads <= MOST_PIECES
    kinds = _kinds_before_pixels(case)
    if found is None:
        assert kinds is None or (b"acTL" not in kinds and kinds[-1] == b"IDAT")
    elif found is ANIMATED:
        assert kinds is not None
        assert b"acTL" in kinds
    else:
        assert found is UNREADABLE
        assert kinds is not None
    return found is not UNREADABLE


def _kinds_before_pixels(file: bytes) -> list[bytes] | None:
    """The types of a PNG's chunks up to its first pixels, however far away they are; None for another file."""
    if file[: len(SIGNATURE)] != SIGNATURE:
        return None
    kinds: list[bytes] = []
    rest = len(SIGNATURE)
    while rest + 8 <= len(file) and (not kinds or kinds[-1] != b"IDAT"):
        kinds.append(file[rest + 4 : rest + 8])
        rest += 12 + int.from_bytes(file[rest : rest + 4], "big")
    return kinds


PARSERS = (Parser("png_animation.unseen_frames", _draw, _check),)
