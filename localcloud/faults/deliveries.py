"""The effects of faults on deliveries: they are repeated, reordered or delayed, but never lost."""

import logging
import random
import threading
from collections.abc import Callable

from localcloud.faults.delivery_fault import Delivery, DeliveryFault

#: Makes one delivery. Can be called several times, from any thread, but not concurrently.
Deliver = Callable[[], None]

_log = logging.getLogger("gatehouse.deliveries")


class _Held:
    """Deliveries that are held back together, up to a number or for some seconds."""

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
        """Hold deliveries back. Make them immediately if these complete the number, or are too late to be held."""
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
# The deliveries held by each reordering fault.
_reordered: dict[DeliveryFault, _Held] = {}
_lock = threading.Lock()


def strike(fault: DeliveryFault, deliver: Deliver, is_armed: Callable[[DeliveryFault], bool]) -> None:
    """Make a delivery as the fault specifies; if the fault has been cleared since, without holding it back."""
    deliveries = [deliver]
    if fault.delivery is Delivery.DUPLICATE:
        deliver()
        deliveries *= fault.copies
    held = _held_back(fault, is_armed)
    if held is not None:
        held.add(*deliveries)
        return
    for one in deliveries:
        one()


def release() -> None:
    """Make all held deliveries, in the background. Call this after the faults have been cleared."""
    with _lock:
        held = tuple(_held)
        _reordered.clear()
    for one in held:
        threading.Thread(target=one.release, name="gatehouse-delivery", daemon=True).start()


def _held_back(fault: DeliveryFault, is_armed: Callable[[DeliveryFault], bool]) -> _Held | None:
    """The group that a fault's delivery waits in; None if it does not wait."""
    with _lock:
        if not fault.seconds or not is_armed(fault):
            return None
        if fault.delivery is not Delivery.REORDER:
            held = _Held(fault.seconds, None, 0)
        elif fault in _reordered:
            return _reordered[fault]
        else:
            held = _reordered[fault] = _Held(fault.seconds, fault.times, fault.seed)
        _held.add(held)
        return held
