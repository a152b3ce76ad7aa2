"""The bounded, ordered way in.

Bodies to tables in the pool, tables to the journal in groups, the answer after the commit.
"""

from offbeat.intake.intake import Intake

__all__ = ["Intake"]
