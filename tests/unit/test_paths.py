"""Keys to paths and back: the rules one by one."""

from __future__ import annotations

import errno
import hashlib
from itertools import pairwise

import pytest

from kvassfs import paths
from kvassfs.entry import directory_of
from kvassfs.errors import KvassError
from kvassfs.paths import InvalidName

LONG = "x" * 300
ESCAPED = [
    ("", "%"),
    (".", "%."),
    ("..", "%.."),
    ("%", "%%"),
    ("%.", "%%."),
    ("%%..", "%%%.."),
    ("%@", "%%@"),
    ("%%@", "%%%@"),
]
THEMSELVES = [
    "a",
    "...",
    ".a",
    "..a",
    "@",
    "@%",
    "%a",
    "%...",
    "%@@",
    "%.@",
    "a%",
    "a%@",
    "100%",
    "%~",
    "~",
    "a\nb",
    "%\n",
    ".\n",
    "%@\n",
    " ",
    "\\",
    "é",
    "e\u0301",
    "😀",
    "README",
    "readme",
    "x" * 255,
    "é" * 127,
    "😀" * 63,
]


def hash_of(component: str) -> str:
    return hashlib.sha256(component.encode()).hexdigest()[:16]


def chain(length: int, root: str = LONG) -> list[str]:
    """Return components each of which is the shortened form of the one before."""
    links = [root]
    while len(links) < length:
        links.append(paths.shortened(links[-1]))
    return links


class TestOneComponent:
    @pytest.mark.parametrize(("component", "file_name"), ESCAPED)
    def test_one_percent_sign_goes_in_front_of_special_names(self, component: str, file_name: str) -> None:
        assert paths.file_name(component) == file_name
        assert paths.component(file_name) == component

    @pytest.mark.parametrize("name", THEMSELVES)
    def test_anything_else_is_its_own_file_name(self, name: str) -> None:
        assert paths.file_name(name) == name
        assert paths.component(name) == name

    @pytest.mark.parametrize(
        ("component", "kept"),
        [
            ("x" * 256, "x" * 230),
            ("é" * 128, "é" * 115),
            ("a" + "é" * 150, "a" + "é" * 114),
            ("ab" + "😀" * 100, "ab" + "😀" * 57),
            ("abc" + "😀" * 100, "abc" + "😀" * 56),
            ("%" * 255, "%" * 230),
            ("%" * 254 + ".", "%" * 230),
            ("%" * 254 + "@", "%" * 230),
        ],
    )
    def test_too_long_a_component_is_shortened_at_a_character(self, component: str, kept: str) -> None:
        name = paths.file_name(component)
        assert name == f"{kept}%~{hash_of(component)}"
        assert paths.is_shortened(name)
        assert not paths.is_shortened(component)

    @pytest.mark.parametrize(
        ("component", "file_name"),
        [(".kvass", "%.kvass"), ("%.kvass", "%%.kvass"), ("%%.kvass", "%%%.kvass"), *ESCAPED],
    )
    def test_in_the_root_the_name_of_the_dot_directory_is_special(self, component: str, file_name: str) -> None:
        assert paths.file_name(component, in_root=True) == file_name
        assert paths.component(file_name, in_root=True) == component
        assert paths.listed_names([component, "a"], in_root=True) == {file_name: component, "a": "a"}

    @pytest.mark.parametrize("name", [".kvass", "%.kvass", "%%.kvass"])
    def test_below_the_root_it_is_a_name_like_others(self, name: str) -> None:
        assert paths.file_name(name) == name
        assert paths.component(name) == name

    @pytest.mark.parametrize(
        "name", [".kvas", ".kvasss", ".kvass%", "x.kvass", "%x.kvass", ".Kvass", ".kvass\n", "..kvass"]
    )
    def test_in_the_root_names_like_it_are_themselves(self, name: str) -> None:
        assert paths.file_name(name, in_root=True) == name
        assert paths.component(name, in_root=True) == name

    def test_no_component_of_the_root_has_the_name_of_the_dot_directory(self) -> None:
        with pytest.raises(InvalidName) as caught:
            paths.component(".kvass", in_root=True)
        assert caught.value.errno == errno.EINVAL

    def test_a_special_name_of_the_root_that_is_too_long_is_shortened(self) -> None:
        longest, longer = "%" * 248 + ".kvass", "%" * 249 + ".kvass"
        assert paths.file_name(longest, in_root=True) == f"%{longest}"
        assert paths.file_name(longer, in_root=True) == paths.shortened(longer)
        assert paths.resolve(paths.shortened(longer), [longer], in_root=True) == longer
        assert paths.listed_names([longer], in_root=True) == {paths.shortened(longer): longer}
        assert paths.file_name(longer) == longer

    def test_the_longest_escaped_name_is_not_shortened(self) -> None:
        assert paths.file_name("%" * 254) == "%" * 255
        assert paths.component("%" * 255) == "%" * 254

    @pytest.mark.parametrize("name", ["a\0b", "a/b", "/", "\0", "%/"])
    def test_a_component_holds_no_slash_and_no_nul(self, name: str) -> None:
        for function in (paths.file_name, paths.component):
            with pytest.raises(InvalidName) as caught:
                function(name)
            assert caught.value.errno == errno.EINVAL


