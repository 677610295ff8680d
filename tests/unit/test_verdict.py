"""Which of two versions of a key wins."""

from __future__ import annotations

from kvassfs.entry import DEFAULT_MODE, Entry
from kvassfs.replica import NOBODY
from kvassfs.verdict import Verdict, judge

ENTRY = Entry("key", timestamp=100, counter=10, process_id=5, url_token="token", size=1)


def merge(one: Entry, other: Entry) -> Entry:
    """Return the version that a replica has which had ``one`` and is delivered ``other``."""
    return other if judge(one, other, pushed=True) is Verdict.ACCEPT else one


class TestOrder:
    def test_a_later_timestamp_wins_whatever_counter_and_writer(self) -> None:
        later = ENTRY._replace(timestamp=101, counter=1, process_id=9)
        assert merge(ENTRY, later) is later
        assert merge(later, ENTRY) is later

    def test_at_equal_timestamps_the_greater_counter_wins(self) -> None:
        later = ENTRY._replace(counter=11, process_id=9)
        assert merge(ENTRY, later) is later
        assert merge(later, ENTRY) is later

    def test_at_equal_timestamps_and_counters_the_lower_process_id_wins(self) -> None:
        lower = ENTRY._replace(process_id=4)
        assert merge(ENTRY, lower) is lower
        assert merge(lower, ENTRY) is lower

    def test_nobody_beats_every_writer_of_the_same_moment(self) -> None:
        assert merge(ENTRY, ENTRY._replace(process_id=NOBODY)).process_id == NOBODY

    def test_an_entry_merged_with_itself_stays(self) -> None:
        assert merge(ENTRY, ENTRY) is ENTRY

    def test_of_two_with_the_same_number_the_one_with_a_mode_wins_then_with_a_time_then_the_rest_decides(self) -> None:
        """As a hub that was set back to a backup writes them; each replica decides the same way."""
        ranked = [
            ENTRY._replace(url_token="zzz"),
            ENTRY._replace(url_token="aaa", mode=DEFAULT_MODE),
            ENTRY._replace(url_token="bbb", mode=DEFAULT_MODE),
            ENTRY._replace(url_token="bbb", mode=DEFAULT_MODE | 0o100),
            ENTRY._replace(url_token="aaa", mode=DEFAULT_MODE, mod_time=5),
            ENTRY._replace(url_token="aaa", mode=DEFAULT_MODE, mod_time=6),
        ]
        for number, one in enumerate(ranked):
            for other in ranked[number + 1 :]:
                assert judge(one, other, pushed=True) is judge(one, other, pushed=False) is Verdict.ACCEPT
                assert judge(other, one, pushed=True) is Verdict.REJECT

    def test_a_mode_or_time_that_a_hub_of_version_1_has_dropped_comes_back(self) -> None:
        for whole in (ENTRY._replace(mode=DEFAULT_MODE), ENTRY._replace(mod_time=-7)):
            assert judge(ENTRY, whole, pushed=False) is judge(ENTRY, whole, pushed=True) is Verdict.ACCEPT
            assert judge(whole, ENTRY, pushed=False) is Verdict.SAME

    def test_one_that_a_hub_of_version_1_hands_back_is_the_same_whatever_became_of_its_counter(self) -> None:
        changed = ENTRY._replace(counter=99, mode=None)
        assert judge(ENTRY, changed, pushed=False) is Verdict.SAME
        assert judge(ENTRY, changed, pushed=True) is Verdict.ACCEPT

    def test_the_first_one_of_a_key_is_accepted(self) -> None:
        assert judge(None, ENTRY, pushed=False) is judge(None, ENTRY, pushed=True) is Verdict.ACCEPT

    def test_one_that_loses_is_rejected(self) -> None:
        earlier = ENTRY._replace(timestamp=99, counter=99)
        assert judge(ENTRY, earlier, pushed=False) is judge(ENTRY, earlier, pushed=True) is Verdict.REJECT

    def test_a_tombstone_wins_and_loses_like_any_entry(self) -> None:
        tombstone = ENTRY._replace(timestamp=101, size=0)
        assert merge(ENTRY, tombstone) is tombstone
        assert merge(tombstone, ENTRY._replace(timestamp=102)).size == 1
