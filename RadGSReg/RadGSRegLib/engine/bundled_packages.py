"""Python packages that 3D Slicer or its PyTorch extension brings: others rely on them, so nobody replaces them."""

from __future__ import annotations

#: What the engine needs of them; pyproject.toml says the same.
NEEDED = ("numpy>=1.26", "scipy>=1.11", "SimpleITK>=2.3", "pydicom>=2.4", "torch>=2.4,<3")

#: What 3D Slicer 5.10, 5.12 and the next one are built with (SuperBuild/External_python-*.cmake, and SimpleITK), as
#: pip spells it. pip, setuptools and wheel are left out: they are tools, of which a package may ask for newer ones.
BUNDLED = frozenset(
    {"certifi", "cffi", "chardet", "charset-normalizer", "couchdb", "cryptography", "dcmqi", "deprecated"}
    | {"dicomweb-client", "gitdb", "gitpython", "highdicom", "idna", "numpy", "packaging", "pillow", "pycparser"}
    | {"pydicom", "pygithub", "pyjpegls", "pyjwt", "pynacl", "pyparsing", "python-dateutil", "requests", "retrying"}
    | {"scipy", "simpleitk", "six", "smmap", "typing-extensions", "urllib3", "wrapt"}
)
