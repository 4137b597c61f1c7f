"""Fingerprints find secrets without storing them."""

from hypothesis import given
from hypothesis import strategies as st

from engine.runs.fingerprints import SHORTEST, contains_secret, fingerprints

SQL = "SELECT name FROM people WHERE age > 30"


def test_a_secret_is_found_in_any_case_and_spacing():
    known = fingerprints({"sql": SQL})
    assert contains_secret("the answer is\nselect   NAME from people\twhere age>30; ok", known)
    assert not contains_secret("SELECT name FROM people WHERE age > 31", known)
    assert not contains_secret("", known)


def test_the_secret_itself_is_not_stored():
    assert "people" not in str(fingerprints({"sql": SQL}))


def test_nested_texts_count_and_short_ones_do_not():
    assert len(fingerprints({"tests": [SQL, {"x": "a b c d"}], "n": 3, "short": "42"})) == 2
    assert fingerprints({"short": " ".join("x" * (SHORTEST - 1))}) == []


@given(
    st.lists(st.sampled_from("abc,"), min_size=SHORTEST, max_size=8), st.text("abc ,"), st.text()
)
def test_a_secret_inside_any_text_is_found(words, before, after):
    secret = " ".join(words)
    assert contains_secret(f"{before} {secret} {after}", fingerprints({"s": secret}))
