"""Who may stay of those that are connected to the HTTP listener."""

from __future__ import annotations

from mxgateway_server.operations.door import MOST_OF_A_NAME, Door, Guest


class House:
    """A door, and who had to go through it."""

    def __init__(self, most: int) -> None:
        self.door = Door(most)
        self.gone: list[str] = []

    def comes(self, called: str, address: str = "a", name: str = "") -> Guest:
        guest = Guest(address, lambda: self.gone.append(called))
        self.door.enter(guest)
        if name:
            self.door.introduce(guest, name)
        return guest


def test_the_oldest_stranger_goes_and_who_is_known_stays() -> None:
    house = House(3)
    house.comes("anna", name="anna")
    house.comes("first")
    house.comes("second")
    house.comes("third")
    house.comes("fourth")
    assert (house.gone, len(house.door), house.door.turned_away) == (["first", "second"], 3, 2)


def test_it_is_one_of_the_address_that_has_the_most() -> None:
    house = House(4)
    house.comes("quiet", "b")
    for number in range(8):
        house.comes(f"flood {number}", "a")
    assert house.gone == [f"flood {number}" for number in range(5)]
    # Of an address of its own, who comes next takes the place of one of the flood.
    house.comes("new", "c")
    assert house.gone[5:] == ["flood 5"]


def test_where_all_are_known_a_newcomer_goes() -> None:
    house = House(2)
    house.comes("anna", name="anna")
    ended = house.comes("bert", name="bert")
    newcomer = house.comes("stranger")
    assert (house.gone, newcomer in house.door) == (["stranger"], False)
    # Who has gone is nobody's guest any more, whatever is said of it.
    house.door.introduce(newcomer, "carla")
    house.door.leave(ended)
    house.door.leave(ended)
    house.comes("next")
    assert (house.gone, len(house.door)) == (["stranger"], 2)


def test_one_name_keeps_no_more_than_its_share() -> None:
    house = House(MOST_OF_A_NAME + 2)
    for number in range(MOST_OF_A_NAME + 2):
        house.comes(f"greedy {number}", name="greedy")
    house.comes("bert", name="bert")
    assert house.gone == [f"greedy {MOST_OF_A_NAME}"]


def test_of_addresses_with_as_many_strangers_it_is_not_the_newcomer_s() -> None:
    house = House(2)
    house.comes("waits", "a")
    house.comes("waits too", "b")
    house.comes("new", "c")
    house.comes("newer", "d")
    assert house.gone == ["waits", "waits too"]


def test_who_signs_out_is_a_stranger_again_who_has_had_his_answer() -> None:
    house = House(2)
    anna = house.comes("anna", name="anna")
    house.comes("stranger")
    house.door.introduce(anna, "")
    house.comes("new")
    house.comes("newer")
    assert house.gone == ["anna", "stranger"]


def test_whoever_leaves_is_forgotten_with_his_address() -> None:
    house = House(2)
    for number in range(5):
        guest = house.comes(f"guest {number}", f"address {number}")
        house.door.leave(guest)
    house.comes("one")
    house.comes("two")
    assert not house.gone
    house.comes("three")
    assert house.gone == ["one"]


def test_who_has_had_an_answer_and_is_nobody_goes_before_those_that_have_not() -> None:
    house = House(3)
    house.comes("waits")
    heard = house.comes("heard")
    signed_in = house.comes("anna", name="anna")
    house.door.heard(heard)
    house.door.heard(signed_in)
    house.comes("new")
    assert house.gone == ["heard"]
    # Nothing is said of who has gone.
    house.door.heard(heard)
    house.comes("newer")
    assert house.gone == ["heard", "waits"]


def test_beyond_its_share_a_name_goes_before_strangers() -> None:
    house = House(MOST_OF_A_NAME + 2)
    house.comes("stranger")
    for number in range(MOST_OF_A_NAME + 1):
        house.comes(f"greedy {number}", name="greedy")
    house.comes("new")
    assert house.gone == [f"greedy {MOST_OF_A_NAME}"]


def test_who_waits_for_the_gateway_goes_after_those_that_it_waits_for() -> None:
    house = House(4)
    came = [house.comes("waits")]
    came[0].waits = True
    came += [house.comes(f"idle {number}") for number in range(5)]
    assert house.gone == ["idle 0", "idle 1"]
    # Where all wait it is the oldest after all.
    for guest in came:
        guest.waits = True
    house.door.enter(Guest("a", lambda: None, waits=True))
    assert house.gone[2:] == ["waits"]


def test_of_addresses_with_as_many_it_is_the_one_that_lets_the_gateway_wait() -> None:
    house = House(3)
    house.comes("waits", "a").waits = True
    house.comes("idle", "b")
    house.comes("waits, too", "c").waits = True
    house.comes("newcomer", "d")
    assert house.gone == ["idle"]
