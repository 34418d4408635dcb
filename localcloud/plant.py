"""`./gatehouse plant photo.webp Weapons=96`: have the local cloud's Rekognition report labels for a picture.

It reports what is planted in a picture and does not look at pixels; on AWS a plant is a comment that nobody reads.
"""

import argparse
import difflib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from gatehouse.moderation.policy.taxonomy import PARENTS
from localcloud.rekognition.planted_labels import METADATA_KEY, VERSION, MalformedPlantError, parse, plant

_EPILOG = """examples:
  gatehouse plant photo.webp Weapons=96
  gatehouse plant drawing.gif "Explosions and Blasts=92.6" --content-type Illustrated=93.9 --out planted.gif
  gatehouse plant photo.heic                     no labels: the picture is clean
  gatehouse plant --metadata Weapons=96          print the text for the S3 metadata entry instead
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status: 1 if nothing was planted, with the reason on stderr."""
    options = _options(arguments)
    words = list(options.words)
    try:
        path = None if options.metadata else Path(words.pop(0))
        document = {"ModerationLabels": _findings(words), "ContentTypes": _findings(options.content_type)}
        _check_labels(document["ModerationLabels"])
        if path is None:
            parse(text := f"{VERSION} {json.dumps(document)}")
            sys.stdout.write(f"{METADATA_KEY}={text}\n")
        else:
            body = plant(path.read_bytes(), document)
            (options.out or path).write_bytes(body)
    except MalformedPlantError as error:
        return _failed(f"these labels can't be planted: {error}")
    except OSError as error:
        return _failed(f"{error.filename}: {error.strerror}")
    except ValueError as error:
        return _failed(str(error))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="gatehouse plant",
        usage="gatehouse plant [--content-type NAME=CONFIDENCE] [--out FILE | --metadata] FILE LABEL=CONFIDENCE ...",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("words", nargs="+", metavar="FILE LABEL=CONFIDENCE", help="a picture, and what it shows")
    parser.add_argument("--content-type", action="append", default=[], metavar="NAME=CONFIDENCE")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--out", type=Path, metavar="FILE", help="write there and leave the picture as it is")
    target.add_argument(
        "--metadata", action="store_true", help="take no file, and print the text for the object's metadata"
    )
    return parser.parse_args(arguments)


def _findings(words: Sequence[str]) -> list[dict[str, object]]:
    return [_finding(word) for word in words]


def _finding(word: str) -> dict[str, object]:
    name, equals, confidence = word.rpartition("=")
    try:
        if not equals:
            raise ValueError
        return {"Name": name, "Confidence": float(confidence)}
    except ValueError:
        raise ValueError(f"{word!r} is not a name, = and a confidence from 0 to 100, such as Weapons=96") from None


def _check_labels(findings: Sequence[Mapping[str, object]]) -> None:
    for name in (str(finding["Name"]) for finding in findings):
        if name not in PARENTS:
            close = difflib.get_close_matches(name, PARENTS, n=1)
            raise ValueError(
                f"{name!r} is not a label of taxonomy 7.0{f'; did you mean {close[0]!r}?' if close else ''}"
            )


def _failed(problem: str) -> int:
    sys.stderr.write(f"gatehouse plant: {problem}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
