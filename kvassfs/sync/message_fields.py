"""The JSON that messages are made of, and the fields in it: read with care, since anybody may have written them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

from ..entry import MAX_NUMBER
from ..errors import InvalidConfiguration, InvalidMessage
from ..replica import MAX_PROCESS_ID, MOST_NAMES, check_name


def encode_json(message: object) -> bytes:
    """Return the JSON of a message, as short as it can be."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def decode_json(plaintext: bytes | bytearray) -> Any:
    """Return what JSON says.

    Raises:
        InvalidMessage: it is no JSON.
    """
    try:
        return json.loads(plaintext)
    except (ValueError, RecursionError) as error:
        raise InvalidMessage("it is no JSON") from error


def require_object(message: object) -> dict[str, Any]:
    """Return ``message`` if it is a JSON object.

    Raises:
        InvalidMessage: it is something else.
    """
    if not isinstance(message, dict):
        raise InvalidMessage("it is no JSON object")
    return message


def require_kind(message: object, kind: str, fields: frozenset[str]) -> dict[str, Any]:
    """Return ``message`` if it is a JSON object of this ``kind``, which its ``Type`` names.

    One that names none, as those of other programs, must have no others than these ``fields``: all messages are sealed with
    one key, and who has it not can still send one in the place of another.

    Raises:
        InvalidMessage: it is something else.
    """
    found = require_object(message)
    if "Type" not in found:
        if not found.keys() <= fields:
            raise InvalidMessage("it is of another kind")
    elif found["Type"] != kind:
        raise InvalidMessage("it is of another kind")
    return found


def read_number(message: dict[str, Any], name: str, default: int | None = None) -> int:
    """Return an integer field; without a ``default`` it must be there.

    Raises:
        InvalidMessage: it is no integer, or out of range.
    """
    number = message.get(name, default)
    if type(number) is not int or not -MAX_NUMBER <= number <= MAX_NUMBER:
        raise InvalidMessage(f"its {name} is no number that it can have")
    return number


def encode_names(names: Mapping[int, str]) -> dict[str, Any]:
    """Return the field that says what devices are called, by their process ids; nothing where there is no name."""
    found = {str(process_id): name for process_id, name in islice(names.items(), MOST_NAMES) if name}
    return {"Names": found} if found else {}


def read_names(message: dict[str, Any]) -> dict[int, str]:
    """Return what devices are called; names that cannot be shown in a line are left out.

    Raises:
        InvalidMessage: it is no object of names.
    """
    found = {}
    for process_id, name in islice(require_object(message.get("Names", {})).items(), MOST_NAMES):
        if not process_id.isdecimal() or len(process_id) > 10 or not isinstance(name, str):
            raise InvalidMessage("its names of devices cannot be read")
        with suppress(InvalidConfiguration):
            if 1 <= int(process_id) <= MAX_PROCESS_ID and check_name(name):
                found[int(process_id)] = name
    return found


def encode_bytes(data: bytes) -> str:
    """Return the base64 form of bytes."""
    return base64.b64encode(data).decode("ascii")
