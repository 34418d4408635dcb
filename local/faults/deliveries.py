"""What a fault does to deliveries: they come again, in another order, or late; they never fail to come."""

import logging
import random
import threading
from collections.abc import Callable

from local.faults.delivery_fault import Delivery, DeliveryFault

#: Makes one delivery. May be called several times, from any thread, not at once.
Deliver = Callable[[], None]

_log = logging.getLogger("gatehouse.deliveries")


class _Held:
    """Deliveries that are held back together: until they are so many, or for some seconds."""

    def __init__(self, seconds: float, most: int | None, seed: int) -> None:
        self._most = most
        self._chance = random.Random(seed)  # noqa: S311 - nothing secret about an order
        self._deliveries: list[Deliver] = []
        self._is_over = False
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self.release)
        self._timer.daemon = True
        self._timer.start()

    def add(self, *deliveries: Deliver) -> None:
        """Hold deliveries back; make them at once if these complete the number, or come too late to be held."""
        with self._lock:
            self._deliveries += deliveries
            is_due = self._is_over or len(self._deliveries) == self._most
        if is_due:
            self.release()

    def release(self) -> None:
        """Make the deliveries, shuffled."""
        with self._lock:
            self._is_over = True
            deliveries, self._deliveries = self._deliveries, []
        self._timer.cancel()
        with _lock:
            _held.discard(self)
        self._chance.shuffle(deliveries)
        for deliver in deliveries:
            try:
                deliver()
            except Exception:
                _log.exception("A delivery that was held back failed")


_held: set[_Held] = set()
# What each fault that reorders holds, by its identity: it is the same object while it is armed.
_reordered: dict[int, _Held] = {}
_lock = threading.Lock()


def strike(fault: DeliveryFault, deliver: Deliver) -> None:
    """Make a delivery as the fault says."""
    if fault.delivery is Delivery.REORDER:
        _together_with_others(fault).add(deliver)
    elif fault.delivery is Delivery.DELAY:
        _hold(fault.seconds).add(deliver)
    else:
        deliver()
        copies = [deliver] * fault.copies
        if fault.seconds:
            _hold(fault.seconds).add(*copies)
        else:
            for copy in copies:
                copy()


def release() -> None:
    """Make all deliveries that are held back, in the background."""
    with _lock:
        held = tuple(_held)
        _reordered.clear()
    for one in held:
        threading.Thread(target=one.release, name="gatehouse-delivery", daemon=True).start()


def _together_with_others(fault: DeliveryFault) -> _Held:
    with _lock:
        if id(fault) not in _reordered:
            _reordered[id(fault)] = _Held(fault.seconds, fault.times, fault.seed)
            _held.add(_reordered[id(fault)])
        return _reordered[id(fault)]


def _hold(seconds: float) -> _Held:
    held = _Held(seconds, None, 0)
    with _lock:
        _held.add(held)
    return held
