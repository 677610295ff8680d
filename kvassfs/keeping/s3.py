"""Objects in a store that speaks S3. boto3 finds credentials and region, in the environment or its own files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from .errors import ObjectsUnreachable
from .objects import ObjectStore, Place, parse_place

CONNECT_TIME: Final = 5.0
"""Seconds in which a connection must be there."""

READ_TIME: Final = 20.0
"""Seconds in which something of the answer must come."""

TRIES: Final = 3
"""How often a request is tried that the store did not answer, or could not work on."""

CONNECTIONS: Final = 50
"""Connections to the store that are kept."""


class S3Objects(ObjectStore):
    """The objects at ``place``, of the store at the URL ``endpoint``; ``None``: as boto3 finds it, which is that of AWS."""

    def __init__(
        self,
        place: Place,
        endpoint: str | None = None,
        *,
        connect_time: float = CONNECT_TIME,
        read_time: float = READ_TIME,
    ) -> None:
        self.address = place.address
        self._place = place
        configuration = Config(
            connect_timeout=connect_time,
            read_timeout=read_time,
            retries={"mode": "standard", "total_max_attempts": TRIES},
            max_pool_connections=CONNECTIONS,
            # Names of buckets as host names need entries in the DNS, which most stores of one's own have not.
            s3={"addressing_style": "path"} if endpoint else None,
            # Other stores than that of AWS do not know its newer checksums. A block is checked by its hash.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        with self._translating():
            self._client: Any = boto3.session.Session().client("s3", endpoint_url=endpoint, config=configuration)

    def check(self) -> None:
        """Return if the bucket is there and may be used.

        Raises:
            ObjectsUnreachable
        """
        with self._translating():
            self._client.head_bucket(Bucket=self._place.bucket)

    def put(self, name: str, data: bytes | memoryview) -> None:
        """Keep an object."""
        with self._translating():
            self._client.put_object(Bucket=self._place.bucket, Key=self._place.prefix + name, Body=bytes(data))

    def get(self, name: str) -> bytes | None:
        """Return an object. Where an answer breaks off in its middle, which boto3 leaves to its caller, it is asked again."""
        with self._translating():
            tries = 0
            while (body := self._open(name)) is not None:
                tries += 1
                try:
                    with body:
                        data: bytes = body.read()
                        return data
                except (BotoCoreError, HTTPError):
                    if tries == TRIES:
                        raise
            return None

    def _open(self, name: str) -> Any | None:
        try:
            return self._client.get_object(Bucket=self._place.bucket, Key=self._place.prefix + name)["Body"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "NoSuchKey":
                return None
            raise

    def delete(self, name: str) -> None:
        """Delete an object."""
        with self._translating():
            self._client.delete_object(Bucket=self._place.bucket, Key=self._place.prefix + name)

    @contextmanager
    def _translating(self) -> Iterator[None]:
        """``with`` what the store reports raised in words."""
        try:
            yield
        except (BotoCoreError, ClientError, HTTPError, ValueError) as error:  # ValueError: the endpoint is no URL
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise ObjectsUnreachable(self.address, lines[0]) from error


def open_objects(address: str, endpoint: str) -> S3Objects:
    """Return the objects at ``s3://BUCKET/PREFIX``, of the store at the URL ``endpoint``; "": that of AWS.

    Raises:
        ObjectsUnreachable: the endpoint is no URL.
    """
    place = parse_place(address)
    assert place is not None, "the option was checked"
    return S3Objects(place, endpoint or None)
