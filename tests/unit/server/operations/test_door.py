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
