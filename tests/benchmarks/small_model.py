"""How fast the small model is, and what it says of pictures that nobody would flag.

    OPENBLAS_NUM_THREADS=1 python -m tests.benchmarks.small_model [FOLDER]

looks at every frame as the pipeline would, judges by the standard policy, and prints a table in Markdown and each flag:
of the sixty drawn pictures of the tests, or of the pictures in a folder of your own. The local cloud, too, gives it one
thread.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from demo.synthesis import ROOT
from gatehouse.configuration.policies import compile_policies
from gatehouse.moderation.analysis import parse_answer
from gatehouse.moderation.rendition import Background, RefusedError
from gatehouse.moderation.status import FLAGGED, Status
from lambdas.renderer.decoder import Decoder
from localcloud.rekognition import analysis, jpeg, png
from localcloud.rekognition.analyzer_choice import SMALL_MODEL_FOLDER
from localcloud.rekognition.errors import ServiceError
from localcloud.rekognition.findings import Findings
from localcloud.rekognition.images import MOST_BYTES_OF_AN_OBJECT, open_image
from localcloud.rekognition.small_model.analyzer import SmallModel
from tests.localcloud.rekognition.small_model.album import Picture, album

_MOST_FRAMES = 8
_MIN_CONFIDENCE = 30.0


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of a picture.

    Attributes:
        illustrated: whether any frame has this content type.
        seconds: for each frame, decoding aside.
    """

    name: str
    kind: str
    status: Status
    reasons: str
    illustrated: bool
    seconds: tuple[float, ...]


class Looker:
    """Renders, looks and judges as the pipeline does."""

    def __init__(self) -> None:
        self._model = SmallModel(SMALL_MODEL_FOLDER)
        self._policy = compile_policies(ROOT / "policies").policies["standard"]
        self._decoder = Decoder()
        self._decoder.prepare()

    def look(self, picture: Picture) -> Looked:
        """The most serious verdict on a frame.

        Raises:
            RefusedError, ServiceError: there is nothing to look at.
        """
        worst, reasons, illustrated, seconds = Status.APPROVED, "", False, []
        for frame in self._frames(picture.body):
            image = open_image(frame, MOST_BYTES_OF_AN_OBJECT)
            start = time.perf_counter()
            found: Findings = self._model.analyze(image)
            seconds.append(time.perf_counter() - start)
            judgment = self._policy.judge(parse_answer(analysis.answer(found, _MIN_CONFIDENCE, None)))
            illustrated = illustrated or bool(found.content_types)
            if judgment.status in FLAGGED and worst is not Status.BLOCKED:
                worst = judgment.status
                reasons = ", ".join(f"{reason.label} {reason.confidence:.1f}" for reason in judgment.reasons)
        return Looked(picture.name, picture.kind, worst, reasons, illustrated, tuple(seconds))

    def _frames(self, body: bytes) -> Iterator[bytes]:
        description = self._decoder.describe(body, _MOST_FRAMES).description
        assert description is not None
        if description.frames == 1 and body.startswith((jpeg.SIGNATURE, png.SIGNATURE)):
            yield body
            return
        for judged in description.judged:
            yield self._decoder.render(body, judged.number, Background.WHITE).jpeg


@cache
def looked_at_album() -> Sequence[Looked]:
    """The sixty drawn ones; once in a process."""
    looker = Looker()
    return [looker.look(picture) for picture in album()]


def table(all_looked: Iterable[Looked]) -> str:
    """Counts and median times by kind, in Markdown."""
    every = list(all_looked)
    lines = ["| pictures | files | flagged | `Illustrated` | frames | ms a frame, median |", "| --- |" + " ---: |" * 5]
    for kind in dict.fromkeys(looked.kind for looked in every):
        some = [looked for looked in every if looked.kind == kind]
        seconds = sorted(second for looked in some for second in looked.seconds)
        flagged = sum(looked.status in FLAGGED for looked in some)
        drawn = sum(looked.illustrated for looked in some)
        median = 1000 * seconds[len(seconds) // 2]
        lines.append(f"| {kind} | {len(some)} | {flagged} | {drawn} | {len(seconds)} | {median:.0f} |")
    return "\n".join(lines)


def _looked_in(folder: Path) -> Iterator[Looked]:
    looker = Looker()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            yield looker.look(Picture(str(path.relative_to(folder)), "yours", path.read_bytes()))
        except (RefusedError, ServiceError, OSError, ValueError) as error:
            print(f"{path}: {error}", file=sys.stderr)


def main() -> int:
    """Look and report; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.small_model", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="of pictures that nobody would flag")
    folder = parser.parse_args().folder
    every = list(_looked_in(folder)) if folder else looked_at_album()
    print(table(every))
    for looked in every:
        if looked.status in FLAGGED:
            print(f"{looked.name}: {looked.status}, {looked.reasons}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
