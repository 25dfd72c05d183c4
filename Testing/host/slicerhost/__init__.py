"""A host for the scripted module outside Slicer: real MRML (slicer-core), real Qt (PySide6), stand-ins for the rest.

``start()`` makes ``import slicer, qt, ctk, vtk`` mean what a scripted module expects, as far as this project's module
uses it, and no further: an unknown widget class, signal, attribute or parameter type is an error here, where the real
application might let it pass in silence.
"""

from slicerhost.application import Host, start

__all__ = ["Host", "start"]
