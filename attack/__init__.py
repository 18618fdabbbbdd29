"""Floods over a gateway of one's own, with an honest client beside, judged: what one caller weighs for all others."""
