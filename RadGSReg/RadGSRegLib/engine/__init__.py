"""The engine's process and its libraries, what it is asked for, and what comes back into the scene."""
