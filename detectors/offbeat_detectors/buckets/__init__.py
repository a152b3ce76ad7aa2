"""Analysis by bucket: rows become one number per entity and bucket, numbers become probabilities, those become scores.

functions   which functions there are, what each needs and computes
tables      rows of open buckets by entity, kept in flat arrays: they grow, are saved and restored
numbers     what is kept of numbers to tell count, sum, mean, min, max, variance and median, added to and merged
features    rows of numbers in, features of each entity out
distinct    how many different values an entity had
content     how much information the strings of an entity hold
influence   the same features without one influencer value, and how much of the oddness that takes away
influence_distinct, influence_content   the same of distinct_count and info_content
"""
