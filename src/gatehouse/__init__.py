"""Gatehouse: a verdict for every image uploaded to an S3 bucket."""

__version__ = "0.1.0"
