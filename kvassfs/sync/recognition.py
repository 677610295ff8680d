"""What a response means: whether it is the known hub that responds, and what has become of it or of this device.

Decided here, without store or network; the hub client acts on it.
"""

from __future__ import annotations

from ..echo import Proof
from ..replica import NOBODY, HubState
from .messages import VERSION, PullResponse, PushResponse


class _Meaning:
    """Equals those of its own class with the same values. ``dataclass`` takes a millisecond for each class: as much as the rest."""

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


class Same(_Meaning):
    """The known hub, and nothing is to be noted."""


class Learned(_Meaning):
    """The known hub, or the first one that responds, and what is to be noted of it; the attributes are HubState's."""

    def __init__(self, version: int, process_id: int, incarnation: int, told: int) -> None:
        self.version = version
        self.process_id = process_id
        self.incarnation = incarnation
        self.told = told


class Stranger(_Meaning):
    """A hub that may lack anything that the known one had: all is pulled from it and pushed to it anew."""

    def __init__(self, process_id: int, version: int = VERSION) -> None:
        self.process_id = process_id
        self.version = version


class AnotherHub(Stranger):
    """Another store than the one before."""


class HubSetBack(Stranger):
    """The known store in an older state, as from a backup."""


class Proven(Stranger):
    """The first hub that proves who it is: what is known comes from responses of version 1, which anybody can send."""


class Unproven(_Meaning):
    """A response of version 1 that anybody can have kept, or asked for: nothing in it counts."""


class Downgraded(_Meaning):
    """A response of version 1, although the hub has spoken version 2: another program, or somebody in between."""


class DeviceSetBack(_Meaning):
    """The hub has entries of this device, up to ``counter``, which it never wrote as far as it knows.

    It was set back to a backup, or has a copy that writes under the same process id.
    """

    def __init__(self, counter: int) -> None:
        self.counter = counter


Meaning = Same | Learned | Stranger | Unproven | Downgraded | DeviceSetBack


def recognise(
    known: HubState, clock: int, response: PullResponse | PushResponse | None, proof: Proof = Proof.NONE
) -> Meaning:
    """Return what a response means.

    ``known`` is what was known of the hub when it was asked, ``clock`` the Lamport clock of this device. ``None`` is
    the empty response of version 1 to a push; ``proof`` is what one to a pull proves.
    """
    if response is None or response.digest is None:
        return _recognise_original(known, proof)
    if isinstance(response, PullResponse) and response.written > clock:
        return DeviceSetBack(response.written)
    if known.version == 1:
        return Proven(response.process_id)
    if known.process_id not in {NOBODY, response.process_id}:
        return AnotherHub(response.process_id)
    if not _remembers(known, response):
        return HubSetBack(response.process_id)
    mark = response.incarnations[-1].mark if response.incarnations else 0
    if (known.version, known.process_id, known.incarnation, known.told) == (
        VERSION,
        response.process_id,
        mark,
        response.clock,
    ):
        return Same()
    return Learned(VERSION, response.process_id, mark, response.clock)


def _recognise_original(known: HubState, proof: Proof) -> Meaning:
    if known.version == VERSION:
        return Downgraded()
    if proof is Proof.NONE:
        return Unproven()
    if proof is Proof.OTHER:
        return HubSetBack(NOBODY, version=1)
    return Same() if known.version == 1 else Learned(1, NOBODY, 0, 0)


def _remembers(known: HubState, response: PullResponse | PushResponse) -> bool:
    """Return True if the hub has forgotten nothing that it told.

    Where it was set back to a backup, its clock may be ahead again by now. But the incarnation that told the clock is
    none that it knows of then, or told less as far as it knows. (A cursor of version 0 was taken over with the
    database of the original program, whose numbers a hub that took over goes on with.)
    """
    if known.incarnation == 0:
        return response.clock >= max(known.told, known.cursor)
    return any(
        incarnation.mark == known.incarnation and incarnation.told >= known.told
        for incarnation in response.incarnations
    )
