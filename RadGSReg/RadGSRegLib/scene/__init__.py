"""MRML nodes: what they are called, where they stand, how they refer to each other."""
