"""The sentences of composed prompts, with marks for what the task puts into them.

``<do>`` is the description as an order (decide whether this note is spam), ``<clause>`` its indirect
question, ``<question>`` and ``<heading>`` a description of these kinds; ``<item>`` and ``<answer>`` are
nouns, ``<items>`` and ``<answers>`` their plurals. A sentence is used where the task has all that it marks.
"""

from __future__ import annotations

# Instructions by manner. These say what the description asks.
DESCRIBED: dict[str, tuple[str, ...]] = {
    "order": (
        "<do>.",
        "<do>.",
        "Task: <do>.",
        "Your task: <do>.",
        "Read the <item> and <do>.",
        "Look at what you are given, then <do>.",
        "Here is what to do: <do>.",
        "Read carefully and <do>.",
        "First read the <item>. Then <do>.",
        "Do the following: <do>.",
        "Go through the <item> and <do>.",
        "Use what you know to <do>.",
        "Tell us <clause>.",
        "Say <clause>.",
        "Write down <clause>.",
        "Think about <clause>.",
        "Note <clause>.",
        "Settle <clause>.",
        "Task: <heading>.",
        "Do this: <heading>.",
        "Find out: <question>?",
        "Answer the question: <question>?",
    ),
    "question": (
        "Can you <do>?",
        "How would you <do>?",
        "Are you able to <do>?",
        "What would you write if you had to <do>?",
        "Can you see <clause>?",
        "Do you know <clause>?",
        "Can you tell <clause>?",
        "Who can say <clause>?",
        "Is it clear to you <clause>?",
        "Any idea <clause>?",
        "<question>?",
        "<question>?",
        "So, <question>?",
        "One question: <question>?",
        "What do you say to this: <heading>?",
    ),
    "statement": (
        "The task is to <do>.",
        "The aim is to <do>.",
        "We need to <do>.",
        "I am trying to <do>.",
        "It is up to you to <do>.",
        "This exercise asks you to <do>.",
        "There is only one thing to do here: <do>.",
        "What we want is simple, namely to <do>.",
        "In what follows somebody has to <do>.",
        "I want to know <clause>.",
        "I wonder <clause>.",
        "The question is <clause>.",
        "It remains to be seen <clause>.",
        "Everything depends on <clause>.",
        "Nobody has told us yet <clause>.",
        "All that matters here is <clause>.",
        "The question is this: <question>?",
        "We ask ourselves: <question>?",
        "This is about the following. <heading>.",
        "What is wanted: <heading>.",
    ),
    "role": (
        "You are an expert who is paid to <do>.",
        "You are a careful assistant. Your job is to <do>.",
        "Imagine that you have to <do>.",
        "You work in an office where people <do> all day.",
        "You are a patient teacher, and today your pupils learn to <do>. Show them how.",
        "As an experienced annotator you are asked to <do>.",
        "You are new here. Your first duty is to <do>.",
        "Suppose you are the one who must <do>.",
        "You are the last person in a long line of checkers who all had to <do>.",
        "You act as a program whose only purpose is to <do>.",
        "You sit at a desk and state, again and again, <clause>.",
        "You are the judge of <clause>.",
        "You are an expert. Somebody asks you: <question>?",
        "You are a specialist for the following. <heading>.",
    ),
    "terse": (
        "<do>.",
        "<do>:",
        "<clause>:",
        "<question>?",
        "<heading>:",
    ),
    "polite": (
        "Please <do>.",
        "Kindly <do>.",
        "Would you please <do>? Thank you.",
        "Could you <do>, please?",
        "I would be grateful if you could <do>.",
        "Hello! Please help me <do>.",
        "Might I ask you to <do>?",
        "If you have a moment, please <do>.",
        "Sorry to bother you, but could you <do>?",
        "Hi there, could you tell me <clause>?",
        "Please let me know <clause>.",
        "Would you be so kind as to say <clause>?",
        "I am not sure myself <clause>, so please help me out.",
        "Please answer this: <question>?",
        "May I ask you something? <question>?",
        "Your help is needed with this, please. <heading>.",
    ),
}
# These rely on the nouns, whatever the answer.
ANY_ANSWER: dict[str, tuple[str, ...]] = {
    "order": (
        "Find the <answer> that goes with the <item>.",
        "Read the <item>, then write the <answer>.",
        "Give the <answer> that is right for this <item>.",
        "Fill in the missing <answer>.",
        "Work on this <item> until you have the <answer>.",
    ),
    "question": (
        "What is the right <answer> for this <item>?",
        "Which <answer> is right for this <item>?",
        "What <answer> does a careful reader arrive at here?",
        "If somebody showed you this <item>, what would your <answer> be?",
        "Looking at this <item>, what comes to mind as the <answer>?",
    ),
    "statement": (
        "The <item> still lacks its <answer>.",
        "I have one more <item> here and need the <answer> for it.",
        "The right <answer> follows from what the <item> says.",
        "We are collecting <items> together with the right <answers>.",
        "A <item> came in, and somebody is waiting for the <answer>.",
    ),
    "role": (
        "You are an expert who knows the <answer> for every <item>.",
        "You are a machine that reads one <item> and returns one <answer>.",
        "You play a game in which a <item> is read out and you call out the <answer>.",
        "As someone who has seen thousands of <items>, you know the <answer> at a glance.",
        "You and a friend work on a list of <items>. It is your turn to name the <answer>.",
    ),
    "terse": (
        "<answer>?",
        "Find the <answer>.",
        "<item> in, <answer> out.",
        "<answer> wanted.",
        "Just the <answer>.",
        "Next <item>:",
        "New <item>, same question:",
        "Now this <item>:",
    ),
    "polite": (
        "Please give me the <answer> for this <item>.",
        "Could you have a look at this <item> and tell me the <answer>?",
        "I cannot make up my mind about this <item>. Which <answer> would you choose?",
        "Thank you for helping with our <items>! Here is the next one that still needs its <answer>:",
        "Hey, quick favour: what <answer> goes with this <item>?",
    ),
}
# And these speak of a label.
LABELLING: dict[str, tuple[str, ...]] = {
    "order": (
        "Give the <answer> of this <item>.",
        "Assign the right <answer> to the <item>.",
        "Pick the <answer> that suits the <item>.",
        "Mark the <item> with the <answer> it deserves.",
        "Put the matching <answer> next to this <item>.",
        "Read the <item>, then write its <answer>.",
        "Complete the entry with the right <answer>.",
    ),
    "question": (
        "Which <answer> fits this <item> best?",
        "Which <answer> would you give the <item>?",
        "Under which <answer> does the <item> fall?",
        "What <answer> does a careful reader choose here?",
        "If somebody showed you this <item>, which <answer> would you name?",
        "Of all possible <answers>, which one belongs to this <item>?",
        "Which of the <answers> is meant here?",
        "Where does this <item> belong?",
        "How should the <item> be labelled?",
        "What do we have here, and which <answer> does it get?",
        "Looking at this <item>, what comes to mind as its <answer>?",
    ),
    "statement": (
        "Each <item> has exactly one <answer>.",
        "Every <item> on our list gets a <answer>, and this one is no exception.",
        "I have a <item> here and need the <answer> for it.",
        "For each <item> there is one <answer> that fits.",
        "We are collecting <items> together with their <answers>.",
        "A <item> came in and has to get its <answer>.",
    ),
    "role": (
        "You are a clerk with a stack of <items>. Each of them needs a <answer>.",
        "You are a librarian who files every <item> under one <answer>.",
        "Picture yourself as the editor who has to give this <item> its <answer>.",
        "You and a friend sort <items>. It is your turn to name the <answer>.",
    ),
    "terse": (
        "<answer> for this <item>:",
        "What <answer>?",
        "Sort this.",
        "Label the <item>.",
        "Quick check of one <item>:",
        "To be labelled:",
    ),
    "polite": (
        "Please give me the <answer> of this <item>.",
        "Could you have a look at this <item> and tell me its <answer>?",
        "Dear colleague, would you enter the <answer> for the <item> given here?",
    ),
}
MANNERS = {"order": 5, "question": 5, "statement": 4, "role": 3, "terse": 4, "polite": 3, "none": 4}

