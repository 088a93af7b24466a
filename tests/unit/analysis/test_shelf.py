"""What the measurer remembers: bounded, and no count is lost or taken twice."""

from __future__ import annotations

from datetime import timedelta

from sentinel_operator.core.analysis.measurement import Measurement
from sentinel_operator.core.analysis.window import Snapshot
from sentinel_operator.engine.measure.shelf import Place, Shelf
from tests.unit.analysis.scenes import START

PLACE = Place("u1", "aaaa1111", "errors")
FIRST, SECOND, THIRD = (Snapshot(START + timedelta(seconds=30 * step), {}) for step in range(3))


def found(look: Snapshot) -> Measurement:
    return Measurement(at=look.at, opened=True)


def test_both_looks_are_kept_until_it_is_known_which_of_them_counts():
    """A status write may fail: the pass then asks again from the look before."""
    shelf = Shelf()
    shelf.put(PLACE, found(FIRST), FIRST, base=None)
    shelf.put(PLACE, found(SECOND), SECOND, base=FIRST.at)
    assert shelf.look_at(PLACE, FIRST.at) is FIRST
    assert shelf.look_at(PLACE, SECOND.at) is SECOND
    shelf.put(PLACE, found(THIRD), THIRD, base=SECOND.at)
    assert shelf.look_at(PLACE, FIRST.at) is None
    assert shelf.look_at(PLACE, SECOND.at) is SECOND


def test_after_an_error_counting_goes_on_from_where_it_began():
    shelf = Shelf()
    shelf.put(PLACE, found(FIRST), FIRST, base=None)
    for look, base in ((SECOND, FIRST), (THIRD, SECOND)):
        shelf.put(PLACE, Measurement(at=look.at, error="down"), base=base.at)
        assert shelf.look_at(PLACE, look.at) is FIRST


def test_the_oldest_go_first():
    shelf = Shelf(capacity=10)
    for index in range(100):
        shelf.put(Place(f"u{index}", "r", "m"), found(FIRST), FIRST, base=None)
    kept = [index for index in range(100) if shelf.of(f"u{index}", "r")]
    assert kept == list(range(90, 100))
    assert [index for index in range(100) if shelf.look_at(Place(f"u{index}", "r", "m"), FIRST.at)] == kept


def test_an_object_is_forgotten_and_no_other():
    shelf = Shelf()
    for uid in ("u1", "u2"):
        shelf.put(PLACE._replace(uid=uid), found(FIRST), FIRST, base=None)
    shelf.forget("u1")
    assert (shelf.of("u1", "aaaa1111"), [*shelf.of("u2", "aaaa1111")]) == ({}, ["errors"])
