"""S3 in memory, for the local Rekognition to read and write."""

import threading
from collections.abc import Callable, Mapping

from localcloud.rekognition.caller import Caller
from localcloud.rekognition.storage import ObjectUnreadable, ObjectUnwritable, ReadObject


class MemoryStorage:
    """Objects by bucket and key, with versions `v1`, `v2`... `denied_*` holds keys the caller has no permission for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[tuple[str, str], list[ReadObject]] = {}
        self.denied_reads: set[str] = set()
        self.denied_writes: set[str] = set()
        self.missing_buckets: set[str] = set()
        self.reads: list[tuple[Caller, str, str, str | None]] = []
        self.broken: Exception | None = None
        self.before_read: Callable[[], object] = lambda: None

    def put(self, bucket: str, key: str, body: bytes, metadata: Mapping[str, str] | None = None) -> None:
        with self._lock:
            self._objects.setdefault((bucket, key), []).append(ReadObject(body, metadata or {}))

    def forget(self, bucket: str, key: str) -> None:
        with self._lock:
            del self._objects[bucket, key]

    def body(self, bucket: str, key: str) -> bytes:
        with self._lock:
            return self._objects[bucket, key][-1].body

    def keys(self, bucket: str) -> list[str]:
        with self._lock:
            return [key for own_bucket, key in self._objects if own_bucket == bucket]

    def read(self, caller: Caller, bucket: str, key: str, version_id: str | None = None) -> ReadObject:
        self.before_read()
        if self.broken is not None:
            raise self.broken
        with self._lock:
            self.reads.append((caller, bucket, key, version_id))
            if key in self.denied_reads:
                raise ObjectUnreadable("not allowed", access_denied=True)
            versions = self._objects.get((bucket, key), [])
            number = int(version_id.removeprefix("v")) if version_id else len(versions)
            if not 0 < number <= len(versions):
                raise ObjectUnreadable("NoSuchKey")
            return versions[number - 1]

    def write(self, caller: Caller, bucket: str, key: str, body: bytes, content_type: str) -> None:
        if bucket in self.missing_buckets:
            raise ObjectUnwritable("NoSuchBucket")
        if any(key.startswith(prefix) for prefix in self.denied_writes):
            raise ObjectUnwritable("not allowed", access_denied=True)
        self.put(bucket, key, body)
