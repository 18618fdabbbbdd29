"""Build time, with SQLAlchemy and YAML: from a description to a Galaxy database; no worker loads it."""
