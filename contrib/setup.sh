# shellcheck shell=sh
# What contrib/run and contrib/test share. Everything said here goes to standard error. Both set, before they
# source this file, $program (their name in messages), $root (the checkout) and $venv (the virtual environment),
# and later $state: a text that tells one state of what goes into $venv from another. Its first three lines say
# what can't be brought up to date, but only be made anew.

: "${program:?}" "${root:?}" "${venv:?}"
state=

say() { printf '%s: %s\n' "$program" "$*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# --- the system's packages ---------------------------------------------------------------------------------

package_manager() {
    for manager in apt-get dnf pacman zypper apk; do
        if have "$manager"; then return 0; fi
    done
    manager=
    return 1
}

# Run a command as root: directly, or through sudo or doas. (9 is the lock, which ends with this script.)
as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@" 9<&-
    elif have sudo; then sudo "$@" 9<&-
    elif have doas; then doas "$@" 9<&-
    else return 1
    fi
}

has_way_to_root() { [ "$(id -u)" -eq 0 ] || have sudo || have doas; }

# Ask for the password at most once, and remember that it was not given.
refused=
may_be_root() {
    if [ -n "$refused" ] || ! has_way_to_root; then return 1; fi
    if [ "$(id -u)" -eq 0 ]; then return 0; fi
    if have sudo; then sudo -v; else doas true; fi || {
        refused=yes
        return 1
    }
}

# Write a command as a person would type it to run it as root.
for_root() {
    if [ "$(id -u)" -eq 0 ]; then echo "$*"
    elif have sudo; then echo "sudo $*"
    elif have doas; then echo "doas $*"
    else echo "su -c '$*'"
    fi
}

install_command() {
    case $manager in
        apt-get) echo "apt-get install -y $*" ;;
        dnf) echo "dnf install -y $*" ;;
        pacman) echo "pacman -S --needed --noconfirm $*" ;;
        zypper) echo "zypper --non-interactive install $*" ;;
        apk) echo "apk add $*" ;;
    esac
}

# Install system packages, having said so. The names are words without blanks.
install_packages() {
    if [ -n "$refused" ] || ! has_way_to_root || ! package_manager; then return 1; fi
    say "installing $* with: $(for_root "$(install_command "$*")")"
    may_be_root || return 1
    if [ "$manager" = apt-get ]; then
        apt_install "$@"
    else
        # shellcheck disable=SC2046  # a command line made of words
        as_root $(install_command "$*") >&2
    fi
}

apt_install() {
    # A fresh system has no package lists, and old lists name files that are gone.
    if apt-cache show "$@" >/dev/null 2>&1 && apt_get install -y --no-install-recommends "$@"; then return 0; fi
    apt_get update -q && apt_get install -y --no-install-recommends "$@"
}

apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 "$@" >&2; }

# --- FUSE --------------------------------------------------------------------------------------------------

have_library() {
    for file in /usr/lib/*/lib"$1".so.* /usr/lib64/lib"$1".so.* /usr/lib/lib"$1".so.* \
        /lib/*/lib"$1".so.* /lib64/lib"$1".so.* /lib/lib"$1".so.* /usr/local/lib/lib"$1".so.*; do
        if [ -e "$file" ]; then return 0; fi
    done
    return 1
}

have_fuse() {
    if [ -z "${FUSE_LIBRARY_PATH-}" ]; then have_library fuse3 || have_library fuse || return 1; fi
    have fusermount3 || have fusermount
}

fuse_packages() {
    case $manager in
        dnf) echo fuse3 fuse3-libs ;;
        zypper) if zypper --quiet search --match-exact libfuse3-4 >/dev/null 2>&1; then echo fuse3 libfuse3-4
                else echo fuse3 libfuse3-3; fi ;;
        apk) echo fuse3 fuse3-libs ;;
        *) echo fuse3 ;;
    esac
}

# Make mounting possible, or say in one line what is missing and fail.
ensure_fuse() {
    if ! have_fuse; then
        if ! package_manager; then say "no FUSE: install libfuse 3 and fusermount3"; return 1; fi
        packages=$(fuse_packages)
        # shellcheck disable=SC2086  # several words
        if ! install_packages $packages || ! have_fuse; then
            say "no FUSE; install it with: $(for_root "$(install_command "$packages")")"
            return 1
        fi
    fi
    if ! [ -c /dev/fuse ]; then
        if has_way_to_root; then say "no /dev/fuse; loading the kernel's module with: $(for_root modprobe fuse)"; fi
        if ! may_be_root || ! as_root modprobe fuse >/dev/null 2>&1 || ! [ -c /dev/fuse ]; then
            say "no /dev/fuse: the kernel needs its module fuse, a container --device /dev/fuse --cap-add SYS_ADMIN"
            return 1
        fi
    fi
    if ! [ -r /dev/fuse ] || ! [ -w /dev/fuse ]; then
        say "this user may not open /dev/fuse; let everybody with: $(for_root chmod 666 /dev/fuse)"
        return 1
    fi
}

