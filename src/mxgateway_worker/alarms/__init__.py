"""The worker's side of alarms: providers watched, their lists compared, what changed told in order."""
