"""Commands and options, and what is said of them when Tab is pressed: what click would find in the modules of all commands.

``tab`` reads it; its test compares it with the commands. Made by ``python -m tests.support.tab_words``.
"""

from __future__ import annotations

WORDS = """\
kvass |
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -V --version | show the version
- -h --help | show help, also after a sub-command
kvass ls | prefix
- -l --long | show sizes in bytes and times as well
- -h --human-readable | the same, with sizes in kB, MB and so on
= --sort | by name, or the newest (time) or the largest (size) first
- -0 --null | end lines with NUL, for keys that hold newlines (xargs -0)
- --json | print an array of objects, for programs
- --tree | draw the keys as files and directories, those without keys as well
- --offline | do not contact the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- --help | show this help
kvass get | key
= --rev | write an earlier version, by its number in `kvass log KEY`
- --force | show a value that is no text on a terminal without asking
- --offline | do not contact the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass set | key ?
- --empty | make an empty file of KEY
= --file | set KEY to what the file holds; - is standard input
- --offline | do not contact the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass rm | prefix...
- -r --recursive | remove all below each KEY as well, and directories
- --offline | do not contact the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass log | ?
= -n --lines | show at most COUNT versions
- --json | print a JSON array, for programs
- --conflicts | show the versions that lost to one whose writer did not know them
= --forget | settle the conflicts of KEY: its current version stays
- --offline | do not contact the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass diff | ? ? ?
= --tool | a program that compares two files (default: $KVASS_DIFF, if set)
- --offline | do not contact the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass restore | ?
= --rev | the version to bring back (default: the one before the present one, or before KEY was removed)
- --offline | do not contact the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass undo |
- -y --yes | do not ask
- --dry-run | say what would be done, and change nothing
- --offline | do not contact the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass mv | prefix prefix
- -n --no-clobber | replace no key that is there
- --offline | do not contact the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass cp | prefix prefix
- -n --no-clobber | replace no key that is there
- --offline | do not contact the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass edit | key
- --offline | do not contact the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass grep | ? key
- -i --ignore-case | take upper and lower case for the same
- -l --files-with-matches | print only the keys
- -c --count | print how many lines match, for every key
- -n --line-number | print the numbers of the lines as well
- -v --invert-match | find the lines that do not match
- -E --extended-regexp | PATTERN is an extended regular expression
- -F --fixed-strings | PATTERN is what to find, as it is
- -0 --null | with -l, end keys with NUL (xargs -0)
- --offline | do not contact the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass watch | ?
- -0 --null | end lines with NUL, for keys that hold newlines (xargs -0)
- --offline | do not contact the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass url | key
= --expires | make a link that ends after TIME: 15m, 1h, 7d
- --once | make a link that ends after one download
- --offline | do not contact the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass qr | key
= --expires | make a link that ends after TIME: 15m, 1h, 7d
- --once | make a link that ends after one download
- --offline | do not contact the hub
= --terminal | draw black on white, or without colours for light text on dark (default: color where the terminal has any)
- --invert | swap light and dark: with plain, for dark text on light
= --png | write a PNG file; - is standard output
= --svg | write an SVG file; - is standard output
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass links | ?
- --offline | do not contact the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass unlink | ?...
- --offline | do not contact the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass fetch | ? ?
- --force | replace FILE if it is there
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass mount | ?
- --foreground | serve the mount here, until an interrupt or `kvass umount`
- --read-only | allow no change through the mount
- --allow-other | let other users in, as far as the files' modes allow
= --log | add messages to FILE, not to standard error or nowhere
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass umount | ?
- --lazy | take it away at once, and end when nothing in it is open any more
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass import | ?
= --from | what another program keeps
= --prefix | put all below this prefix
= --format | what SOURCE is, as for -
- -n --dry-run | change nothing, and print the keys that would be set
- --scratch | take in files with the names of scratch files as well
= --remote | with --from kvass: the address of the hub
= --key-file | with --from kvass: the file with its key, instead of asking
- --offline | do not contact the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass export | ?
= --prefix | only what is below this prefix
= --format | what to write, as for -
- --force | replace what is there and differs
- -n --dry-run | write nothing, and say how much it would be
- --offline | do not contact the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass backup | ?
- --force | replace FILE if it is there
- --check | make none, but look whether the backup FILE is whole
- --restore | make none, but put FILE in the place of the database, which is kept
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass pair |
- --phone | draw a QR code that a phone scans: the page of the hub there joins
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass join | ? ?...
= --name | what to call this device (default: the name of the host)
- --merge | join with a store that is in use: what is in it stays, and is shared
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass sync |
- --follow | stay, and keep the store in step with the hub, until an interrupt
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass status |
- --json | print one JSON object, for programs
- --offline | do not contact the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass gc |
= --keep | keep the newest COUNT versions of each key
= --older | let versions go that were replaced before: 7d, 12h
- --all | let all earlier versions go
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass config |
+ show | show key, process id and remote
+ key | set the encryption key
+ remote | set the hub
+ url | show or set the public address of the hub
+ name | show or set what this device is called
+ timeout | show or set how long to wait for the hub
+ history | show or set how much history is kept
+ pid | set the process id
+ rekey | make a new key after a device was lost
+ scratch | show or change the names that stay on this machine
+ sealed | show or set whether the hub can read the store
+ access-key | print the key that the hub of a sealed store gets
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show help, also after a sub-command
kvass config show |
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass config key | ?
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass config remote | ?
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass config url | ?
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass config name | ?
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass config timeout | ? ?
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass config history | ? ?
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass config pid | ?
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass config rekey |
- --yes | do not ask
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass config scratch |
+ add | add patterns, as the shell's for file names
+ remove | remove patterns
+ reset | return to the patterns of the program
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show help, also after a sub-command
kvass config scratch add | ?...
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass config scratch remove | ?...
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass config scratch reset |
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass config sealed | ?
- --yes | do not ask
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass config access-key |
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass doctor |
- --full | look at all of the database and the hash of every block, which may take long
- --repair | mend times and counters that no other device takes; no value is lost
= --salvage | save all that can be read of a damaged database into the new file FILE, and say what is lost
- --json | print one JSON object, for programs
- --offline | do not contact the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass serve |
= --bind | the address to serve at, :PORT for all those of this machine (default: 0.0.0.0:8000, all of IPv4)
= --tls-cert | speak TLS with the certificate in FILE (PEM)
= --tls-key | the key of the certificate, if it is in another file
= --max-body | the longest message taken (default: 256)
= --body-memory | memory for what others are sending, which then waits in files (default: 64)
= --per-address | connections that one client address may have, 0 for any number, as for a proxy on another machine (default: 64, and any number for addresses of this machine)
- --no-app | leave out /app, the page that makes a browser a device
= --database | be a hub for many: serve the stores in this PostgreSQL database, see `kvass hub`, and not your own
= --blocks | the object store for blocks of large values, which speaks S3; credentials and region are found as by other programs for it
= --blocks-endpoint | the address of the object store (default: that of AWS)
= --processes | with --database, how many processes serve it (default: 1)
= --metrics | serve numbers for Prometheus there, each further process at the next port
= --log-format | how the log is written: lines of text, or a JSON object in each line (default: text)
- --quiet | do not log requests
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass claim | ?
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass hub |
+ add | add a store, and print what claims it
+ list | list the stores
+ remove | remove a store for good
+ quota | limit what a store may have
+ restored | say that the database was set back
+ import | take in the hub of one person
+ export | make a store the hub of one person
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show help, also after a sub-command
kvass hub add | ?
= --database | the PostgreSQL database of the hub (default: $KVASS_HUB_DATABASE)
= --url | the address under which devices reach the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass hub list |
= --database | the PostgreSQL database of the hub (default: $KVASS_HUB_DATABASE)
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass hub remove | ?
= --database | the PostgreSQL database of the hub (default: $KVASS_HUB_DATABASE)
- --yes | do not ask
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass hub quota | ?
= --database | the PostgreSQL database of the hub (default: $KVASS_HUB_DATABASE)
= --mb | how much it may take
= --keys | how many keys it may have, removed ones among them
= --requests | how many requests a second each process of the hub takes of its devices, and for what it shares
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass hub restored |
= --database | the PostgreSQL database of the hub (default: $KVASS_HUB_DATABASE)
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass hub import | ? ?
= --database | the PostgreSQL database of the hub (default: $KVASS_HUB_DATABASE)
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass hub export | ? ?
= --database | the PostgreSQL database of the hub (default: $KVASS_HUB_DATABASE)
= --blocks | the object store for blocks of large values, which speaks S3; credentials and region are found as by other programs for it
= --blocks-endpoint | the address of the object store (default: that of AWS)
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass service |
+ install | have one run now and after each login
+ status | show the services that are installed
+ uninstall | stop services and remove them
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show help, also after a sub-command
kvass service install |
+ mount | mount after login
+ sync | follow the hub without a mount
+ serve | be the hub
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show help, also after a sub-command
kvass service install mount | ?
- --read-only | allow no change through the mount
- --allow-other | let other users in, as far as the files' modes allow
= --name | the unit is kvass-NAME.service (default: mount)
- --print | write the unit to standard output, and no more
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass service install sync |
= --name | the unit is kvass-NAME.service (default: sync)
- --print | write the unit to standard output, and no more
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass service install serve |
= --bind | the address to serve at (default: 0.0.0.0:8000)
= --tls-cert | speak TLS with the certificate in FILE
= --tls-key | the key of the certificate
- --quiet | do not log requests
- --system | for the whole machine, with a user of its own and /var/lib/kvass/kvassdb.sqlite; for root
= --name | the unit is kvass-NAME.service (default: serve)
- --print | write the unit to standard output, and no more
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass service status |
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass service uninstall | ?...
- --system | those of the whole machine; for root
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass completion | ?
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
kvass help | ?...
= --db | the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
- -h --help | show this help
"""
"""A line for each command: its path, and its operands: a ``key``, a ``prefix``, or ``?``, which click completes; the last one
may be followed by ``...``. After it those of its sub-commands (``+``), flags (``-``) and options with a value (``=``)."""
