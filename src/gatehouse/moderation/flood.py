"""A flood: many uploads under one prefix, in the same lane and at the same time as a few uploads elsewhere.

A batch is settled as a whole, so a single upload in a batch of thousands waits for all of them. In a flood, the uploads
under less crowded prefixes therefore get their own batch.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, islice

from gatehouse.moderation.upload import Upload

#: Fewer uploads than this are not separated: they are analyzed soon enough together, and each batch has a cost.
LEAST = 200

#: How many folders of a key are compared. A key can have hundreds.
_DEPTH = 4


def apart_from_flood(uploads: Sequence[Upload]) -> tuple[Sequence[Upload], ...]:
    """Split uploads into batches, the less crowded one first; without a flood there is one batch.

    Of two uploads, the one whose outermost folder contains more uploads is the more crowded one; if both are in the
    same folder, the next folder decides. The flood is the most crowded place, and at least half of all uploads.
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
    """The folders that contain a key, from the outermost one, and the one that contains it directly."""
    *folders, _ = key.split("/")
    within = accumulate(islice(folders, _DEPTH), "{}/{}".format)
    return [*(("within", folder) for folder in within), ("directly in", "/".join(folders))]
