"""Alarms between a worker and what tells it of them: the seam, the records, their XML and the times in it."""