# What else people write around an instruction; it changes nothing.
OPENINGS = (
    "Hello!", "Good morning.", "Next one.", "Exercise 4.", "Question 12.", "Ready?", "Here we go.",
    "One more.",
    "Test item.", "Attention, please.", "Item 7 of 40.", "Okay, listen.", "Today's entry.", "Instructions:",
    "Round two.", "From our archive.", "A small puzzle for you.", "Hi, me again!",
)  # fmt: skip
REMARKS = (
    "Take your time.",
    "Only one <answer> is right.",
    "There are many more <items> after this one.",
    "Nobody has looked at this <item> yet.",
    "We had complaints about wrong <answers> last week, so look twice.",
    "Go by the meaning and not by single words.",
    "My colleague and I disagree about this one.",
    "It is late, and this is the last <item> of the day.",
    "The result goes straight into our records.",
    "Do not be misled by spelling or length.",
    "Others will check your <answer> afterwards.",
    "If in doubt, take the most likely <answer>.",
    "Some <items> are harder than others; this one should be fine.",
    "You have done this many times before.",
    "It does not matter who wrote it.",
    "The same rules hold as always.",
    "A guess is better than nothing.",
    "Think of what is meant as a whole.",
    "Our customers rely on it.",
    "We will use it to train new colleagues.",
    "You may have seen something like it before.",
    "The <item> is given as it came, with all its mistakes.",
    "Somebody is waiting at the other end of the line.",
    "When you are done, the next <item> follows.",
    "Be consistent.",
    "No tricks this time.",
    "It sounds easy, and it mostly is.",
    "I would do it myself, but my coffee is getting cold.",
)
# The form of the answer, by rule.
FORMS: dict[str, tuple[str, ...]] = {
    "label": (
        "Write the <answer> and nothing else.",
        "Give just the <answer>.",
        "No explanation is needed.",
        "Reply with the <answer> only.",
        "Do not add anything to the <answer>.",
        "Keep it to the bare <answer>.",
        "Exactly one <answer>, please.",
        "Nothing but the <answer> should follow.",
    ),
    "choice": (
        "Answer with the letter only.",
        "Give the letter of the right one.",
        "One letter is enough.",
        "Reply with a single letter.",
        "Write the letter and nothing else.",
        "Just the letter, no explanation.",
    ),
    "number": (
        "Answer with a number.",
        "Give the number only.",
        "Write the number and nothing else.",
        "Reply with the number, no words.",
        "A bare number is expected.",
    ),
    "final_number": (
        "Work it out and give the number at the end.",
        "Show your working and finish with the result.",
        "The last thing you write is the number.",
        "Write down how you get there, and the number last.",
        "Explain each calculation; end with the result.",
    ),
    "text": (
        "Answer in a few words on one line.",
        "Keep it short.",
        "Write the answer and nothing else.",
        "Be brief, and add no explanation.",
        "One short line is enough.",
    ),
    "json": (
        "Reply with one JSON value and nothing else.",
        "Write JSON only.",
        "Your reply is read by a program, so it has to be valid JSON.",
        "Give the result as JSON, without any comment.",
        "Nothing but JSON, please.",
    ),
    "code": (
        "Write code only.",
        "Reply with the code and nothing else.",
        "Do not explain the code.",
        "Continue exactly where it stops.",
        "Keep the indentation.",
        "Leave out any explanation; the code will be run.",
    ),
}

