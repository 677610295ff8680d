"""The table of open files: which files are open, by which names, and through which handles."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from ..entry import directory_of
from ..store import Node
from .openfile import REMOVED, OpenFile, Standing

FindNode = Callable[[str], Node | None]
"""Returns the file in the store that has a key."""


class Handle(NamedTuple):
    """One open of a file."""

    file: OpenFile
    writes: bool
    appends: bool


class OpenFiles:
    """Keeps what is open, and nothing else changes it. For one thread, except ``in``.

    A file is found by its key, where a file that is open twice in different versions is the newer one; or, after it
    lost its name, by the path under which libfuse hides it. It is in the table until its last handle is released.

    Attributes:
        handles: the handles by their numbers, to read.
    """

    def __init__(self) -> None:
        self.handles: dict[int, Handle] = {}
        self._last_handle = 0
        self._by_key: dict[str, OpenFile] = {}
        self._hidden: dict[str, OpenFile] = {}

    # Finding

    def __contains__(self, key: str) -> bool:
        """Whether the file of a key is open; any thread may ask."""
        return key in self._by_key

    def get(self, key: str) -> OpenFile | None:
        """Return the open file of a key."""
        return self._by_key.get(key)

    def hidden(self, path: str) -> OpenFile | None:
        """Return the file that lost its name and is hidden at ``path``."""
        return self._hidden.get(path)

    def in_directory(self, prefix: str) -> Iterator[OpenFile]:
        """Yield the open files that are directly in a directory."""
        return (file for key, file in self._by_key.items() if directory_of(key) == prefix)

    def any_unsaved_below(self, prefix: str) -> bool:
        """Whether a file that is not in the store yet is open below a directory."""
        return any(key.startswith(prefix) and not file.is_stored for key, file in self._by_key.items())

    # Handles

    def open(self, file: OpenFile, flags: int) -> int:
        """Return a new handle to a file, opened with these flags."""
        file.handles += 1
        self._last_handle += 1
        writes = flags & os.O_ACCMODE != os.O_RDONLY
        self.handles[self._last_handle] = Handle(file, writes, bool(flags & os.O_APPEND))
        return self._last_handle

    def release(self, number: int) -> Handle:
        """Forget a handle and return it; its file is to be passed to ``forget`` if that was the last one."""
        handle = self.handles.pop(number)
        handle.file.handles -= 1
        return handle

    def forget(self, file: OpenFile) -> None:
        """Forget a file that has no handle any more, and let go of its buffer."""
        if self._by_key.get(file.place.key) is file:
            del self._by_key[file.place.key]
        if not file.is_attached:
            self._hidden = {path: hidden for path, hidden in self._hidden.items() if hidden is not file}
        file.close()

    # Names

    def attach(self, file: OpenFile) -> None:
        """Have a file that has just been opened found by its key."""
        file.apart = file.place.key in self._by_key
        self._by_key[file.place.key] = file

    def detach(self, key: str, standing: Standing = REMOVED) -> OpenFile | None:
        """Take its name from the open file of a key, if there is one, and return it; its handles go on."""
        file = self._by_key.pop(key, None)
        if file is not None:
            file.place = file.place._replace(standing=standing)
        return file

    def hide(self, file: OpenFile, path: str) -> None:
        """Have a file that lost its name found at ``path``, where libfuse hides it."""
        self._hidden[path] = file

    def unhide(self, path: str) -> None:
        """Forget that a file is hidden at ``path``, if there is one."""
        self._hidden.pop(path, None)

    def rename(self, old: str, new: str, node: Node | None) -> None:
        """Go on under another key with the file that is open; ``node`` is what moved with it in the store.

        The file that was open under the new key loses its name.
        """
        self.detach(new)
        self._place(self._by_key.pop(old, None), new, node)

    def swap(self, one: str, other: str, find_node: FindNode) -> None:
        """Have two open files, or one, go on under each other's keys."""
        file, other_file = self._by_key.pop(one, None), self._by_key.pop(other, None)
        self._place(file, other, find_node(other))
        self._place(other_file, one, find_node(one))

    def swap_trees(self, one: str, other: str, find_node: FindNode) -> None:
        """Have the files that are open under the key ``one`` and below go on under ``other`` and below, and reversely."""
        self._move({one: other, other: one}, find_node)

    def swap_hidden(self, one: str, other: str) -> None:
        """Have files that are hidden below the paths ``one`` and ``other`` found below the other one."""
        self._move_hidden({one: other, other: one})

    def rename_directory(self, old: str, new: str, find_node: FindNode) -> None:
        """Go on with the files that are open below a directory, and with its own value, below another prefix."""
        self._move({old[:-1]: new[:-1]}, find_node)

    def rename_hidden(self, old: str, new: str) -> None:
        """Have files that are hidden below the path ``old`` found below ``new``."""
        self._move_hidden({old: new})

    def _move(self, moves: Mapping[str, str], find_node: FindNode) -> None:
        """Go on under other keys with the files that are open under the keys ``moves`` and below."""
        found = [(key, _move_name(key, moves)) for key in self._by_key]
        files = [(self._by_key.pop(key), new) for key, new in found if new != key]
        for file, new in files:
            self._place(file, new, find_node(new) if file.is_stored else None)
        for file in self._hidden.values():  # a save of one that was superseded goes to the key that it is now
            file.place = file.place._replace(key=_move_name(file.place.key, moves))

    def _move_hidden(self, moves: Mapping[str, str]) -> None:
        self._hidden = {_move_name(path, moves): file for path, file in self._hidden.items()}

    def _place(self, file: OpenFile | None, key: str, node: Node | None) -> None:
        if file is not None:
            file.place = file.place.moved(key, node)
            self._by_key[key] = file

    @contextmanager
    def undone_on_failure(self) -> Iterator[None]:
        """``with`` several changes of names of which all or none count: undo them if one fails."""
        by_key, hidden = dict(self._by_key), dict(self._hidden)
        places = [(file, file.place) for file in (*by_key.values(), *hidden.values())]
        try:
            yield
        except BaseException:
            self._by_key, self._hidden = by_key, hidden
            for file, place in places:
                file.place = place
            raise


def _move_name(name: str, moves: Mapping[str, str]) -> str:
    """Return ``name`` with what ``moves`` has in the place of its beginning: one of those names, or what is below."""
    for old, new in moves.items():
        if name == old or name.startswith(f"{old}/"):
            return new + name[len(old) :]
    return name
