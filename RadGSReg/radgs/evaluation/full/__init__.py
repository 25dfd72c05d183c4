"""``radgs benchmark --full``: from a config to a report that can be made again."""
