"""The command's name as a user types it, for advice that can be copied."""

import sys
from pathlib import Path

#: An installed command is on the PATH; in a checkout it is run from the folder.
COMMAND = "gatehouse" if Path(sys.argv[0]).stem == "gatehouse" else "./gatehouse"
