"""Neighbours of the plan: what is made of blocks' outputs is made of so many at a time, level after level."""

from __future__ import annotations

from typing import NamedTuple

FAN_IN = 64


class Group(NamedTuple):
    """Neighbours of a level: of blocks (level 0), or of groups of the level below. Blocks and groups count from 0."""

    level: int
    number: int

    @staticmethod
    def of_block(index: int, level: int = 0) -> Group:
        """The group that a block of the plan is in."""
        size: int = FAN_IN ** (level + 1)
        return Group(level, index // size)

    @staticmethod
    def how_many(level: int, blocks: int) -> int:
        """How many groups of a level a plan of so many blocks has."""
        size: int = FAN_IN ** (level + 1)
        return -(-blocks // size)

    @property
    def above(self) -> Group:
        """The group of the next level that it is in."""
        return Group(self.level + 1, self.number // FAN_IN)

    def blocks(self, blocks: int) -> range:
        """Positions in a plan of so many blocks."""
        size: int = FAN_IN ** (self.level + 1)
        return range(self.number * size, min((self.number + 1) * size, blocks))

    def members(self, blocks: int) -> list[Group]:
        """The groups of the level below, of a plan of so many blocks."""
        last = min((self.number + 1) * FAN_IN, Group.how_many(self.level - 1, blocks))
        return [Group(self.level - 1, number) for number in range(self.number * FAN_IN, last)]
