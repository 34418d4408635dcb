"""Gatehouse: a verdict for every image uploaded to an S3 bucket."""
