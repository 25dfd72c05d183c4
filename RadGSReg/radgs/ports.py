"""The port by which others find us; importing it costs nothing."""

#: OpenIGTLink's own TCP port.
OPENIGTLINK_PORT = 18944
