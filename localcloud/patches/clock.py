"""The local cloud's time: AWS's durations multiplied by the launcher's `--time-scale`."""

from ministack.services import stepfunctions


def scaled(seconds: float) -> float:
    """The time that the local cloud waits for an AWS duration in seconds."""
    return float(seconds * stepfunctions._SFN_WAIT_SCALE)
