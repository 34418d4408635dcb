"""A flood: many uploads under one prefix, in the same lane and at the same time as everybody else's few.

A batch is settled as a whole, so a single upload in a batch of thousands waits for all of them. Where a batcher has so
many, those that lie under less crowded prefixes get a batch of their own.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, islice

from gatehouse.moderation.upload import Upload

#: Fewer uploads than this are analyzed soon enough together, and each batch costs something of its own.
LEAST = 200

#: Folders of a key that are looked at. A key can have hundreds.
_DEPTH = 4


def apart_from_flood(uploads: Sequence[Upload]) -> tuple[Sequence[Upload], ...]:
    """Part uploads into what is to become batches, the quiet ones first; there is one part where there is no flood.

    Of two uploads, the one whose outermost folder has more of the uploads is the more crowded one; where both are in
    the same folder, the one whose next folder has more. The flood is the most crowded place, and at least half of all.
    """
    if len(uploads) < LEAST:
        return (uploads,)
    places = [_places(upload.key) for upload in uploads]
    crowd = Counter(place for path in places for place in path)
    crowds = [tuple(crowd[place] for place in path) for path in places]
    order = sorted(range(len(uploads)), key=crowds.__getitem__)
    most = crowds[order[-1]]
    quiet = [uploads[n] for n in order[: len(uploads) // 2] if crowds[n] < most]
    return (quiet, [uploads[n] for n in order[len(quiet) :]]) if quiet else (uploads,)


def _places(key: str) -> list[tuple[str, str]]:
    """The folders that a key lies in, from the outermost one on, and the one that it lies in directly."""
    *folders, _ = key.split("/")
    within = accumulate(islice(folders, _DEPTH), "{}/{}".format)
    return [*(("within", folder) for folder in within), ("directly in", "/".join(folders))]