class TestRefusedFileNames:
    @pytest.mark.parametrize(
        ("name", "number"),
        [
            ("", errno.EINVAL),
            (".", errno.EINVAL),
            ("..", errno.EINVAL),
            ("%@", errno.EINVAL),
            ("x" * 256, errno.ENAMETOOLONG),
            ("é" * 128, errno.ENAMETOOLONG),
            (b"\xff.txt".decode("utf-8", "surrogateescape"), errno.EILSEQ),
            ("a\ud800", errno.EILSEQ),
            ("x" * 227 + "\udcff%~" + "0" * 16, errno.EILSEQ),
        ],
    )
    def test_the_error_says_which_errno_fits(self, name: str, number: int) -> None:
        with pytest.raises(InvalidName) as caught:
            paths.component(name)
        assert caught.value.errno == number
        assert caught.value.name == name
        with pytest.raises(InvalidName):
            paths.resolve(name, [])

    def test_the_error_is_one_printable_line_of_the_error_tree(self) -> None:
        with pytest.raises(KvassError) as caught:
            paths.component("two\nlines\udcff")
        assert str(caught.value) == r"'two\nlines\udcff' cannot be a file name: it is not UTF-8"
        assert str(caught.value).isprintable()

    def test_a_surrogate_is_no_part_of_a_key(self) -> None:
        with pytest.raises(InvalidName) as caught:
            paths.file_name("\udcff")
        assert caught.value.errno == errno.EILSEQ


