"""What a person sees: a page of plain modules and styles, served from disk. It knows the daemon by its API alone."""
