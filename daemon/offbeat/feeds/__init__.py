"""Feeds: jobs that read their records themselves, from files, databases and search servers, and go on where they were."""
