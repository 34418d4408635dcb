"""What a person types to run the command, for advice that can be copied."""

import sys
from pathlib import Path

#: Installed, it is found by its name; in a checkout it is run from there.
COMMAND = "gatehouse" if Path(sys.argv[0]).stem == "gatehouse" else "./gatehouse"
