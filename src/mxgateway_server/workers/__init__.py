"""Worker processes: starting, talking to, watching, and ending them."""
