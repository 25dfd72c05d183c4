"""The user's judgement: the level confirmed, the pose accepted, what still stands in the way."""
