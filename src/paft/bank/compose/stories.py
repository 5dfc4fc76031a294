"""Sentences that hold the text of an example in their middle, and asides that have nothing to do with it.

Marks are those of :mod:`paft.bank.compose.phrases`.
"""

from __future__ import annotations

# A text inside a sentence: what stands before it, and what behind it leads to the answer.
SENTENCES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "subject": (
        ("The <item> ", "The next <item>, ", "This <item>, ", "", "Our <item> of the day, "),
        (
            " gets the <answer>", " belongs to the <answer>", " is filed under", " has the <answer>",
            " should be marked as", " is a clear case of", " goes into the box with the words", " counts as",
            " was given the <answer>", " is best described as", " will be entered as", " falls under",
            " means",
        ),
    ),
    "told": (
        (
            "Somebody wrote ", "This came in: ", "On the card it says ", "We received ",
            "Here is the <item>: ",
            "A voice reads out ", "The screen shows ", "Late in the evening a <item> arrives: ",
            "The first line of the page is ", "I found the <item> ",
            "In the old box lies a note with the <item> ",
            "You hear somebody say ", "The clerk opens the letter and reads ",
        ),
        (
            ", so the <answer> must be", ", and the right <answer> is", "; next to it stands the <answer>",
            ", and beside it somebody notes", ", which makes it a clear case of", ", which we mark as",
            ", and everyone at the table says", ". That is", ". The <answer> is",
            ", and the stamp comes down:",
            ". After a moment you write", ". Which <answer> is that?", ". What is the <answer>?",
            ". The old hand at the desk smiles and says", ". It can only be", ". We put it down as",
        ),
    ),
    # A story, with words of its own between the text and the answer.
    "scene": (
        (
            "The train is late, and on the platform somebody reads aloud: ",
            "Two colleagues share a desk and a long list of <items>. The next one is ",
            "The radio is on in the workshop. Through the noise one can make out ",
            "In a small museum hangs a frame with the <item> ",
            "On a rainy afternoon a child finds a slip of paper. It says ",
            "The judges have seen forty <items> today. Number forty-one: ",
            "A robot rolls through the archive, stops, and scans ",
            "The phone rings, and before anyone can say hello a voice says ",
            "At the back of the drawer, under old keys, there is a <item>: ",
            "The quiz master clears his throat and reads the <item> ",
            "Last night I could not sleep and thought of this <item>: ",
            "The parcel held nothing but a card with ",
        ),
        (
            ". An old woman looks up from her book and knows at once that it is",
            ". One of them shrugs, the other takes a pen and writes",
            ". For a while nobody speaks. Then somebody says it aloud:",
            ". The lamp blinks twice, the drawer opens, and on its front one reads",
            ". The first to answer wins the round. The bell rings:",
            ". There is laughter, but the man in charge stays calm and enters",
            ". Long after everyone has gone home, the list shows next to it",
            ". It takes the newcomer a minute to find the <answer>, which is",
            ". Whoever has read so many of them does not hesitate for long:",
            ". The teacher nods. And the <answer>, she asks? A hand goes up:",
            ". He turns the page, where the <answer> is printed upside down:",
            ". My grandmother would have said, with a smile, that this is",
        ),
    ),
    "given": (
        (
            "When the <item> reads ", "Given ", "For the <item> ", "If you see ", "With the <item> ",
            "If the <item> is ", "Faced with ", "As to ", "Whenever somebody writes ",
        ),
        (
            ", the right <answer> is", ", the <answer> has to be", ", I would say", ", the clerk writes",
            ", what is the <answer>?", ", which <answer> do you choose?", ", most people would answer",
            ", the only sensible <answer> is", ", we write", ", everybody agrees on",
        ),
    ),
    "shown": (
        ("Take ", "Consider ", "Look at ", "Read ", "Think about ", "Now for ", "See here: "),
        (
            ". The <answer> is", ". I would call this", ". Which <answer> is that?",
            " and name the <answer>:",
            ". The <answer> that fits is", ". What do we call it?", ". It goes under", " - <answer>:",
            ". So, the <answer>?", " and complete: the <answer> is",
        ),
    ),
    "mapped": (
        ("", "<item>: ", "<item> ", "one <item>, "),
        (" ->", " =", " =>", " (<answer>):", " | <answer>:", " : <answer>", ", <answer>:", " >>",
        " // <answer>"),
    ),
}  # fmt: skip
SENTENCE_KINDS = {"subject": 3, "told": 4, "scene": 4, "given": 3, "shown": 2, "mapped": 2}
# What happens beside it, in words from everywhere: a model that takes a prompt's own words for a part of the
# text reads a restaurant into "guest". These tell nothing about the answer, and training shows it that.
ASIDES = (
    "The kettle is on and somebody plays the piano next door.",
    "A guest has left an umbrella in the living room.",
    "Outside it rains, and the bus is late again.",
    "The match begins at eight and the tickets are sold out.",
    "My bank called twice about a card this morning.",
    "The new film is said to be wonderful.",
    "Grandfather reads the paper while the soup gets cold.",
    "The doctor will be back on Monday.",
    "There is a sale at the shoe shop around the corner.",
    "The radio promises sun for the weekend.",
    "A waiter carries three plates past the window.",
    "The teacher has lost the key to the library.",
    "Our neighbours have moved to the seaside.",
    "Someone ordered a taxi to the airport.",
    "The band is still tuning its guitars.",
    "The price of bread went up on Friday.",
    "A parcel has been waiting at the post office since June.",
    "The children want to know when dinner is ready.",
    "The printer is out of paper, as usual.",
    "Two players argue with the referee.",
    "The garden smells of cut grass.",
    "The museum opens late on Thursdays.",
    "The password was changed last night.",
    "A song from the eighties gets stuck in everyone's head.",
    "The minister will speak on television tonight.",
    "Her phone is dead and the charger is at home.",
    "The cook recommends the fish.",
    "The hotel has no free rooms before spring.",
    "A cat walks over the keyboard.",
    "The invoice lies under a cup of coffee.",
    "The actress bows, and the curtain falls.",
    "The nurse asks for the next patient.",
    "The train to the city leaves from platform nine.",
    "Nobody has found the remote control.",
    "The lawyer sends her regards.",
    "It snowed in April, which surprised even the farmers.",
    "The shop takes returns within thirty days.",
)
