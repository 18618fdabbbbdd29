"""How well the alarm system serves the people in front of it: the figures of EEMUA 191 and ISA-18.2, live."""
