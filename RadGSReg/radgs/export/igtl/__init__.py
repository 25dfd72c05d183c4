"""OpenIGTLink, live: poses as TRANSFORM messages to whoever navigates.

pyigtl packs the messages. The connections are plain sockets of our own, because a pose must neither be lost without a
word when a peer goes away nor wait in a queue behind older ones.
"""
