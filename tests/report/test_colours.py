"""Models of one report have colours that differ, for colour-blind readers too, in light and dark."""

import re
from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from paft.methods import DEFAULT
from paft.report.plot import COLOURS, PALETTE, colours

PAGES = {"light": ("#fbfaf8", 1.0), "dark": ("#15171a", 1.35)}  # as in report.css, with its brightness
# What the blind to red, green and blue see, of linear RGB (Machado, Oliveira and Fernandes 2009, severity 1).
EYES = {
    "all": np.eye(3),
    "red": np.array([[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]]),
    "green": np.array([[0.3673, 0.8606, -0.2279], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]),
    "blue": np.array([[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]]),
}
TO_LMS = np.array(
    [[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]]
)  # of linear RGB
TO_OKLAB = np.array([[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]])
DISTINCT = 0.06  # in OKLab; 0.02 is just seen


def linear(colour, brightness=1.0):
    values = np.clip(np.array(to_rgb(colour)) * brightness, 0, 1)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def distance(one, other, eye):
    seen = [TO_OKLAB @ np.cbrt(TO_LMS @ np.clip(EYES[eye] @ linear(each), 0, 1)) for each in (one, other)]
    return float(np.linalg.norm(seen[0] - seen[1]))


def contrast(one, other):
    low, high = sorted(float(np.array([0.2126, 0.7152, 0.0722]) @ each) for each in (one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("eye", EYES)
def test_colours_are_told_apart_by_every_eye(eye):
    near = {pair: distance(*pair, eye) for pair in combinations(PALETTE, 2)}
    assert {pair: found for pair, found in near.items() if found < DISTINCT} == {}


@pytest.mark.parametrize("page", PAGES)
def test_colours_stand_out_from_the_page(page):
    ground, brightness = PAGES[page]
    for shade in PALETTE:
        assert contrast(linear(shade, brightness), linear(ground)) >= 3, shade  # of graphics, WCAG 1.4.11


@pytest.mark.parametrize(
    "names",
    [
        DEFAULT,
        ["base", "single", "top_accuracy", "bat", "zopo", "neftune", "per_step", "paft"],
        ["a/base", "a/single", "a/per_example", "b/per_example", "c/per_example"],
        ["base", "mine", "yours"],
        ["a/base", "b/base", "a/paft", "b/paft", "c/paft", "d/paft", "e/paft", "f/paft"],
    ],
)
def test_no_two_models_are_alike(names):
    found = colours(names)
    assert list(found) == list(names) and len(set(found.values())) == len(names)
    assert all(re.fullmatch("#[0-9a-f]{6}", shade) for shade in found.values())


def test_a_method_keeps_its_colour_whatever_stands_beside_it():
    assert colours(["mine", "paft"])["paft"] == colours(["b/single", "paft"])["paft"] == COLOURS["paft"]
    assert colours(["x/y/single"]) == {"x/y/single": COLOURS["single"]}


def test_more_models_than_colours_have_colours_again():
    found = colours(f"model{number}" for number in range(20))
    assert len(found) == 20 and set(found.values()) == set(PALETTE)
