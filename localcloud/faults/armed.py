"""The armed faults: `POST /_gatehouse/faults` arms one, `GET` lists them with their counts, and `DELETE` clears them
all. `call_fault` and `delivery_fault` describe the fields.

While no fault is armed, a call costs one check of an empty list.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from threading import Lock

from localcloud.faults import deliveries
from localcloud.faults.call_fault import Action, CallFault
from localcloud.faults.delivery_fault import DeliveryFault, Origin
from localcloud.faults.document import Document, FaultError

ADMIN_PATH = "/_gatehouse/faults"

_JSON = {"Content-Type": "application/json"}

_faults: list[CallFault | DeliveryFault] = []
_lock = Lock()


def are_there() -> bool:
    """Whether any fault is armed."""
    return bool(_faults)


def may_strike(caller: str) -> bool:
    """Whether any fault is for a function or state machine of this name."""
    return any(isinstance(fault, CallFault) and fault.may_strike(caller) for fault in tuple(_faults))


def at_call(caller: str, names: frozenset[str], request: str, actions: Collection[Action]) -> CallFault | None:
    """The fault that strikes a call, with one of these actions; see `CallFault.strikes`."""
    with _lock:
        for fault in _faults:
            if isinstance(fault, CallFault) and fault.strikes(caller, names, request, actions):
                return fault
    return None


def at_delivery(event: Callable[[], str], origin: Origin) -> DeliveryFault | None:
    """The fault that strikes the delivery of an event, or of a stream's batch."""
    with _lock:
        for fault in _faults:
            if isinstance(fault, DeliveryFault) and fault.strikes(event(), origin):
                return fault
    return None


def is_armed(fault: DeliveryFault) -> bool:
    """Whether a fault has not been cleared."""
    return any(one is fault for one in tuple(_faults))


def administer(method: str, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
    """Answer a request for `ADMIN_PATH`."""
    if method == "DELETE":
        with _lock:
            _faults.clear()
        deliveries.release()
    elif method == "POST":
        try:
            fault = read(json.loads(body))
        except (ValueError, RecursionError) as error:  # FaultError and JSONDecodeError are ValueErrors
            return 400, _JSON, json.dumps({"message": str(error)}).encode()
        with _lock:
            _faults.append(fault)
    elif method != "GET":
        return 405, _JSON, json.dumps({"message": "GET, POST or DELETE."}).encode()
    with _lock:
        return 200, _JSON, json.dumps({"faults": [asdict(fault) for fault in _faults]}).encode()


def read(document: Document) -> CallFault | DeliveryFault:
    """Read a fault from a document.

    Raises:
        FaultError: it can't be armed.
    """
    if not isinstance(document, dict):
        raise FaultError("A fault must be a JSON object.")
    if "delivery" in document:
        return DeliveryFault.from_document(document)
    return CallFault.from_document(document)
