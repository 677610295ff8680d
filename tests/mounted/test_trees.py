"""Trees of files survive the tools that copy, pack, search and version them, modes and times included."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import stat
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.mounted.trees import KIB, OLD, Facts, differences, facts, make_tree
from tests.support.mounts import Mount, mounted
from tests.support.programs import environment, kvass, names, need, run


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree on the disk's own file system; nobody changes it."""
    root = tmp_path_factory.mktemp("source") / "tree"
    make_tree(root)
    return root


@pytest.fixture
def copy(mount: Mount, source: Path) -> Path:
    """The tree in the mount, by `cp -a`."""
    run("cp", "-a", source, mount.path / "tree", directory=mount.path)
    return mount.path / "tree"


def same(source: Path, copy: Path) -> None:
    """Assert that two trees are identical."""
    assert differences(facts(source), facts(copy)) == []


def keys(mount: Mount) -> list[str]:
    """List the keys; the trees of these tests have one name with a newline, which becomes two lines."""
    return kvass(mount, "ls").decode().splitlines()


def test_cp_a_makes_an_identical_tree(source: Path, copy: Path) -> None:
    same(source, copy)


def test_cp_a_out_of_the_mount_gives_the_tree_back(source: Path, copy: Path, tmp_path: Path) -> None:
    run("cp", "-a", copy, tmp_path / "back", directory=tmp_path)
    same(source, tmp_path / "back")


def test_cp_a_within_the_mount_makes_an_identical_tree(source: Path, copy: Path) -> None:
    run("cp", "-a", copy, copy.with_name("second"), directory=copy.parent)
    same(source, copy.with_name("second"))


def test_diff_r_finds_no_difference(source: Path, copy: Path) -> None:
    need("diff")
    assert run("diff", "-r", "--no-dereference", source, copy, directory=copy) == ""


@pytest.mark.parametrize("options", ["", "--inplace", "--delay-updates", "--sparse"])
def test_rsync_makes_an_identical_tree_and_has_nothing_to_do_again(mount: Mount, source: Path, options: str) -> None:
    need("rsync")
    command = ["rsync", "-a", "--checksum", "--itemize-changes", *options.split(), f"{source}/", f"{mount.path}/tree/"]
    assert "many blocks" in run(*command, directory=mount.path)
    assert run(*command, directory=mount.path) == ""
    same(source, mount.path / "tree")


def test_rsync_over_an_older_tree_updates_and_deletes(mount: Mount, source: Path, copy: Path) -> None:
    need("rsync")
    (copy / "page").write_bytes(b"other")
    (copy / "sub/extra").mkdir()
    (copy / "sub/extra/file").write_bytes(b"x")
    (copy / "sub/-dash").unlink()
    (copy / "script.sh").chmod(0o644)
    run("rsync", "-a", "--delete", f"{source}/", f"{copy}/", directory=mount.path)
    same(source, copy)


def test_tar_extracts_an_identical_tree_and_finds_no_difference(mount: Mount, source: Path, tmp_path: Path) -> None:
    archive = tmp_path / "tree.tar"
    run("tar", "--format=posix", "-C", source.parent, "-cf", archive, source.name, directory=tmp_path)
    run("tar", "-xpf", archive, directory=mount.path)
    assert run("tar", "-df", archive, directory=mount.path) == ""
    same(source, mount.path / source.name)


def test_tar_packs_the_mount_as_it_packs_the_source(source: Path, copy: Path, tmp_path: Path) -> None:
    def packed(tree: Path) -> str:
        archive = tmp_path / "packed.tar"
        order = ("--sort=name", "--format=posix", "--pax-option=delete=atime,delete=ctime")
        run("tar", *order, "-C", tree, "-cf", archive, ".", directory=tmp_path)
        return hashlib.sha256(archive.read_bytes()).hexdigest()

    assert packed(copy) == packed(source)


def test_unzip_extracts_what_it_extracts_on_a_disk(mount: Mount, source: Path, tmp_path: Path) -> None:
    need("unzip")
    archive = tmp_path / "tree.zip"
    pack(source, archive)
    for place in (tmp_path, mount.path):
        run("unzip", "-q", archive, "-d", "unzipped", directory=place, env=environment(tmp_path))
    assert differences(packed_facts(tmp_path / "unzipped"), packed_facts(mount.path / "unzipped")) == []
    assert (mount.path / "unzipped/script.sh").stat().st_mode & 0o777 == 0o755


def packed_facts(root: Path) -> dict[str, Facts]:
    """Describe what was unzipped; links and the root get no time from the archive, but that of the moment."""
    moment = 1_500_000_000 * 10**9
    return {name: fact._replace(mtime=min(fact.mtime, moment)) for name, fact in facts(root).items()}


