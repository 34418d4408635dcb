"""Which transfer an AV1 picture says itself, which counts where its file says none (AV1 Bitstream, 5.3 to 5.5)."""

from dataclasses import dataclass
from typing import Final

_SEQUENCE_HEADER: Final = 1
#: Transfer that is said by saying nothing (ITU-T H.273).
UNSPECIFIED: Final = 2
#: Of a length in bytes of seven bits.
_MOST_LENGTH_BYTES: Final = 8


@dataclass(slots=True)
class _Bits:
    data: bytes
    position: int = 0

    def take(self, count: int = 1) -> int:
        """A number of so many bits.

        Raises:
            ValueError: there are not as many.
        """
        end = self.position + count
        if end > 8 * len(self.data):
            raise ValueError
        first, last = self.position // 8, (end + 7) // 8
        number = int.from_bytes(self.data[first:last], "big") >> (8 * last - end)
        self.position = end
        return number & ((1 << count) - 1)

    def take_variable(self) -> None:
        """A number whose length stands before it in zeros (`uvlc`)."""
        zeros = 0
        while not self.take():
            zeros += 1
        if zeros < 32:
            self.take(zeros)


def transfer_of(data: bytes) -> int:
    """The transfer that the first sequence header says.

    Args:
        data: the first bytes of a picture.

    Raises:
        ValueError: there is none in them.
    """
    position = 0
    while position < len(data):
        header = data[position]
        kind, has_extension, has_size = header >> 3 & 15, header & 4, header & 2
        position += 2 if has_extension else 1
        size = len(data) - position
        if has_size:
            size, position = _length(data, position)
        if kind == _SEQUENCE_HEADER:
            return _transfer(_Bits(data[position : position + size]))
        position += size
    raise ValueError


def _length(data: bytes, position: int) -> tuple[int, int]:
    """A length (`leb128`), and where it ends."""
    size = 0
    for n, byte in enumerate(data[position : position + _MOST_LENGTH_BYTES]):
        size |= (byte & 0x7F) << 7 * n
        if not byte & 0x80:
            return size, position + n + 1
    raise ValueError


def _transfer(bits: _Bits) -> int:
    """Read on to `color_config`, which stands last but for the grain of a film."""
    profile, _, is_reduced = bits.take(3), bits.take(), bits.take()
    if is_reduced:
        bits.take(5)
    else:
        _pass_timing(bits)
    wide, high = bits.take(4), bits.take(4)
    bits.take(wide + 1)
    bits.take(high + 1)
    if not is_reduced and bits.take():  # frames have numbers
        bits.take(7)
    bits.take(3)
    if not is_reduced:
        bits.take(4)
        has_order = bits.take()
        if has_order:
            bits.take(2)
        is_of_screens = 1 if bits.take() else bits.take()
        if is_of_screens and not bits.take():
            bits.take()
        if has_order:
            bits.take(3)
    bits.take(3)
    if bits.take() and profile == 2:
        bits.take()
    if profile != 1:
        bits.take()
    if not bits.take():
        return UNSPECIFIED
    bits.take(8)
    return bits.take(8)


def _pass_timing(bits: _Bits) -> None:
    delay_bits = 0
    if bits.take():
        bits.take(64)
        if bits.take():
            bits.take_variable()
        if bits.take():
            delay_bits = bits.take(5) + 1
            bits.take(42)
    has_display_delay = bits.take()
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take()
        if delay_bits and bits.take():
            bits.take(2 * delay_bits + 1)
        if has_display_delay and bits.take():
            bits.take(4)
