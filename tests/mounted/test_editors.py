"""Every editor and tool saves a key as one revision and leaves nothing else (the table of programs is the test)."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from kvassfs.store import Store
from tests.support.programs import environment, kvass_here, names, need, run
from tests.support.terminal import See, Step, Terminal, Type, press
from tests.support.waiting import within

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.mounts import Mount

HOUR = 3600 * 10**9
KEY = "notes/plan.txt"
OLD = b"one\ntwo\nthree\n"
CHANGED = b"one\nTWO\nthree\n"
LONGER = b"zero\none\ntwo\nthree\n"
APPENDED = b"one\ntwo\nthree\nfour\n"

PATCH = """\
--- plan.txt
+++ plan.txt
@@ -1,3 +1,3 @@
 one
-two
+TWO
 three
"""

REPLACE = """\
import os, sys, tempfile
name, new = sys.argv[1:]
descriptor, draft = tempfile.mkstemp(dir=os.path.dirname(name))
with os.fdopen(descriptor, "wb") as stream:
    stream.write(open(new, "rb").read())
os.replace(draft, name)
"""


@dataclass(frozen=True)
class Tool:
    """A program that saves by itself.

    `script` is run by sh in the key's directory: `$FILE` is the key's path, `$NEW` a file outside that holds `after`.
    `keys` are further keys that the program leaves, `local` names of this machine that are no keys.
    """

    name: str
    script: str
    after: bytes = CHANGED
    revisions: int = 1
    needs: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    local: tuple[str, ...] = ()


TOOLS = [
    Tool("sed -i", 'sed -i s/two/TWO/ "$FILE"', needs=("sed",)),
    Tool("sed -i relative", "sed -i s/two/TWO/ plan.txt", needs=("sed",)),
    Tool("sed -i~", 'sed -i~ s/two/TWO/ "$FILE"', needs=("sed",), local=("plan.txt~",)),
    Tool("perl -i", 'perl -i -pe s/two/TWO/ "$FILE"', needs=("perl",)),
    # The backup has a name that the user chose, and no pattern of scratch names: it is a key.
    Tool("perl -i.bak", 'perl -i.bak -pe s/two/TWO/ "$FILE"', needs=("perl",), keys=("notes/plan.txt.bak",)),
    Tool("cp", 'cp "$NEW" "$FILE"'),
    Tool("cp -a", 'cp -a "$NEW" "$FILE"'),
    Tool("cp --remove-destination", 'cp --remove-destination "$NEW" "$FILE"'),
    Tool("cp -b", 'cp -b "$NEW" "$FILE"', local=("plan.txt~",)),
    Tool("mv from outside", 'mv "$NEW" "$FILE"'),
    Tool("mv inside", 'cp "$NEW" draft && mv draft "$FILE"'),
    Tool("mv -n refuses", 'cp "$NEW" draft && { mv -n draft "$FILE"; rm draft; }', after=OLD, revisions=0),
    Tool("install", 'install -m 600 "$NEW" "$FILE"'),
    Tool("dd", 'dd if="$NEW" of="$FILE" status=none'),
    Tool("dd bs=1", 'dd if="$NEW" of="$FILE" bs=1 status=none'),
    Tool("dd conv=notrunc", 'printf TWO | dd of="$FILE" bs=1 seek=4 conv=notrunc status=none'),
    Tool("dd conv=fsync", 'dd if="$NEW" of="$FILE" conv=fsync status=none'),
    Tool("tee", 'tee "$FILE" <"$NEW" >tee.out && rm tee.out'),
    Tool("tee -a", 'echo four | tee -a "$FILE" >/dev/null', after=APPENDED),
    Tool(">", 'cat "$NEW" >"$FILE"'),
    Tool("> of several commands", '{ echo one; echo TWO; echo three; } >"$FILE"'),
    Tool("> of a subshell", '( echo one; /bin/echo TWO; sh -c "echo three" ) >"$FILE"'),
    Tool(">>", 'echo four >>"$FILE"', after=APPENDED),
    Tool("<>", 'printf "one\\nTWO" 1<>"$FILE"'),
    Tool("rsync -a", 'rsync -a "$NEW" "$FILE"', needs=("rsync",)),
    Tool("rsync -a --inplace", 'rsync -a --inplace "$NEW" "$FILE"', needs=("rsync",)),
    Tool("rsync -a --backup", 'rsync -a --backup "$NEW" "$FILE"', needs=("rsync",), local=("plan.txt~",)),
    Tool("tempfile and os.replace", '"$PYTHON" -c "$REPLACE" "$FILE" "$NEW"'),
    Tool(
        "Path.write_bytes",
        '"$PYTHON" -c "from pathlib import Path; Path(\'plan.txt\').write_bytes('
        "Path('plan.txt').read_bytes().replace(b'two', b'TWO'))\"",
    ),
    Tool("ed", 'printf "2s/two/TWO/\\nw\\nq\\n" | ed -s "$FILE"', needs=("ed",)),
    Tool("ex", 'printf "2s/two/TWO/\\nwq\\n" | ex -s "$FILE"', needs=("ex",)),
    Tool("patch", 'patch -s <"$PATCH"', needs=("patch",)),
    Tool("patch -b", 'patch -s -b -z "~" <"$PATCH"', needs=("patch",), local=("plan.txt~",)),
    Tool("git apply", 'git apply -p0 "$PATCH"', needs=("git",)),
    Tool("sort -o", 'sort -o "$FILE" "$FILE"', after=b"one\nthree\ntwo\n"),
    Tool("truncate", 'truncate -s 8 "$FILE"', after=b"one\ntwo\n"),
    Tool("tar x", 'tar -C "${NEW%/*}" --transform s/new/plan.txt/ -cf "$HOME/a.tar" new && tar xf "$HOME/a.tar"'),
    Tool("two saves", 'cp "$FILE" "$HOME/old"; echo four >"$FILE"; cp "$NEW" "$FILE"', revisions=2),
    Tool("touch", 'touch "$FILE"', after=OLD, revisions=0),
    Tool("touch -d", 'touch -d 2001-02-03 "$FILE"', after=OLD, revisions=0),
    Tool("chmod", 'chmod 700 "$FILE"', after=OLD, revisions=0),
    Tool("cat", 'cat "$FILE" >/dev/null', after=OLD, revisions=0),
    Tool(">> nothing", ': >>"$FILE"', after=OLD, revisions=0),
]


VIM_SAVES = (See("three"), Type(":%s/two/TWO/"), press("Enter"), Type(":wq"), press("Enter"))
NANO_SAVES = (
    See("three"),
    Type("zero"),
    press("Enter", "C-o"),
    See("File Name to Write"),
    press("Enter"),
    See("Wrote 4 lines"),
    press("C-x"),
)
EMACS_SAVES = (
    See("three"),
    Type("zero"),
    press("Enter", "C-x", "C-s"),
    See("Wrote "),
    press("C-x", "C-c"),
)


@dataclass(frozen=True)
class Editor:
    """An editor on a terminal, started in the key's directory with `command` and the file's name.

    `steps` are what the user does until the editor ends; the other fields are those of a tool.
    """

    name: str
    command: tuple[str, ...]
    steps: tuple[Step, ...]
    after: bytes = CHANGED
    revisions: int = 1
    keys: tuple[str, ...] = ()
    local: tuple[str, ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """The programs that must be there."""
        return ("tmux", self.command[0])


def vim(*settings: str) -> tuple[str, ...]:
    """Start vim as it comes, with settings as from the user's vimrc.

    The one setting that is always there undoes an exception for /tmp, where the mount of a test is.
    """
    return ("vim", *(word for setting in ("backupskip=", *settings) for word in ("--cmd", f"set {setting}")))


def emacs() -> tuple[str, ...]:
    """Start emacs as it comes; the expression undoes the same exception."""
    return ("emacs", "-nw", "--eval", "(setq backup-enable-predicate (lambda (_) t))")


EDITORS = [
    Editor("vim", vim(), VIM_SAVES),
    Editor("vim :x", vim(), (See("three"), Type(":2s/two/TWO/"), press("Enter"), Type(":x"), press("Enter"))),
    Editor("vim backupcopy=yes", vim("backupcopy=yes"), VIM_SAVES),
    Editor("vim backupcopy=no", vim("backupcopy=no"), VIM_SAVES),
    Editor("vim nowritebackup", vim("nowritebackup"), VIM_SAVES),
    Editor("vim backup", vim("backup"), VIM_SAVES, local=("plan.txt~",)),
    Editor("vim backup backupcopy=yes", vim("backup", "backupcopy=yes"), VIM_SAVES, local=("plan.txt~",)),
    Editor("vim undofile", vim("undofile"), VIM_SAVES, local=(".plan.txt.un~",)),
    Editor(
        "vim saves twice",
        vim(),
        (
            See("three"),
            *(Type(":1s/^/zero\\r/"), press("Enter"), Type(":w"), press("Enter"), See("4L, 19B written")),
            *(Type(":$s/$/\\rfour/"), press("Enter"), Type(":w"), press("Enter"), See("5L, 24B written")),
            *(Type(":q"), press("Enter")),
        ),
        after=b"zero\none\ntwo\nthree\nfour\n",
        revisions=2,
    ),
    Editor(
        "vim quits without saving",
        vim(),
        (See("three"), Type(":%s/two/TWO/"), press("Enter"), Type(":q!"), press("Enter")),
        after=OLD,
        revisions=0,
    ),
    Editor("nano", ("nano",), NANO_SAVES, after=LONGER),
    Editor("nano -B", ("nano", "-B"), NANO_SAVES, after=LONGER, local=("plan.txt~",)),
    Editor(
        "nano quits without saving",
        ("nano",),
        (See("three"), Type("zero"), press("Enter", "C-x"), See("Save modified buffer?"), Type("n")),
        after=OLD,
        revisions=0,
    ),
    # The first save of a session moves the file to its backup, FILE~; the second writes in place.
    Editor("emacs -nw", emacs(), EMACS_SAVES, after=LONGER, local=("plan.txt~",)),
    Editor(
        "emacs -nw saves twice",
        emacs(),
        (
            See("three"),
            *(Type("zero"), press("Enter", "C-x", "C-s"), See("Wrote ")),
            *(press("M->"), Type("four"), press("Enter"), See("four"), press("C-g"), See("Quit")),
            *(press("C-x", "C-s"), See("Wrote "), press("C-x", "C-c")),
        ),
        after=b"zero\none\ntwo\nthree\nfour\n",
        revisions=2,
        local=("plan.txt~",),
    ),
    Editor(
        "emacs -nw quits without saving",
        emacs(),
        (
            *(See("three"), Type("zero"), press("Enter", "C-x", "C-c"), See("Save file")),
            *(Type("n"), See("Modified buffers exist"), Type("yes"), press("Enter")),
        ),
        after=OLD,
        revisions=0,
        local=("#plan.txt#",),
    ),
]


class Saved:
    """The key that is to be saved, in a directory of its own, and what became of it."""

    def __init__(self, mount: Mount) -> None:
        """Make the key from outside, an hour ago, and wait until the mount shows it."""
        self.mount = mount
        self.file = mount.path / KEY
        self.directory = self.file.parent
        with Store.open(mount.db, clock=lambda: time.time_ns() - HOUR) as store:
            store.set(KEY, OLD)
        within(5, self.file.exists, what=f"{KEY} in the mount")

    def check(self, made: Tool | Editor) -> None:
        """Assert that the save left exactly what it had to leave."""
        assert kvass_here(self.mount, "get", KEY) == made.after
        assert kvass_here(self.mount, "ls").decode().split() == sorted([KEY, *made.keys])
        assert self.file.read_bytes() == made.after
        beside = [key.removeprefix("notes/") for key in made.keys]
        assert names(self.directory) == sorted(["plan.txt", *beside, *made.local])
        with Store.open(self.mount.db) as store:
            assert len(store.revisions(KEY)) == made.revisions
        if made.after != OLD:
            self.undo(made)

    def undo(self, made: Tool | Editor) -> None:
        """Assert that the value before the save comes back, in as many steps as there were saves at most."""
        for _ in range(max(made.revisions, 1)):
            kvass_here(self.mount, "undo", "--yes")
            if kvass_here(self.mount, "get", KEY) == OLD:
                break
        within(5, lambda: self.file.read_bytes() == OLD, what="the value before in the mount")


@pytest.fixture
def saved(mount: Mount) -> Saved:
    """A key that every test of this module saves."""
    return Saved(mount)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_a_tool_leaves_one_revision_and_nothing_else(saved: Saved, tool: Tool, tmp_path: Path) -> None:
    need("sh", *tool.needs)
    new = tmp_path / "new"
    new.write_bytes(tool.after)
    os.utime(new, (1_000_000_000, 1_000_000_000))
    (tmp_path / "patch").write_text(PATCH)
    variables = {
        "FILE": str(saved.file),
        "NEW": str(new),
        "PATCH": str(tmp_path / "patch"),
        "PYTHON": sys.executable,
        "REPLACE": REPLACE,
    }
    run("sh", "-ec", tool.script, directory=saved.directory, env=environment(tmp_path, **variables))
    saved.check(tool)


@pytest.mark.parametrize("editor", EDITORS, ids=lambda editor: editor.name)
def test_an_editor_leaves_one_revision_and_nothing_else(saved: Saved, editor: Editor, tmp_path: Path) -> None:
    need(*editor.needs)
    command = (*editor.command, "plan.txt")
    with Terminal(command, environment=environment(tmp_path), directory=saved.directory) as terminal:
        terminal.play(editor.steps)
        assert terminal.wait_for_end() == 0
    saved.check(editor)
