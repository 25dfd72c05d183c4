"""How verdicts look."""

#: Dark enough to be read on white, and told apart with every kind of colour vision; the words say the same.
VERDICT_COLOURS = {"accept": "#1b7837", "check": "#b35806", "reject": "#b2182b"}
VERDICT_SIGNS = {"accept": "✓", "check": "?", "reject": "✗"}
