"""Who calls, and what they may touch: keys, scopes, constraints, throttle, audit."""
