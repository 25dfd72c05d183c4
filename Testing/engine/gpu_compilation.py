"""Compiles Triton kernels down to a GPU's code: Triton needs no GPU for that, and its interpreter is laxer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import radgs

#: What every script of ``compiles_for_a_gpu`` begins with.
BEGIN = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

def compiled(kernel, types, constants):
    signature = {**types, **{name: "constexpr" for name in constants}}
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
    return triton.compile(source, target=GPUTarget("cuda", 80, 32), options={"num_warps": 4}).asm["ptx"]
"""


def compiles_for_a_gpu(script: str) -> None:
    """Runs a script that compiles kernels, by ``compiled(kernel, types, constants)``, where nothing is interpreted."""
    folders = [str(Path(radgs.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "TRITON_INTERPRET": "0", "PYTHONPATH": os.pathsep.join(folders)}
    command = [sys.executable, "-c", BEGIN + script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
