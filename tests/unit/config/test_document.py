"""YAML with places: duplicates, anchors, merges and hostile documents."""

from __future__ import annotations

from datetime import date

import pytest

from riskpipe.config.document import Place, parse, parse_value


def messages(text: str) -> list[tuple[Place | None, str]]:
    return [(problem.place, problem.message) for problem in parse(text).problems]


def test_places_of_keys_and_items() -> None:
    document = parse("a: 1\nb:\n  c:\n    - x\n    - y\n")
    assert document.tree == {"a": 1, "b": {"c": ["x", "y"]}}
    assert document.places == {
        ("a",): Place(1, 1),
        ("b",): Place(2, 1),
        ("b", "c"): Place(3, 3),
        ("b", "c", 0): Place(4, 7),
        ("b", "c", 1): Place(5, 7),
    }


def test_a_key_given_twice_keeps_the_first() -> None:
    document = parse("a: 1\nb: {c: 1, c: 2}\na: 3\n")
    assert document.tree == {"a": 1, "b": {"c": 1}}
    assert [(p.path, p.place, p.message) for p in document.problems] == [
        (("b", "c"), Place(2, 11), "given twice; first in line 2"),
        (("a",), Place(3, 1), "given twice; first in line 1"),
    ]


def test_anchors_and_merges() -> None:
    text = "base: &base {x: 1, y: 2}\nsame: *base\nmerged:\n  <<: *base\n  y: 3\nboth:\n  <<: [{x: 7}, *base]\n"
    document = parse(text)
    assert document.tree == {
        "base": {"x": 1, "y": 2},
        "same": {"x": 1, "y": 2},
        "merged": {"x": 1, "y": 3},
        "both": {"x": 7, "y": 2},
    }
    assert document.places["merged", "y"] == Place(5, 3)
    assert document.problems == []


def test_keys_stay_text() -> None:
    assert parse("NO: 1\n1: 2\n2026-11-20: 3\n").tree == {"NO": 1, "1": 2, "2026-11-20": 3}


def test_numbers_in_scientific_notation_are_numbers() -> None:
    assert parse("a: 1e-4\nb: 1E3\nc: 1.5e+2\nd: e4\n").tree == {
        "a": 1e-4,
        "b": 1000.0,
        "c": 150.0,
        "d": "e4",
    }


def test_only_plain_values() -> None:
    assert messages("a: !!python/object/apply:os.system [ls]\nb: !!set {x}\nc: !!python/name:os.system ''\n") == [
        (Place(1, 4), "the tag tag:yaml.org,2002:python/object/apply:os.system is not allowed"),
        (Place(2, 4), "the tag tag:yaml.org,2002:set is not allowed"),
        (Place(3, 4), "the tag tag:yaml.org,2002:python/name:os.system is not allowed"),
    ]


def test_hostile_documents_end_in_a_message() -> None:
    assert messages("a: &a [*a]\n")[0][1] == "an anchor that contains itself"
    assert messages("a: &a {<<: *a}\n")[0][1] == "an anchor that contains itself"
    laughs = "a0: &a0 [x, x]\n" + "".join(
        f"a{k}: &a{k} [*a{k - 1}, *a{k - 1}, *a{k - 1}, *a{k - 1}]\n" for k in range(1, 30)
    )
    assert messages(laughs) == [(None, "not valid YAML: too many values: anchors that multiply?")]
    assert messages("a: " + "[" * 5000) != []
    assert messages("{a: 1}: 2\n")[0][1] == "a key must be plain text"


def test_single_values() -> None:
    assert parse_value("5") == 5
    assert parse_value("[pv, delta]") == ["pv", "delta"]
    assert parse_value("2026-11-20") == date(2026, 11, 20)
    assert parse_value("s3://bucket/x") == "s3://bucket/x"
    assert parse_value("") is None
    with pytest.raises(ValueError, match="not valid YAML"):
        parse_value("a: b")
