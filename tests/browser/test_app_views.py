"""The views of the page of a device: what a person finds, opens, moves, removes and shares, over a store in memory."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.app_page import DESK, AppPage, visiting
from tests.browser.samples import GREEN, SVG, TEAL, png

TEXT = "milk\nbread\n"

FILES: dict[str, Any] = {
    "notes/work/plan.txt": "the plan",
    "notes/brno.md": "# Brno\n\nA *fine* town.",
    "photos/lake.png": {"base64": base64.b64encode(png()).decode()},
    "report.pdf": {"zeros": 3_000_000},
    "todo.txt": TEXT,
}


def names(app: AppPage) -> list[str]:
    """Return the names that a list shows."""
    return app.page.locator(".row .name").all_inner_texts()


def title(app: AppPage) -> str:
    return app.page.inner_text("h1")


# Finding


def test_folders_are_entered_and_left(app: AppPage) -> None:
    app.start({"files": FILES})
    assert names(app) == ["notes", "photos", "report.pdf", "todo.txt"]
    app.open("notes")
    assert names(app) == ["work", "brno.md"]
    app.open("work")
    app.open("plan.txt")
    assert app.page.inner_text(".source") == "the plan"
    assert app.page.locator(".path a").all_inner_texts() == ["Files", "notes", "work"]
    app.press("notes", "link")
    assert title(app) == "notes"
    app.press("Up", "link")
    assert title(app) == "Files"
    app.assert_quiet()


def test_back_leads_back_and_focuses_what_was_open(app: AppPage) -> None:
    app.start({"files": FILES})
    app.open("notes")
    app.open("brno.md")
    app.page.go_back()
    app.page.locator("h1", has_text="notes").wait_for()
    assert app.page.evaluate("document.activeElement.textContent").startswith("brno.md")


def test_the_latest_files_come_newest_first(app: AppPage) -> None:
    app.start({"files": FILES})
    app.press("Latest", "link")
    assert names(app) == ["todo.txt", "report.pdf", "lake.png", "brno.md", "plan.txt"]
    app.fake("change('notes/work/plan.txt', 'another plan')")
    app.wait(lambda: names(app)[0] == "plan.txt", "the change of another device")


def test_names_are_found_at_once_and_texts_after_that(app: AppPage) -> None:
    app.start({"files": {**FILES, "other.txt": "bread again"}})
    app.press("Search", "link")
    app.page.keyboard.type("bre")
    app.wait(lambda: names(app) == ["other.txt", "todo.txt"], "the texts")
    app.page.fill("input[type=search]", "lake")
    assert names(app) == ["lake.png"]
    app.open("lake.png")
    app.page.go_back()
    app.wait(lambda: names(app) == ["lake.png"], "the search as it was")
    app.page.fill("input[type=search]", "nowhere")
    app.page.get_by_text("Nothing was found").wait_for()


def test_an_empty_store_says_how_to_begin(app: AppPage) -> None:
    app.start()
    assert "Begin with a note" in app.text()


# What is shown


def test_markdown_is_rendered_and_turned_to_its_source(app: AppPage) -> None:
    app.start({"files": FILES}, fragment="#/notes/brno.md")
    assert app.page.inner_text(".prose h2") == "Brno"
    assert app.page.inner_text(".prose em") == "fine"
    app.press("Source")
    assert app.page.inner_text(".source").startswith("# Brno")
    app.press("Source")
    assert app.page.locator(".prose").is_visible()


def test_pictures_are_shown(app: AppPage) -> None:
    files = {**FILES, "drawing.svg": SVG.decode()}
    app.start({"files": files}, fragment="#/photos/lake.png")
    app.page.locator("img").wait_for()
    assert app.sees(TEAL, "png")
    app.go("#/drawing.svg")
    app.page.locator("img[alt='drawing.svg']").wait_for()
    app.page.wait_for_timeout(100)
    assert app.sees(GREEN, "svg")
    app.assert_quiet()


@pytest.mark.parametrize("kind", ["webm"])
def test_films_play(app: AppPage, videos: dict[str, Path], kind: str) -> None:
    film = base64.b64encode(videos[kind].read_bytes()).decode()
    app.start({"files": {f"film.{kind}": {"base64": film}}}, fragment=f"#/film.{kind}")
    app.wait(lambda: app.page.evaluate("document.querySelector('video')?.duration > 15"), "the film")


def test_text_is_copied(app: AppPage) -> None:
    app.start({"files": FILES}, fragment="#/todo.txt")
    app.press("Copy")
    assert app.say() == "Copied."
    assert app.page.evaluate("navigator.clipboard.readText()") == TEXT


def test_what_cannot_be_shown_is_downloaded(app: AppPage) -> None:
    app.start({"files": FILES}, fragment="#/report.pdf")
    assert "cannot be shown" in app.text()
    assert app.calls("read") == []
    with app.page.expect_download() as begun:
        app.press("Download")
    assert begun.value.suggested_filename == "report.pdf"
    assert begun.value.path().stat().st_size == 3_000_000


def test_a_large_value_that_is_not_here_is_fetched_when_asked_for(app: AppPage) -> None:
    app.start({"files": {"song.mp3": {"zeros": 11 << 20, "isHere": False}}, "slow": 800}, fragment="#/song.mp3")
    assert "not on this device yet (11.5 MB)" in app.text()
    app.press("Fetch it")
    app.page.locator("progress").first.wait_for()
    app.wait(lambda: app.calls("read") == [["song.mp3", None]], "the value")


def test_a_value_that_cannot_be_fetched_is_tried_again(app: AppPage) -> None:
    app.start({"files": FILES, "failing": {"read": "The hub cannot be reached."}}, fragment="#/todo.txt")
    assert app.page.inner_text(".failure p") == "The hub cannot be reached."
    app.press("Try again")
    app.page.locator(".source").wait_for()


def test_a_change_elsewhere_is_shown_while_it_is_open(app: AppPage) -> None:
    app.start({"files": FILES}, fragment="#/todo.txt")
    app.fake("change('todo.txt', 'beer')")
    app.wait(lambda: app.page.inner_text(".source") == "beer", "the change of another device")
    app.fake("change('todo.txt', null)")
    app.page.get_by_text("moved or deleted").wait_for()


# Changes


def test_what_is_deleted_comes_back(app: AppPage) -> None:
    app.start({"files": FILES}, fragment="#/todo.txt")
    app.press("More actions")
    app.press("Delete")
    assert app.say() == "“todo.txt” was deleted."
    assert "todo.txt" not in names(app)
    app.press("Undo")
    app.wait(lambda: "todo.txt" in names(app), "what was deleted")
    assert app.calls("undo") == [[]]


def test_another_change_is_not_taken_back_in_its_place(app: AppPage) -> None:
    app.start({"files": FILES}, fragment="#/todo.txt")
    app.press("More actions")
    app.press("Delete")
    app.say()
    app.fake("makeDirectory('meanwhile/')")
    app.press("Undo")
    assert "Something else was changed" in app.say()
    assert app.calls("undo") == []


def test_several_are_chosen_and_removed_at_once(app: AppPage) -> None:
    app.start({"files": FILES})
    app.press("Select notes")
    app.page.locator("a.open", has_text="todo.txt").click()  # once something is selected, a tap selects
    assert app.page.inner_text(".picking strong") == "2 selected"
    app.press("Delete")
    app.wait(lambda: names(app) == ["photos", "report.pdf"], "the others")
    assert app.calls("remove") == [["notes/", "todo.txt"]]
    assert app.page.locator(".picking").is_hidden()


def test_a_long_press_chooses(app: AppPage) -> None:
    app.start({"files": FILES})
    box = app.page.locator("a.open", has_text="todo.txt").bounding_box()
    assert box is not None
    touch = app.context.new_cdp_session(app.page)
    point = {"x": box["x"] + 60, "y": box["y"] + 20}
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    app.page.wait_for_timeout(700)
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert app.page.inner_text(".picking strong") == "1 selected"
    assert title(app) == "Files"


def test_a_file_is_renamed_and_stays_open(app: AppPage) -> None:
    app.start({"files": FILES}, fragment="#/todo.txt")
    app.press("More actions")
    app.press("Move or rename")
    app.dialog().locator("input").fill("lists/shopping.txt")
    app.press("Move")
    app.page.locator("h1", has_text="shopping.txt").wait_for()
    assert app.calls("move") == [["todo.txt", "lists/shopping.txt"]]
    assert app.page.inner_text(".source") == TEXT


def test_several_are_moved_to_a_folder_that_is_tapped(app: AppPage) -> None:
    app.start({"files": FILES})
    app.press("Select report.pdf")
    app.press("Select todo.txt")
    app.press("Move")
    app.dialog().get_by_role("button", name="notes").click()
    app.dialog().get_by_role("button", name="work").click()
    app.dialog().get_by_role("button", name="Move", exact=True).click()
    app.wait(lambda: names(app) == ["notes", "photos"], "the others")
    assert app.calls("move") == [["report.pdf", "notes/work/report.pdf"], ["todo.txt", "notes/work/todo.txt"]]


def test_a_move_that_fails_says_why(app: AppPage) -> None:
    app.start({"files": FILES, "failing": {"move": "There is something there already."}})
    app.press("Select todo.txt")
    app.press("Move")
    app.dialog().locator("input").fill("notes")
    app.dialog().get_by_role("button", name="Move", exact=True).click()
    assert app.say() == "There is something there already."
    app.press("Try again")
    app.wait(lambda: "notes/todo.txt" in app.fake("keys()"), "the move")


def test_a_folder_is_made(app: AppPage) -> None:
    app.start({"files": FILES}, fragment="#/notes/")
    app.press("New")
    app.press("New folder")
    app.dialog().locator("input").fill("notes/home")
    app.press("Create")
    app.page.locator("h1", has_text="home").wait_for()
    assert app.calls("makeDirectory") == [["notes/home/"]]
    assert "This folder is empty" in app.text()


def test_back_leads_out_of_a_dialog_and_to_the_view_before(app: AppPage) -> None:
    app.start({"files": FILES})
    app.open("notes")
    app.press("New")
    app.page.go_back()
    app.page.locator("h1", has_text="Files").wait_for()
    assert app.dialog().count() == 0


# Files of the device


def chosen(app: AppPage, button: str, files: list[dict[str, Any]]) -> None:
    app.press("New")
    with app.page.expect_file_chooser() as asked:
        app.press(button)
    asked.value.set_files(files)  # type: ignore[arg-type]


def test_files_are_added_with_progress(app: AppPage) -> None:
    app.start({"slow": 400}, fragment="#/in/")
    files = [{"name": f"{name}.txt", "mimeType": "text/plain", "buffer": name.encode()} for name in ("one", "two")]
    chosen(app, "Add files", files)
    app.page.get_by_text("Adding one.txt (1 of 2) …").wait_for()
    assert app.say() == "2 files were added."
    assert names(app) == ["one.txt", "two.txt"]
    assert app.fake("text('in/two.txt')") == "two"


def test_a_picture_is_taken_by_the_camera(app: AppPage) -> None:
    app.start()
    app.press("New")
    with app.page.expect_file_chooser() as asked:
        app.press("Take a picture")
    assert asked.value.element.get_attribute("capture") == "environment"
    asked.value.set_files({"name": "image.png", "mimeType": "image/png", "buffer": png()})
    assert app.say() == "“image.png” was added."


def test_a_file_that_is_there_is_not_replaced(app: AppPage) -> None:
    app.start({"files": {"todo.txt": TEXT}})
    chosen(app, "Add files", [{"name": "todo.txt", "mimeType": "text/plain", "buffer": b"other"}])
    assert app.say() == "“todo (2).txt” was added."
    assert app.fake("text('todo.txt')") == TEXT


def test_a_file_that_cannot_be_saved_is_tried_again(app: AppPage) -> None:
    app.start({"failing": {"add": "This browser has no room left."}})
    chosen(app, "Add files", [{"name": "a.txt", "mimeType": "text/plain", "buffer": b"a"}])
    assert app.say() == "1 file could not be added: This browser has no room left."
    app.press("Try again")
    app.wait(lambda: names(app) == ["a.txt"], "the file")


DROP = """kind => {
  const transfer = new DataTransfer()
  transfer.items.add(new File(["dropped"], "dropped.txt", { type: "text/plain" }))
  const options = { bubbles: true, cancelable: true }
  const event = kind === "drop"
    ? new DragEvent("drop", { dataTransfer: transfer, ...options })
    : new ClipboardEvent("paste", { clipboardData: transfer, ...options })
  document.querySelector("main").dispatchEvent(event)
}"""


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_files_are_dropped_and_pasted(app: AppPage, kind: str) -> None:
    app.start({"files": FILES}, fragment="#/notes/")
    app.page.evaluate(DROP, kind)
    app.wait(lambda: app.fake("text('notes/dropped.txt')") == "dropped", "the file")


# Versions, what was removed, conflicts


def test_an_earlier_version_is_seen_and_restored(app: AppPage) -> None:
    app.start({"files": FILES})
    app.fake("change('todo.txt', 'beer', 'tablet')")
    app.open("todo.txt")
    app.press("More actions")
    app.press("Versions")
    assert app.page.locator(".facts").all_inner_texts()[0].split("\n") == ["current", "4 bytes", "from tablet"]
    app.page.locator("a.open").nth(1).click()
    app.wait(lambda: app.page.inner_text(".source") == TEXT, "the earlier version")
    app.press("Restore")
    app.wait(lambda: app.fake("text('todo.txt')") == TEXT, "the restored version")
    assert title(app) == "todo.txt"


def test_what_was_removed_is_restored(app: AppPage) -> None:
    app.start({"files": FILES, "removed": ["todo.txt"]})
    app.press("More", "link")
    app.press("Deleted", "link")
    app.press("Restore todo.txt")
    app.wait(lambda: app.fake("text('todo.txt')") == TEXT, "what was removed")
    assert "Nothing that was deleted" in app.text()


@pytest.mark.parametrize(("button", "kept"), [("Keep this one", "mine"), ("Use this one", "theirs")])
def test_a_conflict_is_settled(app: AppPage, button: str, kept: str) -> None:
    app.start({"files": {"deal.txt": "mine"}, "conflicts": [["deal.txt", "theirs"]]})
    assert "conflict" in app.page.inner_text(".row")
    app.press("More", "link")
    app.press("Conflicts (1)", "link")
    app.page.locator("a.open").click()
    app.wait(lambda: app.page.locator(".source").all_inner_texts() == ["mine", "theirs"], "both versions")
    app.press(button)
    app.wait(lambda: app.fake("listConflicts()") == [], "the end of the conflict")
    assert app.fake("text('deal.txt')") == kept


# Links


def test_a_link_is_made_on_terms_listed_and_ended(app: AppPage) -> None:
    app.start({"files": FILES}, fragment="#/todo.txt")
    app.press("Share", "link")
    app.page.get_by_label("1 week").check()
    app.page.get_by_label("It works once").check()
    app.press("Make a link")
    address = app.page.get_by_label("Link", exact=True)
    address.wait_for()
    ((key, expires, once),) = app.calls("share")
    week = 7 * 24 * 3600 * 1000
    assert (key, once) == ("todo.txt", True)
    assert abs(expires - app.page.evaluate("Date.now()") - week) < 60_000
    assert read_code(app) == address.input_value()
    app.press("Copy the link")
    app.say()
    assert app.page.evaluate("navigator.clipboard.readText()") == address.input_value()
    app.press("More", "link")
    app.press("Links", "link")
    assert names(app) == ["todo.txt"]
    app.press("End")
    app.page.get_by_text("There are no links.").wait_for()
    assert app.calls("endShare") == [["token0"]]


def read_code(app: AppPage) -> str:
    """Return what a camera reads in the QR code that is shown."""
    picture = app.page.get_by_role("img", name="The link as a QR code").screenshot()
    command = ["zbarimg", "--quiet", "--raw", "--nodbus", "PNG:-"]
    found = subprocess.run(command, input=picture, capture_output=True, check=True)
    return found.stdout.decode().rstrip("\n")


def test_a_link_without_end_has_none(app: AppPage) -> None:
    app.start({"files": FILES}, fragment="#share/todo.txt")
    app.page.get_by_label("as long as the file is there").check()
    app.press("Make a link")
    app.wait(lambda: app.calls("share") == [["todo.txt", None, False]], "the link")


def test_what_the_hub_has_and_no_device_made_is_named(app: AppPage) -> None:
    app.start({"files": FILES, "status": {"refused": ["~abc…: its key is in the clear"]}}, fragment="#more")
    app.page.get_by_text("The hub has 1 entry that no device of yours made", exact=False).first.wait_for()
    app.page.get_by_text("~abc…: its key is in the clear").wait_for()


# Many


def test_a_hundred_thousand_keys_scroll(browser: Browser, tmp_path: Path) -> None:
    with visiting(browser, tmp_path, **DESK) as app:
        app.start({"count": 100_000})
        rows = app.page.locator(".row")
        assert rows.count() < 60
        assert app.page.evaluate(SCROLL) < 60
        assert app.page.locator(".row").last.get_attribute("aria-setsize") == "100000"
        app.page.locator("main").evaluate("main => main.scrollTop = main.scrollHeight")
        app.page.get_by_text("file 099999.txt").wait_for()


SCROLL = """async () => {
  const main = document.querySelector("main")
  let most = 0
  for (let step = 0; step < 60; step += 1) {
    main.scrollTop += 4000
    await new Promise(requestAnimationFrame)
    most = Math.max(most, document.querySelectorAll(".row").length)
  }
  return most
}"""
