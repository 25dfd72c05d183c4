"""The engine as a process of its own, which another program asks by lines of JSON: ``python -m radgs.worker``."""
