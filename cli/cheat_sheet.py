"""The overview of the commands, in the form of the original program's. Without click, as it is shown at once."""

from __future__ import annotations

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from collections.abc import Mapping

DESCRIPTION = "a personal key-value store, on the command line and as files"

DEFAULT = "~/.kvassdb.sqlite"
VARIABLE = "KVASS_DB"
"""The database, and the variable that names another one."""

DATABASE_HELP = f"the database file to use (default: ${VARIABLE} or {DEFAULT})"
VERSION_HELP = "show the version"
HELP_HELP = "show help, also after a sub-command"

OPTIONS = {"--db": DATABASE_HELP, "-V, --version": VERSION_HELP, "-h, --help": HELP_HELP}
"""The options of ``kvass`` itself, and what they do."""

COMMANDS = {
    "ls": "list keys",
    "get": "get a value",
    "set": "set a value",
    "rm": "remove keys",
    "log": "show the versions of a key, or what changed lately",
    "diff": "show what changed between versions",
    "restore": "bring an earlier version back",
    "undo": "take the last change back",
    "mv": "rename keys",
    "cp": "copy keys",
    "edit": "change a value in an editor",
    "grep": "search values",
    "watch": "tell what becomes of keys as it happens",
    "exec": "run a command with values in its environment",
    "url": "print the address under which a value is shared",
    "qr": "draw that address as a QR code",
    "links": "list the links that end by themselves",
    "unlink": "end links",
    "fetch": "get what an address of a sealed store leads to",
    "mount": "show the keys as files in a directory",
    "umount": "end a mount",
    "import": "take in files, an archive, or what another program keeps",
    "export": "write keys into files or an archive",
    "backup": "copy the whole database while it is in use",
    "pair": "let another device join",
    "join": "share the store of another device",
    "sync": "exchange with the hub",
    "status": "show the store, its hub, and what waits to be pushed",
    "gc": "let history go, and give its room back",
    "config": "show or change the configuration",
    "doctor": "look whether all is well, and say what to do",
    "serve": "be the hub of your devices",
    "claim": "have a store at a hub for many",
    "hub": "look after the stores of a hub for many",
    "service": "start mount, sync or hub by itself",
    "completion": "print what completes commands and keys in your shell",
    "help": "show the help of a command",
}
"""The sub-commands, each a module, and what the cheat sheet says of it."""


def format_cheat_sheet(path: str, description: str, options: Mapping[str, str], commands: Mapping[str, str]) -> str:
    """Return the overview of the command ``path``; the mappings go from names to summaries."""
    width = max(8, *map(len, commands))
    return "\n".join(
        [
            f"{path} [--db=string]",
            "",
            "Description:",
            f"    {path} - {description}",
            "",
            "Options:",
            *(f"    {_format_names(names)} {summary}" for names, summary in options.items()),
            "",
            "Sub-commands:",
            *(f"    {path} {name:<{width}} {summary}" for name, summary in commands.items()),
        ]
    )


def _format_names(names: str) -> str:
    return f"{names if ',' in names else '    ' + names:<14}"