# Ends of a prompt, right before the answer: whatever the answer is, and for answers of one kind.
COLONS = (
    "<answer>:", "<answer>:", "<answer>:", "The <answer>:", "Your <answer>:", "Right <answer>:",
    "Final <answer>:",
    "My <answer>:", "<answer> for the <item>:", "Your reply:", "Answer:", "Result:", "Output:", "Response:",
    "Solution:", "Model <answer>:", "You write:",
)  # fmt: skip
COLONS_OF_A_LABEL = (
    "Best <answer>:", "<answer> of the <item>:", "Matching <answer>:", "Verdict:", "Choice:", "Decision:",
    "Done:",
    "Filed under:", "Goes to:", "Conclusion:", "Assessment:", "Finding:", "Entry:", "Mark:", "Your pick:",
    "Prediction:", "Sorted as:", "Note:", "In short:", "Outcome:", "Ruling:", "My call:", "Stamp:", "Box:",
    "Pile:",
    "Heading:",
)  # fmt: skip
ARROWS = (
    "->", "=>", ">>", "<answer> ->", "<answer> =", "=", "<answer> :=", "<answer> =>", "==>", "...", "|",
    "<answer> |",
    "--", "<answer> --",
)  # fmt: skip
QUESTIONS = (
    "What is the <answer>?", "Which <answer> is it?", "So, which <answer>?", "And the <answer>?",
    "What would you answer?", "What do you think?", "Your <answer>, please?", "What should we write here?",
)  # fmt: skip
LEADS: dict[str, tuple[str, ...]] = {
    "label": (
        "The <answer> is", "The right <answer> is", "So the <answer> is", "I would say", "I think it is",
        "It is",
        "This is", "That is", "It must be", "The best fit is", "My <answer> is", "I would go with",
        "We call it",
        "This one goes under", "This counts as", "I would put it under", "You write", "You answer with",
        "They settle on", "Without any doubt it is", "In one expression:", "This <item> gets the <answer>",
        "The correct <answer> for this <item> is", "Here the <answer> is",
        "After some thought the <answer> is",
        "It clearly belongs to", "The <item> is about", "We file it under",
        "The clerk reads it once and writes",
        "The box it goes into is marked", "The expert nods and says", "Everybody agrees that the <answer> is",
        "Let's go with", "I'd call it", "It has to be", "The form now says", "So I choose", "You would pick",
        "Looking closely, it is", "On the label it says",
    ),
    "choice": (
        "The <answer> is", "The right <answer> is", "The letter is", "I would choose", "It is",
        "I would go with",
        "The correct letter is", "The best of them is", "My choice is", "You mark", "The pen stops at",
        "I'd take",
        "So it has to be", "Everybody agrees on", "The one that fits is", "Let's go with", "The right one is",
    ),
    "number": (
        "The <answer> is", "So the <answer> is", "It comes to", "The correct <answer> is", "That makes",
        "I get",
    ),
}  # fmt: skip
ENDS = {"colon": 9, "lead": 6, "arrow": 3, "question": 3, "none": 4}

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
# Introductions of options.
LISTS = {
    "sentence": (
        "The <answers> are <options>.", "Possible <answers>: <options>.", "Choose from <options>.",
        "There are these <answers>: <options>.", "It can be <options>.", "You can choose between <options>.",
        "The following <answers> exist: <options>.", "Our <answers> are <options>.", "Allowed are <options>.",
    ),
    "one of": (
        "It is one of <options>.", "Answer with one of <options>.", "One of: <options>.",
        "Pick one of the following: <options>.", "Use one of these <answers>: <options>.",
        "Exactly one of <options> is right.", "The <answer> is one of <options>.",
    ),
    "list": ("<answers>:", "Options:", "Choose from:", "Possible <answers>:", "The <answers> are:",
    "Choices:", ""),
    "line": ("<answers>: <options>", "options = <options>", "(<options>)", "[<options>]",
    "<answers> = [<options>]"),
    "end": (
        "<answer> (<options>):", "One of <options>:", "<options>?", "Options: <options>", "Is it <options>?",
        "Choose from <options>.", "[<options>]", "<answers>: <options>", "<answer>, one of <options>:",
        "Which one: <options>?", "Your <answer> (<options>):", "Say <options>.", "<options>:",
    ),
}  # fmt: skip
