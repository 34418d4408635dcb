import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.batch import MAX_UPLOADS, index_lines
from gatehouse.moderation.line_marks import LineMarks
from tests.unit.builders import a_batch, a_claim, uploads

#: All metadata of an object together (S3 User Guide, UsingMetadata.html).
METADATA_BYTES = 2048

#: The largest index: a line of 6 KB, of a key of 1,024 bytes that are all escaped, for each upload of a batch.
LONGEST = b"x" * 6_999 + b"\n"


@given(
    lines=st.lists(st.text(alphabet="aé😀", max_size=9), min_size=1, max_size=450),
    first=st.integers(0, 449),
    size=st.integers(1, 450),
)
def test_a_stretch_holds_the_lines_asked_for_and_few_others(lines: list[str], first: int, size: int) -> None:
    first %= len(lines)
    index = "".join(f"{line}\n" for line in lines).encode()
    marks = LineMarks.parse(LineMarks.of(index).to_text())

    stretch = marks.around(first, size)

    found = index[stretch.start : stretch.end].decode().split("\n")[:-1]
    assert found[first - stretch.line :][:size] == lines[first : first + size]
    assert len(found) <= min(size, len(lines) - first) + 2 * (marks.step - 1)


def test_the_marks_of_the_largest_batch_are_no_more_than_s3_takes() -> None:
    marks = LineMarks.of(LONGEST * MAX_UPLOADS)

    assert len(marks.offsets) == 100
    assert len(marks.to_text()) < METADATA_BYTES / 2


def test_a_range_has_its_last_byte_and_is_open_at_the_end() -> None:
    marks = LineMarks.of(b"one\ntwo\nthree\n")

    assert [marks.around(n, 1).range for n in range(3)] == ["bytes=0-3", "bytes=4-7", "bytes=8-"]


def test_a_line_that_an_index_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="has no line 3"):
        LineMarks.of(b"one\ntwo\nthree\n").around(3, 1)


def test_all_chunks_of_a_large_batch_together_read_its_index_once_and_a_little() -> None:
    batch = a_batch([*map(a_claim, uploads(MAX_UPLOADS))])
    index = index_lines(batch.uploads).encode()
    marks = LineMarks.of(index)

    for size in (35, 147, 400):
        stretches = [marks.around(first, size) for first in range(0, MAX_UPLOADS, size)]
        read = sum((len(index) if each.end is None else each.end) - each.start for each in stretches)

        assert read < len(index) * (1 + 2 * marks.step / size)
