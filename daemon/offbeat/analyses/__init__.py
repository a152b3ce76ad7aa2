"""Analyses at work: ``runner`` applies what is durable and keeps the store up, ``life`` is what a job goes through."""
