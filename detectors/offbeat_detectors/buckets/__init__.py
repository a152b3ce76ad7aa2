"""Analyses by bucket: from the rows of a bucket to a probability for each entity, and on to scores of 0 to 100.

``aggregate``   many probabilities to one: of a bucket, of an influencer's value
``normalizer``  probabilities to scores, by the past of the job itself
``categories``  messages to categories; ``log_words``: which words tell most about a message
``exclusion``   which values of a field come so often that they are left out
``texts``       how texts stand in a State, whose arrays hold numbers
"""
