"""The line of an option is found whatever stands before it."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mxgateway_server.config.toml_lines import lines_of

TEXT = '''# a comment with = and [brackets]
listen = "a # no comment" # a comment
  indented = 1

[worker]  # with a comment
command = [
  "one", # ] no end
  'two = 2',
]
text = """
[tls]
key_file = 1
\\""" still text"""
other = \'\'\'
x = 1
\'\'\'
backend_options = { a = "}", b = [1, 2] }
"quoted" = 1
dotted.name = 2
[ sessions . inner ]
last = 2026-01-31T00:00:00Z'''


def test_options_are_found_behind_texts_lists_and_comments() -> None:
    tomllib.loads(TEXT)
    assert lines_of(TEXT) == {
        ("listen",): 2,
        ("indented",): 3,
        ("worker",): 5,
        ("worker", "command"): 6,
        ("worker", "text"): 10,
        ("worker", "other"): 14,
        ("worker", "backend_options"): 17,
        ("worker", "quoted"): 18,
        ("worker", "dotted", "name"): 19,
        ("sessions", "inner"): 20,
        ("sessions", "inner", "last"): 21,
    }


@given(st.text(alphabet="ab=[]{}#'\"\\\n \t.1,", max_size=60))
def test_any_text_ends_and_valid_text_is_found_whole(text: str) -> None:
    lines = lines_of(text)
    try:
        tree: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    found = {path[0].strip() for path in lines}
    assert {name for name in tree if name.isalnum()} <= found


def test_indentation_on_the_first_line_hides_nothing() -> None:
    assert lines_of("  [1]\n\ta = 2") == {("1",): 1, ("1", "a"): 2}
