"""Feeds: jobs that read their records themselves, from files, databases, search servers, and go on where they were."""
