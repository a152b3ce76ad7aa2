"""Analysis by bucket: rows become one number per entity and bucket, numbers become probabilities, those become scores.

functions   which functions there are, what each needs and computes
tables      rows of open buckets by entity, kept in flat arrays: they grow, are saved and restored; kept: rows of models
numbers     what is kept of numbers to tell count, sum, mean, min, max, variance and median, added to and merged
features    rows of numbers in, features of each entity out
distinct    how many different values an entity had; content: how much information its strings hold
influence   the same features without one influencer value, and how much of the oddness that takes away;
            influence_distinct, influence_content: of distinct_count and info_content
model       a value judged by the earlier buckets of its entity (season: what is expected; residuals: how far values
            stray from it; normal: tails; entity: what is kept of one); over: by its peers
pairs       two entities that follow one another: which do, and how odd it is that one goes its own way
rare        that a value appears at all, popular: among members; clock: when; earth: where
aggregate   many probabilities to one: of a bucket, of an influencer's value
normalizer  probabilities to scores, by the past of the job itself
categories  messages to categories; log_words: which words tell most about a message; texts: how texts stand in a State
exclusion   which values of a field come so often that they are left out
"""
