"""Negative numbers as values on the command line, where others see an option."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

_SIGNED = re.compile(r"-(\d|\.\d|P)")
# No argument holds it, so the parser takes what begins with it for no option.
_MARK = "\0"


class SignedValues(click.Command):
    """A command whose arguments may be negative numbers and durations: `-5` is a value, not an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses with what looks like a negative number hidden from the parser of options."""
        try:
            rest = super().parse_args(ctx, list(self._marked(args)))
        except click.NoSuchOption as error:
            text = f"No such option: {error.option_name}. Put -- before a VALUE that begins with -."
            raise click.NoSuchOption(error.option_name, text, error.possibilities, ctx) from error
        for name, value in ctx.params.items():
            if isinstance(value, str):
                ctx.params[name] = value.removeprefix(_MARK)
            elif isinstance(value, tuple):
                ctx.params[name] = tuple(each.removeprefix(_MARK) if isinstance(each, str) else each for each in value)
        return rest

    def _marked(self, args: list[str]) -> Iterator[str]:
        takes_value = {
            name for each in self.params if isinstance(each, click.Option) and not each.is_flag for name in each.opts
        }
        former = ""
        for position, each in enumerate(args):
            if each == "--":
                yield from args[position:]
                return
            is_value = _SIGNED.match(each) and former not in takes_value
            yield _MARK + each if is_value else each
            former = each
