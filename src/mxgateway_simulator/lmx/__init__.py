"""Run time, pure Python: LMXProxy as one session sees it: handles, items, users, subscriptions and writes."""
