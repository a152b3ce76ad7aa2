"""The Prelert Engine API: what its configurations, updates, ids and dates mean. Pure so far: no route stands here."""