class TestShape:
    @pytest.mark.parametrize("size", range(227, 231))
    def test_a_prefix_of_227_to_230_bytes_and_a_hash_look_shortened(self, size: int) -> None:
        assert paths.is_shortened("x" * size + "%~0123456789abcdef")
        assert paths.is_shortened("é" * (size // 2) + "x" * (size % 2) + "%~0123456789abcdef")

    @pytest.mark.parametrize(
        "name",
        [
            "x" * 226 + "%~0123456789abcdef",
            "x" * 231 + "%~0123456789abcdef",
            "é" * 227 + "%~0123456789abcdef",
            "x" * 230 + "%~0123456789abcdeF",
            "x" * 230 + "%~0123456789abcde",
            "x" * 230 + "%~0123456789abcdef\n",
            "x" * 230 + "%~0123456789abcde٣",
            "x" * 230 + "%-0123456789abcdef",
            "%~0123456789abcdef",
            "",
        ],
    )
    def test_anything_else_does_not(self, name: str) -> None:
        assert not paths.is_shortened(name)

    def test_the_search_prefix_ends_at_a_character(self) -> None:
        assert paths.search_prefix(paths.shortened(LONG)) == "x" * 227
        assert paths.search_prefix(paths.shortened("é" * 200)) == "é" * 113


class TestAmongSiblings:
    def test_a_shortened_name_resolves_to_the_component_that_exists(self) -> None:
        assert paths.resolve(paths.shortened(LONG), ["other", LONG]) == LONG
        assert paths.listed_name(LONG, ["other", LONG]) == paths.shortened(LONG)

    def test_a_created_name_that_looks_shortened_lists_back_unchanged(self) -> None:
        name = paths.shortened(LONG)
        assert paths.resolve(name, []) == name
        assert paths.listed_name(name, [name]) == name
        assert paths.resolve(name, [name]) == name

    def test_a_component_whose_name_is_taken_is_shown_shortened(self) -> None:
        taken = paths.shortened(LONG)
        siblings = [taken, LONG]
        assert paths.listed_name(taken, siblings) == paths.shortened(taken)
        assert paths.resolve(paths.shortened(taken), siblings) == taken
        assert paths.resolve(taken, siblings) == LONG

    def test_a_name_is_not_taken_by_a_component_that_is_shown_as_it_is(self) -> None:
        first = paths.shortened(LONG)
        second = paths.shortened(first)
        assert paths.resolve(second, [first]) == second
        assert paths.listed_name(second, [first, second]) == second
        assert paths.listed_name(first, [first, second]) == first

    @pytest.mark.parametrize("root", [LONG, *("x" * size + "😀" * 20 for size in range(227, 230))])
    def test_taken_names_can_take_others(self, root: str) -> None:
        links = chain(5, root)
        for component, name in pairwise([*links, paths.shortened(links[-1])]):
            siblings = [each for each in reversed(links) if each.startswith(paths.search_prefix(name))]
            assert paths.resolve(name, siblings) == component
            assert paths.listed_name(component, siblings) == name
        assert paths.listed_names(links) == dict(zip(paths.listed_names(links), links, strict=True))
        assert list(paths.listed_names(links)) == [*links[1:], paths.shortened(links[-1])]

    def test_the_siblings_are_looked_at_only_if_the_name_looks_shortened(self) -> None:
        def siblings() -> list[str]:
            pytest.fail("looked at the siblings")

        assert paths.resolve("%%", (each for _ in "x" for each in siblings())) == "%"
        assert paths.listed_name("%", (each for _ in "x" for each in siblings())) == "%%"

    def test_a_whole_directory_lists_in_order(self) -> None:
        components = ["b", "", LONG, "%@", "a"]
        assert list(paths.listed_names(iter(components)).items()) == [
            ("b", "b"),
            ("%", ""),
            (paths.shortened(LONG), LONG),
            ("%%@", "%@"),
            ("a", "a"),
        ]


class TestWholeKeys:
    @pytest.mark.parametrize(
        ("key", "components", "directory", "path"),
        [
            ("a", ["a"], "", "/a"),
            ("a/b", ["a", "b"], "a/", "/a/b"),
            ("a/", ["a", ""], "a/", "/a/%"),
            ("/", ["", ""], "/", "/%/%"),
            ("/a", ["", "a"], "/", "/%/a"),
            ("a//b", ["a", "", "b"], "a//", "/a/%/b"),
            ("./..", [".", ".."], "./", "/%./%.."),
            ("a/%@", ["a", "%@"], "a/", "/a/%%@"),
            (".git/é.txt", [".git", "é.txt"], ".git/", "/.git/é.txt"),
            ("a/b/" + "c" * 255, ["a", "b", "c" * 255], "a/b/", "/a/b/" + "c" * 255),
        ],
    )
    def test_a_key_has_one_path(self, key: str, components: list[str], directory: str, path: str) -> None:
        assert paths.split(key) == components
        assert paths.join(components) == key
        assert directory_of(key) == directory
        assert paths.path_of(key) == path
        assert paths.key_of(path) == key

    @pytest.mark.parametrize(
        "path",
        ["/", "//", "/a/", "/a//b", "/a/.", "/./a", "/a/..", "/a\0", "/a/%@", "/" + "x" * 256, "/a/\udcff"],
    )
    def test_a_path_that_is_no_key_is_refused(self, path: str) -> None:
        with pytest.raises(InvalidName):
            paths.key_of(path)
