"""What of a list was there the time before, against a count of its texts."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from mxgateway_protocol.alarms.matching import follow, match


def edited(chance: random.Random, old: list[str]) -> list[str]:
    """A list after some records have come, gone, changed or moved."""
    new = list(old)
    for _ in range(chance.choice((0, 1, 3, 20, 200))):
        place = chance.randrange(len(new) + 1)
        what = chance.choice(("come", "go", "change", "move", "double"))
        if what == "come" or not new:
            new.insert(place, f"new {chance.randrange(1000)}")
            continue
        place %= len(new)
        if what == "go":
            del new[place]
        elif what == "change":
            new[place] = f"changed {chance.randrange(1000)}"
        elif what == "move":
            new.insert(chance.randrange(len(new)), new.pop(place))
        else:
            new.insert(chance.randrange(len(new)), new[place])
    return new


@pytest.mark.parametrize("seed", range(60))
def test_each_text_is_found_as_often_as_it_was_there_and_no_old_one_twice(seed: int) -> None:
    chance = random.Random(seed)
    size, different = chance.choice((0, 1, 31, 32, 33, 900)), chance.choice((40, 5000))
    old = [f"alarm {chance.randrange(different)}" for _ in range(size)]
    pieces = edited(chance, old)
    found, matched = match(old, list(enumerate(old)), pieces)
    known = [each for each in found if each is not None]
    assert Counter(text for _, text in known) == Counter(old) & Counter(pieces)
    assert all(each is None or each[1] == piece for each, piece in zip(found, pieces, strict=True))
    assert len({place for place, _ in known}) == len(known)
    assert {place for place, _ in known} == {place for place, is_there in enumerate(matched) if is_there}


@pytest.mark.parametrize("seed", range(60))
def test_a_list_that_is_not_cut_yet_is_followed_as_one_that_is(seed: int) -> None:
    chance = random.Random(seed)
    size, different = chance.choice((0, 1, 31, 32, 33, 900)), chance.choice((40, 5000))
    old = [f"alarm {chance.randrange(different)}" for _ in range(size)]
    pieces = edited(chance, old)
    before, now = "".join(f"{piece};" for piece in old), "".join(f"{piece};" for piece in pieces)
    followed = follow((f"old: {before}.", 5), old, list(enumerate(old)), (f"now the list: {now}.", 14), ";", bool)
    found, matched = match(old, list(enumerate(old)), pieces)
    assert followed is not None
    assert followed[0] == pieces
    assert followed[3] == 14 + len(now)
    # Which of two equal ones is which is all the same.
    assert Counter(each and each[1] for each in followed[1]) == Counter(each and each[1] for each in found)
    assert all(each is None or each[1] == piece for each, piece in zip(followed[1], pieces, strict=True))
    assert sum(followed[2]) == sum(matched) == len({each for each in followed[1] if each is not None})


def test_what_is_new_has_to_be_a_piece() -> None:
    old = [f"a{number}" for number in range(40)]
    text = "".join(f"{piece};" for piece in old)
    for place, is_taken in ((0, False), (20, False), (40, False), (41, True)):
        new = [*old]
        new.insert(place, "no piece" if place < 41 else "a good one")
        now = "".join(f"{piece};" for piece in new)
        followed = follow((text, 0), old, old, (now, 0), ";", lambda piece: piece.startswith("a"))
        assert (followed is not None) is is_taken


OLD = [f"old {number:02}" for number in range(80)]
NEW = [f"new {number:02}" for number in range(32)]


@pytest.mark.parametrize(
    "pieces",
    [
        # Looked around for at the very end of a stretch, with what was found already coming again.
        [*NEW[:30], OLD[31], OLD[30], *OLD[31:]],
        # Back to an older place, and on from another.
        [*NEW[:31], OLD[25], *OLD[32:]],
        [*NEW[:31], OLD[25], *OLD[26:]],
    ],
)
def test_a_stretch_after_a_look_back_is_the_right_one(pieces: list[str]) -> None:
    text, now = "".join(f"{piece};" for piece in OLD), "".join(f"{piece};" for piece in pieces)
    followed = follow((text, 0), OLD, OLD, (now, 0), ";", bool)
    assert followed is not None
    for found, matched in (match(OLD, OLD, pieces), followed[1:3]):
        assert all(each in (None, piece) for each, piece in zip(found, pieces, strict=True))
        assert Counter(each for each in found if each is not None) == Counter(set(OLD) & set(pieces))
        assert sum(matched) == len(set(OLD) & set(pieces))
    assert followed[0] == pieces
