"""An analyzer of your own for the local cloud, as small as one can be: it knows files by their hash.

The list, beside this module or where GATEHOUSE_ANALYZER_LIST says, has labels of the moderation taxonomy, version 7.0:

    {"<SHA-256 of a file, in hexadecimal>": {"Weapons": 97.5}}

    make demo IMAGES=photos ANALYZER=examples.analyzers.known_files:KnownFiles
"""

import hashlib
import json
import os
from pathlib import Path

from localcloud.rekognition.findings import Finding, Findings
from localcloud.rekognition.images import Image

_ROOT = Path(__file__).resolve().parents[2]


class KnownFiles:
    """Finds what the list says of a file; other files have no labels.

    The local cloud makes one object, without arguments, and calls it from several threads. Pictures that Rekognition
    does not read (WebP, GIF and so on) arrive as the JPEG that they are rendered to, as on AWS.
    """

    def __init__(self) -> None:
        listed = _ROOT / os.environ.get("GATEHOUSE_ANALYZER_LIST", "examples/analyzers/known.json")
        self._known = json.loads(listed.read_text("utf-8"))

    def analyze(self, image: Image) -> Findings:
        """Look at one image; parents of labels need not be among the findings."""
        labels = self._known.get(hashlib.sha256(image.body).hexdigest(), {})
        found = tuple(Finding(name, confidence) for name, confidence in labels.items())
        return Findings(found, model_version="known files 1")
