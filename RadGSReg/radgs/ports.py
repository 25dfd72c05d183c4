"""Default network ports; importing this costs nothing."""

#: OpenIGTLink's own TCP port.
OPENIGTLINK_PORT = 18944
