"""The local cloud's time: durations of AWS multiplied with the launcher's `--time-scale`."""

from ministack.services import stepfunctions


def scaled(seconds: float) -> float:
    """A duration of AWS, in seconds, as the local cloud waits it."""
    return float(seconds * stepfunctions._SFN_WAIT_SCALE)