def pack(tree: Path, archive: Path) -> None:
    """Make a zip file of a tree, with modes and links."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(tree.rglob("*")):
            if "\n" in path.name:  # unzip replaces it
                continue
            status = path.lstat()
            name = f"{path.relative_to(tree)}{'/' if stat.S_ISDIR(status.st_mode) else ''}"
            member = zipfile.ZipInfo(name, (2009, 2, 13, 23, 31, 30))
            member.external_attr = status.st_mode << 16
            link = stat.S_ISLNK(status.st_mode)
            content = os.fsencode(path.readlink()) if link else path.read_bytes() if path.is_file() else b""
            packed.writestr(member, content)


@pytest.mark.parametrize(
    "tests",
    [
        "-empty",
        "-type d",
        "-type f",
        "-type l",
        "-perm /111 -type f",
        "-type f -size 0",
        "-size +100k",
        "-newermt 2009-02-13T23:31:10Z",
        "-printf %p|%y|%m|%l|%T@\\n",
    ],
)
def test_find_finds_the_same(source: Path, copy: Path, tests: str) -> None:
    def found(tree: Path) -> list[str]:
        return sorted(run("find", ".", *tests.split(), directory=tree).splitlines())

    assert found(source) != []
    assert found(copy) == found(source)


def test_du_counts_the_bytes_and_the_blocks(source: Path, copy: Path) -> None:
    def sizes(tree: Path) -> list[str]:
        listed = run("find", ".", "-type", "f", "-exec", "du", "-b", "{}", "+", directory=tree)
        return sorted(listed.splitlines())

    assert sizes(copy) == sizes(source)
    files = [path.stat() for path in copy.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [status.st_blocks for status in files] == [-(-status.st_size // 512) for status in files]
    kibibytes = int(run("du", "-s", "--block-size=1K", ".", directory=copy).split()[0])
    total = sum(status.st_size for status in files) / KIB
    assert total <= kibibytes <= total + 100


def test_df_shows_the_disk_of_the_database(mount: Mount) -> None:
    columns = "--output=size,iavail"
    shown, disk = (
        run("df", "--block-size=1", columns, place, directory=mount.path) for place in (mount.path, mount.db)
    )
    assert shown.split()[2:3] == disk.split()[2:3]
    assert os.statvfs(mount.path).f_namemax == 255


def test_ls_lists_the_same(source: Path, copy: Path) -> None:
    def listed(tree: Path) -> str:
        return run("ls", "-1AR", "--quoting-style=c", directory=tree, env=environment(copy.parent.parent))

    assert listed(copy) == listed(source)


def test_a_moved_tree_stays_identical(mount: Mount, source: Path, copy: Path) -> None:
    (mount.path / "place").mkdir()
    before = keys(mount)
    run("mv", copy, mount.path / "place" / "moved tree", directory=mount.path)
    assert names(mount.path) == ["place"]
    same(source, mount.path / "place" / "moved tree")
    assert keys(mount) == [key.replace("tree/", "place/moved tree/", 1) for key in before]


def test_a_directory_moves_into_its_sister(source: Path, copy: Path) -> None:
    run("mv", copy / "sub", copy / "empty directory", directory=copy)
    inside = copy / "empty directory" / "sub"
    wanted, found = facts(source / "sub"), facts(inside)
    assert differences(wanted, found) == []


@pytest.mark.parametrize("how", ["written", "renamed", "removed"])
def test_the_value_of_a_directory_changes_that_directory_and_no_other(mount: Mount, how: str, tmp_path: Path) -> None:
    outer, value = mount.path / "outer", mount.path / "outer/inner/%@"
    value.parent.mkdir(parents=True)
    (value.parent / "below").write_bytes(b"x")
    (value.parent / "draft").write_bytes(b"x")
    if how == "removed":
        value.write_bytes(b"x")
    os.utime(outer, ns=(OLD, OLD))
    os.utime(value.parent, ns=(OLD, OLD))
    if how == "written":
        value.write_bytes(b"x")
    elif how == "renamed":
        (value.parent / "draft").rename(value)
    else:
        value.unlink()
    again = tmp_path / "again"  # another mount, to which the kernel has cached nothing
    again.mkdir()
    with mounted(again, mount.db, mount.binding):
        assert (again / "outer").stat().st_mtime_ns == OLD
        assert (again / "outer/inner").stat().st_mtime_ns != OLD


def test_rm_rf_leaves_nothing(mount: Mount, copy: Path) -> None:
    run("rm", "-rf", copy, directory=mount.path)
    assert names(mount.path) == []
    assert kvass(mount, "ls") == b""


def test_shutil_copies_and_removes_trees(mount: Mount, source: Path) -> None:
    copied = mount.path / "python"
    shutil.copytree(source, copied, symlinks=True)
    same(source, copied)
    shutil.rmtree(copied)
    assert names(mount.path) == []


def git(*arguments: str | Path, directory: Path, home: Path) -> str:
    """Run git as somebody with a name and nothing else configured."""
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    return run("git", *identity, *arguments, directory=directory, env=environment(home))


def test_git_works_inside_the_mount(mount: Mount, source: Path, tmp_path: Path) -> None:
    need("git")
    work = mount.path / "work"
    work.mkdir()

    def do(*arguments: str) -> str:
        return git(*arguments, directory=work, home=tmp_path)

    do("init", "-q")
    run("cp", "-a", f"{source}/.", work, directory=work)
    do("add", "--all")
    do("commit", "-qm", "one")
    for number in range(3):
        (work / "page").write_text(f"{number}\n")
        (work / f"new {number}").write_text("new\n")
        do("add", "--all")
        do("commit", "-qam", f"change {number}")
    do("gc", "-q", "--aggressive", "--prune=now")
    do("checkout", "-q", "-b", "side", "HEAD~2")
    do("rm", "-q", "one")
    do("commit", "-qm", "side")
    do("merge", "-q", "-m", "merge", "main")
    do("fsck", "--full", "--strict")
    assert do("status", "--porcelain") == ""
    assert len(do("log", "--oneline").splitlines()) == 6
    assert not (work / "one").exists()
    assert [name for name in names(work / ".git") if name.endswith(".lock")] == []


@pytest.mark.parametrize("inside", ["both", "clone", "origin"])
def test_git_clones_into_and_out_of_the_mount(mount: Mount, source: Path, tmp_path: Path, inside: str) -> None:
    need("git")
    origin = (tmp_path if inside == "clone" else mount.path) / "origin"
    clone = (tmp_path if inside == "origin" else mount.path) / "clone"
    run("cp", "-a", source, origin, directory=tmp_path)
    git("init", "-q", directory=origin, home=tmp_path)
    git("add", "--all", directory=origin, home=tmp_path)
    git("commit", "-qm", "one", directory=origin, home=tmp_path)
    git("clone", "-q", origin, clone, directory=tmp_path, home=tmp_path)
    git("fsck", "--full", "--strict", directory=clone, home=tmp_path)
    assert git("status", "--porcelain", directory=clone, home=tmp_path) == ""
    assert (clone / "many blocks").read_bytes() == (source / "many blocks").read_bytes()
    (clone / "page").write_text("changed\n")
    git("commit", "-qam", "two", directory=clone, home=tmp_path)
    git("push", "-q", "origin", "HEAD:refs/heads/two", directory=clone, home=tmp_path)
    assert git("show", "two:page", directory=origin, home=tmp_path) == "changed\n"


JOURNALS = ["delete", "truncate", "wal"]


@pytest.mark.parametrize("journal", JOURNALS)
def test_pythons_sqlite3_works_inside_the_mount(mount: Mount, journal: str, tmp_path: Path) -> None:
    file = mount.path / "data.sqlite"
    with closing(sqlite3.connect(file)) as one, closing(sqlite3.connect(file)) as two:
        assert one.execute(f"PRAGMA journal_mode = {journal}").fetchone() == (journal,)
        one.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, data BLOB)")
        for _ in range(5):
            with one:
                one.executemany("INSERT INTO t (data) VALUES (?)", ((os.urandom(500),) for _ in range(200)))
            with two:
                two.execute("DELETE FROM t WHERE id % 10 = 0")
        one.execute("DELETE FROM t")
        one.rollback()
        assert two.execute("SELECT count(*) FROM t").fetchone() == (900,)
        other = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM t').fetchone())"
        assert run(sys.executable, "-c", other, file, directory=tmp_path) == "(900,)\n"
        two.execute("VACUUM")
        assert one.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    check_database(mount, "data.sqlite", 900, tmp_path)


@pytest.mark.parametrize("journal", JOURNALS)
def test_the_sqlite3_command_works_inside_the_mount(mount: Mount, journal: str, tmp_path: Path) -> None:
    need("sqlite3")

    def sql(*statements: str) -> str:
        return run("sqlite3", "-batch", mount.path / "data.sqlite", *statements, directory=tmp_path)

    assert sql(f"PRAGMA journal_mode = {journal}").strip() == journal
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY, data TEXT)", "CREATE INDEX i ON t (data)")
    for _ in range(3):
        sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
            "INSERT INTO t (data) SELECT hex(randomblob(50)) FROM n"
        )
    sql("BEGIN; DELETE FROM t; ROLLBACK")
    assert sql("PRAGMA integrity_check") == "ok\n"
    check_database(mount, "data.sqlite", 3000, tmp_path)


def check_database(mount: Mount, key: str, rows: int, tmp_path: Path) -> None:
    """Assert that a closed database is whole as a file and as a value, and has nothing beside it."""
    assert names(mount.path) == [key]
    assert keys(mount) == [key]
    value = tmp_path / "value.sqlite"
    value.write_bytes(kvass(mount, "get", key))
    assert value.read_bytes() == (mount.path / key).read_bytes()
    with closing(sqlite3.connect(value)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT count(*) FROM t").fetchone() == (rows,)