# --- Python ------------------------------------------------------------------------------------------------

# Set $python to a Python that will do, by its real path: when a later version takes the place of `python3`,
# the virtual environment then visibly breaks (and is made anew) and does not half work.
find_python() {
    for name in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11; do
        python=$("$name" -c '
import ctypes, ensurepip, os, sqlite3, ssl, sys, venv
if sys.version_info >= (3, 11) and sqlite3.sqlite_version_info >= (3, 37): print(os.path.realpath(sys.executable))
' 2>/dev/null) || python=
        if [ -n "$python" ]; then return 0; fi
        if [ "$name" = "${PYTHON-}" ]; then die "PYTHON=$PYTHON is no Python 3.11 or later with venv, sqlite3 and ssl"; fi
    done
    return 1
}

python3_is_old() { have python3 && python3 -c 'import sys; sys.exit(sys.version_info >= (3, 11))'; }

# Several systems have a Python that is too old under the plain name and newer ones beside it.
python_packages() {
    case $manager in
        apt-get) set -- "python3 python3-venv" "python3.13 python3.13-venv" "python3.12 python3.12-venv" \
            "python3.11 python3.11-venv" ;;
        dnf) set -- python3 python3.13 python3.12 python3.11 ;;
        zypper) set -- python3 python313 python312 python311 ;;
        pacman) set -- python ;;
        *) set -- python3 ;;
    esac
    if python3_is_old; then shift; fi
    printf '%s\n' "$@"
}

ensure_python() {
    if find_python; then return 0; fi
    package_manager || die "no Python 3.11 or later with venv"
    choices=$(python_packages)
    while IFS= read -r packages <&3; do
        # shellcheck disable=SC2086  # several words
        if install_packages $packages && find_python; then return 0; fi
        if [ -n "$refused" ]; then break; fi
    done 3<<CHOICES
$choices
CHOICES
    die "no Python 3.11 or later with venv; install it with: $(for_root "$(install_command "$(echo "$choices" | head -n 1)")")"
}

# --- the virtual environment -------------------------------------------------------------------------------

# One set-up at a time for each checkout. The lock is on the folder itself (there is no file to leave behind),
# ends with this process at the latest, and is not passed on to what runs afterwards.
lock() {
    exec 9<"$root"
    if ! have flock; then return 0; fi
    if ! flock -n 9; then
        say "waiting for another set-up of $root"
        flock 9
    fi
}
unlock() { exec 9<&-; }

# Is there an environment made from just this state? ($venv, $state)
venv_is_current() { [ -x "$venv/bin/python3" ] && [ -f "$venv/state" ] && [ "$(cat "$venv/state")" = "$state" ]; }

# Say why an environment that this user may not write is of no use to him.
venv_fault() {
    if ! [ -d "$venv" ]; then echo "there is no $venv yet"
    elif ! [ -r "$venv/state" ]; then echo "$venv is half made, or this user may not read it"
    elif [ "$(cat "$venv/state")" != "$state" ]; then echo "$venv was not made from these files as they are${PYTHON:+ with PYTHON=$PYTHON}"
    else echo "this user may not run the Python of $venv; PYTHON=/usr/bin/python3 chooses one that everybody may"
    fi
}

pip_install() {
    # PIP_USE_PEP517: fusepy has only a setup.py, and older versions of pip complain of that at length.
    PIP_USE_PEP517=1 "$venv/bin/python3" -m pip install --quiet --disable-pip-version-check --no-input "$@" >&2 ||
        die "pip could not install what is needed into $venv (its message is above); try again with the network there"
}

# Make $venv, or bring it up to date, with what contrib/requirements/ has under the name of the first argument, and what
# the others tell pip to install. Everything else than this package has the version, and the hash, that was tested: also
# what builds, so it is not fetched again for each. An interrupted set-up leaves no `state` behind, so the next one
# starts afresh.
make_venv() {
    locked=$root/contrib/requirements/$1
    shift
    [ -w "$root" ] || die "$(venv_fault); the owner of $root must run this once"
    ensure_python
    if ! [ -f "$venv/state" ] || [ "$(head -n 3 "$venv/state")" != "$(printf '%s\n' "$state" | head -n 3)" ] ||
        ! [ -x "$venv/bin/python3" ]; then
        say "making $venv with $python (once; it needs the network and up to a minute)"
        rm -rf "$venv"
        "$python" -m venv "$venv" >&2 || die "$python could not make a virtual environment in $venv"
    else
        say "bringing $venv up to date"
        rm -f "$venv/state"
    fi
    pip_install --require-hashes -r "$root/contrib/requirements/build.txt"
    pip_install --require-hashes --no-build-isolation -r "$locked"
    pip_install --no-deps --no-build-isolation "$@"
    printf '%s\n' "$state" >"$venv/state.new"
    mv "$venv/state.new" "$venv/state"
}
