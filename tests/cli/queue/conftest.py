"""A deployment whose queues commands look into."""

import pytest

from gatehouse.cli.queue import message_queue
from tests.cli.conftest import Deployed
from tests.cli.operated import Operated


@pytest.fixture
def operated(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Operated:
    """An empty queue is known to be empty at once."""
    monkeypatch.setattr(message_queue, "WAIT_SECONDS", 0)
    return Operated.of(deployed)
