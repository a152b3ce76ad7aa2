"""Analyses: jobs that ask a question of every bucket of records. Pure, as all of the engine.

``spec`` says what is asked, ``entries`` what comes in, ``results`` what comes out. ``analysis`` keeps the time;
``question`` is one detector at work, of a kind that is a file of its own; ``scoring`` makes scores of what they say.
"""
