"""Analyses by bucket: a feature of each bucket and entity, how improbable it is, and what that makes of the bucket.

``model`` judges a value by the earlier buckets of its entity (``entity``: how one is judged and learned; ``season``:
what is expected; ``residuals``: how far values stray from it; ``normal``: tails), ``over`` by its peers. ``rare``
judges that a value appears at all, ``popular`` that a member has it, ``clock`` when, ``earth`` where.
"""
