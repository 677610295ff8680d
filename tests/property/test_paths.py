"""Keys to paths and back: total, reversible, and legal as file names, whatever the keys."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import assume, example, given
from hypothesis import strategies as st

from kvassfs import paths
from kvassfs.entry import directory_of

SPECIAL = "%@.~0af"
ANY_CHARACTER = st.characters(exclude_categories=["Cs"], exclude_characters="/\0")
CHARACTER = st.one_of(st.sampled_from([*SPECIAL, "é", "e", "\u0301", "😀", "\n", "x"]), ANY_CHARACTER)


@st.composite
def long_components(draw: st.DrawFn) -> str:
    """Components near the limits of 227, 230 and 255 bytes, and beyond."""
    filling = draw(st.sampled_from(["x", "%", "é", "😀"]))
    characters = draw(st.sampled_from([*range(226, 232), *range(244, 260), 300])) // len(filling.encode())
    start, end = draw(st.text("x%", max_size=3)), draw(st.one_of(st.text(CHARACTER, max_size=3), DOTTED))
    return f"{start}{filling * characters}{end}"


DOTTED = st.builds(
    "{}{}{}".format, st.text("%", max_size=3), st.just(paths.DOT_NAME), st.sampled_from(["", "", "%", "\n"])
)
SHORT_COMPONENTS = st.one_of(st.text(SPECIAL, max_size=5), st.text(CHARACTER, max_size=20), DOTTED)
COMPONENTS = st.one_of(SHORT_COMPONENTS, long_components())
KEYS = st.lists(COMPONENTS, min_size=1, max_size=4).map("/".join).filter(bool)


@st.composite
def directories(draw: st.DrawFn) -> list[str]:
    """Distinct siblings, some of them the shortened form of others that may or may not exist."""
    siblings = draw(st.lists(COMPONENTS, max_size=6))
    for root in draw(st.lists(long_components(), max_size=2)):
        link = root
        for present in draw(st.lists(st.booleans(), max_size=4)):
            siblings += [link] if present else []
            link = paths.shortened(link)
    return draw(st.permutations(sorted(set(siblings))))


def related(name: str, siblings: Iterable[str]) -> list[str]:
    """Return what a search of the store would: the siblings that matter to a name."""
    return [each for each in siblings if each.startswith(paths.search_prefix(name))]


def is_special(file_name: str, in_root: bool) -> bool:
    return file_name in ("", ".", "..", paths.VALUE_NAME) or (in_root and file_name == paths.DOT_NAME)


def assert_legal(file_name: str, in_root: bool = False) -> None:
    assert not is_special(file_name, in_root)
    assert "/" not in file_name
    assert "\0" not in file_name
    assert len(file_name.encode()) <= 255


@given(COMPONENTS, st.booleans())
def test_every_component_has_a_legal_file_name(component: str, in_root: bool) -> None:
    name = paths.file_name(component, in_root=in_root)
    assert_legal(name, in_root)
    assert paths.resolve(name, [component], in_root=in_root) == component
    assert paths.component(name, in_root=in_root) == (name if paths.is_shortened(name) else component)


@given(COMPONENTS, st.booleans())
def test_every_legal_file_name_lists_back_unchanged_when_created(name: str, in_root: bool) -> None:
    assume(not is_special(name, in_root) and len(name.encode()) <= 255)
    component = paths.resolve(name, [], in_root=in_root)
    assert paths.listed_name(component, [component], in_root=in_root) == name


@given(directories(), st.booleans())
def test_every_sibling_has_a_name_of_its_own(siblings: list[str], in_root: bool) -> None:
    listed = paths.listed_names(siblings, in_root=in_root)
    assert list(listed.values()) == siblings
    for name, component in listed.items():
        assert_legal(name, in_root)
        assert paths.listed_name(component, related(component, siblings), in_root=in_root) == name
        assert paths.resolve(name, related(name, siblings), in_root=in_root) == component


@given(directories(), st.booleans(), st.data())
def test_a_name_that_a_user_creates_disturbs_no_sibling(
    siblings: list[str], in_root: bool, data: st.DataObject
) -> None:
    near = [paths.shortened(each) for each in siblings if len(each.encode()) > 230]
    name = data.draw(st.sampled_from(near) if near else COMPONENTS)
    listed = paths.listed_names(siblings, in_root=in_root)
    assume(not is_special(name, in_root) and len(name.encode()) <= 255)
    component = paths.resolve(name, siblings, in_root=in_root)
    if name in listed:
        assert component == listed[name]
    else:
        assert component not in siblings
        assert paths.listed_names([*siblings, component], in_root=in_root) == {**listed, name: component}


@given(KEYS)
@example("/")
@example("a/")
@example("%@/%@")
@example(".kvass/.kvass")
@example("%.kvass")
def test_a_key_without_shortened_names_round_trips_through_its_path(key: str) -> None:
    path = paths.path_of(key)
    for position, name in enumerate(path[1:].split("/")):
        assert_legal(name, in_root=position == 0)
    if not any(map(paths.is_shortened, path.split("/"))):
        assert paths.key_of(path) == key
    assert paths.join(paths.split(key)) == key
    assert key.startswith(directory_of(key))
    assert key == directory_of(key) + paths.split(key)[-1]


class Tree:
    """A plain model of the mount: the paths that a set of keys has."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.keys = set(keys)

    def siblings(self, directory: str) -> set[str]:
        return {key[len(directory) :].partition("/")[0] for key in self.keys if key.startswith(directory)}

    def path(self, key: str) -> str:
        path, directory = "", ""
        for component in paths.split(key):
            path += "/" + paths.listed_name(component, self.siblings(directory), in_root=not directory)
            directory += component + "/"
        return f"{path}/{paths.VALUE_NAME}" if self.siblings(directory) else path

    def key(self, path: str) -> str:
        directory = ""
        for name in path.removesuffix(f"/{paths.VALUE_NAME}")[1:].split("/"):
            directory += paths.resolve(name, self.siblings(directory), in_root=not directory) + "/"
        return directory[:-1]


@given(st.lists(st.one_of(KEYS, st.text("a/%@", min_size=1, max_size=5)), max_size=8))
@example(["a", "a/b", "a/", "a/%@", "a/%@/b", "/", "//", "/a", "%", "./.."])
@example([".kvass", "%.kvass", ".kvass/a", "%%.kvass/.kvass", "a/.kvass"])
def test_every_key_has_one_path_and_every_path_one_key(keys: list[str]) -> None:
    tree = Tree(keys)
    paths = {key: tree.path(key) for key in tree.keys}
    assert len(set(paths.values())) == len(paths)
    assert not any(f"{path}/".startswith("/.kvass/") for path in paths.values())
    assert {tree.key(path): path for path in paths.values()} == paths
