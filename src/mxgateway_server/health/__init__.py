"""Whether the gateway can do its work: findings on what it depends on, and the verdict that others are told."""
